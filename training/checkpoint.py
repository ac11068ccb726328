"""Checkpoints: the state of a run, enough to resume it exactly. Never served; serving reads only safetensors."""

import os
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class CheckpointError(Exception):
    """A checkpoint cannot be used; the message names the file and the reason."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The complete state of a run after `step` steps.

    Attributes:
        step: Steps completed.
        elapsed_s: Time so far, which determines the schedule of a run limited by the clock.
        best_map: Best held-out mAP so far.
        network: State of the network.
        classifiers: State of the training-only classifiers.
        optimiser: State of the optimiser.
        memory: `(P, Y, C)`.
        average: Moving average of the network's state, or empty.
        run: Settings that must not change on resuming, by `group.key`; by flat names in older checkpoints.
        validated_step: Steps completed at the last validation, -1 before the first; None in older checkpoints, which
            were written after validation.
    """

    step: int
    elapsed_s: float
    best_map: float
    network: dict[str, Tensor]
    classifiers: dict[str, Tensor]
    optimiser: dict[str, Any]
    memory: Tensor
    average: dict[str, Tensor]
    run: dict[str, str] = field(default_factory=dict)
    validated_step: int | None = None


def save_checkpoint(path: Path, checkpoint: Checkpoint, *, keep_previous: bool = True) -> None:
    """Write a checkpoint atomically, and flush it to disk.

    Args:
        path: The file.
        checkpoint: The state to write.
        keep_previous: Whether the replaced checkpoint is kept beside it as `previous-NAME`, replacing an older one.

    Raises:
        OSError: The disk is full or not writable; `path` is unchanged.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            torch.save({name: getattr(checkpoint, name) for name in Checkpoint.__slots__}, file)
            file.flush()
            os.fsync(file.fileno())
        if keep_previous and path.exists():
            previous = previous_of(path)
            previous.unlink(missing_ok=True)
            os.link(path, previous)
        part.replace(path)
    except RuntimeError as error:  # how torch reports a failed write
        part.unlink(missing_ok=True)
        raise OSError(f"{part} could not be written completely: {error}") from error
    except OSError:
        part.unlink(missing_ok=True)
        raise


def previous_of(path: Path) -> Path:
    """Return the path of the checkpoint before the last."""
    return path.with_name(f"previous-{path.name}")


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of `save_checkpoint`; only tensors and plain values are unpickled.

    Raises:
        CheckpointError: The file is missing or is not a checkpoint.
    """
    try:
        return Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, TypeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        other = previous_of(path)
        hint = f"; {other} is there: rename it to {path.name} to resume from it" if other.exists() else ""
        raise CheckpointError(f"checkpoint {path}: {error}{hint}") from error
