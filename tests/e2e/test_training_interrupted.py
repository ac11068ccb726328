"""A run that is killed, distributed, split into parts or out of disk space: the same weights, or a clear error."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import training.train as train_module
from reid_worker.model.weights import load_weights
from tests.training_tools import coloured_noise, logged, small_config
from training import logs
from training.checkpoint import CheckpointError, load_checkpoint
from training.config import changed
from training.config.renamed import RENAMED
from training.errors import TrainingError
from training.step import train_step
from training.train import run_training

ROOT = Path(__file__).parents[2]


def command(output: Path, *overrides: str) -> list[str]:
    return ["-m", "tests.training_tools", f"run.output={output}", *overrides]


def test_a_run_killed_in_the_middle_of_an_epoch_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    changes = [
        "synthetic.train_identities=24",
        "schedule.steps=16",
        "run.checkpoint_every=4",
        "synthetic.crops=fresh",
        "optimiser.ema_decay=0.9",
        "run.workers=1",
    ]
    unbroken = small_config(tmp_path / "unbroken", *changes)
    run_training(changed(unbroken, {"run.workers": 0}), render=coloured_noise)
    arguments = command(tmp_path / "killed", *changes)
    with subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step 9 "):  # an epoch has six steps, the last checkpoint is after eight
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    killed = small_config(tmp_path / "killed", *changes, "run.workers=0", "run.resume=true")
    assert load_checkpoint(killed.run.output / "checkpoint.pt").step < 16
    run_training(killed, render=coloured_noise)
    wanted, found = (load_checkpoint(c.run.output / "checkpoint.pt") for c in (unbroken, killed))
    assert torch.equal(wanted.memory, found.memory)
    for part in ("network", "classifiers", "average"):
        before, after = getattr(wanted, part), getattr(found, part)
        assert all(torch.equal(tensor, after[name]) for name, tensor in before.items()), part


def test_two_processes_have_the_losses_of_one_with_the_whole_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "EVERY", 1)
    # SGD, because Adam amplifies rounding errors of gradients near zero
    changes = [
        "schedule.patch_dropout=0.5",
        "losses.memories=[mean, random, hard]",
        "optimiser.name=sgd",
        "optimiser.learning_rate=1e-2",
        "optimiser.max_grad_norm=1",
        "schedule.steps=8",
    ]
    alone = small_config(tmp_path / "alone", *changes)
    run_training(alone, render=coloured_noise)
    both = small_config(tmp_path / "both", *changes)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*torchrun, *command(both.run.output, *changes)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for column in ("mmc", "sequence_ce", "sequence_contrast"):
        np.testing.assert_allclose(logged(both, column), logged(alone, column), rtol=2e-3, atol=1e-4, err_msg=column)
    for column in ("temporal_ce", "temporal_triplet"):  # a rounding error may sort two tokens the other way round
        np.testing.assert_allclose(logged(both, column), logged(alone, column), rtol=5e-2, atol=1e-4, err_msg=column)


def test_a_batch_in_parts_gives_the_gradients_of_the_whole_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "EVERY", 1)
    monkeypatch.setattr(train_module, "share_norms", lambda module: None)
    curves = []
    for name, changes in (
        ("whole", ["batch.chunks=1"]),
        ("parts", ["batch.chunks=3", "run.gradient_checkpointing=true"]),
    ):
        config = small_config(
            tmp_path / name,
            "schedule.steps=6",
            "schedule.temporal_from=0.0",
            "schedule.early_frames=2",
            "optimiser.name=sgd",
            *changes,
        )
        monkeypatch.setattr(torch.nn.BatchNorm2d, "forward", _by_running_statistics)
        run_training(config, render=coloured_noise)
        curves.append(logged(config, "total"))
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-3)


def _by_running_statistics(norm: torch.nn.BatchNorm2d, images: torch.Tensor) -> torch.Tensor:
    """A stem with batch norms normalises each part; with frozen statistics, parts must make no difference."""
    return torch.nn.functional.batch_norm(images, norm.running_mean, norm.running_var, norm.weight, norm.bias)


def test_another_run_s_checkpoint_is_refused_with_the_difference(tmp_path: Path) -> None:
    run_training(small_config(tmp_path / "run", "schedule.steps=1"), render=coloured_noise)
    for change, words in (
        ("synthetic.train_identities=12", "synthetic.train_identities was 8 and is 12"),
        ("losses.memories=[mean]", r"memories was .*hard.* and is"),
        ("run.seed=4", "seed was 0 and is 4"),
    ):
        with pytest.raises(CheckpointError, match=words):
            run_training(
                small_config(tmp_path / "run", "run.resume=true", "schedule.steps=2", change), render=coloured_noise
            )


def test_a_full_disk_is_named_and_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small_config(tmp_path / "run", "schedule.steps=4", "run.checkpoint_every=2")
    saved = []

    def full(descriptor: int) -> None:
        saved.append(descriptor)
        if len(saved) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingError, match="the disk may be full"):
        run_training(config, render=coloured_noise)
    assert load_checkpoint(config.run.output / "checkpoint.pt").step == 2
    assert not list(config.run.output.glob("*.part"))


def test_a_cache_that_is_no_folder_is_named_and_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("somebody's notes")
    config = small_config(tmp_path / "run", f"synthetic.cache={tmp_path / 'cache'}")
    with pytest.raises(TrainingError, match=r"/cache.* its folder cannot be used .*: set run.output"):
        run_training(config, render=coloured_noise)


def test_the_checkpoint_before_the_last_stays_and_is_named_where_the_last_is_broken(tmp_path: Path) -> None:
    config = small_config(tmp_path / "run", "schedule.steps=4", "run.checkpoint_every=2")
    run_training(config, render=coloured_noise)
    assert load_checkpoint(config.run.output / "previous-checkpoint.pt").step == 2
    whole = (config.run.output / "checkpoint.pt").read_bytes()
    (config.run.output / "checkpoint.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"previous-checkpoint\.pt is there"):
        run_training(changed(config, {"run.resume": True}), render=coloured_noise)


def test_a_failed_validation_loses_no_step_and_is_repeated_on_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(tmp_path / "run", "schedule.steps=4", "run.validate_every=2")

    def broken(*_: object) -> None:
        raise ValueError("two devices")

    with monkeypatch.context() as patched:
        patched.setattr(train_module, "validate", broken)
        with pytest.raises(ValueError, match="two devices"):
            run_training(config, render=coloured_noise)
    assert load_checkpoint(config.run.output / "checkpoint.pt").step == 2
    resumed = run_training(changed(config, {"run.resume": True}), render=coloured_noise)
    assert resumed.steps == 4
    assert [row.partition(",")[0] for row in (config.run.output / "held_out.csv").read_text().splitlines()[1:]] == [
        "2",
        "4",
    ]


def test_a_run_killed_in_its_last_validation_is_validated_and_not_trained_when_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(tmp_path / "run", "schedule.steps=2")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(train_module, "validate", killed)
        with pytest.raises(KeyboardInterrupt):
            run_training(config, render=coloured_noise)
    resumed = run_training(changed(config, {"run.resume": True}), render=coloured_noise)
    assert (resumed.steps, resumed.loss) == (2, None)
    assert resumed.best_map > 0
    assert resumed.weights.exists()


def test_a_signal_ends_a_run_after_its_step_with_a_checkpoint_and_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(tmp_path / "run")

    def signalled(*arguments: object) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        return train_step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train_module, "train_step", signalled)
    result = run_training(config, render=coloured_noise, on_signals=True)
    assert (result.end, result.steps, result.best_map) == ("stopped", 1, -1)
    assert load_checkpoint(config.run.output / "checkpoint.pt").step == 1
    assert json.loads(result.weights.with_suffix(".json").read_text())["held_out"] is None
    assert load_weights(result.weights).network


def test_a_checkpoint_from_before_grouped_settings_can_be_resumed(tmp_path: Path) -> None:
    config = small_config(tmp_path / "run", "schedule.steps=1")
    run_training(config, render=coloured_noise)
    path = config.run.output / "checkpoint.pt"
    content = torch.load(path, weights_only=True)
    names = {new: old for old, new in RENAMED.items()}
    content["run"] = {names[key]: value for key, value in content["run"].items() if key in names}  # newer ones: absent
    del content["validated_step"]
    torch.save(content, path)
    on = {"run.resume": True, "schedule.steps": 2}
    assert run_training(changed(config, on), render=coloured_noise).steps == 2
    with pytest.raises(CheckpointError, match=r"run\.seed was 0 and is 4"):
        run_training(changed(config, {**on, "run.seed": 4}), render=coloured_noise)


def test_running_out_of_memory_is_reported_with_the_settings_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: 9 GB")

    monkeypatch.setattr(train_module, "train_step", full)
    with pytest.raises(
        TrainingError,
        match=r"out of memory.*set batch.chunks=2, run.gradient_checkpointing=true or fewer batch.identities",
    ):
        run_training(small_config(tmp_path / "run"), render=coloured_noise)
