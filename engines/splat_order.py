"""Splats in an order that keeps near ones together, which is what makes chunks small and textures smooth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray

_BITS = 21
"""Three times 21 bits fill a 64-bit code: two million steps an axis, so that far outliers cost no locality."""


def morton_order(positions: FloatArray) -> NDArray[np.int64]:
    """Indices [N] along the Z-order curve through the cloud's box (Morton 1966); equal places keep their order."""
    if len(positions) == 0:
        return np.zeros(0, np.int64)
    low = positions.min(axis=0).astype(np.float64)
    extent = positions.max(axis=0) - low
    scale = np.where(extent > 0, (2**_BITS - 1) / np.where(extent > 0, extent, 1), 0.0)
    code = np.zeros(len(positions), np.uint64)
    for axis in range(3):
        steps = ((positions[:, axis] - low[axis]) * scale[axis]).astype(np.uint64)
        code |= _spread(steps) << np.uint64(axis)
    return np.argsort(code, kind="stable")


def _spread(steps: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The low 21 bits of each number, each followed by two zero bits."""
    result = steps
    for shift, mask in (
        (32, 0x1F00000000FFFF),
        (16, 0x1F0000FF0000FF),
        (8, 0x100F00F00F00F00F),
        (4, 0x10C30C30C30C30C3),
        (2, 0x1249249249249249),
    ):
        result = (result | (result << np.uint64(shift))) & np.uint64(mask)
    return result
