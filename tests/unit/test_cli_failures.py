"""Which cameras make a run fail."""

import pytest

from deploy.session import failures_of
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
