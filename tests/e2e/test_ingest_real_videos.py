"""The real videos, whole and in order."""

from pathlib import Path

import pytest

from ingest.config import IngestSettings
from ingest.source import SourcePacket
from ingest.sources.opening import open_source
from tests.ingest_tools import spec_of

pytestmark = pytest.mark.shared


def read(path: Path) -> list[SourcePacket]:
    source = open_source(spec_of(path), IngestSettings())
    try:
        return list(source.packets())
    finally:
        source.close()


@pytest.mark.parametrize(
    ("name", "frames", "fps"),
    [
        pytest.param("lab-4cam/cam0.mp4", 268, 10, id="H.264 with B-frames"),
        pytest.param("studio-4cam/cam01.mp4", 100, 60, id="portrait"),
        pytest.param("shop/Retail02_short.mp4", 603, 30, id="HEVC"),
        pytest.param("hall/people-detection.264", 596, 24, id="raw H.264 with B-frames, whose header says 24 fps"),
        pytest.param("hall/one-by-one-person-detection.mp4", 1394, 10, id="10 fps"),
    ],
)
def test_every_frame_has_its_own_time_at_a_steady_rate(name: str, frames: int, fps: int, shared_data: Path) -> None:
    packets = read(shared_data / name)

    times = sorted(packet.pts_ns for packet in packets)
    assert len(packets) == frames
    assert times == pytest.approx([number * 1e9 / fps for number in range(frames)], abs=2e6)


def test_keyframes_are_where_the_encoder_put_them(shared_data: Path) -> None:
    packets = read(shared_data / "shop" / "Retail02_short.mp4")

    assert [number for number, packet in enumerate(packets) if packet.keyframe] == [0, 246, 498]
