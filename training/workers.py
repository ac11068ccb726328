"""What the processes that prepare batches have in common."""

import atexit
import os
import signal

import cv2


def begin_worker(_: int) -> None:
    """Set up a spawned process of a data loader: it leaves Ctrl-C to the main process, and uses one core.

    It ends like a forked one, without taking the interpreter apart: one was once aborted at its end, probably by a
    native library, and the main process reports that as a worker that was killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the main process saves a checkpoint
    cv2.setNumThreads(1)  # the workers already use all cores
    atexit.register(os._exit, 0)
