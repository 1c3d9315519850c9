# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a splat cloud from the PLY dialect of the 3D Gaussian Splatting code (Kerbl et al. 2023), with numpy alone.

Only what is delivered to Blender is read: binary little-endian, float32 columns, in Blender's axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .lit_sphere import linear

DC = 0.28209479177387814
"""The constant spherical harmonic, 1 / (2 √π)."""
_MOST_HEADER_BYTES = 65536
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SplatTable:
    """Gaussians in linear values.

    `positions` [N, 3] metres, `rotations` [N, 4] unit wxyz, `scales` [N, 3] standard deviations in metres,
    `opacities` [N] in 0..1, `harmonics` [N, K, 3]; all float32.
    """

    positions: FloatArray
    rotations: FloatArray
    scales: FloatArray
    opacities: FloatArray
    harmonics: FloatArray

    def colours(self) -> FloatArray:
        """Scene-linear RGB float32 [N, 3] of the constant harmonic, which is kept display-encoded."""
        return linear(self.harmonics[:, 0] * DC + 0.5).astype(np.float32)


def read(path: str | Path) -> SplatTable:
    """The cloud of a file. Raises ValueError that says what is wrong with it, or OSError."""
    data = Path(path).read_bytes()
    end = data.find(b"end_header\n", 0, _MOST_HEADER_BYTES)
    if not data.startswith(b"ply\n") or end < 0:
        raise ValueError("it is no PLY file")
    lines = [line.split() for line in data[:end].decode("ascii", "replace").splitlines()]
    if ["format", "binary_little_endian", "1.0"] not in lines:
        raise ValueError("it is not binary and little-endian")
    elements = [line for line in lines if line[:1] == ["element"]]
    properties = [line for line in lines if line[:1] == ["property"]]
    if (
        len(elements) != 1
        or elements[0][1] != "vertex"
        or any(line[1] not in ("float", "float32") for line in properties)
    ):
        raise ValueError("it holds more than float columns of one element 'vertex'")
    names, count = [line[-1] for line in properties], int(elements[0][2])
    start = end + len(b"end_header\n")
    if count < 0 or len(data) - start < count * len(names) * 4:
        raise ValueError(f"it ends before its {count} splats do")
    rows = np.frombuffer(data, "<f4", count * len(names), start).reshape(count, len(names))
    return _table(rows, names)


def of_rows(rows: FloatArray, live: NDArray[np.uint8]) -> SplatTable:
    """A growing cloud in Blender's axes; rows that are no splat are splats of no size and no opacity.

    `rows` float32 [N, 11 + 3K], neutral axes and linear values: position, wxyz, scale, opacity, harmonics.
    """
    x, y, z = rows[:, 0], rows[:, 1], rows[:, 2]
    w, i, j, k = (rows[:, column] for column in range(3, 7))
    half = np.float32(np.sqrt(0.5))
    turned = np.stack([w - i, w + i, j - k, j + k], axis=1) * half  # a quarter turn about X, then the splat's own
    turned[live == 0] = (1, 0, 0, 0)
    return SplatTable(
        positions=np.stack([x, -z, y], axis=1),
        rotations=turned,
        scales=np.ascontiguousarray(rows[:, 7:10]),
        opacities=np.where(live == 0, np.float32(0), rows[:, 10]),
        harmonics=np.ascontiguousarray(rows[:, 11:14]).reshape(-1, 1, 3),
    )


def _table(rows: FloatArray, names: list[str]) -> SplatTable:
    place = {name: at for at, name in enumerate(names)}

    def columns(*wanted: str) -> FloatArray:
        missing = [name for name in wanted if name not in place]
        if missing:
            raise ValueError(f"it lacks the columns {', '.join(missing)}")
        return rows[:, [place[name] for name in wanted]]

    rest = sum(name.startswith("f_rest_") for name in names)
    if rest not in (0, 9, 24, 45):
        raise ValueError(f"it has {rest} f_rest columns, not 0, 9, 24 or 45")
    harmonics = np.empty((len(rows), 1 + rest // 3, 3), np.float32)
    harmonics[:, 0] = columns("f_dc_0", "f_dc_1", "f_dc_2")
    if rest:
        # Channel by channel in the file: all reds, then all greens, then all blues.
        bands = columns(*(f"f_rest_{i}" for i in range(rest))).reshape(len(rows), 3, rest // 3)
        harmonics[:, 1:] = bands.transpose(0, 2, 1)
    rotations = columns("rot_0", "rot_1", "rot_2", "rot_3")
    length = np.linalg.norm(rotations, axis=1, keepdims=True)
    unit = np.where(length > 1e-12, rotations / np.maximum(length, 1e-12), np.array([1, 0, 0, 0], np.float32))
    logits = np.clip(columns("opacity")[:, 0], -30, 30)
    return SplatTable(
        positions=np.ascontiguousarray(columns("x", "y", "z")),
        rotations=unit.astype(np.float32),
        scales=np.exp(np.clip(columns("scale_0", "scale_1", "scale_2"), -30, 30)),
        opacities=(1 / (1 + np.exp(-logits))).astype(np.float32),
        harmonics=harmonics,
    )
