"""Fewer triangles of the same shape: edge collapse by quadric error (Garland and Heckbert 1997).

An edge is collapsed only when the surface stays one (Dey and others' link condition), no triangle turns over and none
becomes a needle. So what was closed stays closed, and what was a manifold stays one. Outlines are held by planes that
stand upright on them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.meshes.isosurface import Check, Ints, Surface
from generators.meshes.topology import edges_of, face_vectors, kept
from generators.radiance.rasterizer.kernels import inlined, kernel

PORTION = 20_000
"""Collapses between two looks at whether the work is still wanted."""
BORDER = 30.0
"""How much more an outline weighs than a surface."""
TURN = 0.2
"""Least cosine between a triangle's direction before and after one collapse."""
NEEDLE = 0.02
"""Least quality of a changed triangle, 1 for equal sides."""
MOST_RING = 24
FLAT = 1e-4
"""On flat parts short edges go first."""

Doubles = NDArray[np.float64]


def decimated(surface: Surface, budget: int, check: Check = lambda: None) -> Surface:
    """At most `budget` triangles where the rules allow it; vertices used by nothing are dropped."""
    if len(surface.faces) <= budget:
        return surface
    points, faces = surface.positions.astype(np.float64), np.array(surface.faces, np.int32)
    centre = points.mean(0)
    scale = max(float(np.abs(points - centre).max()), 1e-30)
    points = (points - centre) / scale
    quadrics = _quadrics(points, faces)
    check()
    ends = edges_of(faces).ends
    vertices = len(points)
    head, following = np.full(vertices, -1, np.int32), np.full(3 * len(faces), -1, np.int32)
    _link(faces, head, following)
    state = _State(points, faces, quadrics, head, following, vertices, ends)
    check()
    left = len(faces)
    while left > budget:
        removed = state.collapse(min(PORTION, left - budget))
        check()
        if removed == 0:
            break
        left -= removed
    alive = faces[:, 0] >= 0
    return kept(Surface((points * scale + centre).astype(np.float32), faces), alive)


class _State:
    """The arrays that one portion of work hands to the next."""

    def __init__(
        self, points: Doubles, faces: Ints, quadrics: Doubles, head: Ints, following: Ints, count: int, ends: Ints
    ) -> None:
        self.mesh = (points, faces, quadrics, head, following)
        self.version = np.zeros(count, np.int32)
        room = 4 * len(ends) + 1024
        self.cost = np.empty(room, np.float64)
        self.ends = np.empty((room, 4), np.int32)
        self.size = np.zeros(1, np.int64)
        _fill(points, quadrics, ends, self.version, self.cost, self.ends, self.size)

    def collapse(self, triangles: int) -> int:
        """Remove about that many triangles; 0 when no edge may go any more."""
        if self.size[0] + 64 * triangles > len(self.cost):
            self._grow(int(self.size[0]) + 64 * triangles)
        return int(_collapse(*self.mesh, self.version, self.cost, self.ends, self.size, triangles))

    def _grow(self, room: int) -> None:
        self.cost = np.resize(self.cost, room)
        self.ends = np.resize(self.ends, (room, 4))


def _quadrics(points: Doubles, faces: Ints) -> Doubles:
    """Sum of the squared distance forms of the planes at each vertex, float64 [V, 10], weighted by area."""
    vectors = face_vectors(points.astype(np.float64), faces)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    normal = vectors / np.where(length > 0, length, 1)
    forms = _forms(normal, points[faces[:, 0]], length[:, 0] / 2)
    edges = edges_of(faces)
    border = edges.border[edges.of_faces]
    f, k = np.nonzero(border)
    a, b = faces[f, k], faces[f, (k + 1) % 3]
    along = points[b] - points[a]
    upright = np.cross(along, normal[f])
    size = np.linalg.norm(upright, axis=1, keepdims=True)
    edge_forms = _forms(upright / np.where(size > 0, size, 1), points[a], BORDER * (along**2).sum(1))
    out = np.zeros((len(points), 10))
    for corner in range(3):
        for column in range(10):
            out[:, column] += np.bincount(faces[:, corner], forms[:, column], len(points))
    for side in (a, b):
        for column in range(10):
            out[:, column] += np.bincount(side, edge_forms[:, column], len(points))
    return out


def _forms(normal: Doubles, point: Doubles, weight: Doubles) -> Doubles:
    """xx xy xz yy yz zz, x y z, 1 of weight·(n·p + d)²."""
    x, y, z = normal.T
    d = -np.einsum("nc,nc->n", normal, point)
    columns = [x * x, x * y, x * z, y * y, y * z, z * z, x * d, y * d, z * d, d * d]
    return np.asarray(np.stack(columns, axis=1) * weight[:, None])


@kernel
def _link(faces: Ints, head: Ints, following: Ints) -> None:
    """Chain the corners at each vertex."""
    for corner in range(faces.shape[0] * 3 - 1, -1, -1):
        vertex = faces[corner // 3, corner % 3]
        following[corner] = head[vertex]
        head[vertex] = corner


@inlined
def _target(q: Any, points: Doubles, a: int, b: int, out: Doubles) -> Any:
    """The place of least error of an edge into `out` [3]; its error, with a little for the edge's length."""
    mx, my, mz = (points[a, 0] + points[b, 0]) / 2, (points[a, 1] + points[b, 1]) / 2, (points[a, 2] + points[b, 2]) / 2
    trace = q[0] + q[3] + q[5]
    soft = 1e-3 * trace + 1e-30
    xx, yy, zz = q[0] + soft, q[3] + soft, q[5] + soft
    rx, ry, rz = soft * mx - q[6], soft * my - q[7], soft * mz - q[8]
    c0, c1, c2 = yy * zz - q[4] * q[4], q[4] * q[2] - q[1] * zz, q[1] * q[4] - yy * q[2]
    det = xx * c0 + q[1] * c1 + q[2] * c2
    x = (c0 * rx + c1 * ry + c2 * rz) / det
    y = (c1 * rx + (xx * zz - q[2] * q[2]) * ry + (q[1] * q[2] - xx * q[4]) * rz) / det
    z = (c2 * rx + (q[1] * q[2] - xx * q[4]) * ry + (xx * yy - q[1] * q[1]) * rz) / det
    ex, ey, ez = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
    length = ex * ex + ey * ey + ez * ez
    if not (abs(x - mx) + abs(y - my) + abs(z - mz) < 3 * np.sqrt(length)):
        x, y, z = mx, my, mz
    out[0], out[1], out[2] = x, y, z
    error = (
        q[0] * x * x + q[3] * y * y + q[5] * z * z + 2 * (q[1] * x * y + q[2] * x * z + q[4] * y * z)
        + 2 * (q[6] * x + q[7] * y + q[8] * z) + q[9]
    )  # fmt: skip
    return max(error, 0.0) + FLAT * trace * length


@inlined
def _push(cost: Doubles, ends: Ints, size: NDArray[np.int64], value: float, a: int, b: int, va: int, vb: int) -> None:
    """Add an edge with its vertices' versions to the heap."""
    child = size[0]
    size[0] += 1
    while child > 0:
        parent = (child - 1) >> 1
        if cost[parent] <= value:
            break
        cost[child] = cost[parent]
        for c in range(4):
            ends[child, c] = ends[parent, c]
        child = parent
    cost[child] = value
    ends[child, 0], ends[child, 1], ends[child, 2], ends[child, 3] = a, b, va, vb


@inlined
def _drop(cost: Doubles, ends: Ints, size: NDArray[np.int64]) -> None:
    """Remove the heap's first entry."""
    size[0] -= 1
    last = size[0]
    value = cost[last]
    hole = 0
    while True:
        child = 2 * hole + 1
        if child >= last:
            break
        if child + 1 < last and cost[child + 1] < cost[child]:
            child += 1
        if cost[child] >= value:
            break
        cost[hole] = cost[child]
        for c in range(4):
            ends[hole, c] = ends[child, c]
        hole = child
    cost[hole] = value
    for c in range(4):
        ends[hole, c] = ends[last, c]


@kernel
def _fill(
    points: Doubles, quadrics: Doubles, edges: Ints, version: Ints, cost: Doubles, ends: Ints, size: NDArray[np.int64]
) -> None:
    """Every edge into the heap."""
    place, q = np.empty(3), np.empty(10)
    for n in range(len(edges)):
        a, b = edges[n, 0], edges[n, 1]
        for c in range(10):
            q[c] = quadrics[a, c] + quadrics[b, c]
        _push(cost, ends, size, _target(q, points, a, b, place), a, b, 0, 0)


@inlined
def _ring(vertex: int, faces: Ints, head: Ints, following: Ints, found: Ints) -> int:
    """Faces alive at a vertex into `found`; dead ones leave its chain. -1 when there are too many."""
    count, before, corner = 0, -1, head[vertex]
    while corner >= 0:
        after = following[corner]
        if faces[corner // 3, 0] < 0:
            if before < 0:
                head[vertex] = after
            else:
                following[before] = after
        else:
            if count == len(found):
                return -1
            found[count] = corner // 3
            count += 1
            before = corner
        corner = after
    return count


@inlined
def _bad_turn(points: Doubles, faces: Ints, face: int, moved: int, place: Doubles) -> bool:
    """Whether a triangle would turn over, or become a needle worse than it was, when one corner goes to `place`."""
    k = 0 if faces[face, 0] == moved else (1 if faces[face, 1] == moved else 2)
    p, q = faces[face, (k + 1) % 3], faces[face, (k + 2) % 3]
    ux, uy, uz = points[q, 0] - points[p, 0], points[q, 1] - points[p, 1], points[q, 2] - points[p, 2]
    ax, ay, az = points[moved, 0] - points[p, 0], points[moved, 1] - points[p, 1], points[moved, 2] - points[p, 2]
    bx, by, bz = place[0] - points[p, 0], place[1] - points[p, 1], place[2] - points[p, 2]
    nx, ny, nz = uy * az - uz * ay, uz * ax - ux * az, ux * ay - uy * ax
    mx, my, mz = uy * bz - uz * by, uz * bx - ux * bz, ux * by - uy * bx
    old, new = np.sqrt(nx * nx + ny * ny + nz * nz), np.sqrt(mx * mx + my * my + mz * mz)
    if nx * mx + ny * my + nz * mz < TURN * old * new:
        return True
    around = ux * ux + uy * uy + uz * uz + bx * bx + by * by + bz * bz
    around += (bx - ux) ** 2 + (by - uy) ** 2 + (bz - uz) ** 2
    before = ux * ux + uy * uy + uz * uz + ax * ax + ay * ay + az * az
    before += (ax - ux) ** 2 + (ay - uy) ** 2 + (az - uz) ** 2
    # 2·√3·|n| / Σ edge² is 1 for equal sides.
    quality, former = 3.4641 * new / (around + 1e-300), 3.4641 * old / (before + 1e-300)
    return bool(quality < NEEDLE and quality < former)


@kernel
def _allowed(
    points: Doubles, faces: Ints, a: int, b: int, place: Doubles, at_a: Ints, na: int, at_b: Ints, nb: int, seen: Ints
) -> bool:
    """The link condition, and no triangle turned over."""
    shared, count = 0, 0
    for n in range(na):
        face = at_a[n]
        both = False
        for c in range(3):
            v = faces[face, c]
            if v == b:
                both = True
            if v != a:
                known = False
                for m in range(count):
                    known = known or seen[m] == v
                if not known:
                    seen[count] = v
                    count += 1
        shared += both
        if not both and _bad_turn(points, faces, face, a, place):
            return False
    common, others = 0, 0
    first_b = count
    for n in range(nb):
        face = at_b[n]
        both = False
        for c in range(3):
            both |= faces[face, c] == a
        for c in range(3):
            v = faces[face, c]
            if v in (a, b):
                continue
            known = False
            for m in range(first_b, count):
                known = known or seen[m] == v
            if known:
                continue
            seen[count] = v
            count += 1
            others += 1
            for m in range(first_b):
                if seen[m] == v:
                    common += 1
                    break
        if not both and _bad_turn(points, faces, face, b, place):
            return False
    if shared == 0 or shared > 2 or common != shared:
        return False
    # At an inner vertex there are as many neighbours as faces; on an outline one more.
    outline_a, outline_b = first_b != na, others + 1 != nb
    if outline_a and outline_b and shared == 2:
        return False
    if na + nb - 2 * shared > MOST_RING:
        return False
    # A tetrahedron, or two triangles back to back, would fold flat.
    return bool(not (shared == 2 and na + nb - 4 < 3))


@kernel
def _collapse(
    points: Doubles, faces: Ints, quadrics: Doubles, head: Ints, following: Ints, version: Ints,
    cost: Doubles, ends: Ints, size: NDArray[np.int64], triangles: int,
) -> int:  # fmt: skip
    """Collapse the cheapest edges until `triangles` are gone or no edge is left; returns how many went."""
    place, q = np.empty(3), np.empty(10)
    at_a, at_b, seen = np.empty(64, np.int32), np.empty(64, np.int32), np.empty(512, np.int32)
    removed = 0
    while removed < triangles and size[0] > 0:
        a, b = ends[0, 0], ends[0, 1]
        fresh = ends[0, 2] == version[a] and ends[0, 3] == version[b]
        _drop(cost, ends, size)
        if not fresh:
            continue
        na, nb = _ring(a, faces, head, following, at_a), _ring(b, faces, head, following, at_b)
        if na <= 0 or nb <= 0:
            continue
        for c in range(10):
            q[c] = quadrics[a, c] + quadrics[b, c]
        _target(q, points, a, b, place)
        if not _allowed(points, faces, a, b, place, at_a, na, at_b, nb, seen):
            continue
        for n in range(nb):
            face = at_b[n]
            both = a in (faces[face, 0], faces[face, 1], faces[face, 2])
            if both:
                faces[face, 0] = -1
                removed += 1
            else:
                for c in range(3):
                    if faces[face, c] == b:
                        faces[face, c] = a
        last = head[a]
        while following[last] >= 0:
            last = following[last]
        following[last] = head[b]
        head[b] = -1
        for c in range(3):
            points[a, c] = place[c]
        for c in range(10):
            quadrics[a, c] = q[c]
        version[a] += 1
        version[b] += 1
        na = _ring(a, faces, head, following, at_a)
        _push_ring(points, faces, quadrics, version, cost, ends, size, a, at_a, na, seen, place, q)
    return removed


@kernel
def _push_ring(
    points: Doubles, faces: Ints, quadrics: Doubles, version: Ints, cost: Doubles, ends: Ints,
    size: NDArray[np.int64], a: int, at_a: Ints, na: int, seen: Ints, place: Doubles, q: Doubles,
) -> None:  # fmt: skip
    """Every edge from `a`, once, with its new cost into the heap."""
    count = 0
    for n in range(na):
        for c in range(3):
            v = faces[at_a[n], c]
            known = v == a
            for m in range(count):
                known = known or seen[m] == v
            if known:
                continue
            seen[count] = v
            count += 1
            for d in range(10):
                q[d] = quadrics[a, d] + quadrics[v, d]
            value = _target(q, points, a, v, place)
            _push(cost, ends, size, value, min(a, v), max(a, v), version[min(a, v)], version[max(a, v)])
