"""Which signals stop what is running, and which leave it alone."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S
from wire.signals import stop_on_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_to_stop_and_the_handlers_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    with stop_on_signals() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(PATIENCE_S)

    assert signal.getsignal(number) is before


def test_a_signal_that_comes_while_the_event_is_looked_at_does_not_hang() -> None:
    with stop_on_signals() as stop:
        with stop._cond:  # type: ignore[attr-defined]  # what `wait` holds for a moment, and `set` needs
            signal.raise_signal(signal.SIGTERM)
        assert stop.wait(PATIENCE_S)


def test_the_end_of_a_terminal_is_ignored_where_that_is_wanted() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


PRINTS = """
import os, pathlib, sys
from wire.signals import stop_on_signals
with stop_on_signals() as stop:
    print("ready", flush=True)
    stop.wait()
    print("bye", flush=True)
    pathlib.Path(sys.argv[1]).write_text("done")
"""


def test_what_runs_in_a_terminal_that_is_closed_finishes_its_work(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", PRINTS, str(tmp_path / "result")]
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        assert os.read(ours, 5) == b"ready"
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 0

    assert (tmp_path / "result").read_text() == "done"
