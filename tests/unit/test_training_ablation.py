"""The ablation resumes where it stopped and compares per seed; the training benchmark reports all its measurements."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from reid_worker.model.climb import Climb
from reid_worker.model.weights import save_weights
from tests.training_tools import coloured_noise, small_config
from training import people
from training.build import preprocessing_of
from training.config import changed
from training.recipes import bench as bench_training
from training.recipes.ablation import VARIANTS, Variant, read_rows, run, table


@pytest.fixture(autouse=True)
def people_of_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "generated_people", lambda *_: coloured_noise)
    monkeypatch.setattr(bench_training, "generated_people", lambda *_: coloured_noise)


def row(seed: int, variant: str, mean_ap: float) -> dict[str, object]:
    figures = {name: {"mAP": mean_ap, "rank1": mean_ap + 10} for name in ("frame average", "temporal head", "both")}
    return {"seed": seed, "variant": variant, "figures": figures}


def test_an_effect_is_computed_per_seed() -> None:
    baseline, better = VARIANTS[0].name, VARIANTS[1].name
    rows = [row(0, baseline, 40), row(1, baseline, 60), row(0, better, 43), row(1, better, 61)]
    lines = table(rows, VARIANTS).splitlines()
    assert f"| {baseline} | frame average | 2 | 50.0 ± 14.1 | 60.0 ± 14.1 | +0.0 ± 0.0 |" in lines
    assert f"| {better} | frame average | 2 | 52.0 ± 12.7 | 62.0 ± 12.7 | +2.0 ± 1.4 |" in lines
    assert len(lines) == 4  # variants that were not run have no row


def test_an_interrupted_ablation_resumes_and_every_variant_starts_from_the_same_encoder(tmp_path: Path) -> None:
    config = small_config(tmp_path / "runs", "schedule.steps=1", "network.strides=[1, 4]")
    torch.manual_seed(0)
    initial = tmp_path / "initial.safetensors"
    save_weights(initial, Climb(config.network.architecture), preprocessing_of(config))
    base = changed(config, {"network.initial": initial, "network.strides": ()})
    variants = (
        Variant("plain", {"losses.mmc": 0.0, "schedule.temporal_from": 1.0}),
        Variant("one stride", {"network.strides": (1,)}, "both"),
    )
    out = tmp_path / "ablation.jsonl"
    run(base, variants[:1], [0], out)
    before = out.read_text()
    run(base, variants, [0], out)
    assert out.read_text().startswith(before)
    assert [found["variant"] for found in read_rows(out)] == [
        "start: the encoder all variants begin from",
        "plain",
        "one stride",
    ]
    assert all(set(found["figures"]) == {"frame average", "temporal head", "both"} for found in read_rows(out))


def test_the_training_benchmark_reports_everything_it_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_training, "_STEPS", 2)
    monkeypatch.setattr(bench_training, "_RENDERED", 4)
    speed = bench_training.measure(small_config(tmp_path))
    assert 0 <= speed.loader_share <= 1
    assert min(speed.generated_per_s, speed.trained_per_s, speed.loop_per_s, speed.memory_mb) > 0
    assert json.loads(json.dumps(asdict(speed)))["workers"] == 0
