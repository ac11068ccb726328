"""Windows of live cameras: what is decided together depends on what cameras report, not on whose reports come first."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gallery.timeline import Timeline, Update, Waiting
from tests.gallery_tools import START, progress, tracklet
from wire.messages import CameraProgress

TENTHS = st.lists(st.integers(1, 60), min_size=1, max_size=8, unique=True).map(sorted)
Said = Update | CameraProgress


def reports(camera: str, tenths: Sequence[int]) -> list[Said]:
    """Return a tracklet before each report, and a report behind everything."""
    said: list[Said] = []
    for n, tenth in enumerate(tenths):
        said.append(Update(tracklet(f"{camera}/s/{n}/0", tenth / 10 - 0.5, tenth / 10), n))
        said.append(progress(camera, tenth / 10 + 0.05, mode="latency"))
    return [*said, progress(camera, 100.0, mode="latency")]


def windows(order: Sequence[Said]) -> list[tuple[int, set[str]]]:
    timeline = Timeline(Waiting())
    timeline.expect({"a": "latency", "b": "latency"}, 0.0)
    found = []
    for offset, said in enumerate(order):
        if isinstance(said, Update):
            timeline.update(said)
        else:
            timeline.progress(said, 0.0, offset)
        while (window := timeline.due(0.0)) is not None:
            found.append((window.end_ns - START, {update.tracklet.tracklet_id for update in window.updates}))
            timeline.done(window)
    assert not timeline.waiting()
    return found


@given(tenths_a=TENTHS, tenths_b=TENTHS, data=st.data())
def test_live_cameras_give_the_same_windows_however_their_reports_interleave(
    tenths_a: list[int], tenths_b: list[int], data: st.DataObject
) -> None:
    a, b = reports("a", tenths_a), reports("b", tenths_b)
    turns = data.draw(st.permutations([0] * len(a) + [1] * len(b)))
    queues = [iter(a), iter(b)]

    assert windows([next(queues[turn]) for turn in turns]) == windows([*a, *b])
