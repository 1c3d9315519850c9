"""A cloud under the transform of the node that holds it, as GLB and USD have them: any affine map, mirrors too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.errors import DamagedFile
from engines.spherical_harmonics import rotate
from engines.splat_values import SCALE_MIN_M, unit_quaternions
from engines.transforms import Matrix, rotation_matrices

_BLOCK = 1 << 16


def placed(splats: Splats, world: Matrix) -> Splats:
    """The cloud moved by the 4×4 matrix `world` (columns are vectors). Raises `DamagedFile` for one that flattens.

    Turns, mirrors and even scaling are exact. Uneven scaling turns each ellipsoid into the one it becomes; harmonics
    then follow the rotation nearest to it.
    """
    linear, shift = np.asarray(world[:3, :3], np.float64), np.asarray(world[:3, 3], np.float64)
    if np.array_equal(world, np.eye(4)):
        return splats
    determinant = np.linalg.det(linear) if np.isfinite(world).all() else np.nan
    if not 1e-30 < abs(determinant) < 1e30:
        raise DamagedFile(f"a node's transform has the determinant {determinant}; splats cannot be flat")
    left, stretch, right = np.linalg.svd(linear)
    nearest = left @ right
    positions = (splats.positions @ linear.T + shift).astype(np.float32)
    sh = rotate(splats.sh, nearest)
    if stretch[0] <= stretch[2] * (1 + 1e-5):
        # An ellipsoid does not feel the sign of its axes: where the map mirrors, its opposite is the rotation.
        rotations = _product(quaternions_of((nearest * np.sign(determinant))[None])[0], splats.rotations)
        return replace(
            splats, positions=positions, rotations=rotations, scales=splats.scales * np.float32(stretch.mean()), sh=sh
        )
    rotations, scales = np.empty_like(splats.rotations), np.empty_like(splats.scales)
    for start in range(0, len(positions), _BLOCK):
        rows = slice(start, start + _BLOCK)
        rotations[rows], scales[rows] = _stretched(splats.rotations[rows], splats.scales[rows], linear)
    return replace(splats, positions=positions, rotations=rotations, scales=scales, sh=sh)


def _stretched(rotations: FloatArray, scales: FloatArray, linear: Matrix) -> tuple[FloatArray, FloatArray]:
    half = linear @ (rotation_matrices(rotations) * scales[:, None, :].astype(np.float64))
    axes, sizes, _ = np.linalg.svd(half)
    axes[:, :, 2] *= np.sign(np.linalg.det(axes))[:, None]
    return quaternions_of(axes), np.maximum(sizes, SCALE_MIN_M).astype(np.float32)


def quaternions_of(rotations: NDArray[np.float64]) -> FloatArray:
    """Unit quaternions wxyz float32 [N, 4] of rotation matrices [N, 3, 3], from the largest part (Shepperd 1978)."""
    m = rotations
    x, y, z = m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]
    ways = np.stack(
        [
            [1 + x + y + z, m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]],
            [m[:, 2, 1] - m[:, 1, 2], 1 + x - y - z, m[:, 1, 0] + m[:, 0, 1], m[:, 0, 2] + m[:, 2, 0]],
            [m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] + m[:, 0, 1], 1 - x + y - z, m[:, 2, 1] + m[:, 1, 2]],
            [m[:, 1, 0] - m[:, 0, 1], m[:, 0, 2] + m[:, 2, 0], m[:, 2, 1] + m[:, 1, 2], 1 - x - y + z],
        ]
    )
    best = np.argmax(np.stack([ways[at, at] for at in range(4)]), axis=0)
    return unit_quaternions(ways[best, :, np.arange(len(m))])


def _product(left: FloatArray, right: FloatArray) -> FloatArray:
    """The Hamilton product of one quaternion with many [N, 4]."""
    w, x, y, z = (float(value) for value in left)
    matrix = np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    return unit_quaternions(right.astype(np.float64) @ matrix.T)
