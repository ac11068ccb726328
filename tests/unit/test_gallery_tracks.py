"""Boxes are added along one track of one person where they are missing, and nowhere else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gallery.store.memory import MemoryStore
from gallery.store.store import StoredTracklet, Write
from gallery.tracks import Rhythm, Track, filled, rhythm_of, tracks_of
from tests.gallery_tools import START, tracklet

FRAME = 40_000_000  # ns: a source of 25 fps
ANALYSED = 12.5  # every second frame


def track(frames: list[int], *, identities: list[int] | None = None) -> Track:
    numbers = np.array(frames, np.int64)
    lefts = numbers.astype(np.float32)
    boxes = np.stack([lefts, lefts, lefts + 10, lefts + 20], axis=1)
    people = np.array(identities or [7] * len(frames), np.int64)
    return Track("a", numbers, START + numbers * FRAME, boxes, np.full(len(frames), 0.5, np.float32), people)


def every(before: Track, analysed_fps: float = ANALYSED) -> list[int]:
    """Return the frames that have a box when all of the source are to have one."""
    return list(filled(before, rhythm_of([before], analysed_fps), every_frame=True).frames.tolist())


def analysed(before: Track, analysed_fps: float = ANALYSED) -> list[int]:
    """Return the frames that have a box when those that are analysed are to have one."""
    return list(filled(before, rhythm_of([before], analysed_fps), every_frame=False).frames.tolist())


def test_a_box_between_two_analysed_frames_is_half_way() -> None:
    before = track([1, 3, 5])
    done = filled(before, rhythm_of([before], ANALYSED), every_frame=True)
    assert done.frames.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(done.boxes[:, 0], [1, 2, 3, 4, 5])
    assert ((done.times_ns - START) // FRAME).tolist() == [1, 2, 3, 4, 5]
    assert done.identities.tolist() == [7] * 5
    assert analysed(before) == [1, 3, 5]


def test_who_is_missed_for_half_a_second_was_there_and_nobody_knows_about_longer() -> None:
    before = track([1, 3, 7, 9, 23, 25, 41])  # one frame, then six, which are nearly half a second, then seven
    assert analysed(before) == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 41]
    assert every(before) == [*range(1, 26), 41]


def test_nothing_is_invented_between_two_people_whom_one_track_followed() -> None:
    before = track([1, 3, 5, 7], identities=[7, 7, 8, 8])
    done = filled(before, rhythm_of([before], ANALYSED), every_frame=True)
    assert list(zip(done.frames.tolist(), done.identities.tolist(), strict=True)) == [
        (1, 7), (2, 7), (3, 7), (5, 8), (6, 8), (7, 8),
    ]  # fmt: skip


def test_steps_of_two_and_three_frames_are_both_usual() -> None:
    before = track([1, 3, 6, 8, 11])  # 10 of 25 frames a second
    assert every(before, 10.0) == list(range(1, 12))
    assert analysed(before, 10.0) == [1, 3, 6, 8, 11]


def test_a_camera_whose_frames_were_thinned_out_is_judged_by_its_usual_step() -> None:
    before = track([1, 11, 21, 31, 51, 81])  # 2.5 of 25 frames a second, although 10 were wanted
    assert analysed(before, 10.0) == [1, 11, 21, 31, 41, 51, 81]
    assert every(before, 10.0) == [*range(1, 52), 81]


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=40, unique=True).map(sorted),
    st.integers(0, 10 * FRAME),
    st.floats(0, 10 * FRAME),
    st.booleans(),
)
def test_what_was_seen_stays_and_what_is_added_lies_between(
    frames: list[int], longest_ns: int, step_ns: float, every_frame: bool
) -> None:
    before = track(frames)
    done = filled(before, Rhythm(step_ns, longest_ns), every_frame=every_frame)
    seen = np.isin(done.frames, before.frames)
    np.testing.assert_array_equal(done.boxes[seen], before.boxes)
    np.testing.assert_array_equal(done.times_ns[seen], before.times_ns)
    assert done.frames[0] == frames[0]
    assert done.frames[-1] == frames[-1]
    assert np.all(np.diff(done.frames) > 0)
    gaps = np.diff(before.times_ns)
    assert np.all(
        np.isin(
            done.frames[~seen],
            [f for a, b, gap in zip(frames, frames[1:], gaps, strict=False) if gap <= longest_ns for f in range(a, b)],
        )
    )


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
