"""The recipe for a few minutes on one machine ends properly on two cores, whether in time or interrupted."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from reid_worker.model.weights import SHIPPED, load_weights, save_weights
from tests.training_tools import coloured_noise
from training.config import ConfigError
from training.errors import TrainingError
from training.recipes import gpu
from training.recipes.gpu import main, recipe, train

ROOT = Path(__file__).parents[2]
SMALL = (
    *("run.workers=1", "run.threads=1", "synthetic.validation_identities=2", "synthetic.validation_cameras=2"),
    *("synthetic.sites=1", "batch.identities=2", "batch.tracklets=2", "batch.cluster=2"),
)


def command(out: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "training.recipes.gpu", "--out", str(out), *arguments, *SMALL]


def test_the_command_writes_weights_in_half_precision_and_their_accuracy(tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = subprocess.run(
        command(out, "--minutes", "0.2"), cwd=ROOT, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["end"] == "done"
    assert said["held_out"]["mAP"] > 0.5  # the shipped weights are the first to be saved
    for name in ("best", "last"):
        path = out / f"{name}.safetensors"
        card = json.loads(path.with_suffix(".json").read_text())
        assert load_weights(path).model_id == card["model_id"]
        assert 0 <= card["held_out"]["mAP"] <= 1
        assert path.stat().st_size < 16e6
        with safe_open(path, "pt") as file:
            assert file.get_tensor("encoder.proj").dtype == torch.float16
    assert json.loads((out / "last.json").read_text())["step"] > 0
    assert said["weights"] == str(out / "best.safetensors")


def test_sigterm_leaves_the_best_weights_so_far(tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = command(out, "--minutes", "5", "--from-scratch", "network.model=climb-tiny-64")
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            if line.startswith("step 0: held-out"):
                os.kill(process.pid, signal.SIGTERM)
                break
        rest = process.stderr.read()
        said = json.loads(process.stdout.read().splitlines()[-1])
    assert process.returncode == 0, rest
    assert said["end"] == "stopped"
    assert load_weights(Path(said["weights"])).model_id == said["model_id"]
    assert (out / "checkpoint.pt").exists()


def test_the_clock_divides_encoder_and_head_and_a_gpu_gets_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    config = recipe(12, SHIPPED, Path("out"))
    assert (config.run.workers, config.run.precision, config.run.device) == (15, "bfloat16", "cuda")
    assert (config.batch.identities * config.batch.tracklets, config.schedule.minutes) == (256, 12)
    assert config.schedule.encoder_until == config.schedule.temporal_from == 0.75
    assert (config.run.validate_minutes, config.run.save_precision) == (1, "float16")
    assert config.network.initial == SHIPPED


@pytest.mark.parametrize(("workers", "lanes"), [(0, 1), (1, 1), (5, 5)])
def test_every_process_that_renders_has_sites_of_its_own(workers: int, lanes: int) -> None:
    assert recipe(1, None, Path("out"), [f"run.workers={workers}"]).synthetic.lanes == lanes


def test_rendering_time_is_subtracted_from_training_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = [*SMALL, "run.workers=0", "network.model=climb-tiny-64", "schedule.steps=1"]
    config = recipe(10, None, tmp_path / "run", changes)
    given = []
    monkeypatch.setattr(gpu, "run_training", lambda config, **_: given.append(config.schedule.minutes))
    monkeypatch.setattr(gpu.time, "monotonic", lambda: 1000.0)  # type: ignore[attr-defined]
    for began in (1000.0 - 60, 1000.0 - 3600):
        train(config, began, render=coloured_noise)
    assert given == pytest.approx([(540 - 5) / 60, 1 / 60])


def test_a_folder_with_a_run_is_rejected_and_so_are_weights_with_other_preprocessing(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").touch()
    with pytest.raises(TrainingError, match="already contains a run: give another --out"):
        train(recipe(1, None, tmp_path), 0.0)
    loaded = load_weights(SHIPPED)
    other = tmp_path / "other.safetensors"
    save_weights(other, loaded.network, type(loaded.preprocessing)(128, 64, mean=0.4))
    with pytest.raises(ConfigError, match="needs different preprocessing"):
        recipe(1, other, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--minutes", "0"], "must be above 0"),
        (["--minutes", "nan"], "must be above 0"),
        (["--initial", "absent.safetensors"], "absent.safetensors"),
        (["lr=1"], "`lr` is now `optimiser.learning_rate`"),
    ],
)
def test_a_wrong_argument_is_named(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
