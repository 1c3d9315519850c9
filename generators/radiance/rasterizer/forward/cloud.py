"""A cloud laid out for drawing: importance first, neighbours together, and what no camera changes worked out once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from engines.importance import falling, importance
from engines.splat_order import morton_order
from engines.splat_values import opacity_from_logit, scale_from_log
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer.compositing import ALPHA_MAX
from generators.radiance.rasterizer.projection import LOG_SCALE_MAX

BLOCK = 256
"""Splats that are tested against the camera's pyramid together."""
ROWS = 13
"""Rows of a block: position x, y, z; the axes R·S, row by row; log2 of opacity."""
LEVEL_GROWTH = 1.25
"""A level of detail has so many times the splats of the one before."""
FIRST_LEVEL = 8 * BLOCK
NOWHERE = np.float32(-200)
"""log2 of the opacity of the places that fill up the last block: never drawn."""
REACH = 3.33
"""Standard deviations within which even an opaque splat is above 1/255."""


@dataclass(frozen=True, eq=False)
class DrawnCloud:
    """N splats in B blocks of `BLOCK`, ordered by level of detail and within a level along the Z-order curve.

    `geometry` float32 [B · ROWS · BLOCK] flat, block by block; `sh` float32 [N, K, 3]; `balls` float32 [B, 5]: centre,
    radius of the positions, and how far the largest splat reaches. `levels` are the numbers of blocks with which a
    level of detail ends, rising; the last is B.
    """

    geometry: FloatArray
    sh: FloatArray
    balls: FloatArray
    levels: tuple[int, ...]
    count: int

    def blocks_for(self, splats: float) -> int:
        """Blocks of the most detailed level that has no more than so many splats; the first level at least."""
        within = [blocks for blocks in self.levels if blocks * BLOCK <= splats]
        return within[-1] if within else self.levels[0]


def drawn_cloud(parameters: Parameters) -> DrawnCloud:
    """Lay a checked cloud out for drawing; takes a microsecond a splat, and about its size in memory."""
    order, levels = _order(parameters)
    count, blocks = len(order), max(1, -(-len(order) // BLOCK))
    rows = np.zeros((blocks * BLOCK, ROWS), np.float32)
    rows[:, 12] = NOWHERE
    rows[:count, :3] = parameters.positions[order]
    scales = scale_from_log(np.minimum(parameters.log_scales[order], LOG_SCALE_MAX))
    rows[:count, 3:12] = (_turns(parameters.quaternions[order]) * scales[:, None, :]).reshape(-1, 9)
    with np.errstate(divide="ignore"):
        levels_of_opacity = np.log2(np.minimum(opacity_from_logit(parameters.logits[order]), ALPHA_MAX))
    rows[:count, 12] = np.maximum(levels_of_opacity, NOWHERE)
    if count:
        rows[count:, :3] = rows[count - 1, :3]
    geometry = np.ascontiguousarray(rows.reshape(blocks, BLOCK, ROWS).transpose(0, 2, 1)).reshape(-1)
    sh = np.ascontiguousarray(parameters.sh[order])
    return DrawnCloud(geometry, sh, _balls(rows, scales), levels, count)


def _order(parameters: Parameters) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Rows by level and place, and the levels' ends in blocks."""
    count = len(parameters)
    weights = importance(opacity_from_logit(parameters.logits), scale_from_log(parameters.log_scales))
    ranked = falling(weights)
    parts, ends, begin = [], [], 0
    end = FIRST_LEVEL
    while begin < count:
        end = min(end, count)
        chosen = ranked[begin:end]
        parts.append(chosen[morton_order(parameters.positions[chosen])])
        ends.append(-(-end // BLOCK))
        begin, end = end, -(-int(end * LEVEL_GROWTH) // BLOCK) * BLOCK
    return (np.concatenate(parts) if parts else ranked), (tuple(ends) or (1,))


def _turns(quaternions: FloatArray) -> FloatArray:
    """Rotation matrices [N, 3, 3] of quaternions wxyz of any length; identity for zero."""
    q = quaternions.astype(np.float64)
    length = np.linalg.norm(q, axis=1, keepdims=True)
    w, x, y, z = np.where(length > 1e-30, q / np.maximum(length, 1e-30), [1.0, 0.0, 0.0, 0.0]).T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, -1) for row in rows], 1).astype(np.float32)


def _balls(rows: FloatArray, scales: FloatArray) -> FloatArray:
    """Centre, radius and farthest reach of every block."""
    places = rows[:, :3].reshape(-1, BLOCK, 3)
    centre = (places.min(1) + places.max(1)) / 2
    largest = np.zeros(len(rows), np.float32)
    largest[: len(scales)] = scales.max(1, initial=0)
    radius = np.linalg.norm(places - centre[:, None], axis=2).max(1)
    reach = np.float32(REACH) * largest.reshape(-1, BLOCK).max(1)
    return np.ascontiguousarray(np.concatenate([centre, radius[:, None], reach[:, None]], 1), np.float32)
