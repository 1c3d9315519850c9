"""Triangles where a sampled function crosses a level: marching cubes over blocks, dense or sparse, in bounded memory.

Samples lie in blocks of 8³; cells touching a missing block or an unknown (NaN) sample make no triangle, so a surface
ends where knowledge ends. Inside is where the value is below the level, as with distances.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.meshes.cube_table import table
from generators.radiance.rasterizer.kernels import kernel, parallel_kernel, prange

SIDE = 8
CELLS = SIDE**3
_EDGE_MARGIN = 1e-3
"""Crossings stay this share of an edge away from its ends: no triangle is without area."""

Ints = NDArray[np.int32]
Check = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Blocks:
    """A sampled function: `values` float32 [B, 512] (x slowest), `where` int32 [B, 3] in blocks, `index` int32
    [X, Y, Z] of the block at each place, -1 where there is none; sample (0, 0, 0) lies at `low`, float64 [3].
    """

    values: FloatArray
    where: Ints
    index: Ints
    low: NDArray[np.float64]
    step: float


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles without shading data: `positions` float32 [V, 3], `faces` int32 [F, 3] outward counter-clockwise."""

    positions: FloatArray
    faces: Ints


def blocks_of(grid: FloatArray, low: NDArray[np.float64], step: float) -> Blocks:
    """A dense grid of samples, float32 [X, Y, Z], cut into blocks; what is added at its end is unknown."""
    shape = [-(-n // SIDE) for n in grid.shape]
    padded = np.full([n * SIDE for n in shape], np.nan, np.float32)
    padded[: grid.shape[0], : grid.shape[1], : grid.shape[2]] = grid
    x, y, z = shape
    values = padded.reshape(x, SIDE, y, SIDE, z, SIDE).transpose(0, 2, 4, 1, 3, 5).reshape(-1, CELLS)
    where = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1).reshape(-1, 3)
    index = np.arange(len(where), dtype=np.int32).reshape(x, y, z)
    return Blocks(np.ascontiguousarray(values), where.astype(np.int32), index, np.asarray(low, np.float64), step)


def isosurface(blocks: Blocks, level: float = 0.0, check: Check = lambda: None) -> Surface:
    """The surface where the samples cross `level`; closed wherever the crossing cells are all known."""
    counts_of_case, edges_of_case = table()
    count = len(blocks.values)
    counts = np.zeros(count, np.int64)
    nothing = np.empty((0, 3), np.int64)
    _march(blocks.values, blocks.where, blocks.index, np.float32(level), counts_of_case, edges_of_case, counts, nothing)
    check()
    ends = np.cumsum(counts)
    starts = ends - counts
    keys = np.empty((int(ends[-1]) if count else 0, 3), np.int64)
    _march(blocks.values, blocks.where, blocks.index, np.float32(level), counts_of_case, edges_of_case, starts, keys)
    check()
    unique, inverse = np.unique(keys, return_inverse=True)
    check()
    positions = np.empty((len(unique), 3), np.float32)
    _place(blocks.values, blocks.index, unique, np.float32(level), blocks.low, blocks.step, positions)
    return Surface(positions, inverse.reshape(-1, 3).astype(np.int32))


@kernel
def _sample(values: FloatArray, index: Ints, x: int, y: int, z: int) -> Any:
    """The sample at a place of the whole grid; NaN where there is none."""
    bx, by, bz = x >> 3, y >> 3, z >> 3
    if bx >= index.shape[0] or by >= index.shape[1] or bz >= index.shape[2]:
        return np.float32(np.nan)
    block = index[bx, by, bz]
    if block < 0:
        return np.float32(np.nan)
    return values[block, ((x & 7) * 8 + (y & 7)) * 8 + (z & 7)]


@parallel_kernel
def _march(
    values: FloatArray,
    where: Ints,
    index: Ints,
    level: Any,
    counts_of_case: Any,
    edges_of_case: Any,
    tally: NDArray[np.int64],
    keys: NDArray[np.int64],
) -> None:
    """Count each block's triangles into `tally`, or, given room in `keys`, write them from `tally`'s offsets on.

    A corner is named by the sample its edge starts from and the edge's axis: 3·((x·Y + y)·Z + z) + axis.
    """
    counting = len(keys) == 0
    rows, layers = index.shape[1] * 8, index.shape[2] * 8
    for block in prange(len(values)):
        corner = np.empty((9, 9, 9), np.float32)
        x0, y0, z0 = where[block, 0] * 8, where[block, 1] * 8, where[block, 2] * 8
        for i in range(9):
            for j in range(9):
                for k in range(9):
                    if i < 8 and j < 8 and k < 8:
                        corner[i, j, k] = values[block, (i * 8 + j) * 8 + k]
                    else:
                        corner[i, j, k] = _sample(values, index, x0 + i, y0 + j, z0 + k)
        out = np.int64(0) if counting else tally[block]
        for i in range(8):
            for j in range(8):
                for k in range(8):
                    case, known = 0, True
                    for c in range(8):
                        value = corner[i + (c & 1), j + (c >> 1 & 1), k + (c >> 2 & 1)]
                        known = known and value == value
                        case |= int(value < level) << c
                    if not known or case == 0 or case == 255:
                        continue
                    if not counting:
                        for t in range(counts_of_case[case]):
                            for v in range(3):
                                edge = edges_of_case[case, t, v]
                                c = edge // 3
                                gx, gy, gz = x0 + i + (c & 1), y0 + j + (c >> 1 & 1), z0 + k + (c >> 2 & 1)
                                sample = (np.int64(gx) * rows + gy) * layers + gz
                                keys[out + t, v] = sample * 3 + edge % 3
                    out += counts_of_case[case]
        if counting:
            tally[block] = out


@kernel
def _place(
    values: FloatArray,
    index: Ints,
    keys: NDArray[np.int64],
    level: Any,
    low: NDArray[np.float64],
    step: float,
    positions: FloatArray,
) -> None:
    """Where along its edge each corner lies."""
    rows, layers = index.shape[1] * 8, index.shape[2] * 8
    for n in range(len(keys)):
        axis, sample = keys[n] % 3, keys[n] // 3
        z, y, x = sample % layers, sample // layers % rows, sample // (layers * rows)
        a = _sample(values, index, x, y, z)
        b = _sample(values, index, x + (axis == 0), y + (axis == 1), z + (axis == 2))
        share = min(max((level - a) / (b - a), _EDGE_MARGIN), 1 - _EDGE_MARGIN)
        positions[n, 0] = low[0] + step * (x + (share if axis == 0 else 0.0))
        positions[n, 1] = low[1] + step * (y + (share if axis == 1 else 0.0))
        positions[n, 2] = low[2] + step * (z + (share if axis == 2 else 0.0))
