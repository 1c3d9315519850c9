"""What it costs to put one Gaussian in the place of two, and the one that does it, in numba.

Two splats are judged by their pictures: the squared error, over the picture plane, between what both show and what the
one shows, summed over the three views along the axes. All of it has closed forms. The one keeps the mean, the
covariance and the colour of both, weighted by opacity × area, and as much opacity × area.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.rasterizer.kernels import inlined, kernel, parallel_kernel, prange

Ints = NDArray[np.int32]

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
THINNEST = np.float32(1e-4)
"""Splats count as at least this thick against their length, so that no picture of one has no area at all."""
TINY = np.float32(1e-30)
COVERAGE = np.float32(0.25)
"""Squared weight of an error in coverage against one in a colour channel: the ground behind is not known."""
OPAQUE = np.float32(0.9999)
NEVER = np.float32(np.inf)

# Entries of xx, xy, xz, yy, yz, zz that a view along x, y, z sees.
_VIEWS = ((3, 4, 5), (0, 2, 5), (0, 1, 3))
_AXES = ((1, 2), (0, 2), (0, 1))


@inlined
def _root(c: FloatArray, a: int, b: int, d: int) -> Any:
    """Square root of the determinant of one view's covariance, not quite 0."""
    thick = THINNEST * max(c[a], c[d])
    return np.sqrt(max(c[a] * c[d] - c[b] * c[b], thick * thick) + TINY)


@inlined
def area(c: FloatArray) -> Any:
    """Mean over the three views of the root of the determinant: picture area up to a factor of 2π."""
    return (_root(c, 3, 4, 5) + _root(c, 0, 2, 5) + _root(c, 0, 1, 3)) / np.float32(3)


@inlined
def _overlap(one: FloatArray, other: FloatArray, a: int, b: int, d: int, x: Any, y: Any, roots: Any) -> Any:
    """Integral of the product of two pictures' Gaussians over 2π, apart by (x, y); `roots` is that of both."""
    xx, xy, yy = one[a] + other[a], one[b] + other[b], one[d] + other[d]
    thick = THINNEST * max(xx, yy)
    det = max(xx * yy - xy * xy, thick * thick) + TINY
    distance = (yy * x * x - TWO * xy * x * y + xx * y * y) / det
    return roots / np.sqrt(det) * np.exp(-HALF * distance)


@inlined
def merge_pair(
    p: FloatArray, q: FloatArray, c: FloatArray, d: FloatArray, alpha: Any, beta: Any, mean: FloatArray, out: FloatArray
) -> Any:
    """Fill `mean` [3], from p on, and the covariance `out` [6]; return the first's weight 0..1 and the opacity."""
    weight, other = alpha * area(c), beta * area(d)
    share = weight / max(weight + other, TINY)
    rest = ONE - share
    x, y, z = q[0] - p[0], q[1] - p[1], q[2] - p[2]
    mean[0], mean[1], mean[2] = rest * x, rest * y, rest * z
    spread = share * rest
    out[0] = share * c[0] + rest * d[0] + spread * x * x
    out[1] = share * c[1] + rest * d[1] + spread * x * y
    out[2] = share * c[2] + rest * d[2] + spread * x * z
    out[3] = share * c[3] + rest * d[3] + spread * y * y
    out[4] = share * c[4] + rest * d[4] + spread * y * z
    out[5] = share * c[5] + rest * d[5] + spread * z * z
    covered, ground = ZERO, ZERO
    for view in range(3):
        a, b, e, _, _ = _entries(view, x, y, z)
        covered += alpha * _root(c, a, b, e) + beta * _root(d, a, b, e)
        ground += _root(out, a, b, e)
    return share, min(covered / ground, OPAQUE)


@inlined
def _entries(view: int, x: Any, y: Any, z: Any) -> Any:
    """Which entries of a covariance, and which two of three coordinates, a view sees."""
    if view == 0:
        return 3, 4, 5, y, z
    if view == 1:
        return 0, 2, 5, x, z
    return 0, 1, 3, x, y


@parallel_kernel
def fill_costs(
    positions: FloatArray,
    covariances: FloatArray,
    opacities: FloatArray,
    colours: FloatArray,
    near: Ints,
    first: int,
    last: int,
    costs: FloatArray,
) -> None:
    """Fill `costs` [N, k] of rows first … last for merging each splat with each of its neighbours `near` [N, k].

    Each pair is judged once, from its lower row if both are each other's neighbours; elsewhere the cost is infinite.
    """
    for i in prange(first, last):
        mean, merged = np.empty(3, np.float32), np.empty(6, np.float32)
        for k in range(near.shape[1]):
            j = near[i, k]
            costs[i, k] = NEVER
            if j < 0:
                continue
            known = False
            if j < i:
                for other in range(near.shape[1]):
                    known = known or near[j, other] == i
            if known:
                continue
            alpha, beta = opacities[i], opacities[j]
            c, d = covariances[i], covariances[j]
            share, gamma = merge_pair(positions[i], positions[j], c, d, alpha, beta, mean, merged)
            x = positions[j, 0] - positions[i, 0]
            y = positions[j, 1] - positions[i, 1]
            z = positions[j, 2] - positions[i, 2]
            cc, dd, cd, cm, dm, mm = COVERAGE, COVERAGE, COVERAGE, COVERAGE, COVERAGE, COVERAGE
            for channel in range(3):
                s, t = colours[i, channel], colours[j, channel]
                m = share * s + (ONE - share) * t
                cc += s * s
                dd += t * t
                mm += m * m
                cd += s * t
                cm += s * m
                dm += t * m
            total = ZERO
            for view in range(3):
                a, b, e, u, v = _entries(view, x, y, z)
                _, _, _, mu, mv = _entries(view, mean[0], mean[1], mean[2])
                rc, rd, rm = _root(c, a, b, e), _root(d, a, b, e), _root(merged, a, b, e)
                total += HALF * (alpha * alpha * cc * rc + beta * beta * dd * rd + gamma * gamma * mm * rm)
                total += TWO * alpha * beta * cd * _overlap(c, d, a, b, e, u, v, rc * rd)
                total -= TWO * alpha * gamma * cm * _overlap(c, merged, a, b, e, mu, mv, rc * rm)
                total -= TWO * beta * gamma * dm * _overlap(d, merged, a, b, e, u - mu, v - mv, rd * rm)
            costs[i, k] = max(total, ZERO)


@kernel
def match(order: NDArray[np.int64], near: Ints, wanted: int, partners: Ints) -> int:
    """Pair splats off in the order of cost, each once, until `wanted` pairs are made; return how many were.

    `order` are places in the flat [N, k] table; `partners` [N] starts as -1 and gets the other row of each pair.
    """
    made = 0
    for place in order:
        if made >= wanted:
            break
        i, j = place // near.shape[1], near[place // near.shape[1], place % near.shape[1]]
        if partners[i] < 0 and partners[j] < 0:
            partners[i], partners[j] = j, i
            made += 1
    return made


@parallel_kernel
def merge_rows(
    rows: Ints,
    others: Ints,
    positions: FloatArray,
    covariances: FloatArray,
    opacities: FloatArray,
    sh: FloatArray,
) -> None:
    """Put into each of `rows` what stands for it and its partner in `others`."""
    for n in prange(len(rows)):
        mean, merged = np.empty(3, np.float32), np.empty(6, np.float32)
        i, j = rows[n], others[n]
        alpha, beta = opacities[i], opacities[j]
        share, opacity = merge_pair(
            positions[i], positions[j], covariances[i], covariances[j], alpha, beta, mean, merged
        )
        for axis in range(3):
            positions[i, axis] += mean[axis]
        covariances[i, :] = merged
        opacities[i] = opacity
        for k in range(sh.shape[1]):
            for channel in range(3):
                sh[i, k, channel] = share * sh[i, k, channel] + (ONE - share) * sh[j, k, channel]
