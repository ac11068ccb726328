"""Prefetch results in threads while earlier ones are consumed; reading images releases Python's lock."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.data.crops import Tracklets

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def in_order(make: Callable[[_Item], _Made], items: Iterable[_Item], threads: int = 1) -> Generator[_Made, None, None]:
    """Yield `make(item)` for each item, in order, prefetching at most two results per thread.

    Raises:
        Exception: Whatever `make` raises, at that item's position; no further items are started.
    """
    waiting: deque[Future[_Made]] = deque()
    pool = ThreadPoolExecutor(threads, "prefetch")
    try:
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def read_in_chunks(
    people: Tracklets, rows: Iterable[NDArray[np.int64]], places: Callable[[int], NDArray[np.int64]]
) -> Generator[list[list[NDArray[np.uint8]]], None, None]:
    """Yield the crops of each chunk of rows, at the `places` of every row, chunk by chunk.

    Raises:
        DataSetError: An image is missing or broken.
    """

    def read(chunk: NDArray[np.int64]) -> list[list[NDArray[np.uint8]]]:
        return [people.read(int(row), places(int(row))) for row in chunk]

    with closing(in_order(read, rows)) as chunks:
        yield from chunks
