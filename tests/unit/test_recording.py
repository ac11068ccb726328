"""Recordings: what is kept of a camera's packets, that it can be cut out to the picture, and what erases it."""

import io
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import av
import msgspec
import pytest
from prometheus_client import CollectorRegistry

from gallery.recording.boxes import whole_until
from gallery.recording.clips import cut_of, kept, write_clip
from gallery.recording.folder import RecordingFolder
from gallery.recording.metrics import RecordingMetrics
from gallery.recording.recorder import Recorder
from gallery.recording.ring import Bounds
from gallery.recording.segment import camera_folder
from gallery.store.said import Seen
from tests.worker_tools import START_NS, Video, number_of, numbered_image, packets
from wire.bus import FRAMES, Record
from wire.errors import SettingsError
from wire.messages import FrameChunk

FPS = 10
SECOND = 10**9
WIDE = Bounds(10**12, None, 10**18)


@pytest.fixture(scope="module")
def video() -> Video:
    """Thirty seconds in groups of ten pictures with B-frames: picture n is captured n tenths after the start."""
    return packets([numbered_image(number % 64) for number in range(300)], fps=FPS)


def time_of(number: int) -> int:
    return START_NS + number * SECOND // FPS


class Folder:
    """A recorder of a folder, with a clock that is set."""

    def __init__(self, path: Path, bounds: Bounds = WIDE, min_free: int = 0) -> None:
        self.now_ns = START_NS
        self.folder = RecordingFolder(path, bounds).__enter__()
        metrics = RecordingMetrics(CollectorRegistry())
        self.recorder = Recorder(self.folder, metrics, min_free, clock=lambda: self.now_ns)

    def take(self, chunks: Sequence[FrameChunk], first_offset: int = 0) -> "Folder":
        for offset, chunk in enumerate(chunks, first_offset):
            self.recorder.take(chunk, Record(FRAMES.name, 0, offset, chunk.camera_id, b"", 0))
        return self

    def die(self) -> None:
        """Leave everything as the kernel does when a process is killed."""
        for opened in self.recorder._open.values():
            opened.abandon()
        os.close(self.folder._descriptor)

    def finish(self) -> "Folder":
        self.recorder.leave([Record(FRAMES.name, 0, 0, "", b"", 0).source])
        self.folder.__exit__(None, None, None)
        return self


def clip(path: Path, first: int, last: int, camera: str = "door") -> tuple[list[tuple[int, int]], bytes]:
    """Return the numbers of the pictures of a clip with their capture times, as a player decodes them, and the file."""
    stretch = kept(path, camera, time_of(first), time_of(last))[0]
    cut = cut_of(stretch, time_of(first), time_of(last))
    assert cut is not None
    sink = io.BytesIO()
    write_clip(stretch, cut, sink)
    with av.open(io.BytesIO(sink.getvalue())) as file:
        shown = [
            (
                number_of(frame.to_ndarray(format="bgr24")),
                cut.first_ns + round(float(frame.pts * frame.time_base) * 1e9),
            )
            for frame in file.decode(video=0)
        ]
    return shown, sink.getvalue()


def later(video: Video, seconds: int) -> Video:
    """Return a video that was captured later."""
    moved = [msgspec.structs.replace(packet, time_ns=packet.time_ns + seconds * SECOND) for packet in video.packets]
    return Video(video.codec, video.extradata, (video.height, video.width), moved)


def files(path: Path, suffix: str = "mp4") -> list[Path]:
    return sorted(path.glob(f"*/*/*.{suffix}"))


@pytest.mark.parametrize(("first", "last"), [(0, 5), (95, 105), (101, 149), (13, 299)])
def test_a_clip_shows_every_picture_at_its_time(tmp_path: Path, video: Video, first: int, last: int) -> None:
    Folder(tmp_path).take(video.chunks()).finish()
    shown, _ = clip(tmp_path, first, last)
    begin = first - first % 10  # the keyframe
    assert [number for number, _ in shown[: last - begin + 1]] == [n % 64 for n in range(begin, last + 1)]
    assert len(shown) <= last - begin + 1 + 3  # pictures that are references of the last ones
    assert all(abs(at_ns - time_of(begin + n)) < 50_000 for n, (_, at_ns) in enumerate(shown))


def test_the_index_of_a_clip_comes_before_its_pictures(tmp_path: Path, video: Video) -> None:
    Folder(tmp_path).take(video.chunks()).finish()
    _, data = clip(tmp_path, 13, 299)
    assert data.index(b"moov") < data.index(b"mdat")


def test_segments_begin_at_the_first_keyframe_of_every_ten_seconds_and_names_tell_no_camera(
    tmp_path: Path, video: Video
) -> None:
    Folder(tmp_path).take(video.chunks(camera="entrance")).finish()
    starts = [int(path.name.split("-")[0]) for path in files(tmp_path)]
    assert [start // (10 * SECOND) for start in starts] == sorted({start // (10 * SECOND) for start in starts})
    assert len(starts) in {3, 4}
    assert "entrance" not in "".join(map(str, tmp_path.rglob("*")))


def test_a_replay_writes_the_same_files_again_and_keeps_the_longer_of_two(tmp_path: Path, video: Video) -> None:
    chunks = video.chunks()
    Folder(tmp_path).take(chunks).finish()
    before = {path.name: path.read_bytes() for path in files(tmp_path)}
    Folder(tmp_path).take(chunks[: len(chunks) // 2]).finish()
    Folder(tmp_path).take(chunks).finish()
    assert {path.name: path.read_bytes() for path in files(tmp_path)} == before


def test_a_recorder_that_is_killed_anywhere_and_goes_on_from_its_place_loses_nothing(
    tmp_path: Path, video: Video
) -> None:
    chunks = video.chunks()
    whole = tmp_path / "whole"
    Folder(whole).take(chunks).finish()
    for killed_after in range(1, len(chunks), 7):
        path = tmp_path / str(killed_after)
        first = Folder(path).take(chunks[:killed_after])
        place = min(first.recorder.needed_from().values(), default=killed_after)
        first.die()
        Folder(path).take(chunks[place:], place).finish()
        assert [file.name for file in files(path)] == [file.name for file in files(whole)]
        assert not files(path, "part")
        shutil.rmtree(path)


def test_a_file_that_was_cut_anywhere_by_a_power_failure_is_playable_after_the_next_start(
    tmp_path: Path, video: Video
) -> None:
    first = Folder(tmp_path).take(video.chunks()[:15])
    first.die()
    [part] = files(tmp_path, "part")
    written = part.read_bytes()
    for size in range(0, len(written), len(written) // 23):
        for old in files(tmp_path):
            old.unlink()
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(written[:size])
        whole = whole_until(io.BytesIO(written), size)
        Folder(tmp_path).finish()
        assert not files(tmp_path, "part")
        assert bool(files(tmp_path)) == bool(whole)
        for file in files(tmp_path):
            with av.open(file) as played:
                assert sum(1 for _ in played.decode(video=0)) >= 1


@pytest.mark.parametrize(
    ("bounds", "left"),
    [
        (Bounds(2, None, 10**18), []),
        (Bounds(10**12, 2, 10**18), []),
        (Bounds(10**12, None, 1), []),
        (WIDE, ["door", "yard"]),
    ],
    ids=["total", "camera", "age", "none"],
)
def test_what_is_beyond_a_bound_is_removed(tmp_path: Path, video: Video, bounds: Bounds, left: list[str]) -> None:
    recording = Folder(tmp_path, bounds)
    recording.take(video.chunks()[:9]).take(video.chunks(camera="yard")[:9])
    recording.recorder.leave([Record(FRAMES.name, 0, 0, "", b"", 0).source])
    recording.now_ns = max(path.stat().st_mtime_ns for path in files(tmp_path)) + 10
    recording.recorder.look_after()
    folders = {path.parent.parent for path in files(tmp_path)}
    assert folders == {camera_folder(tmp_path, camera) for camera in left}


def test_of_all_cameras_the_oldest_goes_first(tmp_path: Path, video: Video) -> None:
    recording = Folder(tmp_path)
    for camera in ("b", "a", "c"):
        recording.take(video.chunks(camera=camera)[:9])
        recording.recorder.close(camera)
    order = []
    while (oldest := recording.folder.ring.oldest()) is not None:
        order.append(oldest.camera)
        recording.folder.delete(oldest)
    assert order == [camera_folder(tmp_path, camera) for camera in ("b", "a", "c")]
    assert recording.folder.ring.total == 0


def test_a_disk_without_space_stops_recording_says_why_and_recording_goes_on_by_itself(
    tmp_path: Path, video: Video, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recording = Folder(tmp_path, min_free=10**9)
    monkeypatch.setattr(RecordingFolder, "free_bytes", lambda _: 10)
    recording.recorder.look_after()
    recording.take(video.chunks())
    assert not [*files(tmp_path), *files(tmp_path, "part")]
    assert "min_free_gb" in recording.recorder.reasons["door"]
    assert "free some space" in caplog.text
    monkeypatch.setattr(RecordingFolder, "free_bytes", lambda _: 10**10)
    recording.now_ns += 60 * SECOND
    recording.recorder.look_after()
    recording.take(video.chunks(stream="s2"))
    assert recording.recorder.reasons["door"] == ""
    assert files(tmp_path)


def test_a_disk_that_takes_no_more_keeps_what_it_took_and_stops_one_camera_for_a_while(
    tmp_path: Path, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    recording = Folder(tmp_path).take(video.chunks()[:9])
    monkeypatch.setattr("gallery.recording.writer.os.write", refuse)
    recording.take(video.chunks()[9:12], 9)
    assert "No space left" in recording.recorder.reasons["door"]
    assert len(files(tmp_path)) == 1
    assert not files(tmp_path, "part")


def test_a_camera_whose_codec_cannot_be_kept_is_named_with_the_remedy(tmp_path: Path) -> None:
    jpeg = packets([numbered_image(number) for number in range(4)], codec="mjpeg")
    recording = Folder(tmp_path).take(jpeg.chunks())
    assert "H.264 or H.265" in recording.recorder.reasons["door"]


def test_a_stream_that_changes_its_size_is_kept_in_two_stretches(tmp_path: Path, video: Video) -> None:
    small = packets([numbered_image(number)[::2, ::2] for number in range(20)], fps=FPS)
    after = later(small, 30)
    Folder(tmp_path).take(video.chunks()).take(after.chunks(stream="s2")).finish()
    stretches = kept(tmp_path, "door", time_of(0), time_of(400))
    assert [stretch.first_ns for stretch in stretches] == [time_of(0), time_of(300)]


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_an_hour_keeps_both_times(tmp_path: Path, video: Video, hours: int) -> None:
    begins = [36_000, 36_000 + hours * 3600]
    recording = Folder(tmp_path)
    for number, begin_s in enumerate(begins):
        recording.take(later(video, begin_s).chunks(stream=f"s{number}"))
    recording.finish()
    found = [kept(tmp_path, "door", time_of(10 * at), time_of(10 * at + 299)) for at in begins]
    assert [[stretch.first_ns for stretch in stretches] for stretches in found] == [[time_of(10 * at)] for at in begins]


def test_pictures_after_a_gap_are_kept_from_the_next_keyframe_on(tmp_path: Path, video: Video) -> None:
    chunks = video.chunks()
    lost = next(n for n, chunk in enumerate(chunks) if n > 4 and not chunk.starts_with_keyframe)
    Folder(tmp_path).take(chunks[:lost]).take(chunks[lost + 1 :]).finish()
    shown, _ = clip(tmp_path, 0, 299)
    missing = set(range(300)) - {round((at_ns - START_NS) * FPS / SECOND) for _, at_ns in shown}
    assert 0 < len(missing) < 10


def test_hevc_is_kept(tmp_path: Path) -> None:
    made = packets([numbered_image(number) for number in range(30)], codec="libx265")
    hevc = Video("hevc", made.extradata, (made.height, made.width), made.packets)
    Folder(tmp_path).take(hevc.chunks()).finish()
    shown, _ = clip(tmp_path, 0, 29)
    assert [number for number, _ in shown] == list(range(30))


def test_after_an_erasure_nothing_of_the_time_is_left_nor_comes_back(tmp_path: Path, video: Video) -> None:
    chunks = video.chunks()
    recording = Folder(tmp_path).take(chunks[:-6])
    seen = Seen("door", time_of(170), time_of(270))
    deleted, names, size = recording.recorder.erase(seen)
    assert deleted.segments == len(names) >= 2
    assert size > 0
    assert not kept(tmp_path, "door", seen.first_ns, seen.last_ns)
    assert not any(name in str(path) for name in names for path in tmp_path.rglob("*"))
    recording.finish()
    again = Folder(tmp_path)
    again.recorder.never(seen)
    again.take(chunks).finish()
    assert not kept(tmp_path, "door", seen.first_ns, seen.last_ns)
    assert kept(tmp_path, "door", time_of(0), time_of(1))


def test_a_disk_that_is_unmounted_stops_recording_instead_of_filling_the_one_below(
    tmp_path: Path, video: Video
) -> None:
    recording = Folder(tmp_path / "mounted").take(video.chunks()[:9])
    (tmp_path / "mounted").rename(tmp_path / "elsewhere")
    (tmp_path / "mounted").mkdir()
    recording.recorder.look_after()
    recording.take(video.chunks(stream="s2"))
    assert "No such file" in recording.recorder.reasons["door"]
    assert not list((tmp_path / "mounted").rglob("*.mp4"))


def test_a_second_recorder_is_told_that_the_folder_is_used(tmp_path: Path) -> None:
    Folder(tmp_path)
    with pytest.raises(SettingsError, match="used by another recorder"):
        Folder(tmp_path)


@pytest.mark.parametrize("kind", ["file", "unwritable"])
def test_a_folder_that_cannot_be_used_is_named_with_the_setting(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recordings"
    if kind == "file":
        path.touch()
    else:
        monkeypatch.setattr("gallery.recording.folder.os.open", _denied)
    with pytest.raises(SettingsError, match=r"recording\.folder"):
        Folder(path)


def _denied(*_: object) -> int:
    raise PermissionError(13, "Permission denied")
