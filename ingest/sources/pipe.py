"""Named pipes, which another program writes a video into: opened once there is something to read."""

import os
import select
import time
from pathlib import Path
from typing import Any

import av

from ingest.errors import NoVideo
from ingest.sources.interrupt import interrupted

STEP_MS = 100
REMEDY = "start the program that writes the video into it first, and check that it names this pipe"


def open_pipe(path: Path, patience_s: float) -> Any:
    """Open a pipe with libav, which would wait for a writer for ever and could not be stopped meanwhile.

    Raises:
        NoVideo: Nothing was written within `patience_s`, or the camera was stopped.
        av.FFmpegError: What was written cannot be opened.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        _await_bytes(handle, patience_s)
        os.set_blocking(handle, True)
        return av.open(f"pipe:{handle}")  # of a second handle, which libav makes and closes
    finally:
        os.close(handle)


def _await_bytes(handle: int, patience_s: float) -> None:
    written = select.poll()
    written.register(handle, select.POLLIN)
    deadline_s = time.monotonic() + patience_s
    while not written.poll(STEP_MS):
        if interrupted() or time.monotonic() >= deadline_s:
            raise NoVideo(f"it is a pipe into which nothing was written for {patience_s:g} s", REMEDY)
