"""Operations on eight lanes that only the forward renderer needs, beside those of `rasterizer.lanes`."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from generators.radiance.rasterizer.lanes import WIDTH, LanesType, operation

_LANES = LanesType()
_INT = ir.IntType(32)
_VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
_INTS = ir.VectorType(_INT, WIDTH)
_FLAGS = ("contract", "nsz", "arcp")


def _same(value: float) -> Any:
    return ir.Constant(_VECTOR, [float(np.float32(value))] * WIDTH)


def _whole(value: int) -> Any:
    return ir.Constant(_INTS, [value] * WIDTH)


@operation
def at_least(_typing: Any, value: Any, limit: Any) -> Any:
    """The larger of each pair; `limit` where `value` is no number."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[0], args[1])

    return _LANES(_LANES, _LANES), lower


@operation
def root(_typing: Any, value: Any) -> Any:
    """The square root of each lane."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        call = cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{WIDTH}f32")  # type: ignore[no-untyped-call]
        return builder.call(call, [args[0]])

    return _LANES(_LANES), lower


def log2_coefficients() -> list[float]:
    """A sextic for log2(1 + f) on [0, 1], highest power first, fitted at Chebyshev points: absolute error 4e-6."""
    at = 0.5 - 0.5 * np.cos(np.linspace(0.0, np.pi, 2001))
    return [float(c) for c in np.polyfit(at, np.log2(1 + at), 6).astype(np.float32)]


@operation
def log2(_typing: Any, value: Any) -> Any:
    """The binary logarithm of each lane, a positive normal number; absolute error ≤ 1e-5."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], _INTS)
        exponent = builder.sub(builder.lshr(bits, _whole(23)), _whole(127))
        ones = builder.or_(builder.and_(bits, _whole(0x7FFFFF)), _whole(0x3F800000))
        rest = builder.fsub(builder.bitcast(ones, _VECTOR), _same(1.0))
        first, *others = log2_coefficients()
        result = _same(first)
        for coefficient in others:
            result = builder.fadd(builder.fmul(result, rest, flags=_FLAGS), _same(coefficient), flags=_FLAGS)
        return builder.fadd(result, builder.sitofp(exponent, _VECTOR))

    return _LANES(_LANES), lower


@operation
def prefetch(_typing: Any, array: Any, offset: Any) -> Any:
    """Ask the processor for a flat array's element before it is needed; any offset will do."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [place.type, _INT, _INT, _INT])
        call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")  # type: ignore[no-untyped-call]
        builder.call(call, [place, _INT(0), _INT(3), _INT(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), lower
