"""What is asked of a broker that cannot tell yet."""

from collections.abc import Callable

import pytest
from kafka import errors

from wire.kafka.client import settled


def answers(*given: int | errors.KafkaError) -> Callable[[], int]:
    """Return a question that is answered in turn; an error is raised."""
    rest = iter(given)

    def ask() -> int:
        answer = next(rest)
        if isinstance(answer, errors.KafkaError):
            raise answer
        return answer

    return ask


def test_a_group_whose_coordinator_is_being_made_is_asked_for_again() -> None:
    ask = answers(errors.CoordinatorNotAvailableError(), errors.NotCoordinatorError(), 7)

    assert settled(ask, within_s=60.0) == 7


def test_a_refusal_is_not_asked_again() -> None:
    with pytest.raises(errors.GroupAuthorizationFailedError):
        settled(answers(errors.GroupAuthorizationFailedError(), 7), within_s=60.0)


def test_a_broker_that_never_knows_is_given_up() -> None:
    with pytest.raises(errors.CoordinatorNotAvailableError):
        settled(answers(errors.CoordinatorNotAvailableError(), 7), within_s=0.0)
