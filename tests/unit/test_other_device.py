"""Everything that computes on a device computes on one that no tensor of the CPU may meet, with the CPU's results."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import training.adapt.round as round_module
import training.train as train_module
from reid_worker.model.climb import Climb
from reid_worker.model.embedder import Embedder
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.scan import selective_scan, why_broken
from reid_worker.model.scan_parity import relative_errors, scan_inputs, value_and_gradients
from reid_worker.model.serving import serving_form
from reid_worker.model.weights import SHIPPED, load_weights
from tests.other_device import OTHER, MixedDevicesError, OtherDevice, OtherTensor
from tests.training_tools import coloured_noise, logged, small_config
from training import logs
from training.adapt.round import Budget, learn
from training.config.groups import MODELS
from training.detector.losses import Truth, detection_loss
from training.detector.network import PersonDetector
from training.detector.train import grid_of
from training.evaluation import embedding
from training.people import HeldOut, held_out_people, training_people
from training.train import run_training
from training.validate import validate


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The other device, and no thread beside: one would not know of it."""
    monkeypatch.setattr(embedding, "in_order", lambda make, items, threads=1: (make(item) for item in items))
    with OtherDevice():  # type: ignore[no-untyped-call]
        yield


@pytest.fixture
def training_there(other: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (train_module, round_module):
        monkeypatch.setattr(module, "device_of", lambda config: OTHER)


def network(name: str = "climb-tiny-64") -> Climb:
    torch.manual_seed(0)
    return Climb(MODELS[name]).eval()  # type: ignore[index]


def crops(count: int) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (90 + 20 * i, 40, 3), dtype=np.uint8) for i in range(count)]


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize(
    "mixed",
    [
        lambda there: there + torch.ones(3),
        lambda there: torch.cat([there, torch.zeros(2)]),
        lambda there: torch.where(torch.ones(3, dtype=torch.bool), there, there),
        lambda there: there.mul_(torch.ones(3)),
    ],
    ids=["add", "cat", "where", "in place"],
)
def test_a_tensor_of_the_cpu_that_meets_the_other_device_is_an_error(
    mixed: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    with pytest.raises(MixedDevicesError):
        mixed(torch.arange(3.0).to(OTHER))


@pytest.mark.usefixtures("other")
def test_what_a_gpu_allows_is_allowed() -> None:
    there = torch.arange(3.0, device=OTHER)
    assert (there * torch.tensor(2.0) + 1).cpu().tolist() == [1, 3, 5]  # a number is on no device
    assert there[torch.tensor([2, 0])].cpu().tolist() == [2, 0]
    assert there.copy_(torch.ones(3)).sum().item() == 3
    assert isinstance(there.new_zeros(2), OtherTensor)
    assert not isinstance(there.cpu(), OtherTensor)


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize("name", ["climb-tiny-64", "climb-base"])
def test_the_serving_form_of_a_network_on_the_device_is_made_there(name: str) -> None:
    """A run on a GPU died here at its first validation, after 3 220 steps."""
    small = network() if name == "climb-tiny-64" else _small_base()
    images = torch.rand(4, 3, small.architecture.height, small.architecture.width)
    with torch.inference_mode():
        here, there = serving_form(small), serving_form(small.to(OTHER))
        wanted = here.ranking(here.encode(images, [3, 1]))
        found = there.ranking(there.encode(images.to(OTHER), [3, 1]))
    torch.testing.assert_close(found.cpu(), wanted, rtol=1e-3, atol=1e-4)


def _small_base() -> Climb:
    torch.manual_seed(0)
    base = MODELS["climb-base"]
    return Climb(replace(base, height=32, width=16, tower_width=16, layers=1, heads=2, joint_width=8, state=4)).eval()


@pytest.mark.usefixtures("other")
def test_weights_are_served_there() -> None:
    loaded = load_weights(SHIPPED)
    tracklets = [crops(3), crops(1)]
    wanted = Embedder(loaded, torch.device("cpu"), precision="fp32").embed(tracklets)
    there = Embedder(load_weights(SHIPPED), OTHER)
    np.testing.assert_allclose(there.embed(tracklets), wanted, atol=1e-4)
    encoded = there.encode([crop for tracklet in tracklets for crop in tracklet])
    np.testing.assert_allclose(there.combine([encoded[:3], encoded[3:]]), wanted, atol=1e-4)


@pytest.mark.usefixtures("other")
def test_crops_are_resized_there() -> None:
    preprocessing = Preprocessing(64, 32)

    def send(shape: tuple[int, ...], fill: Callable[[NDArray[np.uint8]], None]) -> torch.Tensor:
        buffer = np.zeros(shape, np.uint8)
        fill(buffer)
        return torch.from_numpy(buffer).to(OTHER)

    found = preprocessing.resize_on(OTHER, crops(3), send).cpu().numpy()
    assert np.abs(found - preprocessing.resize(crops(3))).max() <= 1


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize("implementation", ["sequential", "parallel", "auto"])
def test_scans_run_there_forward_and_back(implementation: str) -> None:
    scan = partial(selective_scan, implementation=implementation)  # type: ignore[arg-type]
    inputs = [t.float() for t in scan_inputs(2, 40)]
    found = value_and_gradients(scan, [t.to(OTHER) for t in inputs])
    wanted = value_and_gradients(partial(selective_scan, implementation="sequential"), inputs)
    assert max(relative_errors([t.cpu() for t in found], wanted).values()) < 1e-5
    assert why_broken("parallel", OTHER, torch.float32) == ""


@pytest.mark.usefixtures("other")
def test_a_network_on_the_device_is_validated_there(tmp_path: Path) -> None:
    config = small_config(tmp_path / "run")
    people = held_out_people(config, coloured_noise, print)
    preprocessing = Preprocessing(64, 32)
    wanted = validate(network(), preprocessing, HeldOut(people, people))
    found = validate(network().to(OTHER), preprocessing, HeldOut(people, people))
    assert found.ranking.mean_ap == pytest.approx(wanted.ranking.mean_ap, abs=1e-3)
    assert found.gap.same == pytest.approx(wanted.gap.same, abs=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        ("losses.memories=[mean, hard, random]", "losses.sequence_triplet=1"),
        ("synthetic.crops=fresh", "losses.memory_init=visit", "optimiser.ema_decay=0.9", "batch.chunks=2",
         "schedule.patch_dropout=0.5", "optimiser.name=sgd", "run.gradient_checkpointing=true"),
    ],
    ids=["plain", "everything else"],
)  # fmt: skip
def test_a_whole_run_goes_on_there_from_fill_to_validation_and_resume(
    changes: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(logs, "EVERY", 1)
    steps = ("schedule.steps=3", "run.validate_every=2")
    here = small_config(tmp_path / "here", *steps, *changes)
    run_training(here, render=coloured_noise)
    request.getfixturevalue("training_there")
    there = small_config(tmp_path / "there", "schedule.steps=2", "run.validate_every=2", *changes)
    run_training(there, render=coloured_noise)
    resumed = small_config(tmp_path / "there", *steps, *changes, "run.resume=true")
    result = run_training(resumed, render=coloured_noise)
    assert result.steps == 3
    assert logged(there, "total")[0] == pytest.approx(logged(here, "total")[0], rel=1e-3)
    assert load_weights(result.weights).network


@pytest.mark.usefixtures("training_there")
def test_a_round_of_adaptation_learns_there_and_hands_back_a_network_on_the_cpu(tmp_path: Path) -> None:
    people = training_people(small_config(tmp_path / "run"), coloured_noise, print)
    budget = Budget(minutes=0, epochs=0, lr=1e-3, threads=1, workers=0, steps=2)
    learnt, steps = learn(network(), Preprocessing(64, 32), people, budget, seed=0)
    assert steps == 2
    assert {p.device.type for p in learnt.parameters()} == {"cpu"}


@pytest.mark.usefixtures("other")
def test_a_step_of_the_detector_s_training_runs_there() -> None:
    images = torch.randint(0, 256, (2, 3, 64, 96), generator=torch.Generator().manual_seed(0)).float()
    truth = Truth(torch.tensor([[[8.0, 8, 30, 60]], [[40.0, 4, 60, 50]]]), torch.ones(2, 1, dtype=torch.bool))
    losses = []
    for device in (torch.device("cpu"), OTHER):
        torch.manual_seed(0)
        detector = PersonDetector().to(device)
        raw = detector.predictions(detector.levels(images.to(device)))
        loss = detection_loss(raw, truth.to(device), grid_of(64, 96).to(device))
        loss.backward()  # type: ignore[no-untyped-call]
        assert all(p.grad is not None and p.grad.device.type == device.type for p in detector.parameters())
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
