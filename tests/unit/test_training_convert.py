"""`climbtrack convert`: what it says of good files, and how it refuses the others."""

import json
import os
import zipfile
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from deploy.cli.main import main
from reid_worker.model import load_embedder
from reid_worker.model.climb import Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.tensors import WeightsError
from reid_worker.model.weights import load_weights, save_weights
from tests.published_tools import COLUMNS, JOINT, PATCH, ROWS, SIZE, WIDTH, published_checkpoint
from training.convert import convert

Checkpoint = dict[str, Tensor]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "ours.safetensors"


def saved(content: object, folder: Path) -> Path:
    path = folder / "published.pth"
    torch.save(content, path)
    return path


def test_the_command_says_what_it_made_and_what_it_dropped(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = saved(published_checkpoint(), tmp_path)
    assert main(["convert", str(source), "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["weights"], said["embedding"]) == (str(out), 2 * WIDTH + JOINT)
    assert said["model_id"] == load_weights(out).model_id
    assert {name.split(".")[0] for name in said["dropped"]} == {
        "classifier",
        "classifier2",
        "sp_mamba_raw",
        "norm3_mamba",
    }
    assert main(["convert", str(source), "--out", str(out)]) == 0
    assert "classifier (1)" in capsys.readouterr().out


def test_converted_weights_serve_one_crop_scaled_to_plus_minus_one(tmp_path: Path, out: Path) -> None:
    convert(saved(published_checkpoint(), tmp_path), out)
    embedder = load_embedder(out, device="cpu")
    assert (embedder.frames, embedder.dim, embedder.input_size) == (1, 2 * WIDTH + JOINT, SIZE)
    assert load_weights(out).preprocessing == Preprocessing(*SIZE, mean=0.5, std=0.5, filter="bicubic")


def test_half_precision_becomes_float32(tmp_path: Path, out: Path) -> None:
    half = {name: t.half() if t.is_floating_point() else t for name, t in published_checkpoint().items()}
    convert(saved(half, tmp_path), out)
    state = load_weights(out).network.state_dict()
    assert {t.dtype for t in state.values()} == {torch.float32, torch.int64}
    assert torch.equal(state["encoder.proj"], half["image_encoder.proj"].float())


def in_optimiser(checkpoint: Checkpoint) -> dict[str, object]:
    return {"optimizer": {"state": {name: {"exp_avg": t} for name, t in checkpoint.items()}, "param_groups": [{}]}}


@pytest.mark.parametrize(
    "wrapped",
    [
        pytest.param(lambda c: {"epoch": 60, "state_dict": c}, id="state_dict"),
        pytest.param(lambda c: {"model": c, "args": Namespace(lr=1.0), **in_optimiser(c)}, id="model beside optimiser"),
        pytest.param(lambda c: {"net": c, "best": np.float64(0.9), "where": Path("logs")}, id="net beside numbers"),
        pytest.param(lambda c: {"checkpoint": {"model": {"state_dict": c}}}, id="nested"),
        pytest.param(lambda c: {"my-reid": c, "step": 3}, id="a name of its own"),
        pytest.param(lambda c: {f"module.{name}": t for name, t in c.items()}, id="DDP"),
        pytest.param(lambda c: {f"_orig_mod.module.{name}": t for name, t in c.items()}, id="compiled DDP"),
        pytest.param(lambda c: {"state_dict": {f"model.{name}": t for name, t in c.items()}}, id="Lightning"),
        pytest.param(lambda c: {f"module.{n}" if "class" in n else n: t for n, t in c.items()}, id="some wrapped"),
        pytest.param(lambda c: OrderedDict(reversed(c.items())), id="ordered"),
        pytest.param(lambda c: {name: torch.nn.Parameter(t) if t.is_floating_point() else t for name, t in c.items()},
                     id="parameters"),
    ],
)  # fmt: skip
def test_what_training_wraps_around_a_network_comes_off(
    wrapped: Callable[[Checkpoint], object], tmp_path: Path, out: Path
) -> None:
    plain = tmp_path / "plain.safetensors"
    convert(saved(published_checkpoint(), tmp_path), plain)
    convert(saved(wrapped(published_checkpoint()), tmp_path), out)
    assert load_weights(out).model_id == load_weights(plain).model_id


def test_the_format_from_before_torch_1_6_is_read(tmp_path: Path, out: Path) -> None:
    torch.save({"model": published_checkpoint()}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert convert(tmp_path / "old.pth", out).architecture.tower_width == WIDTH


def test_a_whole_pickled_network_is_refused_with_what_to_save_instead(tmp_path: Path, out: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"holds a torch\.nn\.modules\.linear\.Linear, which could run code.*state_dict"
    ):
        convert(saved({"model": torch.nn.Linear(2, 2)}, tmp_path), out)


def test_a_torchscript_archive_is_refused_with_what_to_save_instead(tmp_path: Path, out: Path) -> None:
    source = tmp_path / "ViT-B-16.pt"
    with zipfile.ZipFile(source, "w") as archive:
        for name, content in (("version", "3"), ("data.pkl", ""), ("constants.pkl", "")):
            archive.writestr(f"ViT-B-16/{name}", content)
    with pytest.raises(WeightsError, match=r"is a TorchScript archive: save its tensors with torch\.save\(torch\.jit"):
        convert(source, out)


def test_of_two_networks_the_usual_one_is_taken_and_the_other_named(
    tmp_path: Path, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    averaged = {name: t * 2 for name, t in published_checkpoint().items()}
    convert(saved({"model_ema": averaged, "model": published_checkpoint()}, tmp_path), out)
    state = load_weights(out).network.state_dict()
    assert torch.equal(state["encoder.proj"], published_checkpoint()["image_encoder.proj"])
    assert "taking the network under 'model', not model_ema" in caplog.text


def test_two_networks_of_unusual_names_must_be_told_apart(tmp_path: Path, out: Path) -> None:
    source = saved({"student": published_checkpoint(), "teacher": published_checkpoint()}, tmp_path)
    with pytest.raises(WeightsError, match=r"holds 2 networks: student, teacher\. Save the one you mean alone"):
        convert(source, out)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "is empty: copy or download it again", id="empty"),
        pytest.param(b"<!DOCTYPE html><title>Quota exceeded</title>", "is a web page, not weights", id="web page"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\noid", "run `git lfs pull`", id="pointer"),
        pytest.param(b"PK\x03\x04 and then nothing", "is truncated: copy or download it again", id="begun archive"),
        pytest.param(b"\x89HDF\r\n\x1a\n" + bytes(64), "neither safetensors nor a state dict", id="Keras"),
        pytest.param((40).to_bytes(8, "little") + b'{"a":', "not a complete safetensors file", id="begun safetensors"),
    ],
)
def test_a_file_that_is_not_a_checkpoint_is_told_by_what_it_is(
    content: bytes, said: str, tmp_path: Path, out: Path
) -> None:
    source = tmp_path / "published.pth"
    source.write_bytes(content)
    with pytest.raises(WeightsError, match=said):
        convert(source, out)


def test_a_pipe_or_a_device_is_not_read(tmp_path: Path, out: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(WeightsError, match="is a pipe or a device, not a file"):
            convert(source, out)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["vision_model.embeddings.class_embedding", "logit_scale"], "a CLIP in Hugging Face's layout"),
        (["visual.conv1.weight", "transformer.resblocks.0.ln_1.bias"], "training can start from it with network.clip"),
        (["image_encoder.conv1.weight", "prompt_learner.cls_ctx"], "without a Mamba head, such as CLIP-ReID's"),
        (["image_encoder.conv1.weight", "image_encoder.proj"], "without a Mamba head, such as CLIP-ReID's"),
        (["base.blocks.0.attn.qkv.weight", "base.sie_embed"], "timm's layout, such as TransReID's"),
        (["backbone.layer1.0.conv1.weight"], "but a ResNet"),
    ],
)
def test_another_kind_of_network_is_named(names: list[str], said: str, tmp_path: Path, out: Path) -> None:
    with pytest.raises(WeightsError, match=said):
        convert(saved(dict.fromkeys(names, torch.ones(2)), tmp_path), out)


def test_vectors_of_several_views_become_one_a_camera(tmp_path: Path, out: Path) -> None:
    checkpoint = published_checkpoint(cameras=6)
    source = saved(checkpoint, tmp_path)
    assert convert(source, out, views=2).architecture.cameras == 3
    rows = checkpoint["cv_embed"]
    torch.testing.assert_close(load_weights(out).network.side, (rows[0::2] + rows[1::2]) / 2)
    with pytest.raises(WeightsError, match=r"cv_embed of \(6, 128\), which does not make 4 views a camera"):
        convert(source, out, views=4)


def test_another_grid_must_be_stated(tmp_path: Path, out: Path) -> None:
    checkpoint = published_checkpoint()
    positions = torch.randn(3 * 5 + 1, WIDTH)
    source = saved(checkpoint | {"image_encoder.positional_embedding": positions}, tmp_path)
    with pytest.raises(WeightsError, match="15 positions do not make a grid twice as high as wide: give the crop size"):
        convert(source, out)
    with pytest.raises(WeightsError, match="15 positions do not make a grid of 16x8 px crops"):
        convert(source, out, size=SIZE)
    assert convert(source, out, size=(5 * PATCH, 3 * PATCH)).architecture.grid == (5, 3)
    assert ROWS * COLUMNS != 15


def without(name: str) -> Callable[[Checkpoint], object]:
    return lambda checkpoint: {key: value for key, value in checkpoint.items() if key != name}


def changed(name: str, value: Tensor) -> Callable[[Checkpoint], object]:
    return lambda checkpoint: checkpoint | {name: value}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(changed("prompt", torch.ones(2)), "not in a released CLIMB-ReID checkpoint: prompt", id="unknown"),
        pytest.param(
            changed("sp_mamba_bi.1.E", torch.ones(2)), "unknown sp_mamba_bi.1.E", id="unknown part of a known one"
        ),
        pytest.param(without("sp_mamba_bi.1.A_b_log"), "missing sp_mamba_bi.1.A_b_log", id="missing"),
        pytest.param(without("sp_mamba_bi.1.A_log"), "sp_mamba_bi.1.A_log is missing", id="missing, with a size"),
        pytest.param(without("image_encoder.conv1.weight"), "image_encoder.conv1.weight is missing", id="no encoder"),
        pytest.param(
            changed("norm2_mamba.weight", torch.ones(7)), "wrong: norm2_mamba.weight is 7, not 128", id="another shape"
        ),
        pytest.param(
            changed("norm2_mamba.weight", torch.ones(WIDTH, dtype=torch.int64)),
            "is torch.int64, not a float",
            id="type",
        ),
        pytest.param(
            changed("bottleneck.running_mean", torch.full((WIDTH,), torch.nan)),
            "NaN or infinite numbers in bottleneck.running_mean",
            id="nan",
        ),
        pytest.param(changed("cv_embed", torch.ones(WIDTH)), "cv_embed is (128,), not 2 sizes", id="cameras as a row"),
        pytest.param(changed("image_encoder.proj", torch.ones(WIDTH, 0)), "image_encoder.proj is (128, 0)", id="empty"),
        pytest.param(
            lambda _: {"weight": torch.ones(2)}, "not in a released CLIMB-ReID checkpoint", id="other network"
        ),
        pytest.param(lambda _: {"epoch": 3}, "not tensors: epoch", id="numbers"),
        pytest.param(lambda _: [torch.ones(2)], "holds list, not named tensors", id="list"),
        pytest.param(lambda _: {}, "holds dict, not named tensors", id="empty"),
    ],
)
def test_another_network_is_refused_by_name_with_2(
    change: Callable[[Checkpoint], object], said: str, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = saved(change(published_checkpoint()), tmp_path)
    assert main(["convert", str(source), "--out", str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


class Trap:
    """Makes a folder when it is unpickled without care."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, out: Path) -> None:
    source = saved(published_checkpoint() | {"trap": Trap(tmp_path / "sprung")}, tmp_path)
    with pytest.raises(WeightsError, match=r"read safely: it holds a \w+.mkdir, which could run code. If you trust"):
        convert(source, out)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("kept", [0, 5, 300, 0.5, -1], ids=str)
def test_a_truncated_checkpoint_is_refused(kept: float, tmp_path: Path, out: Path) -> None:
    source = saved(published_checkpoint(), tmp_path)
    data = source.read_bytes()
    source.write_bytes(data[: int(len(data) * kept) if 0 < kept < 1 else int(kept)])
    with pytest.raises(WeightsError, match=r"published\.pth: "):
        convert(source, out)


def test_the_source_is_not_written_over(tmp_path: Path) -> None:
    source = saved(published_checkpoint(), tmp_path)
    with pytest.raises(WeightsError, match="is the file to convert"):
        convert(source, source)


def test_weights_of_ours_need_no_conversion(tmp_path: Path, out: Path) -> None:
    convert(saved(published_checkpoint(), tmp_path), out)
    with pytest.raises(WeightsError, match="weights of climbtrack, which need no conversion"):
        convert(out, tmp_path / "twice.safetensors")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere/ours\.safetensors: No such file"):
        convert(saved(published_checkpoint(), tmp_path), tmp_path / "nowhere" / "ours.safetensors")


def test_a_converted_network_stores_what_it_lacks(tmp_path: Path, out: Path) -> None:
    """It has no projection behind the strides, and comes back without one."""
    convert(saved(published_checkpoint(cameras=2), tmp_path), out, side_coefficient=3.0)
    loaded = load_weights(out).network
    assert (loaded.architecture.project, loaded.architecture.cameras) == (False, 2)
    assert loaded.architecture.side_coefficient == 3.0
    again = out.with_name("again.safetensors")
    save_weights(again, loaded, load_weights(out).preprocessing)
    assert isinstance(load_weights(again).network, Climb)
    assert load_weights(again).model_id == load_weights(out).model_id


def test_nobody_is_advised_to_run_the_code_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "film.pth").write_bytes(np.random.default_rng(0).bytes(3000))
    assert main(["convert", str(tmp_path / "film.pth"), "--out", str(tmp_path / "out.safetensors")]) == 2
    said = capsys.readouterr().err
    assert "neither safetensors nor a state dict" in said
    assert "weights_only" not in said
