"""The inner loops that find out about surfaces from depth alone: which way they face, and how open they lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engines.assets import FloatArray
from generators.radiance.rasterizer.kernels import inlined, parallel_kernel, prange

Real = Any
"""A number of a kernel, a float32 unless it is an integer."""
SAMPLES = 12
_TURN, _FAR = np.arange(SAMPLES) * np.radians(137.50776), np.sqrt((np.arange(SAMPLES) + 0.7) / SAMPLES)
SPIRAL = np.stack([np.cos(_TURN) * _FAR, np.sin(_TURN) * _FAR], axis=1).astype(np.float32)
"""Where to look for what closes the sky, in a disc of radius 1: turned by golden angles, the same everywhere."""
VIEW = 17
"""Numbers of a view: rotation by rows (9), place (3), focal x and y, centre x and y, 1 when orthographic."""


@inlined
def ray_of(view: FloatArray, x: Real, y: Real) -> tuple[Real, Real, Real]:
    """Direction of a pixel in the camera's axes, of length 1 along -Z; for an orthographic one its place."""
    return (x - view[14]) / view[12], (view[15] - y) / view[13], np.float32(-1)


@inlined
def place_of(view: FloatArray, x: int, y: int, depth: Real) -> tuple[Real, Real, Real]:
    """Where a pixel's surface lies in the camera's axes."""
    across, up, _ = ray_of(view, np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5))
    if view[16] > 0:
        return across, up, -depth
    return across * depth, up * depth, -depth


@parallel_kernel
def normals_of(depth: FloatArray, view: FloatArray, out: FloatArray) -> None:
    """Unit normals in the world's axes from depth alone: of each pair of neighbours the one that is nearer in depth."""
    height, width = depth.shape
    for line in prange(height):
        y: Any = np.int64(line)  # prange counts in unsigned numbers, whose differences with signed ones are floats
        for x in range(width):
            here = depth[y, x]
            if not here < np.float32(1e30):
                out[y, x, 0] = out[y, x, 1] = out[y, x, 2] = np.float32(0)
                continue
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            up, down = max(y - 1, 0), min(y + 1, height - 1)
            if right > x and (left == x or abs(depth[y, right] - here) < abs(depth[y, left] - here)):
                left = x
            else:
                right = x
            if down > y and (up == y or abs(depth[down, x] - here) < abs(depth[up, x] - here)):
                up = y
            else:
                down = y
            ax, ay, az = place_of(view, left, y, depth[y, left])
            bx, by, bz = place_of(view, right, y, depth[y, right])
            cx, cy, cz = place_of(view, x, down, depth[down, x])
            dx, dy, dz = place_of(view, x, up, depth[up, x])
            ux, uy, uz = bx - ax, by - ay, bz - az
            vx, vy, vz = dx - cx, dy - cy, dz - cz
            nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
            norm = 1 / math.sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-30))
            nx, ny, nz = nx * norm, ny * norm, nz * norm
            for row in range(3):
                out[y, x, row] = view[3 * row] * nx + view[3 * row + 1] * ny + view[3 * row + 2] * nz


@parallel_kernel
def openness(
    depth: FloatArray, normal: FloatArray, view: FloatArray, sun: FloatArray, reach_m: Real, out: FloatArray
) -> None:
    """How open the sky is and whether the sun is seen, both 0..1, at half the size; as far as the picture tells.

    `sun` [3] points to it, in the camera's axes. `out` [H/2, W/2, 2].
    """
    height, width = depth.shape
    for line in prange(out.shape[0]):
        row: Any = np.int64(line)
        for column in range(out.shape[1]):
            x, y = min(2 * column + 1, width - 1), min(2 * row + 1, height - 1)
            here = depth[y, x]
            out[row, column, 0] = out[row, column, 1] = np.float32(1)
            if not here < np.float32(1e30):
                continue
            px, py, pz = place_of(view, x, y, here)
            wx, wy, wz = normal[y, x, 0], normal[y, x, 1], normal[y, x, 2]
            nx = view[0] * wx + view[3] * wy + view[6] * wz
            ny = view[1] * wx + view[4] * wy + view[7] * wz
            nz = view[2] * wx + view[5] * wy + view[8] * wz
            per_m = view[12] if view[16] > 0 else view[12] / max(here, np.float32(1e-3))
            reach_px = min(max(reach_m * per_m, np.float32(3)), np.float32(48))
            closed = np.float32(0)
            for sample in range(SAMPLES):
                sx, sy = int(x + SPIRAL[sample, 0] * reach_px), int(y + SPIRAL[sample, 1] * reach_px)
                if sx < 0 or sy < 0 or sx >= width or sy >= height or not depth[sy, sx] < np.float32(1e30):
                    continue
                qx, qy, qz = place_of(view, sx, sy, depth[sy, sx])
                qx, qy, qz = qx - px, qy - py, qz - pz
                square = qx * qx + qy * qy + qz * qz + np.float32(1e-9)
                rise = (qx * nx + qy * ny + qz * nz) / math.sqrt(square)
                fades = max(np.float32(0), 1 - square / (np.float32(4) * reach_m * reach_m))
                closed += max(np.float32(0), rise - np.float32(0.12)) * fades
            out[row, column, 0] = max(np.float32(0.12), 1 - np.float32(2.2) * closed / SAMPLES)
            if sun[0] * nx + sun[1] * ny + sun[2] * nz <= 0:
                continue
            shadow = np.float32(0)
            for step in range(1, 19):
                t = reach_m * np.float32(5) * np.float32(step * step) / np.float32(18 * 18)
                qx = px + sun[0] * t + nx * np.float32(0.02) * reach_m
                qy = py + sun[1] * t + ny * np.float32(0.02) * reach_m
                qz = pz + sun[2] * t + nz * np.float32(0.02) * reach_m
                if view[16] > 0:
                    fx, fy = qx * view[12] + view[14], view[15] - qy * view[13]
                else:
                    if qz > np.float32(-1e-3):
                        break
                    fx, fy = view[14] - qx / qz * view[12], view[15] + qy / qz * view[13]
                if fx < 0 or fy < 0 or fx >= width or fy >= height:
                    break
                behind = -qz - depth[int(fy), int(fx)]
                if np.float32(0.01) * t + np.float32(0.004) * here < behind < reach_m + t:
                    shadow = 1 - np.float32(0.5) * np.float32(step) / np.float32(18)
                    break
            out[row, column, 1] = 1 - shadow
