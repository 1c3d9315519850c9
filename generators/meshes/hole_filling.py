"""Holes closed by the triangulation of least area (Barequet and Sharir 1995); large ones by a fan from their middle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.meshes.isosurface import Check, Ints, Surface
from generators.meshes.topology import edges_of
from generators.radiance.rasterizer.kernels import kernel

MOST_EXACT = 150
"""Outlines of more edges are closed by a fan: least area takes cubic time."""


def outlines(faces: Ints) -> list[NDArray[np.int64]]:
    """Vertices of each hole's outline, in the order in which new triangles are to run; needs a manifold."""
    edges = edges_of(faces)
    f, k = np.nonzero(edges.border[edges.of_faces])
    # A triangle runs from a to b there; what fills the hole runs from b to a.
    following = dict(zip(faces[f, (k + 1) % 3].tolist(), faces[f, k].tolist(), strict=True))
    found = []
    while following:
        start = next(iter(following))
        loop, vertex = [start], following.pop(start)
        while vertex != start and vertex in following:
            loop.append(vertex)
            vertex = following.pop(vertex)
        if vertex == start:
            found.append(np.array(loop, np.int64))
    return found


def filled(surface: Surface, most_edges: int | None = None, check: Check = lambda: None) -> tuple[Surface, int, int]:
    """The surface with holes of up to `most_edges` edges closed (None: all); how many were, and how many are left."""
    surface, loops = _pinched(surface, outlines(surface.faces))
    wanted = [loop for loop in loops if most_edges is None or len(loop) <= most_edges]
    if not wanted:
        return surface, 0, len(loops)
    edges = edges_of(surface.faces)
    width = len(surface.positions)
    there = np.sort(edges.ends[:, 0].astype(np.int64) * width + edges.ends[:, 1])
    added, middles = [surface.faces], [surface.positions]
    count = width
    for loop in wanted:
        check()
        patch = _least_area(surface.positions, loop, there, width) if len(loop) <= MOST_EXACT else None
        if patch is None:
            patch = np.stack([loop, np.roll(loop, -1), np.full(len(loop), count)], axis=1)
            middles.append(surface.positions[loop].mean(0, keepdims=True).astype(np.float32))
            count += 1
        added.append(patch.astype(np.int32))
    closed = Surface(np.concatenate(middles), np.concatenate(added))
    return closed, len(wanted), len(loops) - len(wanted)


def _pinched(surface: Surface, loops: list[NDArray[np.int64]]) -> tuple[Surface, list[NDArray[np.int64]]]:
    """Outlines that pass one place twice as two that pass it once: holes that touch in a point are two holes.

    The place had been cut into two vertices, which are one again.
    """
    rename = np.arange(len(surface.positions), dtype=np.int64)
    waiting, done = list(reversed(loops)), []
    while waiting:
        loop = waiting.pop()
        places = [row.tobytes() for row in surface.positions[loop]]
        first: dict[bytes, int] = {}
        for n, place in enumerate(places):
            m = first.setdefault(place, n)
            if m != n:
                rename[loop[n]] = rename[loop[m]]
                inner = loop[m:n]
                waiting.extend([np.concatenate([loop[:m], loop[n:]]), inner])
                break
        else:
            if len(loop) >= 3:
                done.append(loop)
    if (rename == np.arange(len(rename))).all():
        return surface, done
    while (rename[rename] != rename).any():
        rename = rename[rename]
    return Surface(surface.positions, rename[surface.faces].astype(np.int32)), [rename[loop] for loop in done]


def _least_area(
    positions: FloatArray, loop: NDArray[np.int64], there: NDArray[np.int64], width: int
) -> NDArray[np.int64] | None:
    """Triangles over a loop; None when every way would use an edge that the surface already has."""
    low, high = np.minimum(loop[:, None], loop[None]), np.maximum(loop[:, None], loop[None])
    keys = low * width + high
    place = np.minimum(np.searchsorted(there, keys), len(there) - 1)
    taken = there[place] == keys
    best = np.empty((len(loop), len(loop)), np.float64)
    middle = np.zeros((len(loop), len(loop)), np.int32)
    points = positions[loop].astype(np.float64)
    _fill_table(points - points.mean(0), taken, best, middle)
    if not np.isfinite(best[0, -1]):
        return None
    triangles, waiting = [], [(0, len(loop) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        split = int(middle[first, last])
        triangles.append((loop[first], loop[split], loop[last]))
        waiting.extend([(first, split), (split, last)])
    return np.array(triangles, np.int64)


@kernel
def _fill_table(points: Any, taken: Any, best: Any, middle: Any) -> None:
    """Least area between every two corners of a loop, by growing distance along it."""
    n = len(points)
    for i in range(n):
        for j in range(n):
            best[i, j] = 0.0 if j == i + 1 else np.inf
    for reach in range(2, n):
        for i in range(n - reach):
            j = i + reach
            if taken[i, j] and reach < n - 1:
                continue
            for k in range(i + 1, j):
                before = best[i, k] + best[k, j]
                if not before < best[i, j]:
                    continue
                ux, uy, uz = points[k, 0] - points[i, 0], points[k, 1] - points[i, 1], points[k, 2] - points[i, 2]
                vx, vy, vz = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1], points[j, 2] - points[i, 2]
                a, b, c = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
                area = before + np.sqrt(a * a + b * b + c * c)
                if area < best[i, j]:
                    best[i, j], middle[i, j] = area, k
