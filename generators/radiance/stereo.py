"""Depth from a few neighbouring photographs with known poses, in a second or two: a plane sweep.

For every view the neighbours are warped onto planes in front of it, evenly spaced in inverse depth (Collins
1996). A pixel takes the plane where its 5×5 surroundings correlate best with the better half of the neighbours,
which forgives occlusion, refined by a parabola. A depth is kept when the neighbours' own maps agree with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.cameras import Camera
from generators.radiance.rasterizer.kernels import inlined, kernel, parallel_kernel, prange

PLANES = 80
NEIGHBOURS = 4
RADIUS_PX = 2
"""Half the window, so 5×5."""
SCORE_MIN = 0.55
AGREE = 0.04
"""Two depths agree when they differ by less than this share."""
BEST_ANGLE_DEG = 10.0
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)


@dataclass(frozen=True, eq=False)
class DepthMap:
    """`depth` float32 [H, W] along the camera's +Z, 0 where it is not known."""

    camera: Camera
    depth: FloatArray


def focus(cameras: list[Camera]) -> NDArray[np.float64]:
    """The point [3] nearest to all optical axes; for parallel views a point one rig's width ahead of them."""
    positions = np.array([camera.position for camera in cameras])
    forwards = np.array([camera.forward for camera in cameras])
    across = np.eye(3) - forwards[:, :, None] * forwards[:, None, :]
    matrix = across.sum(0)
    spread = float(np.linalg.norm(positions - positions.mean(0), axis=1).max())
    if np.linalg.eigvalsh(matrix)[0] > 0.02 * len(cameras):
        point: NDArray[np.float64] = np.linalg.solve(matrix, (across @ positions[:, :, None]).sum(0)[:, 0])
        ahead = ((point - positions) * forwards).sum(1)
        if np.median(ahead) > 0.1 * spread:
            return point
    middle: NDArray[np.float64] = positions.mean(0) + forwards.mean(0) * max(2.0 * spread, 1e-3)
    return middle


def neighbours(cameras: list[Camera], point: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """For each camera the `count` others that see `point` from about 10° beside it, int64 [cameras, count]."""
    rays = np.array([point - camera.position for camera in cameras])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    forwards = np.array([camera.forward for camera in cameras])
    angle = np.degrees(np.arccos(np.clip(rays @ rays.T, -1, 1)))
    turned = np.degrees(np.arccos(np.clip(forwards @ forwards.T, -1, 1)))
    cost = np.abs(np.log(np.maximum(angle, 0.3) / BEST_ANGLE_DEG)) + (turned / 40.0) ** 2
    np.fill_diagonal(cost, np.inf)
    return np.argsort(cost, axis=1, kind="stable")[:, : min(count, len(cameras) - 1)]


@inlined
def _sample(picture: FloatArray, u: Any, v: Any) -> Any:
    """A grey picture read bilinearly at pixel coordinates; -1 outside."""
    rows, columns = picture.shape
    s, t = u - HALF, v - HALF
    if not (ZERO <= s <= np.float32(columns - 1) and ZERO <= t <= np.float32(rows - 1)):
        return np.float32(-1)
    x, y = min(int(s), columns - 2), min(int(t), rows - 2)
    a, b = s - np.float32(x), t - np.float32(y)
    upper = picture[y, x] * (ONE - a) + picture[y, x + 1] * a
    lower = picture[y + 1, x] * (ONE - a) + picture[y + 1, x + 1] * a
    return upper * (ONE - b) + lower * b


@kernel
def _box(values: FloatArray, scratch: FloatArray, out: FloatArray) -> None:
    """Sums over the window; pixels within its radius of the border are left alone."""
    rows, columns = values.shape
    r = RADIUS_PX
    for y in range(rows):
        for x in range(r, columns - r):
            total = values[y, x - r]
            for k in range(1 - r, r + 1):
                total += values[y, x + k]
            scratch[y, x] = total
    for y in range(r, rows - r):
        for x in range(r, columns - r):
            total = scratch[y - r, x]
            for k in range(1 - r, r + 1):
                total += scratch[y + k, x]
            out[y, x] = total


@kernel
def _correlate(
    picture: FloatArray, other: FloatArray, motion: FloatArray, inverse: np.float32, work: FloatArray, score: FloatArray
) -> None:
    """Fill `score` with the correlation of each window with `other` seen on the plane of inverse depth `inverse`.

    `motion` [3, 4] carries homogeneous pixels (u, v, 1, inverse depth) of `picture` to those of `other`;
    `work[4:6]` hold the window's mean and deviation in `picture`.
    """
    rows, columns = picture.shape
    area = np.float32((2 * RADIUS_PX + 1) ** 2)
    for y in range(rows):
        for x in range(columns):
            u, v = np.float32(x) + HALF, np.float32(y) + HALF
            w = motion[2, 0] * u + motion[2, 1] * v + motion[2, 2] + motion[2, 3] * inverse
            value = np.float32(-1)
            if w > np.float32(1e-6):
                s = (motion[0, 0] * u + motion[0, 1] * v + motion[0, 2] + motion[0, 3] * inverse) / w
                t = (motion[1, 0] * u + motion[1, 1] * v + motion[1, 2] + motion[1, 3] * inverse) / w
                value = _sample(other, s, t)
            work[0, y, x] = value
            work[1, y, x] = value * value
            # one pixel outside spoils every window that holds it
            work[2, y, x] = value * picture[y, x] if value >= ZERO else np.float32(-1e6)
    for k in range(3):
        _box(work[k], work[3], work[6 + k])
    for y in range(RADIUS_PX, rows - RADIUS_PX):
        for x in range(RADIUS_PX, columns - RADIUS_PX):
            mean, square, product = work[6, y, x] / area, work[7, y, x] / area, work[8, y, x] / area
            variance = max(square - mean * mean, ZERO)
            value = (product - mean * work[4, y, x]) / (np.sqrt(variance) * work[5, y, x] + np.float32(1e-5))
            score[y, x] = value if product > ZERO else -ONE


@kernel
def _window_moments(picture: FloatArray, work: FloatArray) -> None:
    """Put each window's mean and deviation in `picture` into `work[4:6]`."""
    rows, columns = picture.shape
    area = np.float32((2 * RADIUS_PX + 1) ** 2)
    for y in range(rows):
        for x in range(columns):
            work[0, y, x] = picture[y, x] * picture[y, x]
    _box(picture, work[3], work[4])
    _box(work[0], work[3], work[5])
    for y in range(rows):
        for x in range(columns):
            mean = work[4, y, x] / area
            work[4, y, x] = mean
            work[5, y, x] = np.sqrt(max(work[5, y, x] / area - mean * mean, ZERO))


@parallel_kernel
def _sweep(
    pictures: FloatArray, near_by: NDArray[np.int64], motions: FloatArray, inverses: FloatArray, scores: FloatArray,
    depths: FloatArray,
) -> None:  # fmt: skip
    """Fill `depths` [V, H, W] and `scores` [V, H, W] of the best plane of every pixel of every view."""
    views, rows, columns = pictures.shape
    others, planes = near_by.shape[1], inverses.shape[1]
    for view in prange(views):
        work = np.zeros((9, rows, columns), np.float32)
        each = np.full((others, rows, columns), -ONE, np.float32)
        volume = np.full((planes, rows, columns), -ONE, np.float32)
        _window_moments(pictures[view], work)
        for plane in range(planes):
            for k in range(others):
                _correlate(
                    pictures[view], pictures[near_by[view, k]], motions[view, k], inverses[view, plane], work, each[k]
                )
            for y in range(RADIUS_PX, rows - RADIUS_PX):
                for x in range(RADIUS_PX, columns - RADIUS_PX):
                    first, second = -ONE, -ONE
                    for k in range(others):
                        value = each[k, y, x]
                        if value > first:
                            first, second = value, first
                        elif value > second:
                            second = value
                    volume[plane, y, x] = HALF * (first + second) if others > 1 else first
        for y in range(rows):
            for x in range(columns):
                best, at = -ONE, 0
                for plane in range(planes):
                    if volume[plane, y, x] > best:
                        best, at = volume[plane, y, x], plane
                shift = ZERO
                if 0 < at < planes - 1:
                    before, after = volume[at - 1, y, x], volume[at + 1, y, x]
                    bend = before - ONE * 2 * best + after
                    if bend < np.float32(-1e-6):
                        shift = min(max(HALF * (before - after) / bend, -HALF), HALF)
                step = inverses[view, 1] - inverses[view, 0]
                inside = 0 < at < planes - 1 and work[5, y, x] > np.float32(0.008)
                scores[view, y, x] = best if inside else -ONE
                depths[view, y, x] = ONE / (inverses[view, at] + shift * step)


@parallel_kernel
def _agreement(
    depths: FloatArray, scores: FloatArray, near_by: NDArray[np.int64], motions: FloatArray, votes: NDArray[np.int32]
) -> None:
    """Fill `votes` [V, H, W] with the number of neighbours whose depth at the same point agrees."""
    views, rows, columns = depths.shape
    for view in prange(views):
        for y in range(rows):
            for x in range(columns):
                z, count = depths[view, y, x], 0
                for k in range(near_by.shape[1]):
                    m, other = motions[view, k], near_by[view, k]
                    u, v = np.float32(x) + HALF, np.float32(y) + HALF
                    w = m[2, 0] * u + m[2, 1] * v + m[2, 2] + m[2, 3] / z
                    if w > np.float32(1e-6):
                        s = int(np.floor((m[0, 0] * u + m[0, 1] * v + m[0, 2] + m[0, 3] / z) / w))
                        t = int(np.floor((m[1, 0] * u + m[1, 1] * v + m[1, 2] + m[1, 3] / z) / w))
                        inside = 0 <= s < columns and 0 <= t < rows and scores[other, t, s] > np.float32(SCORE_MIN)
                        if inside and abs(depths[other, t, s] - w * z) < np.float32(AGREE) * w * z:
                            count += 1
                votes[view, y, x] = count if scores[view, y, x] > np.float32(SCORE_MIN) else 0


def _motion(source: Camera, target: Camera) -> NDArray[np.float64]:
    """[3, 4] from (u, v, 1, inverse depth) of one camera's picture to homogeneous pixels of the other's."""
    between = target.camera_from_world @ np.linalg.inv(source.camera_from_world)
    back = np.array(
        [
            [1 / source.fx, 0, -source.cx / source.fx, 0],
            [0, 1 / source.fy, -source.cy / source.fy, 0],
            [0, 0, 1, 0],
            [0, 0, 0, 1],
        ]
    )
    forth = np.array([[target.fx, 0, target.cx], [0, target.fy, target.cy], [0, 0, 1]])
    motion: NDArray[np.float64] = forth @ between[:3] @ back
    return motion


def depth_maps(
    pictures: FloatArray, cameras: list[Camera], nearest: NDArray[np.float64], farthest: NDArray[np.float64]
) -> list[DepthMap]:
    """Depth of grey `pictures` float32 [V, H, W] in 0..1, between `nearest` and `farthest` [V] along each view."""
    near_by = neighbours(cameras, focus(cameras), NEIGHBOURS)
    motions = np.array(
        [[_motion(camera, cameras[k]) for k in row] for camera, row in zip(cameras, near_by, strict=True)], np.float32
    )
    steps = np.linspace(0.0, 1.0, PLANES)
    inverses = (1 / farthest[:, None] + steps * (1 / nearest - 1 / farthest)[:, None]).astype(np.float32)
    depths, scores = np.empty_like(pictures), np.empty_like(pictures)
    votes = np.empty(pictures.shape, np.int32)
    _sweep(pictures, near_by, motions, inverses, scores, depths)
    _agreement(depths, scores, near_by, motions, votes)
    depths[votes < min(2, near_by.shape[1])] = 0.0
    return [DepthMap(camera, depth) for camera, depth in zip(cameras, depths, strict=True)]
