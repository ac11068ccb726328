"""What a cluster says of programs that end."""

from deploy.cluster.changes import Changes
from deploy.cluster.supervisor import INVALID_SETTING, State


def told(*states: State) -> list[str]:
    changes = Changes()
    return [changes.next("gallery", state) for state in states]


def test_who_is_started_again_is_named_once_even_if_seen_between_its_end_and_its_start() -> None:
    runs, later = State("RUNNING", 5, 0), State("STARTING", 6, -1)
    ended = State("EXITED", 0, -1)
    assert told(runs, ended, ended, later, State("RUNNING", 6, -1)) == ["", "", "", "started again", ""]
    assert told(runs, later) == ["", "started again"]


def test_who_ends_by_a_wrong_setting_or_again_and_again_is_given_up() -> None:
    wrong = State("EXITED", 0, INVALID_SETTING)
    assert told(State("RUNNING", 5, 0), wrong, wrong) == ["", "given up", ""]
    assert told(State("BACKOFF", 0, 1), State("FATAL", 0, 1), State("FATAL", 0, 1)) == ["", "given up", ""]


def test_who_was_given_up_and_runs_again_can_be_given_up_again() -> None:
    fatal = State("FATAL", 0, 1)
    assert told(State("RUNNING", 5, 0), fatal, State("RUNNING", 7, 1), fatal) == [
        "",
        "given up",
        "started again",
        "given up",
    ]
