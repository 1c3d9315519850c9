"""Moving a cloud by a similarity: positions, rotations, scales and harmonics together, mirrors included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.spherical_harmonics import band_matrix, degree_of
from generators.radiance.rasterizer.kernels import parallel_kernel, prange
from generators.splats.neighbours import Check, unchecked

Matrix = NDArray[np.float64]
CHUNK = 1 << 16
"""Splats moved between two looks at whether the job was cancelled."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """target = scale · matrix @ source + shift_m, with an orthogonal `matrix` [3, 3], reflections included."""

    matrix: Matrix
    scale: float
    shift_m: NDArray[np.float64]

    def then(self, later: Similarity) -> Similarity:
        """First this, then the later one."""
        shift = later.scale * (later.matrix @ self.shift_m) + later.shift_m
        return Similarity(later.matrix @ self.matrix, later.scale * self.scale, shift)

    def points(self, source: NDArray[np.floating]) -> FloatArray:
        """Points [N, 3] where they come to lie, float32."""
        return np.asarray(np.asarray(source, np.float64) @ (self.scale * self.matrix.T) + self.shift_m, np.float32)


NOTHING = Similarity(np.eye(3), 1.0, np.zeros(3))


def turned_about(matrix: Matrix, pivot: NDArray[np.float64], scale: float = 1.0) -> Similarity:
    """A turn and a growth that leave `pivot` where it is."""
    return Similarity(matrix, scale, pivot - scale * (matrix @ pivot))


def rotation_xyz(x_deg: float, y_deg: float, z_deg: float) -> Matrix:
    """Turns about the fixed axes x, then y, then z; multiples of 90° are exact."""
    result = np.eye(3)
    for axis, angle in enumerate((x_deg, y_deg, z_deg)):
        cosine, sine = _exact_cosine(angle), _exact_cosine(angle - 90.0)
        turn = np.eye(3)
        one, other = (axis + 1) % 3, (axis + 2) % 3
        turn[one, one] = turn[other, other] = cosine
        turn[other, one], turn[one, other] = sine, -sine
        result = turn @ result
    return result


def _exact_cosine(angle_deg: float) -> float:
    quarter, rest = divmod(angle_deg, 90.0)
    if rest == 0:
        return (1.0, 0.0, -1.0, 0.0)[int(quarter) % 4]
    return float(np.cos(np.radians(angle_deg)))


def quaternion_of(rotation: Matrix) -> NDArray[np.float64]:
    """The unit quaternion wxyz of a proper rotation matrix, from its largest component (Shepperd 1978)."""
    m = rotation
    squares = np.array([m.trace(), m[0, 0], m[1, 1], m[2, 2]])
    largest = int(np.argmax(squares))
    if largest == 0:
        q = np.array([1 + m.trace(), m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]])
    else:
        i = largest - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        q = np.empty(4)
        q[0] = m[k, j] - m[j, k]
        q[1 + i] = 1 + m[i, i] - m[j, j] - m[k, k]
        q[1 + j] = m[j, i] + m[i, j]
        q[1 + k] = m[k, i] + m[i, k]
    return np.asarray(q / np.linalg.norm(q), np.float64)


def moved(cloud: Splats, motion: Similarity, check: Check = unchecked) -> Splats:
    """The cloud under a similarity; looks the same from a camera that is moved with it."""
    count, harmonics = cloud.sh.shape[:2]
    out = Splats(
        positions=np.empty((count, 3), np.float32),
        rotations=np.empty((count, 4), np.float32),
        scales=np.empty((count, 3), np.float32),
        opacities=cloud.opacities,
        sh=np.empty((count, harmonics, 3), np.float32),
        name=cloud.name,
    )
    # A covariance does not feel the sign of its axes: -M is a proper rotation where M is not, and does the same.
    proper = motion.matrix * np.sign(np.linalg.det(motion.matrix))
    bands = np.zeros((16, 16))
    for degree in range(degree_of(harmonics) + 1):
        band = slice(degree * degree, (degree + 1) ** 2)
        bands[band, band] = band_matrix(motion.matrix, degree)
    numbers = (motion.scale * motion.matrix, motion.shift_m, motion.scale, quaternion_of(proper), bands)
    for first in range(0, count, CHUNK):
        check()
        rows = (first, min(first + CHUNK, count))
        sources = (cloud.positions, cloud.rotations, cloud.scales, cloud.sh)
        _move(*numbers, *rows, *sources, out.positions, out.rotations, out.scales, out.sh)
    return out


@parallel_kernel
def _move(
    matrix: Matrix,
    shift: Matrix,
    scale: float,
    q: Matrix,
    bands: Matrix,
    first: int,
    last: int,
    positions: FloatArray,
    rotations: FloatArray,
    scales: FloatArray,
    sh: FloatArray,
    out_positions: FloatArray,
    out_rotations: FloatArray,
    out_scales: FloatArray,
    out_sh: FloatArray,
) -> None:
    """Fill rows first … last; in double precision, since a cloud may stand far from the origin."""
    for i in prange(first, last):
        for row in range(3):
            total = shift[row]
            for column in range(3):
                total += matrix[row, column] * positions[i, column]
            out_positions[i, row] = total
            out_scales[i, row] = scale * scales[i, row]
        a, b, c, d = rotations[i, 0], rotations[i, 1], rotations[i, 2], rotations[i, 3]
        w = q[0] * a - q[1] * b - q[2] * c - q[3] * d
        x = q[0] * b + q[1] * a + q[2] * d - q[3] * c
        y = q[0] * c - q[1] * d + q[2] * a + q[3] * b
        z = q[0] * d + q[1] * c - q[2] * b + q[3] * a
        length = np.sqrt(w * w + x * x + y * y + z * z)
        out_rotations[i, 0], out_rotations[i, 1] = w / length, x / length
        out_rotations[i, 2], out_rotations[i, 3] = y / length, z / length
        degree = 0
        while degree * degree < sh.shape[1]:
            low, high = degree * degree, (degree + 1) * (degree + 1)
            for k in range(low, high):
                red, green, blue = 0.0, 0.0, 0.0
                for j in range(low, high):
                    red += bands[k, j] * sh[i, j, 0]
                    green += bands[k, j] * sh[i, j, 1]
                    blue += bands[k, j] * sh[i, j, 2]
                out_sh[i, k, 0], out_sh[i, k, 1], out_sh[i, k, 2] = red, green, blue
            degree += 1
