"""People and their ways, as a terminal shows them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from deploy.local.console import print_people
from deploy.local.people_table import MAX_STAYERS, MAX_TRAVELLERS, Clock, duration, headline, people_lines, route, stops
from deploy.local.report import Person, Report
from deploy.local.watch import CameraTotals
from deploy.terminal import command
from gallery.store.presence import Sighting

S = 1_000_000_000
START = int(datetime(2026, 11, 26, 10, 11, 20, tzinfo=UTC).timestamp()) * S
LIST = "climbtrack identities ls"


def person(number: int, *seen: tuple[str, float], known_since_ns: int | None = None) -> Person:
    sightings = tuple(
        Sighting(name, START + int(at * S), START + int((at + 5) * S), (), live=False) for name, at in seen
    )
    return Person(
        number, sightings, 5.0 * len(seen), sightings[0].first_ns if known_since_ns is None else known_since_ns
    )


def report(*people: Person, cameras: Sequence[str] = ("lobby", "corridor", "office")) -> Report:
    return Report(people, dict.fromkeys(cameras, CameraTotals()), 40.0)


def test_people_on_several_cameras_come_first_with_their_routes() -> None:
    found = report(
        person(1, ("lobby", 0)), person(3, ("lobby", 0), ("corridor", 11), ("office", 42)), person(12, ("office", 80))
    )
    assert people_lines(found, 80, LIST, UTC) == [
        "id  seen for  route through the cameras (UTC)",
        " 3      15 s  lobby 10:11:20 -> corridor 10:11:31 -> office 10:12:02",
        "",
        "Seen by one camera",
        " 1       5 s  lobby 10:11:20",
        "12       5 s  office 10:12:40",
    ]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(report(), "Nobody was seen.", id="nobody"),
        pytest.param(report(person(1, ("lobby", 0))), "1 person, seen by one camera.", id="one"),
        pytest.param(report(person(1, ("lobby", 0), ("office", 9))), "1 person, seen by 2 cameras.", id="one on two"),
        pytest.param(
            report(person(1, ("lobby", 0)), person(2, ("lobby", 0))),
            "2 people; none of them was seen by more than one camera.",
            id="none",
        ),
        pytest.param(
            report(person(1, ("lobby", 0)), person(2, ("lobby", 0)), cameras=["lobby"]),
            "2 people, seen by one camera.",
            id="one camera",
        ),
        pytest.param(
            report(person(1, ("lobby", 0), ("office", 9)), person(2, ("lobby", 0))),
            "2 people; 1 of them was seen by more than one camera.",
            id="one of two",
        ),
        pytest.param(
            report(*(person(number, ("lobby", 0), ("office", 9)) for number in (1, 2))),
            "2 people; all of them were seen by more than one camera.",
            id="all",
        ),
    ],
)
def test_the_headline_is_a_sentence(found: Report, said: str) -> None:
    assert headline(found) == said


def test_forty_people_are_a_screen_and_where_to_see_the_rest() -> None:
    found = report(
        *(person(number, ("lobby", 0), ("office", 9)) for number in range(1, 26)),
        *(person(number, ("lobby", 0)) for number in range(26, 41)),
    )
    lines = people_lines(found, 80, LIST, UTC)
    assert lines[-1] == f"and {40 - MAX_TRAVELLERS - MAX_STAYERS} more: {LIST}"
    assert sum("lobby 10:11:20" in line for line in lines) == MAX_TRAVELLERS + MAX_STAYERS


@given(
    st.lists(st.tuples(st.sampled_from(["lobby", "corridor", "office"]), st.integers(0, 80_000)), min_size=1),
    st.integers(20, 160),
)
def test_no_line_is_wider_than_the_terminal(seen: list[tuple[str, int]], width: int) -> None:
    found = report(person(1, *sorted(seen, key=lambda one: one[1])))
    assert max(map(len, people_lines(found, width, LIST, UTC)[1:])) <= width


def test_a_long_route_keeps_its_beginning_and_its_end() -> None:
    walker = person(1, ("lobby", 0), ("corridor", 10), ("office", 20), ("corridor", 30), ("lobby", 40))
    assert route(walker, Clock(UTC), 70) == "lobby 10:11:20 -> corridor 10:11:30 -> (2 more) -> lobby 10:12:00"
    assert route(walker, Clock(UTC), 50) == "lobby 10:11:20 -> (3 more) -> lobby 10:12:00"


def test_repeat_counts_are_dropped_before_stops() -> None:
    walker = person(1, ("lobby", 0), ("lobby", 10), ("office", 20))
    assert route(walker, Clock(UTC), 50) == "lobby 10:11:20 (2 times) -> office 10:11:40"
    assert route(walker, Clock(UTC), 40) == "lobby 10:11:20 -> office 10:11:40"


def test_overlong_names_are_truncated() -> None:
    assert route(person(1, ("x" * 64, 0)), Clock(UTC), 20) == f"{'x' * 17}..."


def test_the_same_camera_again_is_one_stop() -> None:
    walker = person(1, ("lobby", 0), ("lobby", 10), ("office", 20), ("lobby", 30))
    assert [(stop.camera_id, stop.times) for stop in stops(walker.seen)] == [("lobby", 2), ("office", 1), ("lobby", 1)]
    assert route(walker, Clock(UTC), 80) == "lobby 10:11:20 (2 times) -> office 10:11:40 -> lobby 10:11:50"


def test_times_are_local() -> None:
    zone = timezone(timedelta(hours=2), "EET")
    assert people_lines(report(person(1, ("lobby", 0))), 80, LIST, zone) == [
        "id  seen for  where (EET)",
        " 1       5 s  lobby 12:11:20",
    ]


def test_times_include_the_day_if_there_are_several() -> None:
    lines = people_lines(report(person(1, ("lobby", 0), ("office", 86_400))), 80, LIST, UTC)
    assert lines[1].endswith("lobby 11-26 10:11 -> office 11-27 10:11")


def test_returning_people_show_since_when_they_are_known() -> None:
    known = person(1, ("lobby", 0), known_since_ns=START - 3600 * S)
    lines = people_lines(report(known, person(2, ("lobby", 0))), 80, LIST, UTC)
    assert lines[0].startswith("id  seen for  known since  where")
    assert lines[1:] == [
        " 1       5 s  11-26 09:11  lobby 10:11:20",
        " 2       5 s               lobby 10:11:20",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "1 s"), (59.4, "59 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3599.9, "1 h"), (3660, "1 h 1 min")],
)
def test_a_duration_is_formatted_for_people(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_pipe_gets_neither_colours_nor_frames() -> None:
    pipe = StringIO()
    print_people(Console(file=pipe, width=80), report(person(3, ("lobby", 0), ("office", 9))), LIST)
    assert pipe.getvalue().isascii()
    assert "\x1b" not in pipe.getvalue()


@pytest.mark.parametrize(
    ("started", "on_path", "typed"),
    [
        (".venv/bin/climbtrack", False, ".venv/bin/climbtrack"),
        ("my tools/climbtrack", False, "'my tools/climbtrack'"),
        ("/usr/bin/climbtrack", True, "climbtrack"),
        ("deploy/cli/main.py", False, "climbtrack"),
    ],
)
def test_the_shown_command_works_from_the_current_folder(
    started: str, on_path: bool, typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if on_path:
        (tmp_path / "climbtrack").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", [started])
    assert command() == typed
