"""Grow a trained network into a wider and deeper one that initially computes the same (Chen et al. 2016, Net2Net).

Every channel of the tower is doubled, so that each LayerNorm sees the same mean and variance as before; a matrix that
reads doubled channels splits its weights unevenly between the two copies, which changes nothing at first and lets them
diverge in training. A new layer initially adds nothing.

    python -m training.recipes.grow SMALL.safetensors GROWN.safetensors

Weights of climb-tiny-64 are grown into those of climb-tiny-4, and those of climb-tiny-4 deepened into climb-tiny's.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from reid_worker.model.climb import CLIMB_TINY, Architecture, Climb
from reid_worker.model.clip import ResidualAttentionBlock, VisualTower, resize_positions
from reid_worker.model.weights import load_weights, save_weights
from training.config.groups import MODELS

_UNEVENNESS = 0.5  # of the split of a weight between two equal channels, relative to the matrix's standard deviation


def grow(small: Climb, wanted: Architecture, *, seed: int = 0) -> Climb:
    """Return a network of the sizes `wanted` whose features are those of `small`, with every value twice.

    Args:
        small: A network of half the width, as many heads and at most as many layers, with the same temporal head.
        wanted: Sizes of the result; for a larger crop, positions are resized and training has to follow.
        seed: Seed of the uneven splits and of new layers.

    Raises:
        ValueError: The sizes do not match.
    """
    a = small.architecture
    doubled = replace(wanted, tower_width=a.tower_width * 2, joint_width=a.joint_width * 2, heads=a.heads, stem=a.stem)
    if doubled != wanted or wanted.layers < a.layers:
        raise ValueError(f"{wanted} is not twice as wide as {a}, or has fewer layers")
    torch.manual_seed(seed)
    grown = Climb(wanted)
    with torch.no_grad():
        _grow_tower(small, grown)
        head = {name: _grow_head(name, t, small) for name, t in small.temporal.state_dict().items()}
        grown.temporal.load_state_dict(head)
        for name in ("bottleneck", "bottleneck_joint", "bottleneck_temporal"):
            source, target = getattr(small, name), getattr(grown, name)
            for key in ("weight", "bias", "running_mean", "running_var"):
                getattr(target, key).copy_(_twice(getattr(source, key)))
    return grown.eval()


def deepen(shallow: Climb, layers: int, *, seed: int = 0) -> Climb:
    """Return a network of so many layers whose features are those of `shallow`.

    Args:
        shallow: A network of at most as many layers.
        layers: Of the result.
        seed: Seed of new layers.

    Raises:
        ValueError: The network has more layers.
    """
    before = shallow.architecture.layers
    if layers < before:
        raise ValueError(f"a network of {before} layers cannot be deepened to {layers}")
    torch.manual_seed(seed)
    deep = Climb(replace(shallow.architecture, layers=layers))
    deep.load_state_dict({**deep.state_dict(), **shallow.state_dict()})
    for block in _blocks(deep.encoder)[before:]:
        _silence(block)
    return deep.eval()


def _grow_tower(small: Climb, grown: Climb) -> None:
    source, target = small.encoder, grown.encoder
    stem = source.conv1.state_dict()
    last = max(k.split(".")[1] for k in stem)  # only the last stage is as wide as the tower
    target.conv1.load_state_dict({k: _twice(t) if k.split(".")[1] == last else t for k, t in stem.items()})
    target.class_embedding.copy_(_twice(source.class_embedding))
    positions: Tensor = source.positional_embedding
    if source.grid != target.grid:
        positions = resize_positions(positions, source.grid, target.grid)
    target.positional_embedding.copy_(_twice(positions.T).T)
    target.proj.copy_(_split(_twice(source.proj.T)).T)
    for norm in ("ln_pre", "ln_post"):
        _copy_norm(getattr(source, norm), getattr(target, norm))
    old, new = _blocks(source), _blocks(target)
    for i, block in enumerate(new):
        if i < len(old):
            _grow_block(old[i], block)
        else:
            _silence(block)


def _silence(block: ResidualAttentionBlock) -> None:
    """Have a block add nothing to what it is given."""
    for name in ("attn.out_proj", "mlp.c_proj"):
        for parameter in block.get_submodule(name).parameters():
            nn.init.zeros_(parameter)


def _blocks(tower: VisualTower) -> list[ResidualAttentionBlock]:
    return [block for block in tower.modules() if isinstance(block, ResidualAttentionBlock)]


def _grow_block(source: ResidualAttentionBlock, target: ResidualAttentionBlock) -> None:
    _copy_norm(source.ln_1, target.ln_1)
    _copy_norm(source.ln_2, target.ln_2)
    heads, width = source.attn.num_heads, source.attn.embed_dim
    # Doubled queries and keys scale scores by 2 / sqrt(2); the queries compensate for it.
    scale = torch.tensor([0.5**0.5, 1.0, 1.0]).repeat_interleave(2 * width)
    weights = torch.cat([_twice_in_heads(w, heads) for w in source.attn.in_proj_weight.chunk(3)])
    target.attn.in_proj_weight.copy_(_split(weights) * scale.unsqueeze(1))
    biases = torch.cat([_twice_in_heads(b, heads) for b in source.attn.in_proj_bias.chunk(3)])
    target.attn.in_proj_bias.copy_(biases * scale)
    mixed = _split(_twice(source.attn.out_proj.weight))  # (2 D, [D, D]), columns to be reordered by head
    order = _twice_in_heads(torch.arange(width), heads)
    second = torch.arange(2 * width) % (2 * width // heads) >= width // heads
    target.attn.out_proj.weight.copy_(mixed[:, order + second * width])
    target.attn.out_proj.bias.copy_(_twice(source.attn.out_proj.bias))
    for name in ("c_fc", "c_proj"):
        old, new = getattr(source.mlp, name), getattr(target.mlp, name)
        new.weight.copy_(_split(_twice(old.weight)))
        new.bias.copy_(_twice(old.bias))


def _grow_head(name: str, t: Tensor, small: Climb) -> Tensor:
    """Return the parameter `name` of the temporal head, grown."""
    layer, _, kind = name.rpartition(".")
    layer = layer.rpartition(".")[2]
    if layer == "2" or (layer == "0" and kind == "bias"):
        return t  # the width of the pooling stays the same
    if layer == "0":
        return _split(t)
    if layer == "in_proj":
        x, gate = torch.tensor_split(t, 2)
        return _split(torch.cat([_twice(x), _twice(gate)]))
    if layer.startswith("x_proj"):
        steps, maps = torch.tensor_split(t, [len(t) - 2 * small.architecture.state])
        return _split(torch.cat([_twice(steps), maps]))
    if kind == "weight" and layer in ("dt_proj", "dt_proj_b", "out_proj", "project"):
        return _split(_twice(t))
    return _twice(t)  # norms, convolutions and biases: one row per channel


def _copy_norm(source: nn.LayerNorm, target: nn.LayerNorm) -> None:
    target.weight.copy_(_twice(source.weight))
    target.bias.copy_(_twice(source.bias))


def _twice(t: Tensor) -> Tensor:
    return torch.cat([t, t])


def _twice_in_heads(t: Tensor, heads: int) -> Tensor:
    """Double the rows inside each head: `(D, ...)` to `(2 D, ...)`."""
    return torch.cat([_twice(part) for part in t.chunk(heads)])


def _split(weight: Tensor) -> Tensor:
    """Return `(r, 2 c)` that maps `[x, x]` as `weight` `(r, c)` maps x."""
    uneven = torch.randn_like(weight) * weight.std() * _UNEVENNESS
    return torch.cat([weight / 2 + uneven, weight / 2 - uneven], dim=1)


def grow_file(small: Path, grown: Path) -> None:
    """Grow `climb-tiny-64` weights in a file into `climb-tiny-4` weights in another, or deepen these into `climb-tiny`.

    Raises:
        WeightsError: The file cannot be used.
        ValueError: The file contains a network of other sizes.
    """
    loaded = load_weights(small)
    if loaded.network.architecture.tower_width == CLIMB_TINY.tower_width:
        network = deepen(loaded.network, CLIMB_TINY.layers)
    else:
        network = grow(loaded.network, MODELS["climb-tiny-4"])
    preprocessing = replace(loaded.preprocessing, height=CLIMB_TINY.height, width=CLIMB_TINY.width)
    save_weights(grown, network, preprocessing, loaded.prior)  # cosines stay the same


if __name__ == "__main__":
    grow_file(*map(Path, sys.argv[1:3]))
