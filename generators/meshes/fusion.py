"""Many distance pictures into one truncated signed distance function on sparse blocks (Curless and Levoy 1996).

Blocks are made only where a picture sees a surface, so memory follows the area seen and has an upper limit: past it
the cells are made larger. Each cell takes its own mean over the pictures in their order, so results do not depend on
the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.meshes.depth_views import DepthView
from generators.meshes.isosurface import CELLS, SIDE, Blocks, Check, Ints
from generators.radiance.rasterizer.kernels import kernel, parallel_kernel, prange

TRUNCATION = 4.0
"""Distances are kept up to this many cells from the surface."""
MOST_BLOCKS = 60_000
"""240 MB of distances and weights."""
COARSER = 1.25
JUMP = 0.04
"""Pixels whose neighbours are nearer or farther by this share of the distance are edges: not interpolated across."""


@dataclass(frozen=True, eq=False)
class Box:
    """What is to be reconstructed: corners in metres, float64 [3]."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def longest(self) -> float:
        """The longest side in metres."""
        return float((self.high - self.low).max())


def fused(
    views: Sequence[DepthView], box: Box, cells: int, *, seen_min: int = 2, check: Check = lambda: None
) -> Blocks:
    """Signed distances in cells, negative behind surfaces, with `cells` along the box's longest side at most.

    What fewer than `seen_min` pictures show stays unknown (NaN), so that a single wrong picture makes no surface.
    """
    step = box.longest / cells
    while True:
        shape = np.maximum(np.ceil((box.high - box.low) / (step * SIDE)).astype(np.int64), 1)
        touched = np.zeros(shape, np.bool_)
        for view in views:
            check()
            _touch(*_numbers(view), view.depth, box.low, step, TRUNCATION * step, touched)
        if touched.sum() <= MOST_BLOCKS:
            break
        step *= COARSER
    where = np.argwhere(touched).astype(np.int32)
    index = np.full(touched.shape, -1, np.int32)
    index[touched] = np.arange(len(where), dtype=np.int32)
    values = np.zeros((len(where), CELLS), np.float32)
    weights = np.zeros((len(where), CELLS), np.float32)
    counts = np.zeros((len(where), CELLS), np.uint8)
    for view in views:
        check()
        trust = np.ones_like(view.depth) if view.trust is None else view.trust
        _integrate(*_numbers(view), view.depth, trust, where, box.low, step, values, weights, counts)
    values[counts < seen_min] = np.nan
    return Blocks(values, where, index, box.low, step)


def _numbers(view: DepthView) -> tuple[FloatArray, FloatArray]:
    camera = view.camera
    lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float32)
    return np.ascontiguousarray(camera.camera_from_world[:3], np.float32), lens


@kernel
def _touch(
    pose: FloatArray,
    lens: FloatArray,
    depth: FloatArray,
    low: NDArray[np.float64],
    step: float,
    reach: float,
    touched: NDArray[np.bool_],
) -> None:
    """Mark the blocks within `reach` of what one picture sees, along the line of sight."""
    side = step * 8
    for y in range(depth.shape[0]):
        for x in range(depth.shape[1]):
            seen = depth[y, x]
            if seen <= 0:
                continue
            a, b = (x + 0.5 - lens[2]) / lens[0], (y + 0.5 - lens[3]) / lens[1]
            for n in range(-2, 3):
                z = seen + reach * n / 2
                p, q, r = a * z - pose[0, 3], b * z - pose[1, 3], z - pose[2, 3]
                i = int(np.floor((pose[0, 0] * p + pose[1, 0] * q + pose[2, 0] * r - low[0]) / side))
                j = int(np.floor((pose[0, 1] * p + pose[1, 1] * q + pose[2, 1] * r - low[1]) / side))
                k = int(np.floor((pose[0, 2] * p + pose[1, 2] * q + pose[2, 2] * r - low[2]) / side))
                if 0 <= i < touched.shape[0] and 0 <= j < touched.shape[1] and 0 <= k < touched.shape[2]:
                    touched[i, j, k] = True


@kernel
def depth_at(depth: FloatArray, u: Any, v: Any) -> Any:
    """Bilinear distance at pixel coordinates, the nearest pixel's at an edge, 0 outside or where nothing is known."""
    rows, columns = depth.shape
    if not (0 <= u < columns and 0 <= v < rows):
        return np.float32(0)
    nearest = depth[int(v), int(u)]
    s, t = u - np.float32(0.5), v - np.float32(0.5)
    x, y = int(np.floor(s)), int(np.floor(t))
    if x < 0 or y < 0 or x + 1 >= columns or y + 1 >= rows or nearest <= 0:
        return nearest
    p, q, r, w = depth[y, x], depth[y, x + 1], depth[y + 1, x], depth[y + 1, x + 1]
    limit = np.float32(0.04) * nearest
    if max(abs(p - nearest), abs(q - nearest), abs(r - nearest), abs(w - nearest)) > limit:
        return nearest
    a, b = s - np.float32(x), t - np.float32(y)
    return (p * (1 - a) + q * a) * (1 - b) + (r * (1 - a) + w * a) * b


@parallel_kernel
def _integrate(
    pose: FloatArray,
    lens: FloatArray,
    depth: FloatArray,
    trust: FloatArray,
    where: Ints,
    low: NDArray[np.float64],
    step: float,
    values: FloatArray,
    weights: FloatArray,
    counts: NDArray[np.uint8],
) -> None:
    """Take one picture into the running weighted mean of every cell it can say something about."""
    cell = np.float32(step)
    rows, columns = depth.shape
    for block in prange(len(where)):
        cx = np.float32(low[0] + step * (where[block, 0] * 8 + 3.5))
        cy = np.float32(low[1] + step * (where[block, 1] * 8 + 3.5))
        cz = np.float32(low[2] + step * (where[block, 2] * 8 + 3.5))
        mx = pose[0, 0] * cx + pose[0, 1] * cy + pose[0, 2] * cz + pose[0, 3]
        my = pose[1, 0] * cx + pose[1, 1] * cy + pose[1, 2] * cz + pose[1, 3]
        mz = pose[2, 0] * cx + pose[2, 1] * cy + pose[2, 2] * cz + pose[2, 3]
        radius = np.float32(6.1) * cell
        if mz < -radius:
            continue
        if mz > radius:
            u, v = lens[0] * mx / mz + lens[2], lens[1] * my / mz + lens[3]
            margin = radius / (mz - radius) * max(lens[0], lens[1]) * np.float32(1.5)
            if u < -margin or v < -margin or u > columns + margin or v > rows + margin:
                continue
        for n in range(512):
            i, j, k = (
                np.float32(n // 64) - np.float32(3.5),
                np.float32(n // 8 % 8) - np.float32(3.5),
                np.float32(n % 8) - np.float32(3.5),
            )
            z = mz + cell * (pose[2, 0] * i + pose[2, 1] * j + pose[2, 2] * k)
            if z <= cell:
                continue
            x = mx + cell * (pose[0, 0] * i + pose[0, 1] * j + pose[0, 2] * k)
            y = my + cell * (pose[1, 0] * i + pose[1, 1] * j + pose[1, 2] * k)
            u, v = lens[0] * x / z + lens[2], lens[1] * y / z + lens[3]
            seen = depth_at(depth, u, v)
            if seen <= 0:
                continue
            distance = (seen - z) / cell
            if distance < -np.float32(4.0):
                continue
            if distance > np.float32(4.0):
                distance = np.float32(4.0)
            # A pixel far away stands for a larger patch and for less certain a distance.
            weight = trust[int(v), int(u)] / (seen * seen)
            total = weights[block, n] + weight
            values[block, n] += (distance - values[block, n]) * (weight / total)
            weights[block, n] = total
            counts[block, n] = min(counts[block, n] + 1, 255)
