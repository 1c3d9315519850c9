"""How the rows of a growing cloud lie in its files: as they are, or without the bytes that rounding has cleared.

Rounded, a position keeps 24 of its 32 bits and any other number 16 (bfloat16): positions are true to a part in 65 000,
the rest to a part in 256, and pictures to 70 dB.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from engines.errors import DamagedFile

POSITIONS = 3
"""Numbers of a row that keep a byte more."""
Slots = NDArray[np.uint32]


def rounded(rows: FloatArray) -> FloatArray:
    """The nearest rows float32 [N, stride] that can be packed."""
    bits = np.ascontiguousarray(rows, np.float32).view(np.uint32)
    out = np.empty_like(bits)
    for columns, lost in ((slice(0, POSITIONS), 8), (slice(POSITIONS, None), 16)):
        half, mask = np.uint32(1 << (lost - 1)), np.uint32(0xFFFFFFFF << lost & 0xFFFFFFFF)
        out[:, columns] = (bits[:, columns] + half) & mask
    return out.view(np.float32)


def packed(rows: FloatArray) -> bytes:
    """Rounded rows [n, k] in 2k + 3 bytes each: the third and the fourth byte of all numbers, row by row, then the
    second byte of all x, of all y, of all z.
    """
    parts = np.ascontiguousarray(rows, "<f4").view(np.uint8).reshape(*rows.shape, 4)
    return parts[:, :, 2].tobytes() + parts[:, :, 3].tobytes() + parts[:, :POSITIONS, 1].T.tobytes()


def unpacked(data: NDArray[np.uint8], count: int, numbers: int) -> FloatArray:
    """The rows float32 [count, numbers] that `packed` took apart."""
    parts = np.zeros((count, numbers, 4), np.uint8)
    each = count * numbers
    parts[:, :, 2], parts[:, :, 3] = data[:each].reshape(count, numbers), data[each : 2 * each].reshape(count, numbers)
    parts[:, :POSITIONS, 1] = data[2 * each :].reshape(POSITIONS, count).T
    return parts.reshape(count, 4 * numbers).view("<f4")


def write_whole(file: BinaryIO, slots: Slots, changed: Slots, sheen: Slots, rows: FloatArray) -> None:
    """A block with all that is known of its rows."""
    for numbers in (slots, changed, sheen):
        file.write(np.ascontiguousarray(numbers, "<u4").data)
    file.write(np.ascontiguousarray(rows, "<f4").data)


def read_whole(file: BinaryIO, count: int, stride: int, name: str) -> tuple[Slots, Slots, Slots, FloatArray]:
    """What `write_whole` wrote. Raises `DamagedFile` when it is cut short."""
    slots, changed, sheen = (read_numbers(file, count, name) for _ in range(3))
    return slots, changed, sheen, read_numbers(file, count * stride, name).view("<f4").reshape(count, stride)


def write_packed(file: BinaryIO, slots: Slots, rows: FloatArray) -> None:
    """A block of rounded rows for somebody who needs all of them."""
    file.write(np.ascontiguousarray(slots, "<u4").data)
    file.write(packed(rows))


def read_packed(file: BinaryIO, count: int, numbers: int, name: str) -> tuple[Slots, FloatArray]:
    """What `write_packed` wrote. Raises `DamagedFile` when it is cut short."""
    slots = read_numbers(file, count, name)
    size = count * (2 * numbers + POSITIONS)
    data = np.fromfile(file, np.uint8, size)
    if len(data) != size:
        raise DamagedFile(f"{name} ends {size - len(data)} bytes early")
    return slots, unpacked(data, count, numbers)


def read_numbers(file: BinaryIO, count: int, name: str) -> Slots:
    """So many numbers. Raises `DamagedFile` when the file ends before."""
    found = np.fromfile(file, "<u4", count)
    if len(found) != count:
        raise DamagedFile(f"{name} ends {count - len(found)} numbers early")
    return found
