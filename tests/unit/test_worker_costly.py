"""One live camera that takes the time of all: it is held to its keyframes, the others keep theirs."""

from collections.abc import Mapping, Sequence

import pytest

from reid_worker.costly import HOLD_S, Costly
from reid_worker.pipeline import Pipeline, Work
from tests.unit.test_worker_live import FPS, FRAMES, World, last_progress
from tests.worker_tools import numbered_image, packets
from wire.messages import AnyMessage, Tracklet

OTHERS = {"a": 0.02, "b": 0.02, "c": 0.03}
WITH_LARGE = OTHERS | {"large": 0.4}


def decided(
    costly: Costly, now_s: float, seconds: Mapping[str, float] | None = None, *, strained: bool = True
) -> dict[str, float]:
    for name, spent_s in (seconds or {}).items():
        costly.spent(name, spent_s)
    return costly.update(now_s, strained=strained)


@pytest.mark.parametrize(
    ("seconds", "strained", "held"),
    [
        pytest.param({"large": 0.4}, True, {"large": 16.0}, id="one that takes the time of many"),
        pytest.param({"large": 0.4}, False, {}, id="it may while there is time for all"),
        pytest.param({"other": 0.06}, True, {}, id="a little more than the others is no reason"),
        pytest.param({"other": 0.09}, True, {}, id="nor is many times next to nothing"),
    ],
)
def test_a_camera_is_costly_if_it_takes_several_times_as_long_as_the_others_while_time_is_short(
    seconds: dict[str, float], strained: bool, held: dict[str, float]
) -> None:
    costly = Costly()
    decided(costly, 10.0)

    assert decided(costly, 11.0, OTHERS | seconds, strained=strained) == pytest.approx(held)
    assert [name for name in (*OTHERS, *seconds) if costly.is_held(name)] == list(held)


def test_one_camera_alone_is_never_costly() -> None:
    costly = Costly()
    decided(costly, 10.0)

    assert decided(costly, 11.0, {"large": 0.9}) == {}


def test_a_costly_camera_is_tried_again_and_said_again_if_it_still_is() -> None:
    costly = Costly()
    decided(costly, 10.0)
    decided(costly, 11.0, WITH_LARGE)

    assert decided(costly, 12.0, WITH_LARGE) == {}  # keyframes alone may take long, too
    assert costly.is_held("large")
    assert decided(costly, 11.0 + HOLD_S, OTHERS, strained=False) == {}
    assert not costly.is_held("large")
    assert list(decided(costly, 12.0 + HOLD_S, WITH_LARGE)) == ["large"]


def test_of_a_costly_camera_only_keyframes_are_analysed_and_it_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = Pipeline.run

    def timed(pipeline: Pipeline, works: Sequence[Work]) -> list[Tracklet]:
        found = run(pipeline, works)
        for work in works:
            work.decode_s = 1.0 if work.stream.info.camera_id == "large" else 0.01
        return found

    monkeypatch.setattr(Pipeline, "run", timed)
    video = packets([numbered_image(n) for n in range(1, FRAMES + 1)], fps=FPS, gop=FPS)
    world = World(tick_s=0.25)
    world.waited_s = 0.35  # behind, but less than a fifth of the budget, from which on chunks are thinned
    said: list[AnyMessage] = []
    for wave in zip(*(video.chunks(camera=name, mode="latency") for name in ("a", "b", "large")), strict=True):
        said += world.say(*wave)

    a, b, large = (last_progress(said, name) for name in ("a", "b", "large"))
    assert a.analysed == b.analysed
    assert large.analysed < 0.6 * a.analysed
    assert (large.frames, large.ended) == (FRAMES, True)
    assert caplog.text.count("camera large: takes 100 times as long to decode as the others") == 1
