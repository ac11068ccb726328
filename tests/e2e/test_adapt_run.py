"""Weights adapt to a site of people made of coloured noise, without labels."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch

import training.adapt.adapt as adapt_module
from deploy.cli.main import main
from reid_worker.model.climb import Climb, without_cameras
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import load_weights, save_weights
from tests.published_tools import published_checkpoint
from tests.training_tools import coloured_noise
from training.adapt.adapt import AdaptError, AdaptPlan, AdaptReport, adapt, unvalidated_of
from training.adapt.validate import Cosines, SiteMetrics, ValidationSet, validate
from training.config.groups import MODELS
from training.convert import convert
from training.data.site import INDEX
from training.data.write import MarsWriter
from training.evaluation.embedding import Embed

PEOPLE, CAMERAS = 10, 3
SECOND_NS = 1_000_000_000


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Untrained weights."""
    torch.manual_seed(0)
    network = Climb(MODELS["climb-tiny-64"])
    save_weights(tmp_path / "old.safetensors", network, Preprocessing(64, 32))
    return tmp_path / "old.safetensors"


def site_in_mars_naming(folder: Path, *, first: int = 1) -> Path:
    """A site with other people to evaluate on; the numbers of the training people start at `first`."""
    writer = MarsWriter(folder)
    for person in range(PEOPLE):
        for camera in range(CAMERAS):
            writer.add(list(coloured_noise(person, camera, 0, 4, (32, 16))), first + person, camera + 1, "train")
    for person in range(100, 106):
        for camera in range(CAMERAS):
            writer.add(list(coloured_noise(person, camera, 0, 4, (32, 16))), person, camera + 1, "query")
    return writer.finish()


def collected_site(folder: Path, *, named: bool = False) -> Path:
    """A site as a worker could have collected it: every two people are seen together."""
    lines = []
    for person in range(PEOPLE):
        for camera in range(CAMERAS):
            at = folder / f"camera{camera}" / str(person)
            at.mkdir(parents=True)
            for frame, crop in enumerate(coloured_noise(person, camera, 0, 4, (32, 16))):
                cv2.imwrite(str(at / f"{frame}.jpg"), crop)
            begins = person // 2 * 10 * SECOND_NS
            line = {"folder": f"camera{camera}/{person}", "camera": f"camera{camera}", "first_ns": begins}
            named_line = {"identity": person} if named else {}
            lines.append(json.dumps({**line, "last_ns": begins + 5 * SECOND_NS, **named_line}))
    (folder / INDEX).write_text("\n".join(lines))
    return folder


def _plan(data: Path, weights: Path, out: str = "new.safetensors") -> AdaptPlan:
    return AdaptPlan(
        data, weights.parent / out, weights, minutes=0, epochs=2, rounds=2, force=True, lr=1e-3, threads=1, workers=0
    )


def _silent(text: str) -> None:
    assert text


def test_unreadable_tracklets_are_named_and_the_rest_is_used(tmp_path: Path, weights: Path) -> None:
    site = site_in_mars_naming(tmp_path / "site")
    train, test = (min((site / f"bbox_{half}").rglob("*.jpg")) for half in ("train", "test"))
    train.write_bytes(train.read_bytes()[:-30])
    test.write_bytes(b"")
    (site / "bbox_train" / "0001" / "notes.txt").touch()
    said: list[str] = []
    report = adapt(replace(_plan(site, weights), labels=True), said.append)
    assert report.new is not None
    skipped = [line for line in said if "skipped" in line]
    assert skipped[0] == "bbox_train: skipped files that are not images (1): notes.txt"
    assert skipped[1].startswith(f"site: skipped images that cannot be read (1): {train} (")
    assert skipped[2].startswith("query: skipped images that cannot be read (1):")
    assert f"{test} (" in skipped[2]


def test_adapted_weights_have_another_name_and_the_old_ones_are_unchanged(tmp_path: Path, weights: Path) -> None:
    old = weights.read_bytes()
    plan = replace(_plan(site_in_mars_naming(tmp_path / "site"), weights), labels=True)
    report = adapt(plan, _silent)
    assert report.new == load_weights(plan.out).model_id
    assert report.old == load_weights(weights).model_id != report.new
    assert weights.read_bytes() == old
    assert report.before.mean_ap is not None
    assert report.after.mean_ap is not None
    assert report.steps > 0
    assert list(tmp_path.glob("*.part")) == []


def test_a_failed_validation_leaves_the_trained_weights(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _plan(collected_site(tmp_path / "site"), weights)
    calls = iter(range(2))

    def fails_at_last(embed: Embed, validation: ValidationSet) -> SiteMetrics:
        if next(calls):
            raise ValueError("two devices")
        return validate(embed, validation)

    monkeypatch.setattr(adapt_module, "validate", fails_at_last)
    with pytest.raises(ValueError, match="two devices"):
        adapt(plan, print)
    assert load_weights(unvalidated_of(plan.out)).network
    assert not plan.out.exists()


def test_labels_are_used_for_evaluation_and_never_for_training(tmp_path: Path, weights: Path) -> None:
    made = [
        adapt(
            _plan(site_in_mars_naming(tmp_path / f"site{first}", first=first), weights, f"{first}.safetensors"), _silent
        )
        for first in (1, 7001)
    ]
    assert made[0].new == made[1].new


def test_people_seen_together_are_known_to_differ(tmp_path: Path, weights: Path) -> None:
    report = adapt(replace(_plan(collected_site(tmp_path / "site", named=True), weights), labels=True), _silent)
    assert report.certain_pairs == PEOPLE // 2 * CAMERAS
    assert report.before.violated is not None
    assert report.after.mean_ap is not None


def _worse_the_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = [
        SiteMetrics(None, None, mutual, 1.0, 5, 0, 0.5, None, Cosines(mutual, 0.2, 0.0, 0.1)) for mutual in (0.8, 0.7)
    ]
    monkeypatch.setattr(adapt_module, "validate", lambda *_: figures.pop(0))


@pytest.mark.parametrize("force", [False, True])
def test_weights_that_are_worse_are_kept_beside_the_file_and_in_it_only_by_force(
    force: bool, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _worse_the_second_time(monkeypatch)
    plan = replace(_plan(collected_site(tmp_path / "site"), weights), force=force, epochs=1, rounds=1)
    report: AdaptReport = adapt(plan, _silent)
    assert plan.out.exists() is force
    assert (report.new is not None) is force
    assert (report.new_weights == plan.out) is force
    assert load_weights(report.new_weights).model_id != report.old
    assert sorted(tmp_path.glob("new*")) == [report.new_weights]


def test_weights_are_never_replaced(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(AdaptError, match="already exists"):
        adapt(replace(_plan(collected_site(tmp_path / "site"), weights), out=weights), _silent)


def test_a_site_with_too_few_people_is_refused(tmp_path: Path, weights: Path) -> None:
    site = collected_site(tmp_path / "site")
    (site / INDEX).write_text("\n".join((site / INDEX).read_text().splitlines()[:6]))
    with pytest.raises(AdaptError, match="collect for longer, or with more cameras"):
        adapt(_plan(site, weights), _silent)
    assert not (tmp_path / "new.safetensors").exists()


def test_missing_labels_are_an_error(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(AdaptError, match="has no labels to evaluate with"):
        adapt(replace(_plan(collected_site(tmp_path / "site"), weights), labels=True), _silent)


def test_the_command_ends_with_1_where_nothing_was_written(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _worse_the_second_time(monkeypatch)
    site, out = collected_site(tmp_path / "site"), tmp_path / "new.safetensors"
    words = ["adapt", "--data", str(site), "--out", str(out), "--weights", str(weights), "--threads", "1", "--json"]
    assert main([*words, "--epochs", "1", "--rounds", "1"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["model_id"] is None
    assert said["weights"] is None
    assert Path(said["refused"]).is_file()
    assert (said["before"]["mutual"], said["after"]["mutual"]) == (0.8, 0.7)


def test_running_out_of_memory_is_reported_with_a_remedy(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(adapt_module, "learn", full)
    site, out = collected_site(tmp_path / "site"), tmp_path / "new.safetensors"
    assert main(["adapt", "--data", str(site), "--out", str(out), "--weights", str(weights), "--threads", "1"]) == 1
    assert "out of memory" in (said := capsys.readouterr().err)
    assert "adapt from fewer tracklets" in said
    assert not out.exists()


def test_the_command_names_what_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["adapt", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "new.safetensors")]
    assert main(words) == 2
    assert "nowhere does not exist" in capsys.readouterr().err


def test_converted_weights_adapt_to_a_site_with_unknown_cameras(tmp_path: Path) -> None:
    torch.save({"model": published_checkpoint(cameras=3)}, tmp_path / "published.pth")
    convert(tmp_path / "published.pth", tmp_path / "released.safetensors")
    site = collected_site(tmp_path / "site")
    report = adapt(_plan(site, tmp_path / "released.safetensors"), _silent)
    old, new = load_weights(tmp_path / "released.safetensors"), load_weights(tmp_path / "new.safetensors")
    assert report.new == new.model_id != old.model_id
    assert new.preprocessing == old.preprocessing
    assert new.network.architecture == without_cameras(old.network).architecture
