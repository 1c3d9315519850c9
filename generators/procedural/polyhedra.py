"""Closed triangle surfaces to start from, and the bookkeeping that shading needs: normals, charts, split seams."""

from __future__ import annotations

import numpy as np

from engines.assets import Array, FloatArray


def geodesic(frequency: int) -> tuple[Array, Array]:
    """Unit sphere by an icosahedron whose edges are cut into `frequency` parts.

    Returns positions float64 [10·f² + 2, 3] and faces int64 [20·f², 3], counter-clockwise from outside.
    """
    golden = (1 + 5**0.5) / 2
    corners = np.array(
        [[0, s, t * golden] for s in (-1, 1) for t in (-1, 1)]
        + [[s, t * golden, 0] for s in (-1, 1) for t in (-1, 1)]
        + [[t * golden, 0, s] for s in (-1, 1) for t in (-1, 1)]
    )
    distance = ((corners[:, None] - corners[None]) ** 2).sum(-1)
    near = np.isclose(distance, 4)
    triples = [
        (a, b, c) for a in range(12) for b in range(a) for c in range(b) if near[a, b] and near[b, c] and near[a, c]
    ]
    base = np.array([t if np.linalg.det(corners[list(t)]) > 0 else t[::-1] for t in triples])
    i, j = np.array([(i, j) for i in range(frequency + 1) for j in range(frequency + 1 - i)]).T
    weights = np.stack((frequency - i - j, i, j), -1) / frequency
    points = np.einsum("pk,fkd->fpd", weights, corners[base]).reshape(-1, 3)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    # Points on shared edges are made twice, equal but for rounding: welded on a grid far finer than the mesh.
    _, first, inverse = np.unique(
        np.round(points * 2**20).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    number = np.full((frequency + 1, frequency + 1), -1)
    number[i, j] = np.arange(len(i))
    up = np.stack((number[:-1, :-1], number[1:, :-1], number[:-1, 1:]), -1)[i_plus_j(frequency) < frequency]
    down = np.stack((number[1:, :-1], number[1:, 1:], number[:-1, 1:]), -1)[i_plus_j(frequency) < frequency - 1]
    one = np.concatenate((up, down))
    faces = (one[None] + (np.arange(20) * len(i))[:, None, None]).reshape(-1, 3)
    return points[first], inverse.reshape(-1)[faces]


def i_plus_j(frequency: int) -> Array:
    """Sum of the two indices over a square grid, int [frequency, frequency]."""
    at = np.arange(frequency)
    total: Array = at[:, None] + at[None]
    return total


def face_normals(positions: Array, faces: Array) -> Array:
    """Normals of the faces, scaled by twice the area, [F, 3]."""
    a, b, c = (positions[faces[:, k]] for k in range(3))
    crossed: Array = np.cross(b - a, c - a)
    return crossed


def vertex_normals(positions: Array, faces: Array) -> FloatArray:
    """Unit normals averaged over the adjoining faces by area, float32 [V, 3]."""
    weighted = face_normals(positions, faces)
    total = np.stack(
        [np.bincount(faces.ravel(), np.repeat(weighted[:, k], 3), minlength=len(positions)) for k in range(3)], -1
    )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit: FloatArray = (total / np.maximum(length, 1e-30)).astype(np.float32)
    return unit


def vertex_means(values: Array, faces: Array) -> Array:
    """Mean of a vertex value [V] over the neighbours of each vertex of a closed mesh."""
    edges = np.concatenate((faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]))
    total = np.bincount(edges[:, 0], values[edges[:, 1]], minlength=len(values))
    mean: Array = total / np.maximum(np.bincount(edges[:, 0], minlength=len(values)), 1)
    return mean


def split_by_chart(faces: Array, chart: Array) -> tuple[Array, Array, Array]:
    """Duplicate the vertices that faces of different charts share.

    `chart` is int [F]. Returns `source` int [W], the vertex each new one copies; its chart, int [W]; and the new
    faces, int [F, 3].
    """
    key = faces * (int(chart.max()) + 1) + chart[:, None]
    unique, inverse = np.unique(key, return_inverse=True)
    charts = int(chart.max()) + 1
    return unique // charts, unique % charts, inverse.reshape(faces.shape)


def box_uvs(positions: Array, faces: Array, normals: Array, tile_m: float) -> tuple[Array, Array, FloatArray]:
    """Box projection: each face is mapped along the axis its surface looks along, one tile every `tile_m`.

    `normals` [V, 3] are of a smoothed surface, so that charts are large; crumbs join the chart around them. Nothing
    is drawn out to much more than 1.7 times its size, as a cube's corner direction is. Returns `source` int [W],
    faces int [F, 3] and uvs float32 [W, 2]; u and v run so that no chart is mirrored.
    """
    middle = normals[faces].sum(1)
    axis = np.abs(middle).argmax(1)
    negative = np.take_along_axis(middle, axis[:, None], 1)[:, 0] < 0
    source, chart, split = split_by_chart(faces, without_crumbs(axis * 2 + negative, faces))
    x, y, z = (positions[source, k] for k in range(3))
    u = np.choose(chart, (-z, z, x, x, x, -x))
    v = np.choose(chart, (y, y, -z, z, y, y))
    return source, split, (np.stack((u, v), -1) / tile_m).astype(np.float32)


def without_crumbs(chart: Array, faces: Array, rounds: int = 12) -> Array:
    """The charts int [F] of a closed mesh; faces with two neighbours in one other chart are given to that."""
    beside = neighbours(faces)
    for _ in range(rounds):
        first, second, third = (chart[beside[:, k]] for k in range(3))
        wanted = np.where((first == second) | (first == third), first, np.where(second == third, second, chart))
        if np.array_equal(wanted, chart):
            break
        chart = wanted
    return chart


def neighbours(faces: Array) -> Array:
    """The face over each edge of each face of a closed mesh, int [F, 3]."""
    edges = np.stack((faces, np.roll(faces, -1, 1)), -1).reshape(-1, 2)
    order = np.lexsort((edges.max(1), edges.min(1)))
    pairs = order.reshape(-1, 2)
    over = np.empty(len(edges), np.intp)
    over[pairs[:, 0]], over[pairs[:, 1]] = pairs[:, 1] // 3, pairs[:, 0] // 3
    return over.reshape(-1, 3)
