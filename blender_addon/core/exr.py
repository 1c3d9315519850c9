# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the passes of a render from an OpenEXR file as Blender writes it without compression; numpy alone.

Blender gives scripts no way to the pixels of single passes, and the module OpenEXR is not part of it. Layout after
the OpenEXR file format's specification: header attributes, a table of offsets, then one block per scan line.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"\x76\x2f\x31\x01"
_TILED_OR_PARTS = 0x200 | 0x800 | 0x1000
_DTYPES = ("<u4", "<f2", "<f4")
FloatArray = NDArray[np.float32]


def read_channels(path: str | Path) -> dict[str, FloatArray]:
    """float32 [H, W], top row first, by the channel's full name, as `ViewLayer.Depth.Z`.

    Raises ValueError for a file that is compressed, tiled, in parts or cut off, or OSError.
    """
    data = Path(path).read_bytes()
    if data[:4] != _MAGIC:
        raise ValueError("it is no OpenEXR file")
    try:
        (version,) = struct.unpack_from("<I", data, 4)
        if version & _TILED_OR_PARTS:
            raise ValueError("it is tiled or in parts")
        attributes, offset = _attributes(data, 8)
        if attributes["compression"] != b"\x00":
            raise ValueError("it is compressed")
        left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
        width, height = right - left + 1, bottom - top + 1
        return _scan_lines(data, offset, _channels(attributes["channels"]), width, height, top)
    except (struct.error, KeyError, IndexError) as error:
        raise ValueError(f"it is damaged: {error}") from error


def _attributes(data: bytes, offset: int) -> tuple[dict[str, bytes], int]:
    found: dict[str, bytes] = {}
    while data[offset] != 0:
        name, offset = _text(data, offset)
        _, offset = _text(data, offset)
        (size,) = struct.unpack_from("<I", data, offset)
        found[name] = data[offset + 4 : offset + 4 + size]
        offset += 4 + size
    return found, offset + 1


def _channels(data: bytes) -> list[tuple[str, np.dtype[np.generic]]]:
    channels, offset = [], 0
    while data[offset] != 0:
        name, offset = _text(data, offset)
        (pixel_type,) = struct.unpack_from("<I", data, offset)
        channels.append((name, np.dtype(_DTYPES[pixel_type])))
        offset += 16
    return channels


def _scan_lines(
    data: bytes, offset: int, channels: list[tuple[str, np.dtype[np.generic]]], width: int, height: int, top: int
) -> dict[str, FloatArray]:
    line_bytes = width * sum(dtype.itemsize for _, dtype in channels)
    pictures = {name: np.empty((height, width), np.float32) for name, _ in channels}
    for start in struct.unpack_from(f"<{height}Q", data, offset):
        row, size = struct.unpack_from("<iI", data, start)
        if size != line_bytes or start + 8 + size > len(data) or not 0 <= row - top < height:
            raise ValueError("it is cut off or compressed")
        at = start + 8
        for name, dtype in channels:
            pictures[name][row - top] = np.frombuffer(data, dtype, width, at)
            at += width * dtype.itemsize
    return pictures


def _text(data: bytes, offset: int) -> tuple[str, int]:
    end = data.index(b"\x00", offset)
    return data[offset:end].decode("utf-8", "replace"), end + 1
