"""Which cameras make a run fail, and what is said then."""

import io

import pytest
from rich.console import Console

from deploy.console import print_cameras
from deploy.report import Report
from deploy.session import failures_of, next_step
from deploy.watch import CameraTotals
from ingest.state import CameraStatus, State


@pytest.mark.parametrize(
    ("state", "cause", "done", "is_file", "failure"),
    [
        pytest.param(State.ENDED, "", CameraTotals(frames=9, ended=True), True, None, id="a file at its end"),
        pytest.param(State.FAILED, "cut off", CameraTotals(frames=9, ended=True), True, "cut off", id="a broken file"),
        pytest.param(State.ENDED, "", CameraTotals(frames=5), True, "stopped after 5 frames", id="interrupted"),
        pytest.param(State.LIVE, "", CameraTotals(frames=9), False, None, id="a live camera"),
        pytest.param(State.BACKING_OFF, "refused", CameraTotals(), False, "refused", id="never reached"),
        pytest.param(State.LIVE, "", CameraTotals(), False, "no frame came", id="silent"),
    ],
)
def test_a_camera_fails_when_less_came_than_was_asked_for(
    state: State, cause: str, done: CameraTotals, is_file: bool, failure: str | None
) -> None:
    status = CameraStatus("door", state, cause, reconnects=0)
    expected = {} if failure is None else {"door": failure}
    assert failures_of([status], {"door": done}, {"door"} if is_file else set()) == expected


@pytest.mark.parametrize(
    ("failures", "said"),
    [
        pytest.param({"door": "cannot be reached"}, "docs/cameras.md", id="a camera that gave nothing"),
        pytest.param({}, "climbtrack doctor", id="pictures without people"),
    ],
)
def test_after_a_run_that_saw_nobody_the_next_step_is_about_its_cause(failures: dict[str, str], said: str) -> None:
    assert said in next_step(Report((), {}, 1.0), failures, None)


def test_one_tracklet_is_one() -> None:
    console = Console(file=io.StringIO(), width=200)
    print_cameras(console, Report((), {"a": CameraTotals(tracklets=1), "b": CameraTotals(tracklets=2)}, 1.0))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1 tracklet\n" in text
    assert "2 tracklets\n" in text
