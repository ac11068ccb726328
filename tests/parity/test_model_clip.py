"""Our visual tower equals open_clip's class, parameter for parameter and number for number, and takes its files."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from reid_worker.model.climb import CLIMB_BASE, Climb
from reid_worker.model.clip import QuickGELU, VisualTower, resize_positions
from reid_worker.model.clip_weights import load_clip_tower
from reid_worker.model.tensors import WeightsError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what open_clip's own dependencies say at import is not ours to fix
    import open_clip
    from open_clip.transformer import VisionTransformer


def small_clip() -> nn.Module:
    """Return a whole CLIP of open_clip: images of 32 px, a grid of 4x4 patches."""
    torch.manual_seed(0)
    vision = {"image_size": 32, "patch_size": 8, "width": 128, "head_width": 64, "layers": 2}
    text = {"context_length": 4, "vocab_size": 10, "width": 16, "heads": 2, "layers": 1}
    clip: nn.Module = open_clip.CLIP(24, vision, text, quick_gelu=True)
    return clip.eval()


def small_tower(grid: tuple[int, int] = (4, 4), layers: int = 2) -> VisualTower:
    patches = nn.Conv2d(3, 128, 8, stride=8, bias=False)
    return VisualTower(patches, grid, width=128, layers=layers, heads=2, joint=24).eval()


def visual_alone(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("visual."): t for name, t in state.items() if name.startswith("visual.")}


def test_tower_equals_open_clip_with_the_same_weights() -> None:
    torch.manual_seed(0)
    theirs = VisionTransformer(
        32, 8, width=48, layers=2, heads=4, mlp_ratio=4.0, output_dim=24, act_layer=QuickGELU, output_tokens=True
    ).eval()
    ours = VisualTower(nn.Conv2d(3, 48, 8, stride=8, bias=False), (4, 4), width=48, layers=2, heads=4, joint=24).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        joint, patches = theirs(images)
        out = ours(images)
    torch.testing.assert_close(out.joint, joint, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out.patches, patches, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["state dict", "safetensors", "visual tower alone", "under state_dict"])
@torch.no_grad()
def test_a_file_of_open_clip_gives_its_image_vectors(kind: str, tmp_path: Path) -> None:
    clip, path = small_clip(), tmp_path / "clip.bin"
    state = {name: tensor.contiguous() for name, tensor in clip.state_dict().items()}
    if kind == "safetensors":
        save_file(state, path)
    elif kind == "visual tower alone":
        torch.save(visual_alone(state), path)
    else:
        torch.save({"epoch": 1, "state_dict": state} if kind == "under state_dict" else state, path)
    tower = small_tower()
    load_clip_tower(tower, path)
    images = torch.randn(2, 3, 32, 32)
    expected = clip.get_submodule("visual")(images)
    torch.testing.assert_close(tower(images).joint, expected, rtol=1e-4, atol=1e-5)


def test_positions_are_resized_to_the_grid_of_the_tower(tmp_path: Path) -> None:
    state = small_clip().state_dict()
    torch.save(state, tmp_path / "clip.pt")
    tower = small_tower((8, 4))
    load_clip_tower(tower, tmp_path / "clip.pt")
    expected = resize_positions(state["visual.positional_embedding"], (4, 4), (8, 4))
    torch.testing.assert_close(tower.positional_embedding.detach(), expected)


def test_the_patch_projection_of_clip_is_frozen_and_nothing_else(tmp_path: Path) -> None:
    torch.save(small_clip().state_dict(), tmp_path / "clip.pt")
    tower = small_tower()
    load_clip_tower(tower, tmp_path / "clip.pt")
    assert [name for name, p in tower.named_parameters() if not p.requires_grad] == ["conv1.weight"]


def with_text_of(name: str) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda state: state | {name: torch.ones(1)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            lambda s: {n: t for n, t in s.items() if n != "visual.proj"}, "fit a CLIP tower of width 128: missing proj",
            id="missing",
        ),
        pytest.param(with_text_of("detector.bias"), "not part of a CLIP: detector.bias", id="another program"),
        pytest.param(
            lambda _: {"vision_model.post_layernorm.bias": torch.ones(2)}, "but a CLIP in Hugging Face's layout",
            id="Hugging Face",
        ),
        pytest.param(lambda _: {"layer1.0.conv1.weight": torch.ones(2)}, "layout, but a ResNet", id="ResNet"),
        pytest.param(lambda _: {"weight": torch.ones(2)}, "not a CLIP in open_clip's layout", id="unknown"),
        pytest.param(with_text_of("visual.attnpool.q"), "unknown attnpool.q", id="another tower"),
        pytest.param(lambda s: s | {"visual.proj": torch.ones(128, 9)}, "wrong: proj is 128x9, not 128x24", id="size"),
        pytest.param(
            lambda s: s | {"visual.proj": s["visual.proj"] / 0}, "NaN or infinite numbers in proj", id="infinite"
        ),
        pytest.param(
            lambda s: s | {"visual.positional_embedding": torch.ones(13, 128)}, "12 positions are neither", id="grid"
        ),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused_and_leave_the_tower_alone(
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]], said: str, tmp_path: Path
) -> None:
    torch.save(change(dict(small_clip().state_dict())), tmp_path / "clip.pt")
    tower = small_tower()
    before = {name: tensor.clone() for name, tensor in tower.state_dict().items()}
    with pytest.raises(WeightsError, match=said):
        load_clip_tower(tower, tmp_path / "clip.pt")
    assert all(torch.equal(tensor, before[name]) for name, tensor in tower.state_dict().items())
    assert tower.get_parameter("conv1.weight").requires_grad


def test_a_truncated_clip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.safetensors"
    save_file(small_clip().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="not a complete safetensors file"):
        load_clip_tower(small_tower(), path)


def test_openai_is_what_open_clip_loads_under_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def create_model(name: str, *, pretrained: str, require_pretrained: bool) -> nn.Module:
        asked.append((name, pretrained, require_pretrained))
        return small_clip()

    monkeypatch.setattr(open_clip, "create_model", create_model)
    tower = small_tower()
    load_clip_tower(tower, "openai")
    assert asked == [("ViT-B-16-quickgelu", "openai", True)]
    assert torch.equal(tower.proj, small_clip().get_submodule("visual").get_parameter("proj"))


def test_weights_that_cannot_be_downloaded_are_named_with_the_way_around(monkeypatch: pytest.MonkeyPatch) -> None:
    def create_model(*_: object, **__: object) -> nn.Module:
        raise RuntimeError("no route\nto anywhere")

    monkeypatch.setattr(open_clip, "create_model", create_model)
    with pytest.raises(WeightsError, match=r"openai: open_clip cannot load .* \(no route\); give a file"):
        load_clip_tower(small_tower(), "openai")


def test_climb_base_has_the_tensors_of_vit_b_16_quickgelu_but_for_the_grid() -> None:
    with torch.device("meta"):
        ours = Climb(CLIMB_BASE).encoder.state_dict()
    cfg = open_clip.get_model_config("ViT-B-16-quickgelu")
    assert (cfg["quick_gelu"], cfg["embed_dim"]) == (True, CLIMB_BASE.joint_width)
    with torch.device("meta"):
        vision = open_clip.CLIP(cfg["embed_dim"], cfg["vision_cfg"], cfg["text_cfg"], quick_gelu=True).visual
    theirs = {name: tensor.shape for name, tensor in vision.state_dict().items()}
    assert theirs.pop("positional_embedding") == (14 * 14 + 1, 768)
    assert ours.pop("positional_embedding").shape == (16 * 8 + 1, 768)
    assert {name: tensor.shape for name, tensor in ours.items()} == theirs


def test_resizing_positions_to_the_same_grid_changes_nothing() -> None:
    positions = torch.randn(1 + 4 * 3, 5)
    torch.testing.assert_close(resize_positions(positions, (4, 3), (4, 3)), positions)


def test_resizing_positions_keeps_the_class_position_and_constant_grids() -> None:
    positions = torch.cat([torch.full((1, 5), 7.0), torch.full((4, 5), 2.0)])
    resized = resize_positions(positions, (2, 2), (8, 4))
    assert resized.shape == (33, 5)
    assert torch.equal(resized[0], positions[0])
    torch.testing.assert_close(resized[1:], torch.full((32, 5), 2.0))


def test_tower_takes_images_of_another_size_than_it_was_made_for() -> None:
    torch.manual_seed(0)
    tower = VisualTower(nn.Conv2d(3, 16, 8, stride=8, bias=False), (4, 2), width=16, layers=1, heads=2, joint=8)
    assert tower(torch.randn(2, 3, 16, 8)).patches.shape == (2, 2, 16)
