"""What can go wrong in a run once it has begun, in words that say what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from training.config import TrainConfig

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


class TrainingError(Exception):
    """A run cannot go on; the message says at which step and why, and what to do."""


@contextmanager
def explained(config: "TrainConfig") -> Iterator[None]:
    """Turn a full memory or disk, or a lost worker, into a TrainingError that says what to do.

    The last checkpoint stays as it was.
    """
    smaller = (
        f"set batch.chunks={config.batch.chunks * 2}, run.gradient_checkpointing=true or fewer batch.identities than "
        f"{config.batch.identities}, and go on with run.resume=true"
    )
    try:
        with memory_explained(smaller):
            yield
    except RuntimeError as error:
        if "DataLoader worker" in str(error):
            raise TrainingError(
                f"{error}: a process that makes batches is gone, perhaps for lack of memory: set fewer run.workers "
                f"than {config.run.workers}, and go on with run.resume=true"
            ) from error
        raise
    except OSError as error:
        if error.errno not in _UNWRITABLE and "could not be written" not in str(error):
            raise
        raise TrainingError(
            f"{config.run.output} or {config.synthetic.cache} cannot be written, the disk may be full ({error}): make "
            "room, or set run.output and synthetic.cache to where there is some, and go on with run.resume=true"
        ) from error


@contextmanager
def memory_explained(advice: str) -> Iterator[None]:
    """Turn a full memory, of the machine or of a GPU, into a TrainingError that ends with this advice."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise TrainingError(f"out of memory ({error}): {advice}") from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # torch's word for it on a CPU
            raise
        raise TrainingError(f"out of memory ({error}): {advice}") from error
