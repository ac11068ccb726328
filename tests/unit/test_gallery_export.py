"""Sightings, and the tracks of a site as MOTChallenge text."""

from pathlib import Path

import pytest

from gallery.export import mot_of, write_mot
from gallery.score.mot import read_boxes
from gallery.store.memory import MemoryStore
from gallery.store.presence import sightings
from gallery.store.store import StoredTracklet, Write
from tests.gallery_tools import START, S, tracklet


def row(name: str, owner: int | None, first_s: float, last_s: float, *, closed: bool = True) -> StoredTracklet:
    return StoredTracklet(tracklet(name, first_s, last_s, closed=closed), owner, 1.0, None)


def test_tracklets_with_a_short_gap_are_one_sighting_and_cameras_are_kept_apart() -> None:
    rows = [
        row("b/s/1/0", 1, 1, 3),
        row("a/s/2/0", 1, 6, 8, closed=False),
        row("a/s/1/0", 1, 0, 4),
        row("a/s/3/0", 1, 30, 31),
    ]

    found = sightings(rows)

    assert [(s.camera_id, (s.first_ns - START) // S, (s.last_ns - START) // S, s.live) for s in found] == [
        ("a", 0, 8, True),
        ("b", 1, 3, False),
        ("a", 30, 31, False),
    ]
    assert found[0].tracklets == ("a/s/1/0", "a/s/2/0")
    assert sightings([]) == []


def test_every_box_with_an_identity_is_written_by_frame(tmp_path: Path) -> None:
    store = MemoryStore("site")
    rows = [row("a/s/1/0", 7, 1, 2), row("a/s/2/0", 3, 0, 1), row("b/s/1/0", 7, 0, 0), row("b/s/2/0", None, 0, 1)]
    store.write(Write(0, START, 8, tracklets=rows))

    counts = write_mot(store, tmp_path / "out")

    assert counts == {"a": 12, "b": 1}
    lines = (tmp_path / "out" / "a.txt").read_text().splitlines()
    assert lines[0] == "1,3,0.00,0.00,10.00,20.00,0.9000,-1,-1,-1"
    assert [int(line.split(",")[0]) for line in lines] == sorted(int(line.split(",")[0]) for line in lines)
    assert set(read_boxes(tmp_path / "out" / "a.txt").ids.tolist()) == {3, 7}


def test_frames_of_a_camera_that_was_read_twice_go_on_counting() -> None:
    store = MemoryStore("site")
    rows = [row("a/s/1/0", 7, 0, 1), row("a/t/1/0", 3, 60, 61), row("b/s/1/0", 7, 0, 0), row("a/t/2/0", None, 60, 61)]
    store.write(Write(0, START, 8, tracklets=rows))

    frames = [tuple(map(int, line.split(",")[:2])) for line in mot_of(store, "a", START, START + 100 * S)]

    first, second = [frame for frame, who in frames if who == 7], [frame for frame, who in frames if who == 3]
    assert len(first) == len(second) > 1
    assert second == [frame + max(first) for frame in (rows[1].tracklet.frames).tolist()]
    assert mot_of(store, "a", START + 10 * S, START + 20 * S) == []


def test_of_two_boxes_of_a_person_in_a_frame_the_more_confident_is_written(tmp_path: Path) -> None:
    store = MemoryStore("site")
    store.write(Write(0, START, 2, tracklets=[row("a/s/1/0", 1, 0, 0), row("a/s/1/1", 1, 0, 0)]))

    assert write_mot(store, tmp_path) == {"a": 1}


def test_only_tracklets_seen_since_then_are_written(tmp_path: Path) -> None:
    store = MemoryStore("site")
    store.write(Write(0, START, 2, tracklets=[row("a/s/1/0", 1, 0, 1), row("b/s/1/0", 1, 10, 11)]))

    assert write_mot(store, tmp_path, START + 5 * S) == {"b": 6}


def test_only_the_given_cameras_are_written(tmp_path: Path) -> None:
    store = MemoryStore("site")
    store.write(Write(0, START, 2, tracklets=[row("a/s/1/0", 1, 0, 1), row("b/s/1/0", 1, 10, 11)]))

    assert write_mot(store, tmp_path, cameras={"a"}) == {"a": 6}
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_boxes_that_cannot_be_written_leave_those_of_an_earlier_run_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore("site")
    store.write(Write(0, START, 2, tracklets=[row("a/s/1/0", 1, 0, 4)]))
    write_mot(store, tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    whole = Path.write_text

    def full(self: Path, text: str, **options: str) -> int:
        whole(self, text[: len(text) // 2], **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)

    with pytest.raises(OSError, match="No space left"):
        write_mot(store, tmp_path)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before
