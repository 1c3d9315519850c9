"""Spherical harmonics inside kernels: values and slopes of the sixteen basis functions for one direction.

The numbers are those of `engines.spherical_harmonics`; the tests hold both files against each other.
"""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from engines.assets import FloatArray
from generators.radiance.rasterizer.kernels import inlined

C0 = np.float32(0.5 / sqrt(pi))
C1 = np.float32(sqrt(3 / (4 * pi)))
C2A, C2B, C2C = np.float32(sqrt(15 / pi) / 2), np.float32(sqrt(5 / pi) / 4), np.float32(sqrt(15 / pi) / 4)
C3A, C3B = np.float32(sqrt(35 / (2 * pi)) / 4), np.float32(sqrt(105 / pi) / 2)
C3C, C3D, C3E = np.float32(sqrt(21 / (2 * pi)) / 4), np.float32(sqrt(7 / pi) / 4), np.float32(sqrt(105 / pi) / 4)
TWO, THREE, FOUR, SIX, EIGHT = np.float32(2), np.float32(3), np.float32(4), np.float32(6), np.float32(8)


@inlined
def basis(count: int, x: np.float32, y: np.float32, z: np.float32, out: FloatArray) -> None:
    """Fill `out` [16] with the first `count` (1, 4, 9 or 16) basis values in the unit direction (x, y, z)."""
    out[0] = C0
    if count > 1:
        out[1] = -C1 * y
        out[2] = C1 * z
        out[3] = -C1 * x
    if count > 4:
        out[4] = C2A * x * y
        out[5] = -C2A * y * z
        out[6] = C2B * (TWO * z * z - x * x - y * y)
        out[7] = -C2A * x * z
        out[8] = C2C * (x * x - y * y)
    if count > 9:
        out[9] = -C3A * y * (THREE * x * x - y * y)
        out[10] = C3B * x * y * z
        out[11] = -C3C * y * (FOUR * z * z - x * x - y * y)
        out[12] = C3D * z * (TWO * z * z - THREE * x * x - THREE * y * y)
        out[13] = -C3C * x * (FOUR * z * z - x * x - y * y)
        out[14] = C3E * z * (x * x - y * y)
        out[15] = -C3A * x * (x * x - THREE * y * y)


@inlined
def slope(
    count: int, x: np.float32, y: np.float32, z: np.float32, v: FloatArray
) -> tuple[np.float32, np.float32, np.float32]:
    """Σ v[k]·∂basis[k]/∂(x, y, z), the polynomials taken as they stand off the sphere too."""
    gx, gy, gz = np.float32(0), np.float32(0), np.float32(0)
    if count > 1:
        gx -= C1 * v[3]
        gy -= C1 * v[1]
        gz += C1 * v[2]
    if count > 4:
        gx += C2A * (y * v[4] - z * v[7]) + TWO * x * (C2C * v[8] - C2B * v[6])
        gy += C2A * (x * v[4] - z * v[5]) - TWO * y * (C2C * v[8] + C2B * v[6])
        gz += FOUR * C2B * z * v[6] - C2A * (y * v[5] + x * v[7])
    if count > 9:
        xx, yy, zz = x * x, y * y, z * z
        gx += (
            C3B * y * z * v[10]
            - SIX * C3A * x * y * v[9]
            + TWO * C3C * x * y * v[11]
            - SIX * C3D * x * z * v[12]
            - C3C * (FOUR * zz - THREE * xx - yy) * v[13]
            + TWO * C3E * x * z * v[14]
            - THREE * C3A * (xx - yy) * v[15]
        )
        gy += (
            C3B * x * z * v[10]
            - THREE * C3A * (xx - yy) * v[9]
            - C3C * (FOUR * zz - xx - THREE * yy) * v[11]
            - SIX * C3D * y * z * v[12]
            + TWO * C3C * x * y * v[13]
            - TWO * C3E * y * z * v[14]
            + SIX * C3A * x * y * v[15]
        )
        gz += (
            C3B * x * y * v[10]
            - EIGHT * C3C * y * z * v[11]
            + C3D * (SIX * zz - THREE * xx - THREE * yy) * v[12]
            - EIGHT * C3C * x * z * v[13]
            + C3E * (xx - yy) * v[14]
        )
    return gx, gy, gz
