"""A USB camera of tests without hardware: `webcam.c`, preloaded into a process, answers there for its device node."""

import json
import os
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import need

SOURCE = Path(__file__).with_suffix(".c")
READER = "tests.servers.webcam_reader"
ROOT = Path(__file__).parents[2]
NODE = "/dev/video42"


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a camera shows again and again: frames of one pixel format, `MJPG` or `YUYV`."""

    frames: Sequence[bytes]
    pixel_format: str = "MJPG"
    width: int = 64
    height: int = 48
    fps: int = 30


@dataclass(frozen=True, slots=True)
class Webcam:
    """A camera behind `NODE`, for the processes that get `environment`."""

    folder: Path

    def environment(self) -> dict[str, str]:
        """Return the variables of a process that has this camera."""
        library = str(self.folder / "webcam.so")
        return os.environ | {"LD_PRELOAD": library, "WEBCAM_NODE": NODE, "WEBCAM_FOLDER": str(self.folder)}

    def is_now(self, word: str) -> None:
        """Let it be `plugged`, `unplugged`, `stalled`, `busy`, `forbidden`, or the node for `metadata`."""
        (self.folder / "fresh").write_text(word)
        (self.folder / "fresh").rename(self.folder / "told")


def plugged_in(folder: Path, pictures: Pictures) -> Webcam:
    """Make a camera, or skip the test where there is no compiler."""
    need(found=shutil.which("gcc") is not None and Path("/usr/include/linux/videodev2.h").exists(), what="gcc")
    subprocess.run(
        ["gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(folder / "webcam.so"), str(SOURCE)], check=True
    )
    about = (pictures.width, pictures.height, pictures.fps, len(pictures.frames))
    data = pictures.pixel_format.encode() + struct.pack("=4I", *about)
    data += b"".join(struct.pack("=I", len(frame)) + frame for frame in pictures.frames)
    (folder / "frames").write_bytes(data)
    (folder / "memory").touch()
    webcam = Webcam(folder)
    webcam.is_now("plugged")
    return webcam


class Reader:
    """A process in which ingest reads a camera, and what it says; see `webcam_reader`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.said: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    @property
    def state(self) -> str:
        """Return the latest state of the camera."""
        return str(next((line["state"] for line in reversed(self.said) if "state" in line), ""))

    def causes(self) -> list[str]:
        """Return every cause so far for which it is not live."""
        return [line["cause"] for line in self.said if line.get("cause")]

    def logged(self) -> list[str]:
        """Return every message so far."""
        return [line["logged"] for line in self.said if "logged" in line]

    def chunks(self) -> list[dict[str, Any]]:
        """Return every chunk so far."""
        return [line for line in self.said if "stream" in line]

    def streams(self) -> list[str]:
        """Return the names of the streams so far."""
        return list(dict.fromkeys(chunk["stream"] for chunk in self.chunks()))

    def stopped(self) -> dict[str, Any]:
        """Stop the camera; return its last state, and the threads that are left."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self.join()
        return self.said[-1]

    def join(self) -> None:
        """Wait until it says nothing more."""
        self._thread.join()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        self.said.extend(json.loads(line) for line in self._process.stdout)


@contextmanager
def reading(webcam: Webcam, url: str = NODE, **settings: float) -> Iterator[Reader]:
    """Read the camera in a process that has it."""
    command = [sys.executable, "-m", READER, url, json.dumps(settings)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=webcam.environment(), cwd=ROOT, **pipes) as process:
        reader = Reader(process)
        try:
            yield reader
        finally:
            process.kill()
            reader.join()
