"""From covariances back to scales and rotations: the Jacobi method on many 3×3 matrices, in numba."""

from __future__ import annotations

import numpy as np

from engines.assets import FloatArray
from generators.radiance.rasterizer.kernels import parallel_kernel, prange

SWEEPS = 8
"""Turns through all three planes; the off-diagonal is at rounding error after five."""


@parallel_kernel
def _decompose(covariances: FloatArray, scales: FloatArray, rotations: FloatArray) -> None:
    for i in prange(len(covariances)):
        a, v = np.zeros((3, 3), np.float64), np.zeros((3, 3), np.float64)
        c = covariances[i]
        a[0, 0], a[0, 1], a[0, 2] = c[0], c[1], c[2]
        a[1, 0], a[1, 1], a[1, 2] = c[1], c[3], c[4]
        a[2, 0], a[2, 1], a[2, 2] = c[2], c[4], c[5]
        v[0, 0] = v[1, 1] = v[2, 2] = 1.0
        for _ in range(SWEEPS):
            for p in range(2):
                for q in range(p + 1, 3):
                    if a[p, q] == 0.0:
                        continue
                    theta = 0.5 * (a[q, q] - a[p, p]) / a[p, q]
                    t = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
                    if theta < 0.0:
                        t = -t
                    cosine = 1.0 / np.sqrt(t * t + 1.0)
                    sine = t * cosine
                    for k in range(3):
                        x, y = a[k, p], a[k, q]
                        a[k, p], a[k, q] = cosine * x - sine * y, sine * x + cosine * y
                    for k in range(3):
                        x, y = a[p, k], a[q, k]
                        a[p, k], a[q, k] = cosine * x - sine * y, sine * x + cosine * y
                        x, y = v[k, p], v[k, q]
                        v[k, p], v[k, q] = cosine * x - sine * y, sine * x + cosine * y
        for k in range(3):
            scales[i, k] = np.sqrt(max(a[k, k], 1e-18))
        # Jacobi's turns keep the axes right-handed, so this is a rotation; its quaternion by Shepperd (1978).
        trace = v[0, 0] + v[1, 1] + v[2, 2]
        w, x, y, z = trace, v[0, 0], v[1, 1], v[2, 2]
        if w >= x and w >= y and w >= z:
            w, x, y, z = 1.0 + trace, v[2, 1] - v[1, 2], v[0, 2] - v[2, 0], v[1, 0] - v[0, 1]
        elif x >= y and x >= z:
            w, x, y, z = v[2, 1] - v[1, 2], 1.0 + x - y - z, v[1, 0] + v[0, 1], v[0, 2] + v[2, 0]
        elif y >= z:
            w, x, y, z = v[0, 2] - v[2, 0], v[1, 0] + v[0, 1], 1.0 - x + y - z, v[2, 1] + v[1, 2]
        else:
            w, x, y, z = v[1, 0] - v[0, 1], v[0, 2] + v[2, 0], v[2, 1] + v[1, 2], 1.0 - x - y + z
        length = np.sqrt(w * w + x * x + y * y + z * z)
        if w < 0.0:
            length = -length
        rotations[i, 0], rotations[i, 1] = w / length, x / length
        rotations[i, 2], rotations[i, 3] = y / length, z / length


def decomposed(covariances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Scales float32 [N, 3] > 0 and unit quaternions wxyz float32 [N, 4] of covariances [N, 6] (xx xy xz yy yz zz)."""
    scales = np.empty((len(covariances), 3), np.float32)
    rotations = np.empty((len(covariances), 4), np.float32)
    _decompose(np.ascontiguousarray(covariances, np.float32), scales, rotations)
    return scales, rotations
