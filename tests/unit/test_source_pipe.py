"""Named pipes, into which another program writes a video."""

import os
import threading
from pathlib import Path

import pytest

from ingest.config import IngestSettings
from ingest.errors import NoVideo
from ingest.sources.interrupt import interrupted_by
from ingest.sources.opening import open_source
from tests.ingest_tools import spec_of
from tests.video_tools import see, write_numbered


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("name", "encoder"), [("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.webm", "libvpx-vp9"), ("a.avi", "mjpeg")]
)
def test_what_a_program_writes_into_a_pipe_is_read_to_its_end(
    name: str, encoder: str, pipe: Path, tmp_path: Path
) -> None:
    options: dict[str, str] | None = None if encoder == "libx264" else {}
    data = write_numbered(tmp_path / name, range(1, 41), encoder, options=options).read_bytes()
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()

    seen = see(pipe)

    writer.join()
    assert seen.error is None
    assert seen.shown == list(range(1, 41))


def test_a_pipe_into_which_nobody_writes_is_named_and_not_waited_for(pipe: Path) -> None:
    with pytest.raises(NoVideo, match=r"it is a pipe into which nothing was written for 0\.2 s; start the program"):
        open_source(spec_of(pipe), IngestSettings(connect_timeout_s=0.2))


def test_waiting_for_a_pipe_ends_when_the_camera_is_stopped(pipe: Path) -> None:
    stop = threading.Event()
    stop.set()

    with interrupted_by(stop), pytest.raises(NoVideo):
        open_source(spec_of(pipe), IngestSettings(connect_timeout_s=120))
