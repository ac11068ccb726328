"""Weight files and the embedder that serves them: exact, or refused by name."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from reid_worker.appearance.choose import load_network
from reid_worker.model import Embedder, WeightsError, load_embedder
from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import SHIPPED, load_weights, save_prior, save_weights
from wire.similarity import SimilarityPrior

SMALL = Architecture(name="small", height=32, width=16, tower_width=16, layers=1, heads=2, joint_width=8, state=4)
PREPROCESSING = Preprocessing(32, 16, standardise=0.5)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    path = tmp_path / "small.safetensors"
    save_weights(path, Climb(SMALL), PREPROCESSING)
    return path


@pytest.fixture
def embedder(weights: Path) -> Embedder:
    return load_embedder(weights, device="cpu")


def crop(seed: int, h: int = 50, w: int = 20) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)


def test_weights_come_back_exactly(weights: Path) -> None:
    torch.manual_seed(5)
    expected = Climb(SMALL).state_dict()
    loaded = load_weights(weights)
    assert loaded.preprocessing == PREPROCESSING
    assert loaded.network.architecture == SMALL
    assert not loaded.network.training
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.network.state_dict().items())


def test_model_id_names_weights_and_preprocessing(weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_weights(other, load_weights(weights).network, Preprocessing(32, 16, standardise=0.0))
    first, second = load_weights(weights).model_id, load_weights(other).model_id
    assert first.startswith("small-")
    assert first != second
    assert load_weights(weights).model_id == first


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors: No such file"):
        load_embedder(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("loads", [load_embedder, load_network])
def test_a_pipe_or_a_device_is_not_read(loads: Callable[[Path], object], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(WeightsError, match="is a pipe or a device, not a file"):
            loads(path)


def test_a_disk_that_maps_no_files_is_named_with_the_remedy(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr(safetensors, "safe_open", refused)

    with pytest.raises(WeightsError, match="No such device; copy it to a disk of this machine"):
        load_weights(weights)


@pytest.mark.parametrize("kept", [0, 7, 2000, -1])
def test_a_truncated_file_is_refused(weights: Path, kept: int) -> None:
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=r"small\.safetensors: not a complete safetensors file"):
        load_embedder(weights)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match="not weights of this program"):
        load_embedder(path)


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match=r"a checkpoint of torch\.save: `climbtrack convert` makes weights"):
        load_embedder(path)


def rewritten(path: Path, description: object, drop: int = 0) -> Path:
    state = Climb(SMALL).state_dict()
    kept = {name: state[name].contiguous() for name in list(state)[drop:]}
    save_file(kept, path, metadata={"climbtrack": json.dumps(description)})
    return path


SIZES = {**asdict(SMALL), "strides": list(SMALL.strides)}


@pytest.mark.parametrize(
    ("change", "drop", "complaint"),
    [
        pytest.param({"format": 99}, 0, "format 99", id="another format"),
        pytest.param({"architecture": SIZES | {"wings": 2}}, 0, "description cannot be read", id="unknown size"),
        pytest.param({"architecture": SIZES | {"heads": 3}}, 0, "description cannot be read", id="impossible size"),
        pytest.param({"preprocessing": {"height": 0, "width": 1}}, 0, "description cannot be read", id="no height"),
        pytest.param({"preprocessing": {"height": 16, "width": 16}}, 0, r"crops of \(16, 16\) px", id="another crop"),
        pytest.param({"preprocessing": None}, 0, "description cannot be read", id="no preprocessing"),
        pytest.param({"architecture": {"name": "small"}}, 0, "the architecture lacks expand, frames", id="no sizes"),
        pytest.param({"architecture": "small"}, 0, "description cannot be read", id="only a name"),
        pytest.param({}, 1, "do not fit small", id="a tensor missing"),
        pytest.param({"architecture": SIZES | {"layers": 10**7}}, 0, "network of more than .* but holds", id="endless"),
        pytest.param({"architecture": SIZES | {"joint_width": 10**12}}, 0, "network of more than", id="a huge width"),
        pytest.param({"architecture": SIZES | {"expand": 10**9}}, 0, "network of more than", id="a huge expansion"),
        pytest.param({"architecture": SIZES | {"cameras": 10**12}}, 0, "network of more than", id="too many cameras"),
        pytest.param({"architecture": SIZES | {"layers": 2}}, 0, "do not fit small", id="another depth"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, object], drop: int, complaint: str
) -> None:
    description = {"format": 1, "architecture": SIZES, "preprocessing": {"height": 32, "width": 16}} | change
    with pytest.raises(WeightsError, match=complaint):
        load_weights(rewritten(tmp_path / "odd.safetensors", description, drop))


def exchange(path: Path, change: dict[str, torch.Tensor]) -> None:
    """Rewrite a file of ours with other tensors, its description kept."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(load_file(path) | change, path, metadata=metadata)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        pytest.param(torch.full((16,), torch.nan), r"NaN or infinite numbers in encoder\.ln_post\.weight", id="nan"),
        pytest.param(torch.full((16,), torch.inf), "NaN or infinite numbers", id="infinite"),
        pytest.param(torch.full((16,), 1e300, dtype=torch.float64), "NaN or infinite numbers", id="too large"),
        pytest.param(
            torch.ones(16, dtype=torch.int8), r"encoder\.ln_post\.weight is torch\.int8, not a float", id="int"
        ),
        pytest.param(torch.ones(16, dtype=torch.complex64), "complex64, not a float", id="complex"),
        pytest.param(torch.ones(4, 4), r"encoder\.ln_post\.weight is 4x4, not 16", id="shape"),
    ],
)
def test_a_tensor_that_would_give_wrong_embeddings_is_refused_by_name(
    weights: Path, value: torch.Tensor, complaint: str
) -> None:
    exchange(weights, {"encoder.ln_post.weight": value})
    with pytest.raises(WeightsError, match=complaint):
        load_weights(weights)


def test_a_tensor_too_many_is_refused_by_name(weights: Path) -> None:
    exchange(weights, {"encoder.extra": torch.ones(2)})
    with pytest.raises(WeightsError, match=r"do not fit small: unknown encoder\.extra"):
        load_weights(weights)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_weights_of_another_precision_are_loaded_as_float32(weights: Path, dtype: torch.dtype) -> None:
    floats = {name: t.to(dtype) for name, t in load_file(weights).items() if t.is_floating_point()}
    exchange(weights, floats)
    state = load_weights(weights).network.state_dict()
    assert {t.dtype for t in state.values()} == {torch.float32, torch.int64}
    assert all(torch.equal(state[name], t.float()) for name, t in floats.items())


def test_a_clip_of_another_program_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "open_clip_model.safetensors"
    save_file({"visual.conv1.weight": torch.zeros(3), "logit_scale": torch.ones(1)}, path, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"not weights of this program .*climbtrack convert"):
        load_weights(path)


def test_embeddings_are_unit_rows_of_the_stated_length(embedder: Embedder) -> None:
    out = embedder.embed([[crop(1)], [crop(2), crop(3, 90, 31)], [crop(4)] * embedder.frames])
    assert out.shape == (3, embedder.dim)
    assert out.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(out, axis=1), 1, rtol=1e-5)


def test_an_embedding_does_not_depend_on_the_others_in_the_call(embedder: Embedder) -> None:
    tracklets = [[crop(1)], [crop(2), crop(3)], [crop(4), crop(5), crop(6)]]
    alone = np.concatenate([embedder.embed([t]) for t in tracklets])
    np.testing.assert_allclose(embedder.embed(tracklets), alone, atol=1e-5)


def test_a_short_tracklet_is_its_crops_repeated_in_order(embedder: Embedder) -> None:
    three = [crop(1), crop(2), crop(3)]
    filled = [three[i % 3] for i in range(embedder.frames)]
    np.testing.assert_allclose(embedder.embed([three]), embedder.embed([filled]), atol=1e-5)


def test_no_tracklets_are_no_rows(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dim)


@pytest.mark.parametrize(
    "tracklets",
    [
        pytest.param([[]], id="empty tracklet"),
        pytest.param([[crop(1)] * 9], id="too many crops"),
        pytest.param([[crop(1).astype(np.float32)]], id="float crop"),
        pytest.param([[crop(1)[..., 0]]], id="grey crop"),
        pytest.param([[np.zeros((4, 4, 4), np.uint8)]], id="four channels"),
        pytest.param([[np.zeros((0, 4, 3), np.uint8)]], id="crop without area"),
        pytest.param([["photo.jpg"]], id="not an array"),
    ],
)
def test_bad_input_is_an_error_not_an_embedding(embedder: Embedder, tracklets: list[list[NDArray[np.uint8]]]) -> None:
    with pytest.raises(ValueError, match="must"):
        embedder.embed(tracklets)


def test_shipped_weights_serve_and_stay_small_enough_to_ship() -> None:
    from reid_worker.model.weights import SHIPPED

    assert SHIPPED.stat().st_size <= 30_000_000
    embedder = load_embedder(device="cpu")
    out = embedder.embed([[crop(i, 200, 80)] for i in range(2)])
    assert embedder.model_id.startswith("climb-tiny-")
    assert np.isfinite(out).all()


def test_full_standardising_takes_out_brightness_and_colour_cast() -> None:
    preprocessing = Preprocessing(32, 16, standardise=1.0)
    image = torch.randint(20, 100, (1, 32, 16, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    cast = (image.float() * torch.tensor([2.0, 1.0, 0.5]) + torch.tensor([10.0, 60.0, 0.0])).round().to(torch.uint8)
    torch.testing.assert_close(preprocessing.scale(cast), preprocessing.scale(image), atol=0.15, rtol=0)
    plain = Preprocessing(32, 16)
    assert (plain.scale(cast) - plain.scale(image)).abs().max() > 0.5


PRIOR = SimilarityPrior(same_mean=0.6, same_std=0.2, different_mean=0.1, different_std=0.15)


def test_what_similarities_mean_travels_with_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "told.safetensors"
    save_weights(path, Climb(SMALL), PREPROCESSING, PRIOR)
    assert load_weights(path).prior == PRIOR


def test_weights_that_do_not_say_what_similarities_mean_have_no_prior(weights: Path) -> None:
    assert load_weights(weights).prior is None


def test_another_prior_leaves_tensors_and_embedding_space_the_same(weights: Path) -> None:
    before = load_weights(weights)
    for _ in range(2):  # the second time it replaces a prior
        save_prior(weights, PRIOR)
        after = load_weights(weights)
        assert after.model_id == before.model_id
        for name, tensor in before.network.state_dict().items():
            assert torch.equal(tensor, after.network.state_dict()[name])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "malformed"),
        ('{"same_mean":0.6,"same_std":0.2,"different_mean":0.1}', "different_std"),
        ('{"same_mean":0.1,"same_std":0.2,"different_mean":0.6,"different_std":0.2}', "different_mean < same_mean"),
        ('{"same_mean":0.6,"same_std":0,"different_mean":0.1,"different_std":0.2}', "same_std and different_std"),
    ],
)
def test_a_prior_that_cannot_be_right_is_refused(weights: Path, text: str, says: str) -> None:
    with safe_open(weights, framework="pt") as file:
        metadata = {**file.metadata(), "climbtrack.similarity": text}
    save_file(load_file(weights), weights, metadata=metadata)
    with pytest.raises(WeightsError, match=says):
        load_weights(weights)


def test_the_shipped_weights_say_what_their_similarities_mean() -> None:
    assert load_weights(SHIPPED).prior is not None
