# SPDX-License-Identifier: GPL-3.0-or-later
"""The surface on which a live picture hangs in the world: as far away as what the viewport showed there.

So whatever comes nearer afterwards, things made or moved since and the marks of cameras and lights, stays in front of
the picture, and while the view moves the picture's parts move as the things in it do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CELL_PX = 4
"""Pixels of the depth picture between two corners of the surface."""
PULL = 0.004
"""The surface is nearer than what was seen by this share of the distance, so that it never fights with it."""
FARTHEST = 0.5
"""Nothing of it is farther away than this share of the clipping distance, or turning the view would cut it off."""


@dataclass(frozen=True)
class Sheet:
    """Triangles in the world."""

    points: NDArray[np.float32]
    """[N, 3]"""
    uvs: NDArray[np.float32]
    """[N, 2], 0..1 from the lower left of the picture."""
    triangles: NDArray[np.int32]
    """[M, 3]"""


def sheet(
    depth: NDArray[np.float32], world_from_camera: NDArray[np.float64], clip_from_camera: NDArray[np.float64]
) -> Sheet:
    """The surface of a window depth picture (float32 [H, W], 0..1, lowest row first); matrices 4×4, OpenGL's clip."""
    height, width = depth.shape
    near = _nearest(depth)
    x = np.minimum(np.arange(near.shape[1]) * CELL_PX, width) / width
    y = np.minimum(np.arange(near.shape[0]) * CELL_PX, height) / height
    u, v = (part.ravel() for part in np.meshgrid(x, y))
    camera_from_clip: NDArray[np.float64] = np.linalg.inv(clip_from_camera).astype(np.float64)
    z = np.minimum(near.ravel().astype(np.float64), _farthest(clip_from_camera, camera_from_clip)) * 2 - 1
    seen = np.stack([u * 2 - 1, v * 2 - 1, z, np.ones_like(z)], axis=1) @ camera_from_clip.T
    places = seen[:, :3] / seen[:, 3:]
    if clip_from_camera[3, 3]:  # orthographic: everything is moved by the same
        places[:, 2] += PULL * 2 / clip_from_camera[1, 1]
    else:
        places *= 1 - PULL
    points = places @ world_from_camera[:3, :3].T + world_from_camera[:3, 3]
    return Sheet(points.astype(np.float32), np.stack([u, v], axis=1).astype(np.float32), _triangles(*near.shape))


def _nearest(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each corner of the cells, the least depth in the cells around it and a pixel further."""
    found = depth
    for axis in (0, 1):
        size = found.shape[axis]
        edges = [(0, 0), (0, 0)]
        edges[axis] = (1, 1 - size % -CELL_PX)
        wide = np.moveaxis(np.pad(found, edges, mode="edge"), axis, 0)
        least = np.minimum(np.minimum(wide[:-2], wide[1:-1]), wide[2:])
        cells = least[::CELL_PX]
        for start in range(1, CELL_PX):
            cells = np.minimum(cells, least[start::CELL_PX])
        cells = np.concatenate([cells[:1], cells, cells[-1:]])
        found = np.moveaxis(np.minimum(cells[:-1], cells[1:]), 0, axis)
    return np.ascontiguousarray(found)


def _farthest(clip_from_camera: NDArray[np.float64], camera_from_clip: NDArray[np.float64]) -> float:
    """Window depth of the farthest that the surface goes."""
    end = camera_from_clip @ (0, 0, 1, 1)
    if clip_from_camera[3, 3]:
        return 0.999
    there = clip_from_camera @ (0, 0, FARTHEST * end[2] / end[3], 1)
    return float(there[2] / there[3] + 1) / 2


@lru_cache(maxsize=4)
def _triangles(rows: int, columns: int) -> NDArray[np.int32]:
    corner = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]))
    return np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
