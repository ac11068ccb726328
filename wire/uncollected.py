"""Keeps the garbage collector away while libraries are imported and models loaded."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile, and never what is there then: libraries stay, and looking through what they brought
    took a third of a start, and most of a second after it.
    """
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collected:
            gc.enable()
