"""Hours of a week, by the clock on the wall."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gallery.zones.hours import Hours

VIENNA = "Europe/Vienna"


def at(text: str, zone: str = VIENNA) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("hours", "moment", "expected"),
    [
        pytest.param({"begin": "08:00", "end": "17:00"}, "2026-11-27T08:00", True, id="as it begins"),
        pytest.param({"begin": "08:00", "end": "17:00"}, "2026-11-27T07:59:59", False, id="before"),
        pytest.param({"begin": "08:00", "end": "17:00"}, "2026-11-27T17:00", False, id="as it ends"),
        pytest.param({"begin": "22:00", "end": "06:00"}, "2026-11-27T23:00", True, id="before midnight"),
        pytest.param({"begin": "22:00", "end": "06:00"}, "2026-11-28T05:59", True, id="after midnight"),
        pytest.param({"begin": "22:00", "end": "06:00"}, "2026-11-28T12:00", False, id="at noon"),
        pytest.param(
            {"begin": "22:00", "end": "06:00", "days": ("fri",)}, "2026-11-28T05:00", True, id="Friday's night"
        ),
        pytest.param({"begin": "22:00", "end": "06:00", "days": ("fri",)}, "2026-11-27T05:00", False, id="Thursday's"),
        pytest.param({"begin": "22:00", "end": "06:00", "days": ("fri",)}, "2026-11-28T23:00", False, id="Saturday's"),
        pytest.param({"begin": "09:00", "end": "09:00", "days": ("fri",)}, "2026-11-28T08:59", True, id="a whole day"),
        pytest.param({"begin": "00:00", "end": "00:00"}, "2026-11-27T00:00", True, id="always"),
        pytest.param({"begin": "02:15", "end": "02:45"}, "2026-03-29T03:20", False, id="an hour that is left out"),
        pytest.param({"begin": "02:15", "end": "02:45"}, "2026-10-25T02:30", True, id="an hour that comes twice"),
    ],
)
def test_hours_are_those_of_the_clock_on_the_wall(hours: dict[str, Any], moment: str, expected: bool) -> None:
    assert Hours(time_zone=VIENNA, **hours).cover(at(moment)) == expected


def test_the_second_of_an_hour_that_comes_twice_counts_too() -> None:
    first = at("2026-10-25T02:30")
    assert [Hours(begin="02:15", end="02:45", time_zone=VIENNA).cover(t) for t in (first, first + 3600 * 10**9)] == [
        True,
        True,
    ]


def test_summer_and_winter_differ_by_an_hour() -> None:
    noon = Hours(begin="12:00", end="12:01", time_zone=VIENNA)
    assert noon.cover(at("2026-07-01T10:00", "UTC"))
    assert noon.cover(at("2026-12-01T11:00", "UTC"))


def test_a_moment_before_1970_or_far_ahead_is_one_like_others() -> None:
    assert [Hours(begin="00:00", end="00:00").cover(time_ns) for time_ns in (-(10**18), 2**62)] == [True, True]
