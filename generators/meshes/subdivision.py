"""Finer surfaces: Loop's scheme for triangles (1987), Catmull and Clark's for quads (1978), or cuts alone.

Borders are smoothed as the curves they are. uvs and colours are cut in the middle, never smoothed, and where a seam of
uvs splits vertices of one place, the place moves as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generators.meshes.topology import Edges, edges_of

Doubles = NDArray[np.float64]
Index = NDArray[np.int64]

SKEW_MAX = 1.5
"""Pairs of triangles more uneven than this stay triangles."""


@dataclass(frozen=True, eq=False)
class Finer:
    """One level: `old` and `new` positions of the places, float64; `faces` by place, int64 [F, 3]."""

    positions: Doubles
    faces: Index


def _middles(faces: Index, edges: Edges, count: int) -> Index:
    """Four triangles for each, the middles of edges numbered after the `count` vertices."""
    a, b, c = faces.T
    x, y, z = (edges.of_faces.astype(np.int64) + count).T
    return np.concatenate([np.stack(t, axis=1) for t in ((a, x, z), (x, b, y), (z, y, c), (x, y, z))])


def flat(values: Doubles, faces: Index) -> Finer:
    """Each edge cut in its middle; any values of vertices, [V, C]."""
    edges = edges_of(faces)
    return Finer(np.concatenate([values, values[edges.ends].mean(1)]), _middles(faces, edges, len(values)))


def loop(points: Doubles, faces: Index) -> Finer:
    """One level of Loop's scheme, with Warren's simpler weights for vertices."""
    edges = edges_of(faces)
    ends, inner = edges.ends.astype(np.int64), edges.uses == 2
    opposite = np.zeros((len(ends), points.shape[1]))
    for corner in range(3):
        # The corner that faces edge k → k + 1 is k + 2.
        np.add.at(opposite, edges.of_faces[:, corner], points[faces[:, (corner + 2) % 3]])
    middle = points[ends].mean(1)
    middle[inner] = 0.75 * middle[inner] + 0.125 * opposite[inner]
    moved = points.copy()
    valence = np.bincount(ends[inner].ravel(), minlength=len(points)).astype(np.float64)
    around = _sums(points, ends)
    border = np.zeros(len(points), np.bool_)
    border[ends[~inner].ravel()] = True
    free = ~border & (valence > 0)
    beta = np.where(valence == 3, 3 / 16, 3 / (8 * np.maximum(valence, 1)))[:, None]
    moved[free] = (points * (1 - valence[:, None] * beta) + beta * around)[free]
    on_curve = np.bincount(ends[edges.border].ravel(), minlength=len(points)) == 2
    along = _sums(points, ends[edges.border])
    curved = border & on_curve
    moved[curved] = (0.75 * points + 0.125 * along)[curved]
    return Finer(np.concatenate([moved, middle]), _middles(faces, edges, len(points)))


def _sums(points: Doubles, ends: Index) -> Doubles:
    """Sum of each vertex's neighbours over the given edges."""
    out = np.zeros_like(points)
    for c in range(points.shape[1]):
        column = points[:, c]
        out[:, c] = np.bincount(ends[:, 0], column[ends[:, 1]], len(points))
        out[:, c] += np.bincount(ends[:, 1], column[ends[:, 0]], len(points))
    return out


def paired(points: Doubles, faces: Index, split: Index) -> Index:
    """Quads out of triangles that lie flattest together, as numbers of corners (3·face + corner), int64 [Q, 4].

    First the best pair of all, then the best of the rest; no pair across a seam, where `split`, the faces with vertices
    split along seams, differs on both sides. Triangles left over follow with their last corner twice.
    """
    edges = edges_of(faces)
    order = np.argsort(edges.of_faces.ravel(), kind="stable")
    starts = np.cumsum(edges.uses) - edges.uses
    pair = np.flatnonzero(edges.uses == 2)
    one, other = order[starts[pair]], order[starts[pair] + 1]
    f, g, k, m = one // 3, other // 3, one % 3, other % 3
    unsplit = (split[f, k] == split[g, (m + 1) % 3]) & (split[f, (k + 1) % 3] == split[g, m])
    f, g, k, m = f[unsplit], g[unsplit], k[unsplit], m[unsplit]
    quads = np.stack([3 * f + k, 3 * g + (m + 2) % 3, 3 * f + (k + 1) % 3, 3 * f + (k + 2) % 3], axis=1)
    cost = _unevenness(points[faces.ravel()[quads]])
    taken = np.zeros(len(faces), np.bool_)
    chosen = []
    for n in np.argsort(cost, kind="stable").tolist():
        if cost[n] > SKEW_MAX:
            break
        if not taken[f[n]] and not taken[g[n]]:
            taken[f[n]] = taken[g[n]] = True
            chosen.append(n)
    rest = 3 * np.flatnonzero(~taken)[:, None] + np.array([0, 1, 2, 2])
    return np.concatenate([quads[np.array(chosen, np.int64)], rest])


def _unevenness(corners: Doubles) -> Doubles:
    """0 for flat rectangles, growing with skew and bend, for quads [Q, 4, 3]."""
    sides = np.roll(corners, -1, axis=1) - corners
    length = np.linalg.norm(sides, axis=2, keepdims=True)
    unit = sides / np.maximum(length, 1e-30)
    turn = np.abs(np.einsum("qkc,qkc->qk", unit, np.roll(unit, -1, axis=1))).sum(1)
    normal = np.cross(unit, np.roll(unit, -1, axis=1))
    bend = 1 - np.einsum("qc,qc->q", normal[:, 0], normal[:, 2])
    return np.asarray(turn / 2 + bend)


def _cut_quads(quads: Index, count: int) -> tuple[Index, Index, Index, Index, Index]:
    """The edges [E, 2] of quads, their uses, and for each corner in turn its quad, its edge, and the new quads."""
    sides = np.where(quads[:, 2] == quads[:, 3], 3, 4)
    f, k = np.nonzero(np.arange(4) < sides[:, None])
    start, end = quads[f, k], quads[f, (k + 1) % sides[f]]
    low, high = np.minimum(start, end), np.maximum(start, end)
    unique, number, uses = np.unique(low * count + high, return_inverse=True, return_counts=True)
    ends = np.stack([unique // count, unique % count], axis=1)
    edge = np.full((len(quads), 4), -1, np.int64)
    edge[f, k] = number + count
    out = np.stack([start, edge[f, k], f + count + len(ends), edge[f, (k - 1) % sides[f]]], axis=1)
    return ends, uses, f, number, out


def _face_points(values: Doubles, quads: Index) -> Doubles:
    three = (quads[:, 2] == quads[:, 3])[:, None]
    return np.asarray(np.where(three, values[quads[:, :3]].mean(1), values[quads].mean(1)))


def flat_quads(values: Doubles, quads: Index) -> tuple[Doubles, Index]:
    """Each quad cut into four (a triangle into three) through its middle; any values of vertices, [V, C]."""
    ends, _, _, _, out = _cut_quads(quads, len(values))
    return np.concatenate([values, values[ends].mean(1), _face_points(values, quads)]), out


def catmull_clark(points: Doubles, quads: Index) -> tuple[Doubles, Index]:
    """One level: places [V + E + Q, 3] and quads int64 [_, 4]; a triangle has its last corner twice."""
    ends, uses, f, number, out = _cut_quads(quads, len(points))
    face_point = _face_points(points, quads)
    middle = points[ends].mean(1)
    inner = uses == 2
    beside = np.zeros((len(ends), 3))
    np.add.at(beside, number, face_point[f])
    edge_point = middle.copy()
    edge_point[inner] = (middle[inner] + beside[inner] / 2) / 2
    start = out[:, 0]
    valence = np.bincount(ends.ravel(), minlength=len(points)).astype(np.float64)[:, None]
    mean_face, mean_middle = np.zeros_like(points), np.zeros_like(points)
    np.add.at(mean_face, start, face_point[f])
    mean_face /= np.maximum(np.bincount(start, minlength=len(points)), 1)[:, None]
    for side in (0, 1):
        np.add.at(mean_middle, ends[:, side], middle)
    mean_middle /= np.maximum(valence, 1)
    moved = (mean_face + 2 * mean_middle + (valence - 3) * points) / np.maximum(valence, 1)
    border = np.zeros(len(points), np.bool_)
    border[ends[~inner].ravel()] = True
    outline = ends[uses == 1]
    curve = np.bincount(outline.ravel(), minlength=len(points)) == 2
    held = np.where(curve[:, None], 0.75 * points + 0.125 * _sums(points, outline), points)
    keep = border | (valence[:, 0] == 0)
    moved[keep] = held[keep]
    return np.concatenate([moved, edge_point, face_point]), out


def triangles_of(quads: Index) -> Index:
    """Each quad as two triangles, cut from its first corner to its third."""
    three = quads[:, 2] == quads[:, 3]
    whole = quads[~three]
    return np.concatenate([quads[three][:, :3], whole[:, [0, 1, 2]], whole[:, [0, 2, 3]]])
