"""Frames between analysed ones are filled in along one track of one person, and nowhere else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gallery.store.memory import MemoryStore
from gallery.store.store import StoredTracklet, Write
from gallery.tracks import Track, filled, longest_step_ns, tracks_of
from tests.gallery_tools import START, tracklet

FRAME = 40_000_000  # ns: a source of 25 fps
ANALYSED = 12.5  # every second frame


def track(frames: list[int], *, identities: list[int] | None = None) -> Track:
    numbers = np.array(frames, np.int64)
    lefts = numbers.astype(np.float32)
    boxes = np.stack([lefts, lefts, lefts + 10, lefts + 20], axis=1)
    people = np.array(identities or [7] * len(frames), np.int64)
    return Track("a", numbers, START + numbers * FRAME, boxes, np.full(len(frames), 0.5, np.float32), people)


def test_a_box_between_two_analysed_frames_is_half_way() -> None:
    before = track([1, 3, 5])
    done = filled(before, longest_step_ns([before], ANALYSED))
    assert done.frames.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(done.boxes[:, 0], [1, 2, 3, 4, 5])
    assert ((done.times_ns - START) // FRAME).tolist() == [1, 2, 3, 4, 5]
    assert done.identities.tolist() == [7] * 5


def test_nothing_is_invented_where_the_person_was_missed() -> None:
    before = track([1, 3, 7, 9])
    assert filled(before, longest_step_ns([before], ANALYSED)).frames.tolist() == [1, 2, 3, 7, 8, 9]


def test_nothing_is_invented_between_two_people_whom_one_track_followed() -> None:
    before = track([1, 3, 5, 7], identities=[7, 7, 8, 8])
    done = filled(before, longest_step_ns([before], ANALYSED))
    assert list(zip(done.frames.tolist(), done.identities.tolist(), strict=True)) == [
        (1, 7), (2, 7), (3, 7), (5, 8), (6, 8), (7, 8),
    ]  # fmt: skip


def test_steps_of_two_and_three_frames_are_both_filled() -> None:
    before = track([1, 3, 6, 8, 11])  # 10 of 25 frames a second
    assert filled(before, longest_step_ns([before], 10.0)).frames.tolist() == list(range(1, 12))


def test_a_camera_whose_frames_were_thinned_out_is_judged_by_its_usual_step() -> None:
    before = track([1, 11, 21, 31, 61])  # 2.5 of 25 frames a second, although 10 were wanted
    assert filled(before, longest_step_ns([before], 10.0)).frames.tolist() == [*range(1, 32), 61]


@given(st.lists(st.integers(1, 400), min_size=1, max_size=40, unique=True).map(sorted), st.integers(0, 10 * FRAME))
def test_what_was_seen_stays_and_what_is_added_lies_between(frames: list[int], longest_ns: int) -> None:
    before = track(frames)
    done = filled(before, longest_ns)
    seen = np.isin(done.frames, before.frames)
    np.testing.assert_array_equal(done.boxes[seen], before.boxes)
    np.testing.assert_array_equal(done.times_ns[seen], before.times_ns)
    assert done.frames[0] == frames[0]
    assert done.frames[-1] == frames[-1]
    assert np.all(np.diff(done.frames) > 0)


def test_parts_of_one_track_are_joined_under_the_identities_that_they_have_now() -> None:
    store = MemoryStore("site")
    named = {"a/s/1.0/0": (0, 1, 3), "a/s/1.0/1": (1.5, 2, 3), "a/s/1.1/0": (2.5, 3, 4), "a/s/2.0/0": (0, 1, 5)}
    rows = [
        StoredTracklet(tracklet(name, first, last), owner, 1.0, None) for name, (first, last, owner) in named.items()
    ]
    store.write(Write(0, START, 4, tracklets=rows))
    one, other = sorted(tracks_of(store), key=lambda found: int(found.identities[0]))
    assert sorted(set(one.identities.tolist())) == [3, 4]
    assert np.all(np.diff(one.frames) > 0)
    assert set(other.identities.tolist()) == {5}
