"""What a worker that cannot keep up says, and how often."""

import logging

import pytest

from reid_worker.strain import CALM, Strain


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings since the last call."""
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    caplog.clear()
    return lines


def test_one_line_says_that_the_rate_falls_why_and_what_helps_and_one_that_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strain = Strain()
    strain.update(1.0, "detect", [], 2.0)
    assert said(caplog) == []
    assert strain.reason == ""

    strain.update(0.6, "detect", [], 2.0)
    (line,) = said(caplog)
    assert "60% of the wanted frames" in line
    assert "'detect'" in line
    assert "start another worker" in line
    assert "lighter `worker.detector`" in line

    strain.update(0.4, "decode", [], 2.0)
    assert said(caplog) == []  # the same trouble is not said again
    assert "40%" in strain.reason
    assert "'decode'" in strain.reason
    assert "lower the resolution" in strain.reason

    strain.update(0.95, "detect", [], 2.0)
    assert "95%" in strain.reason  # not over yet
    strain.update(1.0, "detect", [], 2.0)
    assert "95%" in strain.reason  # it does not say that it cannot keep up with all of the frames
    strain.update(0.95, "detect", [], 2.0)

    for _ in range(CALM - 1):
        strain.update(1.0, "detect", [], 2.0)
    strain.update(0.8, "detect", [], 2.0)  # it comes and goes at the limit
    for _ in range(CALM - 1):
        strain.update(1.0, "detect", [], 2.0)
    assert said(caplog) == []
    strain.update(1.0, "detect", [], 2.0)
    assert strain.reason == ""
    (line,) = said(caplog)
    assert "keeps up again" in line


def test_cameras_below_the_floor_are_named_once(caplog: pytest.LogCaptureFixture) -> None:
    strain = Strain()
    strain.update(0.15, "detect", ["door", "yard"], 2.0)
    strain.update(0.15, "detect", ["door", "yard"], 2.0)

    lines = said(caplog)
    assert len(lines) == 2
    assert "too many cameras for this worker: door, yard below 2 frames/s" in lines[1]


def test_a_little_less_for_a_moment_is_not_worth_a_word(caplog: pytest.LogCaptureFixture) -> None:
    strain = Strain()
    strain.update(0.92, "detect", [], 2.0)

    assert said(caplog) == []
    assert strain.reason == ""
