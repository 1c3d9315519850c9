"""Colours for places on a surface out of pictures of it: who sees what, how well, and how the pictures are blended.

A picture counts at a place when the place is in front of it and not hidden by the surface, and counts the more the
nearer it is and the straighter it looks. Only pictures nearly as good as the best take part, with weights that fade
to nothing, so details stay sharp and no seam shows where one picture gives way to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.meshes.isosurface import Check, Ints
from generators.radiance.cameras import Camera
from generators.radiance.rasterizer.kernels import inlined, kernel, parallel_kernel, prange

EDGE_PX = 4
"""Pixels this near to where the surface jumps may show something else."""
NEARLY = 0.5
"""A picture takes part when its weight is at least this share of the best."""
STRAIGHT = 2.0
"""Power of the cosine between the line of sight and the normal."""
WORTH_TRYING = 0.3
"""Share of the best weight on a triangle that a picture must reach to be tried there; less than `NEARLY`."""
TRIAL_STRIDE = 13
"""Every so many texels one is judged for the whole triangle."""
OUTLIER = 0.12
"""Deviation from the common colour, 0..1, beyond which a picture is doubted."""


@dataclass(frozen=True, eq=False)
class Picture:
    """`pixels` [H, W, 3] display-referred, uint8 or float32 0..1; `trust` float32 [H, W] 0..1, 0 where it must not be
    used; `gains` [3] bring its exposure to that of the others.
    """

    camera: Camera
    pixels: NDArray[np.uint8] | FloatArray
    trust: FloatArray
    gains: FloatArray = field(default_factory=lambda: np.ones(3, np.float32))

    def levelled(self) -> FloatArray:
        """The pixels as float32 at the common exposure."""
        scale = np.float32(1 / 255 if self.pixels.dtype == np.uint8 else 1)
        return np.asarray(self.pixels * (self.gains * scale), np.float32)


@dataclass(frozen=True, eq=False)
class Blend:
    """`colours` float32 [P, 3]; `seen` bool [P], false where no picture shows the place."""

    colours: FloatArray
    seen: NDArray[np.bool_]


@kernel
def _draw(seen: FloatArray, faces: Ints, lens: FloatArray, depth: FloatArray) -> None:
    """Nearest distance along +Z of triangles whose corners `seen` [V, 3] are in camera axes."""
    rows, columns = depth.shape
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        if min(seen[a, 2], seen[b, 2], seen[c, 2]) <= 1e-6:
            continue
        ax, ay = lens[0] * seen[a, 0] / seen[a, 2] + lens[2], lens[1] * seen[a, 1] / seen[a, 2] + lens[3]
        bx, by = lens[0] * seen[b, 0] / seen[b, 2] + lens[2], lens[1] * seen[b, 1] / seen[b, 2] + lens[3]
        cx, cy = lens[0] * seen[c, 0] / seen[c, 2] + lens[2], lens[1] * seen[c, 1] / seen[c, 2] + lens[3]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-9:
            continue
        low_x, high_x = max(min(ax, bx, cx) - 0.5, 0.0), min(max(ax, bx, cx) + 0.5, columns - 1.0)
        low_y, high_y = max(min(ay, by, cy) - 0.5, 0.0), min(max(ay, by, cy) + 0.5, rows - 1.0)
        ra, rb, rc = 1 / seen[a, 2], 1 / seen[b, 2], 1 / seen[c, 2]
        for y in range(int(low_y), int(high_y) + 1):
            for x in range(int(low_x), int(high_x) + 1):
                px, py = x + 0.5, y + 0.5
                u = ((bx - px) * (cy - py) - (cx - px) * (by - py)) / area
                v = ((cx - px) * (ay - py) - (ax - px) * (cy - py)) / area
                w = 1 - u - v
                if u < 0 or v < 0 or w < 0:
                    continue
                z = np.float32(1 / (u * ra + v * rb + w * rc))
                if depth[y, x] == 0 or z < depth[y, x]:
                    depth[y, x] = z


def depth_of(positions: FloatArray, faces: Ints, camera: Camera) -> FloatArray:
    """Distance of a mesh along the camera's +Z, float32 [H, W], 0 where there is nothing."""
    seen = (positions @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]).astype(np.float32)
    lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float32)
    depth = np.zeros((camera.height, camera.width), np.float32)
    _draw(seen, faces, lens, depth)
    return depth


def calm(depth: FloatArray, radius: int = EDGE_PX) -> FloatArray:
    """1 where the surface runs on all around, falling to 0 towards its edges and the picture's, float32 [H, W]."""
    near = np.where(depth > 0, depth, np.inf)
    far = np.where(depth > 0, depth, np.inf)
    for axis in (0, 1):
        near, far = _extreme(near, axis, np.minimum), _extreme(far, axis, np.maximum)
    with np.errstate(invalid="ignore"):
        jump = ~(far - near < 0.05 * near)
    jump[[0, -1]] = True
    jump[:, [0, -1]] = True
    away = np.where(jump, 0, radius + 1).astype(np.float32)
    for _ in range(radius):
        for axis in (0, 1):
            away = np.minimum(away, _extreme(away, axis, np.minimum) + 1)
    return np.asarray(np.clip((away - 1) / radius, 0, 1), np.float32)


def _extreme(values: NDArray[Any], axis: int, pick: Any) -> NDArray[Any]:
    """The least or greatest of each value and its two neighbours along an axis."""
    out = values.copy()
    ahead, behind = [slice(None)] * 2, [slice(None)] * 2
    ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
    out[tuple(ahead)] = pick(out[tuple(ahead)], values[tuple(behind)])
    out[tuple(behind)] = pick(out[tuple(behind)], values[tuple(ahead)])
    return out


@inlined
def _weigh(p: Any, n: Any, pose: Any, lens: Any, depth: Any, trust: Any, tolerance: Any, where: Any) -> Any:
    """How well a camera sees a place, 0 if not at all; the pixel coordinates go into `where`."""
    rows, columns = depth.shape
    z = pose[2, 0] * p[0] + pose[2, 1] * p[1] + pose[2, 2] * p[2] + pose[2, 3]
    if z <= 1e-6:
        return np.float32(0)
    x = pose[0, 0] * p[0] + pose[0, 1] * p[1] + pose[0, 2] * p[2] + pose[0, 3]
    y = pose[1, 0] * p[0] + pose[1, 1] * p[1] + pose[1, 2] * p[2] + pose[1, 3]
    u, v = lens[0] * x / z + lens[2], lens[1] * y / z + lens[3]
    if not (1 <= u < columns - 1 and 1 <= v < rows - 1):
        return np.float32(0)
    i, j = int(v), int(u)
    hidden = depth[i, j]
    if hidden <= 0 or z > hidden + tolerance + np.float32(0.01) * z:
        return np.float32(0)
    away = np.sqrt(x * x + y * y + z * z)
    nx = pose[0, 0] * n[0] + pose[0, 1] * n[1] + pose[0, 2] * n[2]
    ny = pose[1, 0] * n[0] + pose[1, 1] * n[1] + pose[1, 2] * n[2]
    nz = pose[2, 0] * n[0] + pose[2, 1] * n[1] + pose[2, 2] * n[2]
    cosine = -(x * nx + y * ny + z * nz) / away
    if cosine < np.float32(0.1):
        return np.float32(0)
    margin = min(min(u, columns - u) / columns, min(v, rows - v) / rows)
    fade = min(margin * np.float32(20), np.float32(1))
    where[0], where[1] = u, v
    return trust[i, j] * fade * cosine * cosine * lens[0] * lens[1] / (z * z)


@inlined
def _read(pixels: Any, u: Any, v: Any, out: Any) -> None:
    """A picture's colour between four pixels into `out` [3]."""
    s, t = u - np.float32(0.5), v - np.float32(0.5)
    x, y = min(max(int(s), 0), pixels.shape[1] - 2), min(max(int(t), 0), pixels.shape[0] - 2)
    a, b = s - np.float32(x), t - np.float32(y)
    for c in range(3):
        upper = pixels[y, x, c] * (1 - a) + pixels[y, x + 1, c] * a
        lower = pixels[y + 1, x, c] * (1 - a) + pixels[y + 1, x + 1, c] * a
        out[c] = upper * (1 - b) + lower * b


@parallel_kernel
def _measure(
    rows: NDArray[np.int64], points: FloatArray, normals: FloatArray, pose: FloatArray, lens: FloatArray,
    depth: FloatArray, trust: FloatArray,
    pixels: FloatArray, tolerance: Any, best: FloatArray, total: FloatArray, sums: FloatArray,
) -> None:  # fmt: skip
    """Best weight so far, and the plain weighted sum of colours, of the places `rows`."""
    for n in prange(len(rows)):
        row = rows[n]
        where, colour = np.empty(2, np.float32), np.empty(3, np.float32)
        weight = _weigh(points[row], normals[row], pose, lens, depth, trust, tolerance, where)
        if weight <= 0:
            continue
        _read(pixels, where[0], where[1], colour)
        best[row] = max(best[row], weight)
        total[row] += weight
        for c in range(3):
            sums[row, c] += weight * colour[c]


@parallel_kernel
def _rate(
    points: FloatArray, normals: FloatArray, pose: FloatArray, lens: FloatArray, depth: FloatArray, trust: FloatArray,
    tolerance: Any, out: FloatArray,
) -> None:  # fmt: skip
    """How well one picture sees each place."""
    for row in prange(len(points)):
        where = np.empty(2, np.float32)
        out[row] = _weigh(points[row], normals[row], pose, lens, depth, trust, tolerance, where)


@parallel_kernel
def _mix(
    rows: NDArray[np.int64], points: FloatArray, normals: FloatArray, pose: FloatArray, lens: FloatArray,
    depth: FloatArray, trust: FloatArray,
    pixels: FloatArray, tolerance: Any, best: FloatArray, common: FloatArray, doubt: Any, total: FloatArray,
    sums: FloatArray,
) -> None:  # fmt: skip
    """Weighted sum of the colours of pictures nearly as good as the best that do not contradict the common colour."""
    for n in prange(len(rows)):
        row = rows[n]
        where, colour = np.empty(2, np.float32), np.empty(3, np.float32)
        weight = _weigh(points[row], normals[row], pose, lens, depth, trust, tolerance, where)
        share = (weight / best[row] - np.float32(0.5)) * np.float32(2) if best[row] > 0 else np.float32(0)
        if share <= 0:
            continue
        _read(pixels, where[0], where[1], colour)
        away = np.float32(0)
        for c in range(3):
            away += (colour[c] - common[row, c]) ** 2
        share = share * share * np.exp(-away * doubt) + np.float32(1e-6)
        total[row] += share
        for c in range(3):
            sums[row, c] += share * colour[c]


def _numbers(camera: Camera) -> tuple[FloatArray, FloatArray]:
    lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float32)
    return np.ascontiguousarray(camera.camera_from_world[:3], np.float32), lens


def _best_views(
    points: FloatArray,
    normals: FloatArray,
    pictures: Sequence[Picture],
    depths: Sequence[FloatArray],
    groups: Ints,
    tolerance_m: float,
    check: Check,
) -> NDArray[np.bool_]:
    """Which pictures are worth trying for each triangle, bool [pictures, triangles], judged at some of its places."""
    _, first = np.unique(groups, return_index=True)
    some = np.unique(np.concatenate([first, np.arange(0, len(groups), TRIAL_STRIDE)]))
    places, facing, owner = (np.ascontiguousarray(values[some]) for values in (points, normals, groups))
    triangles = int(groups.max()) + 1 if len(groups) else 0
    ratings = np.zeros((len(pictures), triangles), np.float32)
    weight = np.empty(len(some), np.float32)
    for number, (picture, depth) in enumerate(zip(pictures, depths, strict=True)):
        check()
        pose, lens = _numbers(picture.camera)
        _rate(places, facing, pose, lens, depth, picture.trust, np.float32(tolerance_m), weight)
        np.maximum.at(ratings[number], owner, weight)
    return np.asarray((ratings > 0) & (ratings >= WORTH_TRYING * ratings.max(0)))


def blended(
    points: FloatArray,
    normals: FloatArray,
    pictures: Sequence[Picture],
    depths: Sequence[FloatArray],
    *,
    tolerance_m: float,
    groups: Ints | None = None,
    check: Check = lambda: None,
) -> Blend:
    """The colour of each place [P, 3]; `depths` are the surface's own distances as each picture's camera sees it.

    With `groups` int32 [P], the triangle each place lies on, a picture is tried only where it is among the best for
    the triangle: much quicker with many pictures.
    """
    count = len(points)
    good = None if groups is None else _best_views(points, normals, pictures, depths, groups, tolerance_m, check)

    def rows(number: int) -> NDArray[np.int64]:
        return np.arange(count) if good is None else np.flatnonzero(good[number, groups])

    best, total, sums = np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros((count, 3), np.float32)
    tolerance = np.float32(tolerance_m)
    for number, (picture, depth) in enumerate(zip(pictures, depths, strict=True)):
        check()
        pose, lens = _numbers(picture.camera)
        pixels, some = picture.levelled(), rows(number)
        _measure(some, points, normals, pose, lens, depth, picture.trust, pixels, tolerance, best, total, sums)
    seen = total > 0
    common = sums / np.where(seen, total, 1)[:, None]
    total, sums = np.zeros_like(total), np.zeros_like(sums)
    doubt = np.float32(1 / (2 * OUTLIER**2))
    for number, (picture, depth) in enumerate(zip(pictures, depths, strict=True)):
        check()
        pose, lens = _numbers(picture.camera)
        pixels, some = picture.levelled(), rows(number)
        _mix(
            some, points, normals, pose, lens, depth, picture.trust, pixels, tolerance, best, common, doubt, total, sums
        )
    colours = np.where((total > 0)[:, None], sums / np.where(total > 0, total, 1)[:, None], common)
    return Blend(np.asarray(colours, np.float32), seen)
