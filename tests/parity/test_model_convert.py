"""A converted checkpoint computes the feature of the released image network.

That network is built here a second time, from CLIMB-ReID's equations 8 and 9 and the layout of the published
checkpoints: plain functions over the raw tensors, in float64, the scan one position after the other.
"""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from reid_worker.model.climb import Climb
from reid_worker.model.weights import load_weights
from tests.published_tools import HEADS, JOINT, LAYERS, PATCH, RANK, STATE, WIDTH, crops, published_checkpoint
from training.convert import convert

Weights = dict[str, Tensor]


def layer_norm(w: Weights, name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * w[f"{name}.weight"] + w[f"{name}.bias"]


def batch_norm(w: Weights, name: str, x: Tensor) -> Tensor:
    scale = w[f"{name}.weight"] / (w[f"{name}.running_var"] + 1e-5).sqrt()
    return (x - w[f"{name}.running_mean"]) * scale + w[f"{name}.bias"]


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def attention(w: Weights, name: str, x: Tensor) -> Tensor:
    q, k, v = (x @ w[f"{name}.in_proj_weight"].T + w[f"{name}.in_proj_bias"]).chunk(3, dim=-1)
    size = WIDTH // HEADS
    heads = []
    for h in range(HEADS):
        part = slice(h * size, (h + 1) * size)
        weight = (q[..., part] @ k[..., part].transpose(1, 2) / size**0.5).softmax(-1)
        heads.append(weight @ v[..., part])
    return linear(w, f"{name}.out_proj", torch.cat(heads, dim=-1))


def tower(w: Weights, images: Tensor, side: Tensor | None) -> Tensor:
    """Return all tokens after the last norm, the class token first."""
    squares = images.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)  # (b, 3, rows, columns, PATCH, PATCH)
    x = torch.einsum("bcrsij,dcij->brsd", squares, w["image_encoder.conv1.weight"]).flatten(1, 2)
    first = w["image_encoder.class_embedding"].expand(len(x), 1, -1)
    first = first if side is None else first + side[:, None]
    x = torch.cat([first, x], dim=1) + w["image_encoder.positional_embedding"]
    x = layer_norm(w, "image_encoder.ln_pre", x)
    for layer in range(LAYERS):
        block = f"image_encoder.transformer.resblocks.{layer}"
        x = x + attention(w, f"{block}.attn", layer_norm(w, f"{block}.ln_1", x))
        hidden = linear(w, f"{block}.mlp.c_fc", layer_norm(w, f"{block}.ln_2", x))
        x = x + linear(w, f"{block}.mlp.c_proj", hidden / (1 + torch.exp(-1.702 * hidden)))
    return layer_norm(w, "image_encoder.ln_post", x)


def silu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))


def scan(w: Weights, name: str, suffix: str, x: Tensor) -> Tensor:
    """Return y of one direction before the gate, `(b, L, E)`."""
    b, L, E = x.shape
    kernel = w[f"{name}.conv1d{suffix}.weight"][:, 0]  # (E, k)
    taps = kernel.shape[1]
    padded = torch.cat([x.new_zeros(b, taps - 1, E), x], dim=1)
    x = sum((padded[:, i : i + L] * kernel[:, i] for i in range(taps)), torch.zeros_like(x))
    x = silu(x + w[f"{name}.conv1d{suffix}.bias"])
    steps, B, C = torch.split(x @ w[f"{name}.x_proj{suffix}.weight"].T, [RANK, STATE, STATE], dim=-1)
    delta = torch.log1p(torch.exp(linear(w, f"{name}.dt_proj{suffix}", steps)))
    A = -torch.exp(w[f"{name}.A{suffix}_log"])
    h = x.new_zeros(b, E, STATE)
    y = []
    for i in range(L):
        h = torch.exp(delta[:, i, :, None] * A) * h + (delta[:, i] * x[:, i])[:, :, None] * B[:, i, None, :]
        y.append((h * C[:, i, None, :]).sum(-1) + w[f"{name}.D{suffix}"] * x[:, i])
    return torch.stack(y, dim=1)


def importance_mamba(w: Weights, first: Tensor, patches: Tensor) -> Tensor:
    cosine = (patches * first[:, None]).sum(-1) / (patches.norm(dim=-1) * first.norm(dim=-1)[:, None])
    order = cosine.argsort(dim=1, descending=True)
    ordered = torch.stack([patch[index] for patch, index in zip(patches, order, strict=True)])
    inner = layer_norm(w, "sp_mamba_bi.0", ordered) @ w["sp_mamba_bi.1.in_proj.weight"].T
    x, z = inner.chunk(2, dim=-1)
    ahead = scan(w, "sp_mamba_bi.1", "", x) * silu(z)
    back = scan(w, "sp_mamba_bi.1", "_b", x.flip(1)) * silu(z.flip(1))
    scanned = (ahead + back.flip(1)) @ w["sp_mamba_bi.1.out_proj.weight"].T
    tokens = layer_norm(w, "norm2_mamba", torch.cat([first[:, None], scanned], dim=1))
    weight = linear(w, "sp_attention.2", torch.tanh(linear(w, "sp_attention.0", tokens))).softmax(dim=1)
    return (weight * tokens).sum(1)


def released_feature(checkpoint: Weights, images: Tensor, side: Tensor | None = None) -> Tensor:
    """Return class token, joint vector and what the Mamba makes, each normalised; together of length 1."""
    w = {name.removeprefix("module."): tensor.double() for name, tensor in checkpoint.items()}
    tokens = tower(w, images.double(), None if side is None else side.double())
    first = tokens[:, 0]
    feature = torch.cat(
        [
            batch_norm(w, "bottleneck", first),
            batch_norm(w, "bottleneck_proj", first @ w["image_encoder.proj"]),
            batch_norm(w, "bottleneck_proj_sp", importance_mamba(w, first, tokens[:, 1:])),
        ],
        dim=1,
    )
    return torch.as_tensor(feature / feature.norm(dim=1, keepdim=True))


def converted(checkpoint: Weights, folder: Path, kind: str = "pt", *, frames: int = 1) -> Climb:
    source, out = folder / f"published.{kind}", folder / "ours.safetensors"
    if kind == "pt":
        torch.save(checkpoint, source)
    else:
        save_file(checkpoint, source)
    convert(source, out, frames=frames, side_coefficient=1.5)
    return load_weights(out).network


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
@pytest.mark.parametrize("cameras", [0, 3])
@pytest.mark.parametrize("prefix", ["", "module."])
@torch.no_grad()
def test_a_converted_checkpoint_computes_the_released_feature(
    tmp_path: Path, prefix: str, cameras: int, kind: str
) -> None:
    checkpoint = published_checkpoint(cameras=cameras, prefix=prefix)
    network = converted(checkpoint, tmp_path, kind)
    unknown = 1.5 * checkpoint[f"{prefix}cv_embed"].double().mean(0).expand(5, -1) if cameras else None
    expected = released_feature(checkpoint, crops(5), unknown)
    assert expected.shape == (5, 2 * WIDTH + JOINT)
    assert relative_error(network.images(crops(5)).ranking(), expected) < 1e-5
    assert relative_error(network.ragged(crops(5), [1] * 5).ranking(), expected) < 1e-5
    assert relative_error(network.double().images(crops(5).double()).ranking(), expected) < 1e-12


@torch.no_grad()
def test_a_known_camera_adds_its_vector_as_in_the_released_network(tmp_path: Path) -> None:
    checkpoint = published_checkpoint(cameras=3)
    network = converted(checkpoint, tmp_path)
    seen = [2, 0, 1, 1]
    expected = released_feature(checkpoint, crops(4), 1.5 * checkpoint["cv_embed"][seen])
    assert relative_error(network.images(crops(4), seen).ranking(), expected) < 1e-5
    assert relative_error(expected, released_feature(checkpoint, crops(4))) > 1e-2


@torch.no_grad()
def test_what_is_dropped_is_exactly_what_the_feature_does_not_depend_on(tmp_path: Path) -> None:
    checkpoint = published_checkpoint()
    torch.save(checkpoint, tmp_path / "published.pt")
    dropped = convert(tmp_path / "published.pt", tmp_path / "ours.safetensors").dropped
    expected = released_feature(checkpoint, crops(2))
    # Neither a count of batches nor what is added to all logits of a softmax can be seen in a feature.
    unseen = [name for name in checkpoint if name.endswith("num_batches_tracked")] + ["sp_attention.2.bias"]
    for name in checkpoint.keys() - unseen:
        changed = checkpoint | {name: checkpoint[name] * 1.5 + 0.3}
        moved = relative_error(released_feature(changed, crops(2)), expected)
        assert (moved == 0) == (name in dropped), name


@torch.no_grad()
def test_a_tracklet_of_a_converted_network_is_the_mean_of_its_images(tmp_path: Path) -> None:
    network = converted(published_checkpoint(), tmp_path, frames=4)
    tracklet, images = network.ragged(crops(4), [4]), network.images(crops(4))
    torch.testing.assert_close(tracklet.sequence, images.sequence.mean(0, keepdim=True), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(tracklet.temporal, images.temporal.mean(0, keepdim=True), rtol=1e-4, atol=1e-5)
