"""How triangles hang together: edges, pieces, borders, and which way they face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.meshes.isosurface import Ints, Surface
from generators.radiance.rasterizer.kernels import kernel


@dataclass(frozen=True, eq=False)
class Edges:
    """Every edge once: `ends` int32 [E, 2], the smaller vertex first; `uses` int32 [E] triangles at it; `of_faces`
    int32 [F, 3], the edge from corner k to k + 1 of each face; `forward` bool [F, 3], whether it runs from the smaller.
    """

    ends: Ints
    uses: Ints
    of_faces: Ints
    forward: NDArray[np.bool_]

    @property
    def border(self) -> NDArray[np.bool_]:
        """Edges with one triangle only."""
        return np.asarray(self.uses == 1)

    @property
    def crowded(self) -> NDArray[np.bool_]:
        """Edges with more than two triangles: no surface has these."""
        return np.asarray(self.uses > 2)


def edges_of(faces: NDArray[Any]) -> Edges:
    """The edges of a mesh of triangles, in the order of their vertices."""
    if not len(faces):
        nothing = np.empty((0, 3), np.int32)
        return Edges(np.empty((0, 2), np.int32), np.empty(0, np.int32), nothing, nothing.astype(np.bool_))
    start = faces.astype(np.int64)
    end = np.roll(start, -1, axis=1)
    low, high = np.minimum(start, end), np.maximum(start, end)
    width = int(high.max()) + 1
    unique, inverse, uses = np.unique(low * width + high, return_inverse=True, return_counts=True)
    ends = np.stack([unique // width, unique % width], axis=1).astype(np.int32)
    return Edges(ends, uses.astype(np.int32), inverse.reshape(-1, 3).astype(np.int32), start < end)


@kernel
def united(pairs: Ints, parent: Ints) -> None:
    """Union by smaller number, with halving of paths; then every entry points at its root."""
    for n in range(len(pairs)):
        a, b = pairs[n, 0], pairs[n, 1]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a < b:
            parent[b] = a
        elif b < a:
            parent[a] = b
    for n in range(len(parent)):
        a = n
        while parent[a] != a:
            a = parent[a]
        parent[n] = a


def pieces(faces: NDArray[Any], vertices: int) -> NDArray[np.int64]:
    """Which connected piece each face belongs to, int64 [F], numbered from 0 by falling number of faces."""
    parent = np.arange(vertices, dtype=np.int32)
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]]).astype(np.int32)
    united(np.ascontiguousarray(pairs), parent)
    root = parent[faces[:, 0].astype(np.int64)]
    _, number, size = np.unique(root, return_inverse=True, return_counts=True)
    rank = np.empty(len(size), np.int64)
    rank[np.argsort(-size, kind="stable")] = np.arange(len(size))
    return np.asarray(rank[number.ravel()])


def kept(surface: Surface, faces: NDArray[np.bool_]) -> Surface:
    """The chosen faces with only the vertices they use."""
    chosen = surface.faces[faces]
    used = np.zeros(len(surface.positions), np.bool_)
    used[chosen.ravel()] = True
    number = np.cumsum(used, dtype=np.int32) - 1
    return Surface(np.ascontiguousarray(surface.positions[used]), number[chosen].reshape(-1, 3).astype(np.int32))


def largest_pieces(surface: Surface, share: float) -> tuple[Surface, int]:
    """The surface without pieces smaller than `share` of the largest by number of faces, and how many were dropped."""
    if not len(surface.faces):
        return surface, 0
    number = pieces(surface.faces, len(surface.positions))
    size = np.bincount(number)
    small = size < share * size[0]
    return (kept(surface, ~small[number]), int(small.sum())) if small.any() else (surface, 0)


def face_areas(positions: FloatArray, faces: NDArray[Any]) -> NDArray[np.float64]:
    """Area of each triangle, float64 [F]."""
    return np.asarray(np.linalg.norm(face_vectors(positions, faces), axis=1) / 2)


def face_vectors(positions: FloatArray, faces: NDArray[Any]) -> NDArray[np.float64]:
    """Outward vectors of twice each triangle's area, float64 [F, 3]."""
    corners = positions.astype(np.float64)[faces.astype(np.int64)]
    return np.asarray(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))


def volume_m3(positions: FloatArray, faces: NDArray[Any]) -> float:
    """What a closed surface encloses; negative when it faces inwards."""
    corners = positions.astype(np.float64)[faces.astype(np.int64)]
    corners -= corners.reshape(-1, 3).mean(0) if len(corners) else 0
    return float(np.einsum("fc,fc->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)
