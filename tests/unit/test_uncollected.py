"""The garbage collector rests during a start, and works again after it, whatever happened."""

import gc
from collections.abc import Iterator

import pytest

from wire.uncollected import uncollected


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()
    gc.unfreeze()


def test_the_collector_rests_and_works_again_afterwards() -> None:
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_a_start_brought_is_not_looked_through_later() -> None:
    gc.unfreeze()
    with uncollected():
        brought: list[list[int]] = [[] for _ in range(100)]
    assert gc.get_freeze_count() > len(brought)


def test_the_collector_works_again_after_a_start_that_failed() -> None:
    with pytest.raises(ValueError, match="no model"), uncollected():
        raise ValueError("no model")
    assert gc.isenabled()


def test_a_start_within_another_leaves_the_collector_to_that_one() -> None:
    with uncollected():
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
