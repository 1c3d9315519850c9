"""Array parts: the header of a `.npy` file (format 1 to 3 of numpy.lib.format) read without numpy."""

from __future__ import annotations

import ast
import functools
import re
import sys
from typing import Any, NamedTuple

from .errors import TransferFailed

_MAGIC = b"\x93NUMPY"
_FORMATS = {
    "b1": "?", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q",
    "f2": "H", "f4": "f", "f8": "d",
}  # fmt: skip


class Array(NamedTuple):
    """An array part.

    `data` is a C-contiguous view of the numbers with the right shape and format, without a copy; `dtype` is
    numpy's name of their type, as `<f4`. With numpy at hand: `numpy.asarray(array.data)`. Half floats, which views
    cannot be cast to, come as the 16-bit integers of their bits: `numpy.asarray(array.data).view(array.dtype)`.
    """

    data: memoryview
    dtype: str
    shape: tuple[int, ...]


_cast: Any = memoryview.cast
"""The type stubs know only literal formats, and ours comes from the file."""


def parse(file: memoryview) -> Array:
    """The array in the bytes of a `.npy` file. Raises `TransferFailed` when they are none, or not plain numbers."""
    dtype, fortran, shape, offset = _header(file)
    if fortran or any(side < 0 for side in shape):
        raise TransferFailed(f"an array of {dtype}, {shape}{' in Fortran order' if fortran else ''} cannot be viewed")
    return viewed(file[offset:], dtype, shape)


def viewed(numbers: memoryview, dtype: str, shape: tuple[int, ...]) -> Array:
    """The numbers at the beginning of some bytes as an array. Raises `TransferFailed` when that cannot be done."""
    match = re.fullmatch(r"[<>|=]?([biuf][1248])", dtype)
    letter = _FORMATS.get(match.group(1)) if match else None
    if letter is None:
        raise TransferFailed(f"an array of {dtype}, {shape} cannot be viewed")
    native = "<" if sys.byteorder == "little" else ">"
    if dtype[0] in "<>" and dtype[0] != native:
        raise TransferFailed(f"the array's byte order {dtype[0]!r} is not this machine's")
    count = 1
    for side in shape:
        count *= side
    size_bytes = count * int(dtype[-1])
    held = numbers[:size_bytes]
    if len(held) != size_bytes:
        raise TransferFailed(f"the array {shape} of {dtype} needs {size_bytes} bytes, {len(held)} are there")
    if 0 in shape or not shape:  # memoryview.cast knows no empty sides; the flat view says the same
        return Array(_cast(held, letter), dtype, shape)
    return Array(_cast(held, letter, list(shape)), dtype, shape)


def _header(file: memoryview) -> tuple[str, bool, tuple[int, ...], int]:
    start = bytes(file[:12])
    if start[:6] != _MAGIC or len(start) < 10 or start[6] not in (1, 2, 3):
        raise TransferFailed("these bytes are not a .npy file")
    width = 2 if start[6] == 1 else 4
    count = int.from_bytes(start[8 : 8 + width], "little")
    offset = 8 + width + count
    text = bytes(file[8 + width : offset])
    if len(text) != count or count > 1 << 16:
        raise TransferFailed("the .npy header is cut short")
    try:
        dtype, fortran, shape = _described(text.decode("utf-8" if start[6] == 3 else "latin-1").strip())
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as error:
        raise TransferFailed(f"the .npy header cannot be read: {error}") from error
    return dtype, fortran, shape, offset


@functools.lru_cache(maxsize=32)  # results of one size have one header, and to evaluate it takes 50 us
def _described(header: str) -> tuple[str, bool, tuple[int, ...]]:
    row = ast.literal_eval(header)
    dtype, fortran, shape = row["descr"], row["fortran_order"], row["shape"]
    if not isinstance(dtype, str) or not isinstance(shape, tuple) or not all(isinstance(side, int) for side in shape):
        raise TransferFailed(f"the .npy header describes no plain array: {row!r:.200}")
    return dtype, bool(fortran), shape
