"""Rays and nearest points against many triangles: a tree of boxes over Morton order (Lauterbach et al. 2009).

The tree is complete and lies in one array, so building it is a sort and one sweep, and gives the same tree each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.meshes.isosurface import Check, Ints
from generators.radiance.rasterizer.kernels import inlined, kernel, parallel_kernel, prange

LEAF = 4
PORTION = 1 << 17
"""Rays between two looks at whether the work is still wanted."""
_DEEP = 64


@dataclass(frozen=True, eq=False)
class Tree:
    """`boxes` float32 [2·L - 1, 6] low then high; `corners` float32 [F, 3, 3] in leaf order; `order` int32 [F] the
    face each came from; L leaves of `LEAF` triangles, a power of two.
    """

    boxes: FloatArray
    corners: FloatArray
    order: Ints


@dataclass(frozen=True, eq=False)
class Hits:
    """`face` int32 [R], -1 for none; `distance` float32 [R] along the ray or to the point; `shares` float32 [R, 3]."""

    face: Ints
    distance: FloatArray
    shares: FloatArray


def tree_of(positions: FloatArray, faces: NDArray[np.integer]) -> Tree:
    """The tree of a mesh; needs at least one triangle."""
    corners = np.ascontiguousarray(positions.astype(np.float32)[faces.astype(np.int64)])
    middles = corners.mean(1)
    low, high = middles.min(0), middles.max(0)
    cells = ((middles - low) / np.maximum(high - low, 1e-20) * 1023).astype(np.uint64)
    order = np.argsort(_spread(cells[:, 0]) | _spread(cells[:, 1]) << 1 | _spread(cells[:, 2]) << 2, kind="stable")
    corners = np.ascontiguousarray(corners[order])
    leaves = 1 << max(0, int(np.ceil(np.log2(-(-len(corners) // LEAF)))))
    boxes = np.empty((2 * leaves - 1, 6), np.float32)
    _sweep(corners, leaves, boxes)
    return Tree(boxes, corners, order.astype(np.int32))


def _spread(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Ten bits with two zeros between each."""
    v = values.copy()
    for shift, mask in ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249)):
        v = (v | v << np.uint64(shift)) & np.uint64(mask)
    return v


@kernel
def _sweep(corners: FloatArray, leaves: int, boxes: FloatArray) -> None:
    for node in range(2 * leaves - 2, -1, -1):
        for c in range(3):
            boxes[node, c], boxes[node, c + 3] = np.inf, -np.inf
        if node >= leaves - 1:
            first = (node - leaves + 1) * 4
            for n in range(first, min(first + 4, len(corners))):
                for v in range(3):
                    for c in range(3):
                        boxes[node, c] = min(boxes[node, c], corners[n, v, c])
                        boxes[node, c + 3] = max(boxes[node, c + 3], corners[n, v, c])
        else:
            for child in (2 * node + 1, 2 * node + 2):
                if boxes[child, 0] == np.float32(1e30):
                    continue
                for c in range(3):
                    boxes[node, c] = min(boxes[node, c], boxes[child, c])
                    boxes[node, c + 3] = max(boxes[node, c + 3], boxes[child, c + 3])
        if boxes[node, 0] == np.inf:  # holds nothing: a far corner, which no ray enters
            for c in range(6):
                boxes[node, c] = np.float32(1e30)


@inlined
def _enters(box: Any, o: Any, inverse: Any, near: Any, far: Any) -> Any:
    """Distance at which a ray enters a box, or infinity."""
    first, last = near, far
    for c in range(3):
        a, b = (box[c] - o[c]) * inverse[c], (box[c + 3] - o[c]) * inverse[c]
        if a > b:
            a, b = b, a
        first, last = max(first, a), min(last, b)
    return first if first <= last else np.float32(np.inf)


@inlined
def _strikes(t: Any, o: Any, d: Any, out: Any) -> Any:
    """Distance at which a ray meets a triangle from either side, or -1; the shares go into `out` (Möller, Trumbore)."""
    e1x, e1y, e1z = t[1, 0] - t[0, 0], t[1, 1] - t[0, 1], t[1, 2] - t[0, 2]
    e2x, e2y, e2z = t[2, 0] - t[0, 0], t[2, 1] - t[0, 1], t[2, 2] - t[0, 2]
    px, py, pz = d[1] * e2z - d[2] * e2y, d[2] * e2x - d[0] * e2z, d[0] * e2y - d[1] * e2x
    det = e1x * px + e1y * py + e1z * pz
    if det == 0:
        return np.float32(-1)
    sx, sy, sz = o[0] - t[0, 0], o[1] - t[0, 1], o[2] - t[0, 2]
    u = (sx * px + sy * py + sz * pz) / det
    qx, qy, qz = sy * e1z - sz * e1y, sz * e1x - sx * e1z, sx * e1y - sy * e1x
    v = (d[0] * qx + d[1] * qy + d[2] * qz) / det
    if u < 0 or v < 0 or u + v > 1:
        return np.float32(-1)
    out[0], out[1], out[2] = 1 - u - v, u, v
    return (e2x * qx + e2y * qy + e2z * qz) / det


@parallel_kernel
def _cast(
    boxes: FloatArray, corners: FloatArray, origins: FloatArray, directions: FloatArray, near: FloatArray,
    far: FloatArray, any_hit: bool, face: Ints, distance: FloatArray, shares: FloatArray,
) -> None:  # fmt: skip
    leaves = (len(boxes) + 1) // 2
    for ray in prange(len(origins)):
        stack, entry = np.empty(64, np.int32), np.empty(64, np.float32)
        inverse, found = np.empty(3, np.float32), np.empty(3, np.float32)
        o, d = origins[ray], directions[ray]
        for c in range(3):
            inverse[c] = np.float32(1) / d[c]
        best, closest = -1, far[ray]
        stack[0], entry[0], size = 0, near[ray], 1
        while size > 0:
            size -= 1
            node = stack[size]
            if entry[size] > closest:
                continue
            if node >= leaves - 1:
                first = (node - leaves + 1) * 4
                for n in range(first, min(first + 4, len(corners))):
                    t = _strikes(corners[n], o, d, found)
                    if near[ray] <= t < closest:
                        closest, best = t, n
                        shares[ray, 0], shares[ray, 1], shares[ray, 2] = found[0], found[1], found[2]
                if any_hit and best >= 0:
                    break
                continue
            left, right = 2 * node + 1, 2 * node + 2
            a = _enters(boxes[left], o, inverse, near[ray], closest)
            b = _enters(boxes[right], o, inverse, near[ray], closest)
            if a > b:
                left, right, a, b = right, left, b, a
            if b < np.inf:
                stack[size], entry[size] = right, b
                size += 1
            if a < np.inf:
                stack[size], entry[size] = left, a
                size += 1
        face[ray], distance[ray] = best, closest


def cast(
    tree: Tree,
    origins: FloatArray,
    directions: FloatArray,
    far: FloatArray | float,
    *,
    near: FloatArray | float = 0.0,
    any_hit: bool = False,
    check: Check = lambda: None,
) -> Hits:
    """The nearest triangle that each ray meets between `near` and `far` (or any one of them, which is quicker)."""
    count = len(origins)
    hits = Hits(np.empty(count, np.int32), np.empty(count, np.float32), np.zeros((count, 3), np.float32))
    limits = [np.ascontiguousarray(np.broadcast_to(np.asarray(v, np.float32), count)) for v in (near, far)]
    for first in range(0, count, PORTION):
        check()
        part = slice(first, first + PORTION)
        _cast(
            *(tree.boxes, tree.corners, origins[part], directions[part], limits[0][part], limits[1][part]),
            *(any_hit, hits.face[part], hits.distance[part], hits.shares[part]),
        )
    np.copyto(hits.face, np.where(hits.face >= 0, tree.order[np.maximum(hits.face, 0)], -1))
    return hits


@inlined
def _gap(box: Any, p: Any) -> Any:
    """Squared distance from a point to a box."""
    total = np.float32(0)
    for c in range(3):
        away = max(box[c] - p[c], p[c] - box[c + 3], np.float32(0))
        total += away * away
    return total


@inlined
def _nearest_on(t: Any, p: Any, out: Any) -> Any:
    """Squared distance to a triangle; the shares of its nearest point go into `out` (Ericson 2005, §5.1.5)."""
    ab0, ab1, ab2 = t[1, 0] - t[0, 0], t[1, 1] - t[0, 1], t[1, 2] - t[0, 2]
    ac0, ac1, ac2 = t[2, 0] - t[0, 0], t[2, 1] - t[0, 1], t[2, 2] - t[0, 2]
    ap0, ap1, ap2 = p[0] - t[0, 0], p[1] - t[0, 1], p[2] - t[0, 2]
    d1, d2 = ab0 * ap0 + ab1 * ap1 + ab2 * ap2, ac0 * ap0 + ac1 * ap1 + ac2 * ap2
    bp0, bp1, bp2 = p[0] - t[1, 0], p[1] - t[1, 1], p[2] - t[1, 2]
    d3, d4 = ab0 * bp0 + ab1 * bp1 + ab2 * bp2, ac0 * bp0 + ac1 * bp1 + ac2 * bp2
    cp0, cp1, cp2 = p[0] - t[2, 0], p[1] - t[2, 1], p[2] - t[2, 2]
    d5, d6 = ab0 * cp0 + ab1 * cp1 + ab2 * cp2, ac0 * cp0 + ac1 * cp1 + ac2 * cp2
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    zero, one = np.float32(0), np.float32(1)
    if d1 <= 0 and d2 <= 0:
        v, w = zero, zero
    elif d3 >= 0 and d4 <= d3:
        v, w = one, zero
    elif vc <= 0 and d1 >= 0 and d3 <= 0:
        v, w = d1 / (d1 - d3), zero
    elif d6 >= 0 and d5 <= d6:
        v, w = zero, one
    elif vb <= 0 and d2 >= 0 and d6 <= 0:
        v, w = zero, d2 / (d2 - d6)
    elif va <= 0 and d4 - d3 >= 0 and d5 - d6 >= 0:
        w = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        v = one - w
    else:
        total = va + vb + vc
        v, w = vb / total, vc / total
    out[0], out[1], out[2] = one - v - w, v, w
    x, y, z = ap0 - v * ab0 - w * ac0, ap1 - v * ab1 - w * ac1, ap2 - v * ab2 - w * ac2
    return x * x + y * y + z * z


@parallel_kernel
def _find(
    boxes: FloatArray, corners: FloatArray, points: FloatArray, face: Ints, distance: FloatArray, shares: FloatArray
) -> None:
    leaves = (len(boxes) + 1) // 2
    for row in prange(len(points)):
        stack, gaps = np.empty(64, np.int32), np.empty(64, np.float32)
        found = np.empty(3, np.float32)
        p = points[row]
        best, closest = -1, np.float32(np.inf)
        stack[0], gaps[0], size = 0, np.float32(0), 1
        while size > 0:
            size -= 1
            node = stack[size]
            if gaps[size] >= closest:
                continue
            if node >= leaves - 1:
                first = (node - leaves + 1) * 4
                for n in range(first, min(first + 4, len(corners))):
                    d = _nearest_on(corners[n], p, found)
                    if d < closest:
                        closest, best = d, n
                        shares[row, 0], shares[row, 1], shares[row, 2] = found[0], found[1], found[2]
                continue
            left, right = 2 * node + 1, 2 * node + 2
            a, b = _gap(boxes[left], p), _gap(boxes[right], p)
            if a > b:
                left, right, a, b = right, left, b, a
            if b < closest:
                stack[size], gaps[size] = right, b
                size += 1
            if a < closest:
                stack[size], gaps[size] = left, a
                size += 1
        face[row], distance[row] = best, np.sqrt(closest)


def nearest(tree: Tree, points: FloatArray, check: Check = lambda: None) -> Hits:
    """The nearest place on the mesh to each point."""
    count = len(points)
    hits = Hits(np.empty(count, np.int32), np.empty(count, np.float32), np.zeros((count, 3), np.float32))
    for first in range(0, count, PORTION):
        check()
        part = slice(first, first + PORTION)
        _find(tree.boxes, tree.corners, points[part], hits.face[part], hits.distance[part], hits.shares[part])
    np.copyto(hits.face, np.where(hits.face >= 0, tree.order[np.maximum(hits.face, 0)], -1))
    return hits
