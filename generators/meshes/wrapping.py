"""A new closed surface around any heap of triangles, for meshes that cannot be patched.

Space is walked from outside in cells; what cannot be reached, or lies within `GAP` cells of a triangle, is solid. So
gaps up to two cells wide are bridged and everything hidden inside disappears. The new surface is then drawn back onto
the old one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.meshes.isosurface import CELLS, SIDE, Check, Surface, blocks_of, isosurface
from generators.meshes.smoothing import smoothed
from generators.meshes.topology import kept, pieces
from generators.meshes.tracing import nearest, tree_of
from generators.radiance.rasterizer.kernels import kernel

GAP = 1.1
MARGIN = 4
PULLS = 3


def wrapped(surface: Surface, cells: int, check: Check = lambda: None) -> Surface:
    """A manifold without border around `surface`, of `cells` along its longest side; inner hollows are filled."""
    low, high = surface.positions.min(0).astype(np.float64), surface.positions.max(0).astype(np.float64)
    step = max(float((high - low).max()) / cells, 1e-9)
    shape = np.ceil((high - low) / step).astype(int) + 2 * MARGIN + 1
    shape = -(-shape // SIDE) * SIDE
    origin = low - MARGIN * step
    tree = tree_of(surface.positions, surface.faces)
    check()
    distance = _distances(surface, tuple(shape), origin, step, tree, check)
    outside = np.zeros(distance.shape, np.bool_)
    _flood(distance, np.float32(GAP), outside)
    check()
    # Unreached space is solid however far it is from a triangle; one cell of true distance remains around the reached.
    distance[~outside & (distance > GAP)] = -1.0
    made = isosurface(blocks_of(distance, origin, step), GAP, check)
    number = pieces(made.faces, len(made.positions))
    made = _outer(made, number)
    points = made.positions
    for _ in range(PULLS):
        check()
        hits = nearest(tree, points, check)
        corners = surface.positions[surface.faces[hits.face]]
        there = np.einsum("rk,rkc->rc", hits.shares, corners).astype(np.float32)
        # Only what lies over a triangle is drawn in: bridges stay where they are.
        near = hits.distance < 2.0 * step
        points = np.where(near[:, None], points + np.float32(0.7) * (there - points), points).astype(np.float32)
        points = smoothed(points, made.faces, 1, strength=0.6, check=check)
    return Surface(points, made.faces)


def _outer(surface: Surface, number: NDArray[np.int64]) -> Surface:
    """Without pieces that face inwards: hollows that nothing from outside reaches."""
    corners = surface.positions.astype(np.float64)[surface.faces]
    corners = corners - corners.reshape(-1, 3).mean(0)
    six = np.einsum("fc,fc->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    volumes = np.bincount(number, six)
    return kept(surface, volumes[number] > 0)


def _distances(
    surface: Surface, shape: tuple[int, ...], origin: NDArray[np.float64], step: float, tree: object, check: Check
) -> FloatArray:
    """Distance in cells to the nearest triangle in blocks that a triangle comes near, 99 elsewhere."""
    from generators.meshes.tracing import Tree

    assert isinstance(tree, Tree)
    near = np.zeros([n // SIDE for n in shape], np.bool_)
    corners = (surface.positions.astype(np.float64)[surface.faces] - origin) / step
    _mark(
        np.floor(corners.min(1) - 2).astype(np.int64) // SIDE,
        np.ceil(corners.max(1) + 2).astype(np.int64) // SIDE,
        near,
    )
    values = np.full(shape, 99.0, np.float32)
    inner = np.stack(np.meshgrid(*(np.arange(SIDE),) * 3, indexing="ij"), -1).reshape(-1, 3)
    where = np.argwhere(near)
    many = max(1, (1 << 17) // CELLS)
    for first in range(0, len(where), many):
        check()
        places = (where[first : first + many, None] * SIDE + inner).reshape(-1, 3)
        points = np.ascontiguousarray(origin + step * places, np.float32)
        values[tuple(places.T)] = nearest(tree, points).distance / np.float32(step)
    return values


@kernel
def _mark(low: NDArray[np.int64], high: NDArray[np.int64], near: NDArray[np.bool_]) -> None:
    for n in range(len(low)):
        for i in range(max(low[n, 0], 0), min(high[n, 0], near.shape[0] - 1) + 1):
            for j in range(max(low[n, 1], 0), min(high[n, 1], near.shape[1] - 1) + 1):
                for k in range(max(low[n, 2], 0), min(high[n, 2], near.shape[2] - 1) + 1):
                    near[i, j, k] = True


@kernel
def _flood(distance: FloatArray, gap: np.float32, outside: NDArray[np.bool_]) -> None:
    """Mark what can be reached from the corner of the grid through cells farther than `gap` from any triangle."""
    rows, layers = distance.shape[1], distance.shape[2]
    stack = np.empty(distance.size, np.int32)
    stack[0], size = 0, 1
    outside[0, 0, 0] = True
    while size > 0:
        size -= 1
        cell = stack[size]
        k, j, i = cell % layers, cell // layers % rows, cell // (layers * rows)
        for n in range(6):
            d = 1 if n % 2 else -1
            a, b, c = i + d * (n // 2 == 0), j + d * (n // 2 == 1), k + d * (n // 2 == 2)
            if a < 0 or b < 0 or c < 0 or a >= distance.shape[0] or b >= rows or c >= layers:
                continue
            if not outside[a, b, c] and distance[a, b, c] > gap:
                outside[a, b, c] = True
                stack[size] = (a * rows + b) * layers + c
                size += 1
