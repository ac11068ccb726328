"""What the compiled CPU loops of the network share: how they may compute, an exponential, and threads."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

F32 = NDArray[np.float32]

FAST = {"contract", "nsz", "arcp", "ninf", "nnan"}  # no reassociation: the exponential below relies on the order
LOG2_E = math.log2(math.e)

LOWEST = np.float32(-60.0)  # 2^-60 of anything is nothing in float32, and products with it stay normal, that is fast
ROUND = np.float32(1.5 * 2**23)  # adding it leaves the nearest integer in the low bits
# Least-squares polynomial of 2^f - 1 on [-0.5, 0.5], divided by f so that 2^0 is exactly 1: relative error 1.5e-7.
POLYNOMIAL = (0.00132575, 0.00966581, 0.05550689, 0.2402236, 0.69314709, 1.0)
MANTISSA_BITS = 23
_P5, _P4, _P3, _P2, _P1 = (np.float32(coefficient) for coefficient in POLYNOMIAL[:-1])
_MANTISSA = np.int32(MANTISSA_BITS)


@njit(inline="always")  # type: ignore[untyped-decorator]
def exp2(power: np.float32) -> np.float32:
    """Return 2^power for power <= 0: the integer part goes into the exponent bits, the rest is a polynomial.

    A library's exponential is a call that LLVM does not turn into vector instructions; this is.
    """
    power = max(power, LOWEST)
    rounded = np.float32(power + ROUND)
    f = np.float32(power - np.float32(rounded - ROUND))
    fraction = ((((_P5 * f + _P4) * f + _P3) * f + _P2) * f + _P1) * f + np.float32(1)
    bits = np.float32(fraction).view(np.int32) + (rounded.view(np.int32) << _MANTISSA)
    return np.int32(bits).view(np.float32)


def share_out(count: int, work: Callable[[tuple[int, int], int], None]) -> None:
    """Call `work(range, thread)` with ranges that cover `count` items, on as many threads as torch uses."""
    threads = min(torch.get_num_threads(), count)
    if threads == 1:
        return work((0, count), 0)
    ends = [count * k // threads for k in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, pairwise(ends), range(threads)))
    return None
