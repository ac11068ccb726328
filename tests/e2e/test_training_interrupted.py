"""A run that is killed, doubled, cut into parts or left without disk: the same weights come out, or a clear word."""

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import training.train as train_module
from tests.training_tools import coloured_noise, logged, small_config
from training import logs
from training.checkpoint import CheckpointError, load_checkpoint
from training.errors import TrainingError
from training.train import run_training

ROOT = Path(__file__).parents[2]


def command(output: Path, *overrides: str) -> list[str]:
    return ["-m", "tests.training_tools", f"output={output}", *overrides]


def test_a_run_killed_in_the_middle_of_an_epoch_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    changes = ["train_identities=24", "steps=16", "checkpoint_every=4", "crops=fresh", "ema=0.9", "workers=1"]
    unbroken = small_config(tmp_path / "unbroken", *changes)
    run_training(replace(unbroken, workers=0), render=coloured_noise)
    arguments = command(tmp_path / "killed", *changes)
    with subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step 9 "):  # an epoch has six steps, the last checkpoint is after eight
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    killed = small_config(tmp_path / "killed", *changes, "workers=0", "resume=true")
    assert load_checkpoint(killed.output / "checkpoint.pt").step < 16
    run_training(killed, render=coloured_noise)
    wanted, found = (load_checkpoint(c.output / "checkpoint.pt") for c in (unbroken, killed))
    assert torch.equal(wanted.memory, found.memory)
    for part in ("network", "classifiers", "average"):
        before, after = getattr(wanted, part), getattr(found, part)
        assert all(torch.equal(tensor, after[name]) for name, tensor in before.items()), part


def test_two_processes_have_the_losses_of_one_with_the_whole_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "EVERY", 1)
    # SGD: Adam takes rounding errors of gradients near zero for directions
    changes = ["drop_tokens=0.5", "memories=[mean, random, hard]", "optimiser=sgd", "lr=1e-2", "clip_norm=1", "steps=8"]
    alone = small_config(tmp_path / "alone", *changes)
    run_training(alone, render=coloured_noise)
    both = small_config(tmp_path / "both", *changes)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*torchrun, *command(both.output, *changes)],
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


def test_a_batch_in_parts_teaches_what_the_whole_batch_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "EVERY", 1)
    monkeypatch.setattr(train_module, "share_norms", lambda module: None)
    curves = []
    for name, changes in (("whole", ["accumulate=1"]), ("parts", ["accumulate=3", "checkpointing=true"])):
        config = small_config(
            tmp_path / name, "steps=6", "temporal_from=0.0", "early_frames=2", "optimiser=sgd", *changes
        )
        monkeypatch.setattr(torch.nn.BatchNorm2d, "forward", _by_running_statistics)
        run_training(config, render=coloured_noise)
        curves.append(logged(config, "total"))
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-3)


def _by_running_statistics(norm: torch.nn.BatchNorm2d, images: torch.Tensor) -> torch.Tensor:
    """A stem with batch norms sees parts for batches; with statistics at rest, parts must make no difference."""
    return torch.nn.functional.batch_norm(images, norm.running_mean, norm.running_var, norm.weight, norm.bias)


def test_another_run_s_checkpoint_is_refused_with_the_difference(tmp_path: Path) -> None:
    run_training(small_config(tmp_path / "run", "steps=1"), render=coloured_noise)
    for change, words in (
        ("train_identities=12", "train_identities was 8 and is 12"),
        ("memories=[mean]", r"memories was .*hard.* and is"),
        ("seed=4", "seed was 0 and is 4"),
    ):
        with pytest.raises(CheckpointError, match=words):
            run_training(small_config(tmp_path / "run", "resume=true", "steps=2", change), render=coloured_noise)


def test_a_full_disk_is_named_and_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small_config(tmp_path / "run", "steps=4", "checkpoint_every=2")
    saved = []

    def full(descriptor: int) -> None:
        saved.append(descriptor)
        if len(saved) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingError, match="the disk may be full"):
        run_training(config, render=coloured_noise)
    assert load_checkpoint(config.output / "checkpoint.pt").step == 2
    assert not list(config.output.glob("*.part"))


def test_the_checkpoint_before_the_last_stays_and_is_named_where_the_last_is_broken(tmp_path: Path) -> None:
    config = small_config(tmp_path / "run", "steps=4", "checkpoint_every=2")
    run_training(config, render=coloured_noise)
    assert load_checkpoint(config.output / "previous-checkpoint.pt").step == 2
    whole = (config.output / "checkpoint.pt").read_bytes()
    (config.output / "checkpoint.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"previous-checkpoint\.pt is there"):
        run_training(replace(config, resume=True), render=coloured_noise)


def test_a_full_memory_is_named_with_what_to_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: 9 GB")

    monkeypatch.setattr(train_module, "train_step", full)
    with pytest.raises(TrainingError, match=r"out of memory.*set accumulate=2, checkpointing=true or fewer identities"):
        run_training(small_config(tmp_path / "run"), render=coloured_noise)
