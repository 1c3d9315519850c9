"""Holes closed by the triangulation of least area (Barequet and Sharir 1995); large ones by a fan from their middle.

Bays of an outline are closed in the same way, from one side of their mouth to the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from engines.geometry import smooth_normals
from generators.meshes.isosurface import Check, Ints, Surface
from generators.meshes.topology import edges_of
from generators.radiance.rasterizer.kernels import kernel

MOST_EXACT = 300
"""Outlines of more edges are closed by a fan: least area takes cubic time."""
BAY_DEPTH = 1.6
"""The way around a bay is at least so many times as long as its mouth is wide."""
BAY_EDGES = 150
BAY_TURN = 0.3
"""Least cosine between the way a bay's outline turns and the surface's normal: a tongue turns the other way."""


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


def without_bays(surface: Surface, mouth_m: float, check: Check = lambda: None) -> tuple[Surface, int]:
    """The surface with bays of its outlines closed whose mouths are at most `mouth_m` wide, and how many there were."""
    surface, loops = _pinched(surface, outlines(surface.faces))
    normals = smooth_normals(surface.positions, surface.faces)
    width = len(surface.positions)
    ends = edges_of(surface.faces).ends.astype(np.int64)
    there = np.sort(ends[:, 0] * width + ends[:, 1])
    added = [surface.faces]
    for loop in loops:
        for part in _bays(surface.positions, normals, loop, mouth_m, check):
            check()
            low, high = sorted((int(part[0]), int(part[-1])))
            key = low * width + high
            if there[min(int(np.searchsorted(there, key)), len(there) - 1)] == key:
                continue
            patch = _least_area(surface.positions, part, there, width)
            if patch is not None:
                added.append(patch.astype(np.int32))
    return Surface(surface.positions, np.concatenate(added)), len(added) - 1


def _bays(
    positions: FloatArray, normals: FloatArray, loop: NDArray[np.int64], mouth_m: float, check: Check
) -> list[NDArray[np.int64]]:
    """Parts of an outline that lead around bays, none sharing a vertex, the longest way first."""
    count = len(loop)
    points = positions[loop].astype(np.float64)
    points -= points.mean(0)
    following = np.roll(points, -1, axis=0)
    length = _running(np.linalg.norm(following - points, axis=1)[:, None])[:, 0]
    turned, up = _running(np.cross(points, following)), _running(normals[loop].astype(np.float64))
    start, longest, way_of = np.arange(count), np.zeros(count, np.int64), np.zeros(count)
    for reach in range(3, min(BAY_EDGES, count // 2) + 1):
        check()
        end = start + reach
        across = points[end % count]
        mouth, way = np.linalg.norm(points - across, axis=1), length[end] - length[start]
        turn, facing = turned[end] - turned[start] + np.cross(across, points), up[end] - up[start]
        size = np.linalg.norm(turn, axis=1) * np.linalg.norm(facing, axis=1)
        bay = np.einsum("nc,nc->n", turn, facing) > BAY_TURN * size
        good = (mouth <= mouth_m) & (way >= BAY_DEPTH * mouth) & bay
        longest[good], way_of[good] = reach, way[good]
    taken, parts = np.zeros(count, np.bool_), []
    for first in np.lexsort((start, -way_of)):
        at = (first + np.arange(longest[first] + 1)) % count
        if longest[first] and not taken[at].any():
            taken[at] = True
            parts.append(loop[at])
    return parts


def _running(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of all before each entry, twice around, float64 [2N + 1, C]."""
    sums = np.cumsum(np.concatenate([values, values]), axis=0)
    return np.concatenate([np.zeros((1, values.shape[1])), sums])


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
