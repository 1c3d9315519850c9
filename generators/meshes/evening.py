"""Dents taken out of surfaces that were measured with noise: each vertex is moved onto what its surroundings agree on.

Around each vertex a quadratic height is fitted by moving least squares to all that faces the same way (Levin 1998; the
weight of normals after Öztireli and others 2009). A quadratic keeps balls and pipes as they are; what faces another way
is not asked, so edges stay. This reaches dents that are wider than smoothing from neighbour to neighbour can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from engines.geometry import smooth_normals
from generators.meshes.isosurface import Check, Surface
from generators.meshes.topology import Edges, edges_of, face_vectors
from generators.radiance.rasterizer.kernels import inlined, parallel_kernel, prange

FACING = 0.8
"""Cosine below which two normals belong to different surfaces."""
STIFF = 0.0005
"""Pull on the curvature of the fit, as a share of all weight: steadies it where little lies around."""
SAMPLE = 1.5
"""Vertices within so many cells count as one sample: quicker, and the same wherever triangles lie closer."""
FARTHEST = 2.0
"""Cells that a vertex may be moved in one pass."""
PASSES = 2
BLENDS = 2
"""Rounds in which neighbours agree how far they move."""
TURN = 0.5
"""Triangles that a pass would turn by more than this cosine keep their corners."""
SLIVER = 0.1
"""Share of a cell's area (twice that of a triangle) below which a triangle may turn: it is a needle."""
RETRIES = 4
AROUND = 2
"""Rings around triangles that would have turned over, which are drawn tight like a film of soap."""
TIGHTEN = 30
PORTION = 1 << 13
"""Vertices between two looks at whether the work is still wanted."""


@dataclass(frozen=True, eq=False)
class _Samples:
    """Where the surface is and which way it faces, sorted by cells as wide as the reach; `starts` of each cell."""

    points: FloatArray
    normals: FloatArray
    weights: FloatArray
    starts: NDArray[np.int64]
    low: FloatArray
    shape: tuple[int, int, int]


def evened(surface: Surface, reach_m: float, cell_m: float, check: Check = lambda: None) -> FloatArray:
    """Positions without dents narrower than about `reach_m`, float32 [V, 3]; `cell_m` is the mesh's own grain."""
    points = surface.positions
    edges = edges_of(surface.faces)
    stuck = np.zeros(len(points), np.bool_)
    for _ in range(PASSES):
        check()
        normals = smooth_normals(points, surface.faces)
        samples = _sampled(points, normals, reach_m, cell_m)
        check()
        move = np.zeros(len(points), np.float32)
        for first in range(0, len(points), PORTION):
            check()
            part = slice(first, first + PORTION)
            _fit(
                points[part], normals[part], samples.points, samples.normals, samples.weights, samples.starts,
                samples.low, samples.shape, np.float32(reach_m), move[part],
            )  # fmt: skip
        move = np.clip(move, -FARTHEST * cell_m, FARTHEST * cell_m)
        for _ in range(BLENDS):
            check()
            move = np.asarray((move + _around(edges, move)) / 2, np.float32)
        points, held = _unfolded(Surface(points, surface.faces), normals * move[:, None], SLIVER * cell_m**2, check)
        stuck |= held
    return _tightened(Surface(points, surface.faces), edges, stuck, check)


def _around(edges: Edges, values: FloatArray) -> NDArray[np.float64]:
    """Of each vertex, the mean of its neighbours' values, float64 [V]."""
    a, b = edges.ends[:, 0], edges.ends[:, 1]
    total = np.bincount(a, values[b], len(values)) + np.bincount(b, values[a], len(values))
    return np.asarray(total / np.maximum(np.bincount(edges.ends.ravel(), minlength=len(values)), 1))


def _unfolded(surface: Surface, moves: FloatArray, least: float, check: Check) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The surface moved, except where a triangle of at least twice that area would turn over, and which vertices
    that concerns.
    """
    before = face_vectors(surface.positions, surface.faces)
    size = np.linalg.norm(before, axis=1)
    held = np.zeros(len(moves), np.bool_)
    for _ in range(RETRIES):
        check()
        after = face_vectors(surface.positions + moves, surface.faces)
        turned = np.einsum("fc,fc->f", before, after) < TURN * size * np.linalg.norm(after, axis=1)
        turned &= size >= least
        if held[surface.faces[turned]].all():
            break
        held[surface.faces[turned].ravel()] = True
        moves[held] = 0
    return np.asarray(surface.positions + moves, np.float32), held


def _tightened(surface: Surface, edges: Edges, stuck: NDArray[np.bool_], check: Check) -> FloatArray:
    """Pimples and pits, where nothing could be fitted, drawn smooth between their surroundings; outlines stay."""
    for _ in range(AROUND):
        stuck = stuck.copy()
        stuck[surface.faces[stuck[surface.faces].any(1)].ravel()] = True
    stuck[edges.ends[edges.border].ravel()] = False
    near = stuck[edges.ends].any(1)
    ends, points = edges.ends[near], surface.positions.astype(np.float64)
    degree = np.maximum(np.bincount(ends.ravel(), minlength=len(points)), 1)[stuck, None]
    for _ in range(TIGHTEN if stuck.any() else 0):
        check()
        total = [
            np.bincount(ends[:, 0], points[ends[:, 1], c], len(points))
            + np.bincount(ends[:, 1], points[ends[:, 0], c], len(points))
            for c in range(3)
        ]
        points[stuck] = np.stack(total, axis=1)[stuck] / degree
    return points.astype(np.float32)


def _sampled(points: FloatArray, normals: FloatArray, reach_m: float, cell_m: float) -> _Samples:
    """Vertices gathered into samples, never across two sides of a sheet."""
    low = points.min(0)
    place = np.floor((points - low) / (SAMPLE * cell_m)).astype(np.int64)
    axis = np.abs(normals).argmax(1)
    side = 2 * axis + (normals[np.arange(len(points)), axis] > 0)
    wide = place.max(0) + 1
    key = ((place[:, 0] * wide[1] + place[:, 1]) * wide[2] + place[:, 2]) * 6 + side
    _, number, count = np.unique(key, return_inverse=True, return_counts=True)
    number = number.ravel()
    means = [np.bincount(number, values) / count for values in (*points.T, *normals.T)]
    middles = np.stack(means[:3], axis=1).astype(np.float32)
    facing = np.stack(means[3:], axis=1)
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
    cell = ((middles - low) / np.float32(reach_m)).astype(np.int64)
    x, y, z = (int(n) + 1 for n in ((points.max(0) - low) / np.float32(reach_m)).astype(np.int64))
    where = (cell[:, 0] * y + cell[:, 1]) * z + cell[:, 2]
    order = np.argsort(where, kind="stable")
    starts = np.searchsorted(where[order], np.arange(x * y * z + 1)).astype(np.int64)
    return _Samples(
        np.ascontiguousarray(middles[order]),
        np.ascontiguousarray(facing[order], np.float32),
        np.sqrt(count[order]).astype(np.float32),
        starts,
        low,
        (x, y, z),
    )


@inlined
def _solved(a: Any, b: Any) -> bool:
    """Solve a·x = b in place of b for the lower half of a symmetric 6 × 6 (Cholesky); False when it has no answer."""
    for r in range(6):
        for e in range(r + 1):
            total = a[r, e]
            for k in range(e):
                total -= a[r, k] * a[e, k]
            if r == e:
                if total <= 0:
                    return False
                a[r, r] = np.sqrt(total)
            else:
                a[r, e] = total / a[e, e]
    for r in range(6):
        for k in range(r):
            b[r] -= a[r, k] * b[k]
        b[r] /= a[r, r]
    for r in range(5, -1, -1):
        for k in range(r + 1, 6):
            b[r] -= a[k, r] * b[k]
        b[r] /= a[r, r]
    return True


@parallel_kernel
def _fit(
    points: FloatArray,
    normals: FloatArray,
    samples: FloatArray,
    facing: FloatArray,
    weights: FloatArray,
    starts: NDArray[np.int64],
    low: FloatArray,
    shape: Any,
    reach: Any,
    move: FloatArray,
) -> None:
    """How far along its normal each point is from the quadratic through what lies around it."""
    for v in prange(len(points)):
        px, py, pz = points[v, 0], points[v, 1], points[v, 2]
        nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
        # A frame without branches (Duff and others 2017).
        sign = np.float32(1) if nz >= 0 else np.float32(-1)
        k = -np.float32(1) / (sign + nz)
        m = nx * ny * k
        ux, uy, uz = np.float32(1) + sign * nx * nx * k, sign * m, -sign * nx
        vx, vy, vz = m, sign + ny * ny * k, -ny
        a, b, f = np.zeros((6, 6)), np.zeros(6), np.ones(6)
        all_weight = 0.0
        ci, cj, ck = int((px - low[0]) / reach), int((py - low[1]) / reach), int((pz - low[2]) / reach)
        for i in range(max(ci - 1, 0), min(ci + 2, shape[0])):
            for j in range(max(cj - 1, 0), min(cj + 2, shape[1])):
                row = (i * shape[1] + j) * shape[2]
                for s in range(starts[row + max(ck - 1, 0)], starts[row + min(ck + 2, shape[2])]):
                    dx, dy, dz = (
                        (samples[s, 0] - px) / reach,
                        (samples[s, 1] - py) / reach,
                        (samples[s, 2] - pz) / reach,
                    )
                    near = np.float32(1) - (dx * dx + dy * dy + dz * dz)
                    alike = nx * facing[s, 0] + ny * facing[s, 1] + nz * facing[s, 2] - np.float32(FACING)
                    if near <= 0 or alike <= 0:
                        continue
                    weight = np.float64(weights[s] * near * near * alike * alike)
                    x, y = np.float64(ux * dx + uy * dy + uz * dz), np.float64(vx * dx + vy * dy + vz * dz)
                    f[1], f[2], f[3], f[4], f[5] = x, y, x * x, x * y, y * y
                    height = np.float64(nx * dx + ny * dy + nz * dz)
                    all_weight += weight
                    for r in range(6):
                        b[r] += weight * f[r] * height
                        for e in range(r + 1):
                            a[r, e] += weight * f[r] * f[e]
        move[v] = 0
        if all_weight > 0:
            for r in range(1, 6):
                a[r, r] += (1e-4 if r < 3 else STIFF) * all_weight
            if _solved(a, b):
                move[v] = np.float32(b[0]) * reach
