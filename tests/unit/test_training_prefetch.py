"""Prefetched results arrive in order, are bounded in number, and stop at an error."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from training.data.prefetch import in_order


@pytest.mark.parametrize("threads", [1, 3])
def test_prefetched_results_arrive_in_the_order_of_the_items(threads: int) -> None:
    assert list(in_order(lambda i: i * i, range(20), threads)) == [i * i for i in range(20)]


def test_at_most_two_items_per_thread_are_prefetched() -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for i in range(100):
            begun.append(i)
            yield i

    with closing(in_order(lambda i: i, items(), threads=2)) as made:
        assert [next(made), next(made)] == [0, 1]
        assert len(begun) == 2 + 2 * 2


def test_an_error_is_raised_at_its_item_and_later_items_are_not_awaited() -> None:
    def make(i: int) -> int:
        if i == 3:
            raise ValueError("three")
        return i

    made = in_order(make, range(1000))
    assert [next(made) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(made)
    assert list(made) == []


def test_threads_end_when_the_consumer_stops() -> None:
    before = set(threading.enumerate())
    with closing(in_order(lambda i: i, range(1000), threads=2)) as made:
        next(made)
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) == before
