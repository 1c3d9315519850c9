"""Real spherical harmonics of degrees 0 to 3, in the order and signs of the 3D Gaussian Splatting code.

Within degree l the order is m = -l … l. The signs are those with the Condon-Shortley phase (degree 1 is
-y, +z, -x), as in Kerbl et al. 2023 and gsplat. Directions are unit vectors in the asset's own axes.

Source of the constants: the orthonormal real harmonics, for example Sloan, "Efficient spherical harmonic
evaluation", JCGT 2013.
"""

from __future__ import annotations

from functools import cache
from math import pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

COEFFICIENTS = (1, 4, 9, 16)
"""Number of coefficients up to and including degree 0, 1, 2, 3."""

DC = 0.5 / sqrt(pi)
"""The constant basis function of degree 0: 0.28209…"""

_C1 = sqrt(3 / (4 * pi))
_C2 = (sqrt(15 / pi) / 2, sqrt(5 / pi) / 4, sqrt(15 / pi) / 4)
_C3 = (sqrt(35 / (2 * pi)) / 4, sqrt(105 / pi) / 2, sqrt(21 / (2 * pi)) / 4, sqrt(7 / pi) / 4, sqrt(105 / pi) / 4)


def degree_of(coefficients: int) -> int:
    """0 … 3 for 1, 4, 9, 16 coefficients; raises `ValueError` for any other number."""
    if coefficients not in COEFFICIENTS:
        raise ValueError(f"spherical harmonics have 1, 4, 9 or 16 coefficients, not {coefficients}")
    return COEFFICIENTS.index(coefficients)


def basis(directions: NDArray[Any], degree: int) -> NDArray[np.float64]:
    """Values of the basis, float64 [..., (degree + 1)²], for unit directions [..., 3]."""
    d = np.asarray(directions, np.float64)
    x, y, z = d[..., 0], d[..., 1], d[..., 2]
    bands = [np.full_like(x, DC)]
    if degree >= 1:
        bands += [-_C1 * y, _C1 * z, -_C1 * x]
    if degree >= 2:
        bands += [
            _C2[0] * x * y,
            -_C2[0] * y * z,
            _C2[1] * (2 * z * z - x * x - y * y),
            -_C2[0] * x * z,
            _C2[2] * (x * x - y * y),
        ]
    if degree >= 3:
        bands += [
            -_C3[0] * y * (3 * x * x - y * y),
            _C3[1] * x * y * z,
            -_C3[2] * y * (4 * z * z - x * x - y * y),
            _C3[3] * z * (2 * z * z - 3 * x * x - 3 * y * y),
            -_C3[2] * x * (4 * z * z - x * x - y * y),
            _C3[4] * z * (x * x - y * y),
            -_C3[0] * x * (x * x - 3 * y * y),
        ]
    return np.stack(bands, axis=-1)


def evaluate(sh: NDArray[Any], directions: NDArray[Any]) -> NDArray[np.float64]:
    """Σ basis·sh, float64 [N, C], of coefficients [N, K, C] in unit directions [N, 3]; no 0.5 is added."""
    values = basis(directions, degree_of(sh.shape[1]))
    colours: NDArray[np.float64] = np.einsum("nk,nkc->nc", values, np.asarray(sh, np.float64))
    return colours


@cache
def _samples(degree: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions [D, 3] and the matrix [2·degree + 1, D] that projects values there onto one band."""
    # A product rule: Gauss-Legendre in z and equal angles, exact for products of two harmonics of this degree.
    z, weight = np.polynomial.legendre.leggauss(degree + 1)
    angle = 2 * pi * np.arange(2 * degree + 1) / (2 * degree + 1)
    ring = np.sqrt(1 - z * z)[:, None]
    directions = np.stack(
        [ring * np.cos(angle), ring * np.sin(angle), np.broadcast_to(z[:, None], ring.shape[:1] + angle.shape)], -1
    )
    weights = np.broadcast_to((weight * 2 * pi / len(angle))[:, None], directions.shape[:2])
    directions = directions.reshape(-1, 3)
    projection = basis(directions, degree)[:, degree * degree :].T * weights.reshape(-1)
    return directions, projection


def band_matrix(target_from_source: NDArray[Any], degree: int) -> NDArray[np.float64]:
    """The matrix [2·degree + 1, 2·degree + 1] that carries one band's coefficients into target axes.

    `target_from_source` is any orthogonal 3×3 matrix, reflections included. A rotated harmonic stays within
    its band, so projecting it back on the band by an exact quadrature gives the matrix to rounding error.
    Raises `ValueError` for a matrix that is not orthogonal.
    """
    matrix = np.asarray(target_from_source, np.float64)
    if matrix.shape != (3, 3) or not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-6):
        raise ValueError("spherical harmonics can be carried by orthogonal 3×3 matrices only")
    directions, projection = _samples(degree)
    result: NDArray[np.float64] = projection @ basis(directions @ matrix, degree)[:, degree * degree :]
    # Rounding noise around exact zeros and ones would otherwise make axis flips inexact.
    nearest = np.round(result) + 0.0
    return np.where(np.abs(result - nearest) < 1e-12, nearest, result)


def rotate(sh: NDArray[np.float32], target_from_source: NDArray[Any]) -> NDArray[np.float32]:
    """Coefficients float32 [N, K, C] in target axes: `evaluate(rotate(sh, R), R·d) == evaluate(sh, d)`."""
    result = np.array(sh, np.float32, order="C")
    for degree in range(1, degree_of(sh.shape[1]) + 1):
        band = slice(degree * degree, (degree + 1) ** 2)
        matrix = band_matrix(target_from_source, degree).astype(np.float32)
        signs = np.diag(matrix)
        if np.array_equal(matrix, np.diag(signs)):  # a plain mirror or half turn: sign flips, and exact
            result[:, band] *= signs[:, None]
        else:
            # One tall matrix product: ten times as fast as einsum on a million splats.
            rows = result[:, band].transpose(0, 2, 1).reshape(-1, 2 * degree + 1) @ matrix.T
            result[:, band] = rows.reshape(len(sh), -1, 2 * degree + 1).transpose(0, 2, 1)
    return result
