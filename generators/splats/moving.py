"""Moving a cloud by a similarity: positions, rotations, scales and harmonics together, mirrors included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.spherical_harmonics import rotate
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
    count = len(cloud.positions)
    out = Splats(
        positions=np.empty_like(cloud.positions),
        rotations=np.empty_like(cloud.rotations),
        scales=cloud.scales * np.float32(motion.scale),
        opacities=cloud.opacities,
        sh=np.empty_like(cloud.sh),
        name=cloud.name,
    )
    # A covariance does not feel the sign of its axes: -M is a proper rotation where M is not, and does the same.
    proper = motion.matrix * np.sign(np.linalg.det(motion.matrix))
    quaternion = quaternion_of(proper).astype(np.float32)
    for first in range(0, count, CHUNK):
        check()
        rows = slice(first, min(first + CHUNK, count))
        out.positions[rows] = motion.points(cloud.positions[rows])
        out.rotations[rows] = _product(quaternion, cloud.rotations[rows])
        out.sh[rows] = rotate(cloud.sh[rows], motion.matrix)
    return out


def _product(left: FloatArray, right: FloatArray) -> FloatArray:
    """The Hamilton product of one quaternion with many [N, 4], made unit length."""
    w, x, y, z = (np.float32(value) for value in left)
    a, b, c, d = (right[:, axis] for axis in range(4))
    product = np.stack(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ],
        axis=-1,
    )
    return np.asarray(product / np.linalg.norm(product, axis=1, keepdims=True), np.float32)
