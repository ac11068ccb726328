"""Recordings that were cut off: what is there is read, and the rest is missed, wherever a format lets it be noticed."""

from pathlib import Path
from typing import Any

import pytest

from ingest.errors import Broken
from tests.video_tools import CLOSED, see, write_numbered

MANY = 30
LAST = 3  # pictures before a cut may be damaged, or need one that is gone
VP8 = {"b": "1M"}
CLUSTER = bytes.fromhex("1f43b675")
UNKNOWN_SIZE = {1: b"\xff", 2: b"\x7f\xff", 3: b"\x3f\xff\xff", 4: b"\x1f\xff\xff\xff"}
WRITTEN: dict[str, dict[str, Any]] = {
    "GIF": {"suffix": "gif", "encoder": "gif", "options": {}},
    "YUV4MPEG": {"suffix": "y4m", "encoder": "rawvideo", "options": {}, "container": "yuv4mpegpipe"},
    "Ogg": {"suffix": "ogv", "encoder": "libvpx", "options": VP8},
    "FLV": {"suffix": "flv"},
    "a transport stream": {"suffix": "ts"},
    "a transport stream with time codes": {"suffix": "m2ts"},
    "Matroska that was sent live": {"suffix": "mkv", "muxing": {"live": "1"}},
    "WebM": {"suffix": "webm", "encoder": "libvpx", "options": VP8},
}


def written(folder: Path, kind: str) -> Path:
    how = dict(WRITTEN[kind])
    return write_numbered(folder / f"a.{how.pop('suffix')}", range(1, MANY + 1), how.pop("encoder", "libx264"), **how)


@pytest.mark.parametrize("cut", [25, 150, 36_196])  # inside a packet of a transport stream, of whichever size
@pytest.mark.parametrize("kind", WRITTEN)
def test_a_recording_that_was_cut_off_is_read_up_to_there_and_missed(kind: str, cut: int, tmp_path: Path) -> None:
    path = written(tmp_path, kind)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - min(cut, len(data) // 2)])

    seen = see(path)

    whole = len(seen.shown) - LAST
    assert seen.shown[:whole] == list(range(1, whole + 1))
    assert whole >= (MANY - 2 * LAST if cut < 1000 else LAST)
    assert isinstance(seen.error, Broken)
    assert str(seen.error).startswith("truncated: ")
    assert str(seen.error).endswith("copy the file again")


@pytest.mark.parametrize("tail", [b"", bytes(100)])
@pytest.mark.parametrize("kind", [kind for kind in WRITTEN if kind != "YUV4MPEG"])
def test_a_whole_recording_is_whole_with_or_without_padding(kind: str, tail: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, kind)
    path.write_bytes(path.read_bytes() + tail)

    seen = see(path)

    assert seen.error is None
    assert seen.shown == list(range(1, MANY + 1))


@pytest.mark.parametrize("lacking", [0, 50])
def test_clusters_of_unknown_size_as_browsers_record_them_are_measured_by_their_blocks(
    lacking: int, tmp_path: Path
) -> None:
    path = write_numbered(tmp_path / "a.mkv", range(1, MANY + 1), options=CLOSED, muxing={"live": "1"})
    data, at = bytearray(path.read_bytes()), 0
    while (at := data.find(CLUSTER, at)) >= 0:
        at += len(CLUSTER)
        length = 9 - data[at].bit_length()
        data[at : at + length] = UNKNOWN_SIZE[length]
    path.write_bytes(data[: len(data) - lacking])

    seen = see(path)

    assert str(seen.error or "") == (
        "" if not lacking else f"truncated: the last {lacking} bytes are missing; copy the file again"
    )
    assert len(seen.shown) >= MANY - 1
