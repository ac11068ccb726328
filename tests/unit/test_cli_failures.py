"""Which cameras make a run fail, and what is said then."""

import io
import time

import pytest
from msgspec.structs import replace
from rich.console import Console

from deploy.local.console import print_cameras
from deploy.local.report import Report
from deploy.local.run import MINUTE_NS, failures_of, next_start_ns, next_step
from deploy.local.watch import CameraTotals
from gallery.store.memory import MemoryStore
from gallery.store.store import StoredProgress
from ingest.state import CameraStatus, State
from tests.gallery_tools import progress


@pytest.mark.parametrize(
    ("state", "cause", "done", "is_file", "failure"),
    [
        pytest.param(State.ENDED, "", CameraTotals(frames=9, ended=True), True, None, id="a file at its end"),
        pytest.param(State.FAILED, "cut off", CameraTotals(frames=9, ended=True), True, "cut off", id="a broken file"),
        pytest.param(State.ENDED, "", CameraTotals(frames=5), True, "stopped after 5 frames", id="interrupted"),
        pytest.param(State.LIVE, "", CameraTotals(frames=9), False, None, id="a live camera"),
        pytest.param(State.BACKING_OFF, "refused", CameraTotals(), False, "refused", id="never reached"),
        pytest.param(State.LIVE, "", CameraTotals(), False, "no frame arrived", id="silent"),
        pytest.param(
            State.ENDED,
            "",
            CameraTotals(frames=9, dropped=9, ended=True),
            True,
            "none of its 9 frames could be decoded; play it in another program to see why",
            id="nothing that a decoder understands",
        ),
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


def test_what_to_do_about_a_camera_is_not_repeated_in_its_line() -> None:
    console = Console(file=io.StringIO(), width=200)
    print_cameras(console, Report((), {"a": CameraTotals(ended=True, reason="it is away; plug it in")}, 1.0))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "0 tracklets - it is away\n" in text


@pytest.mark.parametrize("seen_s", [None, 0, 1, 59.5, 3600.25])
def test_files_begin_on_a_whole_minute_after_all_that_is_known(seen_s: float | None) -> None:
    """Windows of decisions lie on whole seconds: the same files give the same people whenever they are run."""
    store, now_ns = MemoryStore("site"), time.time_ns()
    last_ns = 0 if seen_s is None else now_ns + int(seen_s * 1e9)
    if seen_s is not None:
        store.save_progress([StoredProgress(replace(progress("a", 0), time_ns=last_ns), 0, 0)])

    start_ns = next_start_ns(store)

    assert start_ns % MINUTE_NS == 0
    assert start_ns >= now_ns - MINUTE_NS
    assert seen_s is None or start_ns >= last_ns + MINUTE_NS
