"""Eight float32 at once inside numba kernels: one AVX register, or two on machines with 128-bit vectors.

LLVM does not find vectors in loops of eight whose buffers might overlap, and scalar code is three times slower,
so the rasterizer's inner loops say what they mean. Values of this type exist only inside compiled kernels;
`Lanes` is what the type checker sees. All operations are element-wise and strictly ordered, so results do not
depend on how LLVM schedules them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable
from numpy.typing import NDArray

WIDTH = 8
"""Lanes in one value; half the side of a tile."""


class Lanes(Protocol):
    """Eight float32; arithmetic with another `Lanes` only (see `spread`)."""

    def __add__(self, other: Lanes) -> Lanes: ...
    def __sub__(self, other: Lanes) -> Lanes: ...
    def __mul__(self, other: Lanes) -> Lanes: ...
    def __truediv__(self, other: Lanes) -> Lanes: ...


class LanesType(types.Type):
    """The numba type of `Lanes`."""

    def __init__(self) -> None:
        super().__init__(name="Lanes8f32")


def operation(emit: Callable[..., Any]) -> Any:
    """Make a kernel's function of one that returns a signature and a code generator."""
    return intrinsic(emit)


_LANES = LanesType()
_FLOAT = ir.FloatType()
_INT = ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, WIDTH)
_INTS = ir.VectorType(_INT, WIDTH)
# A product feeding a sum may become one fused operation; sums may not be reordered.
_FLAGS = ("contract", "nsz", "arcp")


def _init_model(self: Any, manager: Any, kind: Any) -> None:
    models.PrimitiveModel.__init__(self, manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


register_model(LanesType)(type("LanesModel", (models.PrimitiveModel,), {"__init__": _init_model}))


def _declare_operator(symbol: Callable[..., Any], emit: str) -> None:
    @type_callable(symbol)
    def typing(_context: Any) -> Callable[..., Any]:
        return lambda left, right: _LANES if left is _LANES and right is _LANES else None

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return getattr(builder, emit)(*args, flags=_FLAGS)

    lower_builtin(symbol, LanesType, LanesType)(lower)  # type: ignore[no-untyped-call]


for _symbol, _emit in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _declare_operator(_symbol, _emit)


def _constant(value: float) -> Any:
    return ir.Constant(_VECTOR, [float(np.float32(value))] * WIDTH)


def _broadcast(builder: Any, scalar: Any) -> Any:
    single = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), scalar, ir.Constant(_INT, 0))
    zeros = ir.Constant(ir.VectorType(_INT, WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(single, ir.Constant(_VECTOR, ir.Undefined), zeros)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), _VECTOR.as_pointer())


@operation
def spread(_typing: Any, value: Any) -> Any:
    """All eight lanes = one float32."""
    return _LANES(types.float32), lambda _c, builder, _s, args: _broadcast(builder, args[0])


@operation
def ramp(_typing: Any) -> Any:
    """0, 1, 2, … 7."""
    return _LANES(), lambda *_: ir.Constant(_VECTOR, [float(lane) for lane in range(WIDTH)])


@operation
def load(_typing: Any, array: Any, offset: Any) -> Any:
    """Eight neighbours of a flat float32 array from `offset` on; the caller keeps within bounds."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_pointer(context, builder, signature.args[0], args[0], args[1]), align=4)

    return _LANES(array, types.intp), lower


@operation
def store(_typing: Any, array: Any, offset: Any, value: Any) -> Any:
    """Write eight neighbours of a flat float32 array from `offset` on."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _pointer(context, builder, signature.args[0], args[0], args[1]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, _LANES), lower


@operation
def at_most(_typing: Any, value: Any, limit: Any) -> Any:
    """The smaller of each pair."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[0], args[1])

    return _LANES(_LANES, _LANES), lower


@operation
def where_at_least(_typing: Any, tested: Any, limit: Any, value: Any) -> Any:
    """`value` in lanes where tested ≥ limit, 0 elsewhere."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">=", args[0], args[1]), args[2], _constant(0.0))

    return _LANES(_LANES, _LANES, _LANES), lower


@operation
def total(_typing: Any, value: Any) -> Any:
    """The sum of the eight lanes, always in the same order, as float32."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _fold(builder, args[0], lambda a, b: builder.fadd(a, b))

    return types.float32(_LANES), lower


@operation
def largest(_typing: Any, value: Any) -> Any:
    """The largest of the eight lanes as float32."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _fold(builder, args[0], lambda a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))

    return types.float32(_LANES), lower


def _fold(builder: Any, vector: Any, join: Callable[[Any, Any], Any]) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    for step in (4, 2, 1):
        order = ir.Constant(_INTS, [(lane + step) % WIDTH for lane in range(WIDTH)])
        vector = join(vector, builder.shuffle_vector(vector, undefined, order))
    return builder.extract_element(vector, ir.Constant(_INT, 0))


def exp2_coefficients() -> NDArray[np.float32]:
    """A quartic for 2^f on [-½, ½], highest power first, fitted at Chebyshev points: relative error 2.7e-6."""
    at = 0.5 * np.cos(np.linspace(0.0, np.pi, 2001))
    return np.polyfit(at, 2.0**at, 4, w=2.0**-at).astype(np.float32)


@operation
def exp2(_typing: Any, value: Any) -> Any:
    """2 to the power of each lane, relative error ≤ 3e-6; exponents below -126 give 2^-126."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        floor = cgutils.get_or_insert_function(builder.module, kind, f"llvm.floor.v{WIDTH}f32")  # type: ignore[no-untyped-call]
        low = _constant(-126.0)
        power = builder.select(builder.fcmp_ordered(">", args[0], low), args[0], low)
        whole = builder.call(floor, [builder.fadd(power, _constant(0.5))])
        rest = builder.fsub(power, whole)
        first, *others = (float(c) for c in exp2_coefficients())
        mantissa = _constant(first)
        for coefficient in others:
            mantissa = builder.fadd(builder.fmul(mantissa, rest, flags=_FLAGS), _constant(coefficient), flags=_FLAGS)
        exponent = builder.add(builder.fptosi(whole, _INTS), ir.Constant(_INTS, [127] * WIDTH))
        scale = builder.bitcast(builder.shl(exponent, ir.Constant(_INTS, [23] * WIDTH)), _VECTOR)
        return builder.fmul(mantissa, scale)

    return _LANES(_LANES), lower
