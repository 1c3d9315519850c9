"""The cases of marching cubes (Lorensen and Cline 1987), built from rules and not from a list.

Corner c of a cell lies at (c & 1, c >> 1 & 1, c >> 2 & 1); edge `3·corner + axis` starts at that corner. On each face
of the cell the curve cuts off every run of inside corners by itself; both cells beside a face follow this one rule, so
the surface has no cracks. Loops are cut into triangles by diagonals that run through the cell's inside, never along a
face, so that no two cells draw the same diagonal and every edge of the surface has exactly two triangles.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MOST_TRIANGLES = 5
"""What the fullest case needs."""
_SQUARE = ((0, 0), (1, 0), (1, 1), (0, 1))

Loop = tuple[int, ...]


def _faces() -> list[tuple[int, int, int, int]]:
    """Corners of the six faces, counter-clockwise as seen from outside the cell."""
    faces = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for side in (0, 1):
            corners = [(side << axis) | (a << u) | (b << v) for a, b in _SQUARE]
            faces.append(tuple(corners if side else corners[::-1]))
    return faces  # type: ignore[return-value]


def edge_between(one: int, other: int) -> int:
    """Number of the edge between two neighbouring corners."""
    return 3 * min(one, other) + (one ^ other).bit_length() - 1


def loops_of(case: int) -> list[Loop]:
    """Closed curves in which the surface meets the cell's faces; bit c of `case` says that corner c is inside."""
    following: dict[int, int] = {}
    for face in _faces():
        inside = [bool(case >> corner & 1) for corner in face]
        for first in range(4):
            if not inside[first] or inside[first - 1]:
                continue
            last = first
            while inside[(last + 1) % 4]:
                last += 1
            enter = edge_between(face[first - 1], face[first])
            leave = edge_between(face[last % 4], face[(last + 1) % 4])
            following[enter] = leave
    loops = []
    while following:
        start = min(following)
        loop, edge = [start], following.pop(start)
        while edge != start:
            loop.append(edge)
            edge = following.pop(edge)
        loops.append(tuple(loop))
    return loops


def _on_one_face(one: int, other: int) -> bool:
    """Whether two edges lie on a common face of the cell."""
    corners = [(edge // 3, edge // 3 | 1 << edge % 3) for edge in (one, other)]
    both = corners[0] + corners[1]
    return any(len({corner >> axis & 1 for corner in both}) == 1 for axis in range(3))


@lru_cache(maxsize=4096)
def _triangulated(loop: Loop) -> tuple[int, tuple[Loop, ...]]:
    """The triangles of a loop with the fewest diagonals along a face, and how many those are."""
    if len(loop) == 3:
        return 0, (loop,)
    best: tuple[int, tuple[Loop, ...]] | None = None
    a, b = loop[0], loop[-1]
    for middle in range(1, len(loop) - 1):
        bad = 0
        triangles: list[Loop] = [(a, loop[middle], b)]
        for part in (loop[: middle + 1], loop[middle:]):
            if len(part) < 3:
                continue
            inner, cut = _triangulated(part)
            bad += inner + _on_one_face(part[0], part[-1])
            triangles.extend(cut)
        if best is None or bad < best[0]:
            best = (bad, tuple(triangles))
    assert best is not None
    return best


@lru_cache(maxsize=1)
def table() -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Triangles of each case: counts int8 [256], and edges int8 [256, MOST_TRIANGLES, 3], outward counter-clockwise."""
    counts = np.zeros(256, np.int8)
    edges = np.zeros((256, MOST_TRIANGLES, 3), np.int8)
    for case in range(256):
        triangles = [triangle for loop in loops_of(case) for triangle in _triangulated(loop)[1]]
        counts[case] = len(triangles)
        for row, triangle in enumerate(triangles):
            edges[case, row] = triangle
    return counts, edges
