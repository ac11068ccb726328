"""The single place where this package compiles its loops."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` with numba, cached on disk; fast maths is safe because nothing here relies on NaN."""
    return cast("Callable[P, R]", numba.njit(cache=True, fastmath=True)(function))
