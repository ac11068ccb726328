"""One position of the selective scan for `LANES` channels at once, in LLVM's vector instructions. Letters as in `scan`.

Written for numba at the level of LLVM because its compiler, left to itself, takes half of an AVX-512 register and asks
at every position whether the arrays overlap. LLVM turns the 16 lanes into what a processor has: one AVX-512 register,
two of AVX, four of NEON or SSE.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from reid_worker.model.cpu_loops import LOWEST, MANTISSA_BITS, POLYNOMIAL, ROUND

LANES = 16

_FLOAT, _INT = ir.FloatType(), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_BITS = ir.VectorType(_INT, LANES)
_FUSE = ("contract",)  # a product and a sum may become one instruction; nothing may change its order


@intrinsic  # type: ignore[untyped-decorator]
def advance(
    _context: Any, step: Any, push: Any, A2: Any, h: Any, y: Any, BC: Any, first: Any
) -> tuple[Any, Callable[..., Any]]:
    """Move all states of the channels from `first` on by one position, and add to y what they say.

    Args:
        step: Δ `(W,)`; W is a multiple of `LANES`, as is `first`. All arrays are float32 and contiguous.
        push: Δ x `(W,)`.
        A2: A · log2 e `(W / LANES, n, LANES)`: what one call reads lies together, and so in different cache sets.
        h: States `(W / LANES, n, LANES)`, replaced.
        y: `(W,)`, added to.
        BC: B and C of this position `(2, n)`.
        first: Index of the first channel.
    """
    signature = types.void(step, push, A2, h, y, BC, first)

    def code(context: Any, builder: ir.IRBuilder, _signature: Any, values: Any) -> Any:
        arrays = [context.make_array(t)(context, builder, v) for t, v in zip(signature.args[:6], values, strict=False)]
        data = [array.data for array in arrays]
        n = cgutils.unpack_tuple(builder, arrays[2].shape)[1]
        start = values[6]
        step_, push_, total = (_load(builder, pointer, start) for pointer in (data[0], data[1], data[4]))
        block = builder.mul(start, n)
        sum_ = cgutils.alloca_once_value(builder, total)
        with cgutils.for_range(builder, n) as loop:
            here = builder.add(block, builder.mul(loop.index, loop.index.type(LANES)))
            decay = _exp2(builder, builder.fmul(step_, _load(builder, data[2], here)))
            b = _splat(builder, builder.load(builder.gep(data[5], [loop.index])))
            c = _splat(builder, builder.load(builder.gep(data[5], [builder.add(loop.index, n)])))
            state = builder.fadd(
                builder.fmul(decay, _load(builder, data[3], here), flags=_FUSE),
                builder.fmul(push_, b, flags=_FUSE),
                flags=_FUSE,
            )
            _store(builder, state, data[3], here)
            product = builder.fmul(c, state, flags=_FUSE)
            builder.store(builder.fadd(builder.load(sum_), product, flags=_FUSE), sum_)
        _store(builder, builder.load(sum_), data[4], start)
        return context.get_dummy_value()

    return signature, code


def _exp2(builder: ir.IRBuilder, power: ir.Value) -> ir.Value:
    """Return what `cpu_loops.exp2` does, of every lane."""
    lowest, rounding = _constant(float(LOWEST)), _constant(float(ROUND))
    power = builder.select(builder.fcmp_ordered(">", power, lowest), power, lowest)
    rounded = builder.fadd(power, rounding)
    f = builder.fsub(power, builder.fsub(rounded, rounding))
    fraction = _constant(POLYNOMIAL[0])
    for coefficient in POLYNOMIAL[1:]:
        fraction = builder.fadd(builder.fmul(fraction, f, flags=_FUSE), _constant(coefficient), flags=_FUSE)
    shift = ir.Constant(_BITS, [MANTISSA_BITS] * LANES)
    exponent = builder.shl(builder.bitcast(rounded, _BITS), shift)
    return builder.bitcast(builder.add(builder.bitcast(fraction, _BITS), exponent), _VECTOR)


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_VECTOR, [value] * LANES)


def _splat(builder: ir.IRBuilder, scalar: ir.Value) -> ir.Value:
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), scalar, ir.Constant(_INT, 0))
    return builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(_BITS, [0] * LANES))


def _load(builder: ir.IRBuilder, pointer: ir.Value, index: ir.Value) -> ir.Value:
    return builder.load(builder.bitcast(builder.gep(pointer, [index]), _VECTOR.as_pointer()), align=4)


def _store(builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value, index: ir.Value) -> None:
    builder.store(value, builder.bitcast(builder.gep(pointer, [index]), _VECTOR.as_pointer()), align=4)
