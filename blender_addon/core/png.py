# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes PNG from numpy arrays with the standard library: Blender's own writer would apply the view transform."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def png_bytes(pixels: NDArray[Any], *, level: int = 1) -> bytes:
    """The picture of uint8 or uint16 [H, W, C], top row first, C in 1..4 (grey, grey and alpha, RGB, RGBA).

    Raises ValueError for any other array. Source: PNG specification, third edition (W3C 2025).
    """
    if pixels.ndim != 3 or pixels.dtype not in (np.uint8, np.uint16) or pixels.shape[2] not in _COLOUR_TYPES:
        raise ValueError(f"a PNG cannot hold {pixels.dtype} {list(pixels.shape)}")
    height, width, channels = pixels.shape
    rows = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(">"))).view(np.uint8).reshape(height, -1)
    step = channels * pixels.dtype.itemsize
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = 1  # Sub: each byte against the pixel on its left
    filtered[:, 1 : 1 + step] = rows[:, :step]
    filtered[:, 1 + step :] = rows[:, step:] - rows[:, :-step]
    header = struct.pack(">2I5B", width, height, 8 * pixels.dtype.itemsize, _COLOUR_TYPES[channels], 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), level)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
