"""Errors of a run that has started, with messages that name the remedy."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from training.config import TrainConfig

_UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, *_UNUSABLE)


class TrainingError(Exception):
    """Raised when a run cannot continue; the message gives the step, the cause and the remedy."""


@contextmanager
def explained(config: "TrainConfig") -> Iterator[None]:
    """Turn running out of memory or disk space, or a lost worker, into a TrainingError with a remedy.

    The last checkpoint is unchanged.
    """
    smaller = (
        f"set batch.chunks={config.batch.chunks * 2}, run.gradient_checkpointing=true or fewer batch.identities than "
        f"{config.batch.identities}, and resume with run.resume=true"
    )
    try:
        with memory_explained(smaller):
            yield
    except RuntimeError as error:
        if "DataLoader worker" in str(error):
            raise TrainingError(
                f"{error}: a process that prepares batches died, perhaps out of memory: set fewer run.workers "
                f"than {config.run.workers}, and resume with run.resume=true"
            ) from error
        raise
    except OSError as error:
        if error.errno not in _UNWRITABLE and "could not be written" not in str(error):
            raise
        where = error.filename or f"{config.run.output} or {config.synthetic.cache}"
        if error.errno in _UNUSABLE:
            remedy = f"its folder cannot be used ({error.strerror}): set run.output and synthetic.cache to other ones"
        else:
            remedy = (
                f"the disk may be full ({error}): make room, or set run.output and synthetic.cache to a disk with space"
            )
        raise TrainingError(f"{where} cannot be written, {remedy}, and resume with run.resume=true") from error


@contextmanager
def memory_explained(advice: str) -> Iterator[None]:
    """Turn running out of memory, on the CPU or a GPU, into a TrainingError that ends with this advice."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise TrainingError(f"out of memory ({error}): {advice}") from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # torch's message on a CPU
            raise
        raise TrainingError(f"out of memory ({error}): {advice}") from error
