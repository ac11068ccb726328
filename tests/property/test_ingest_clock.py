"""Times of any stream: continuous, and in the order of presentation."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from ingest.clock import NS, LiveClock, Timeline

FRAME_NS = 40_000_000
GAP_NS = 10 * NS


@given(
    runs=st.lists(st.tuples(st.integers(-(2**40), 2**40), st.integers(1, 20)), min_size=1, max_size=8),
    reorder=st.integers(0, 3),
)
def test_decoding_goes_on_frame_by_frame_wherever_timestamps_jump_to(runs: list[tuple[int, int]], reorder: int) -> None:
    timeline = Timeline(FRAME_NS, GAP_NS)
    delay = reorder * FRAME_NS  # of presentation behind decoding, as B-frames need it
    starts = [sum(begin for begin, _ in runs[: number + 1]) for number in range(len(runs))]

    decoded = [
        timeline.place(begin + step * FRAME_NS + delay, begin + step * FRAME_NS)
        for begin, (_, length) in zip(starts, runs, strict=True)
        for step in range(length)
    ]

    assert decoded[0] == 0
    steps = [after - before for before, after in itertools.pairwise(decoded)]
    assert all(0 <= step <= GAP_NS for step in steps)


def test_a_gap_of_a_recording_stays_a_gap() -> None:
    timeline = Timeline(FRAME_NS, GAP_NS)

    assert [timeline.place(at, at) for at in (0, FRAME_NS, 9 * NS)] == [0, FRAME_NS, 9 * NS]


def test_a_33_bit_wrap_goes_on_with_the_next_frame() -> None:
    timeline = Timeline(FRAME_NS, GAP_NS)
    wrap = 2**33 * NS // 90_000

    placed = [timeline.place(at % wrap, at % wrap) for at in range(wrap - 2 * FRAME_NS, wrap + 2 * FRAME_NS, FRAME_NS)]

    assert placed == [0, FRAME_NS, 2 * FRAME_NS, 3 * FRAME_NS]


def test_missing_decoding_times_do_not_look_like_jumps() -> None:
    timeline = Timeline(FRAME_NS, GAP_NS)
    order = [(0, None), (1, None), (5, 0), (3, 1), (2, 2), (4, 3)]

    placed = [timeline.place(p * FRAME_NS, None if d is None else d * FRAME_NS) for p, d in order]

    assert placed == [p * FRAME_NS for p, _ in order]


def live_times(pts: list[int], arrivals: list[int]) -> list[int]:
    clock = LiveClock()
    times = [time for p, arrival in zip(pts, arrivals, strict=True) for time in clock.capture_ns(p, arrival)]
    return [*times, *clock.release()]


def reordered(groups: int, length: int) -> list[int]:
    """Return presentation numbers in decoding order: each group's last picture is decoded first."""
    numbers = [0]
    for group in range(groups):
        first = group * length + 1
        numbers += [first + length - 1, *range(first, first + length - 1)]
    return numbers


@given(
    groups=st.integers(1, 20),
    length=st.integers(1, 16),
    jitter_ms=st.lists(st.integers(0, 3000), min_size=321, max_size=321),
)
def test_capture_times_of_a_jittery_stream_keep_the_order_of_its_pictures(
    groups: int, length: int, jitter_ms: list[int]
) -> None:
    numbers = reordered(groups, length)
    pts = [number * FRAME_NS for number in numbers]
    arrivals: list[int] = []
    for place, jitter in enumerate(jitter_ms[: len(pts)]):
        arrivals.append(max([*arrivals[-1:], place * FRAME_NS + jitter * 1000000]))

    times = live_times(pts, arrivals)

    shown = [time for _, time in sorted(zip(pts, times, strict=True))]
    assert len(times) == len(pts)
    assert all(before < after for before, after in itertools.pairwise(shown))


def test_a_burst_at_the_beginning_does_not_make_a_stream_late() -> None:
    pts = [number * FRAME_NS for number in range(100)]
    burst = 50  # two seconds that the server had kept
    arrivals = [max(0, number - burst) * FRAME_NS for number in range(100)]

    times = live_times(pts, arrivals)

    assert times[-1] == arrivals[-1]
    assert times[0] == -burst * FRAME_NS


def test_a_stream_that_stood_still_is_on_time_again_at_once() -> None:
    before = [number * FRAME_NS for number in range(20)]
    pts = [*before, 20 * FRAME_NS]
    arrivals = [*before, 60 * NS]

    assert live_times(pts, arrivals)[-1] == 60 * NS
