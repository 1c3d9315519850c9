"""The only place where axes, handedness, units, winding and UV origin change.

Every host's axes are named in words (`engines.conventions.Axes`), so going from one to another is a signed
permutation: exact in floating point, its transpose is its inverse, and its determinant is -1 exactly when the
handedness changes. Units are kept apart from it as a plain factor.

Handedness is a matter of labels. Renaming the axes moves no triangle on the screen, so winding changes only
where the host's mesh API wants the other one (`Host.front`), never because the determinant is -1. What does
change sign with the determinant are pseudo-vectors: rotation axes and the w of a tangent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from engines.assets import Mesh, Splats
from engines.conventions import Axes, Direction, Host
from engines.errors import UnsuitableAsset
from engines.spherical_harmonics import rotate

Matrix = NDArray[np.float64]
_Number = TypeVar("_Number", bound=np.generic)

NEUTRAL_AXES = Axes(x="right", y="up", z="back")
"""World and camera axes of every neutral form; a camera looks along -Z, as in OpenGL and glTF."""
OPENCV_AXES = Axes(x="right", y="down", z="forward")
"""Axes of COLMAP and OpenCV cameras, and of worlds reconstructed with them."""

_VECTORS: dict[Direction, tuple[int, int, int]] = {
    "right": (1, 0, 0),
    "left": (-1, 0, 0),
    "up": (0, 1, 0),
    "down": (0, -1, 0),
    "back": (0, 0, 1),
    "forward": (0, 0, -1),
}


@dataclass(frozen=True)
class Frame:
    """A convention for geometry: axes, unit, front winding and UV origin."""

    axes: Axes
    unit_m: float = 1.0
    front_ccw: bool = True
    uv_bottom_left: bool = True


NEUTRAL = Frame(NEUTRAL_AXES)
PRINT = Frame(Axes(x="right", y="forward", z="up"), unit_m=0.001)
"""What slicers take STL and 3MF to be in: millimetres on a bed in x and y."""


def frame_of(host: Host) -> Frame:
    """The part of a host's row that geometry needs. Raises `ValueError` if the row contradicts itself."""
    if handedness(host.axes) != host.handed:
        raise ValueError(f"host {host.name} says {host.handed}-handed, but its axes are {handedness(host.axes)}-handed")
    return Frame(host.axes, host.unit_m, host.front == "ccw", host.uv_origin == "bottom_left")


def target_from_source_axes(target: Axes, source: Axes) -> Matrix:
    """The signed permutation, float64 [3, 3], that turns `source` coordinates (columns) into `target` coordinates."""
    return _words(target) @ _words(source).T


def host_from_neutral(host: Host) -> Matrix:
    """The signed permutation, float64 [3, 3], for directions; lengths are further divided by `host.unit_m`."""
    return target_from_source_axes(host.axes, NEUTRAL_AXES)


def handedness(axes: Axes) -> str:
    """ "right" or "left"; raises `ValueError` for axes that do not span space."""
    return "right" if np.linalg.det(_words(axes)) > 0 else "left"


def _words(axes: Axes) -> Matrix:
    """Rows are the axes written in neutral coordinates: target_from_neutral."""
    rows = np.array([_VECTORS[axes.x], _VECTORS[axes.y], _VECTORS[axes.z]], np.float64)
    if abs(np.linalg.det(rows)) != 1.0:
        raise ValueError(f"axes x={axes.x}, y={axes.y}, z={axes.z} do not span space")
    return rows


def _permutation(matrix: Matrix) -> tuple[list[int], list[float]]:
    """Where each target component comes from, and its sign. Raises `ValueError` if it is no signed permutation."""
    size = np.abs(matrix)
    if matrix.shape != (3, 3) or not np.array_equal(size @ size.T, np.eye(3)) or not np.isin(size, (0, 1)).all():
        raise ValueError("expected a signed permutation, 3×3 with one ±1 in each row and column")
    source = np.argmax(size, axis=1)
    return [int(i) for i in source], [float(matrix[row, column]) for row, column in enumerate(source)]


def directions(target_from_source: Matrix, vectors: NDArray[_Number]) -> NDArray[_Number]:
    """Vectors [..., 3] in target axes, without any rounding; same dtype."""
    order, signs = _permutation(target_from_source)
    return np.ascontiguousarray(vectors[..., order] * np.asarray(signs, vectors.dtype))


def positions(target_from_source: Matrix, points: NDArray[_Number], *, scale: float = 1.0) -> NDArray[_Number]:
    """Points [..., 3] in target axes and units; `scale` is target units per source unit."""
    moved = directions(target_from_source, points)
    return moved if scale == 1.0 else moved * np.asarray(scale, points.dtype)


def tangents(target_from_source: Matrix, vectors: NDArray[_Number]) -> NDArray[_Number]:
    """Tangents [..., 4] (xyz, w = sign of the bitangent against normal × tangent) in target axes."""
    sign = np.asarray(np.sign(np.linalg.det(target_from_source)), vectors.dtype)
    return np.concatenate([directions(target_from_source, vectors[..., :3]), vectors[..., 3:] * sign], axis=-1)


def quaternions(target_from_source: Matrix, wxyz: NDArray[_Number]) -> NDArray[_Number]:
    """Rotations [..., 4] wxyz conjugated into target axes: R' = M R Mᵀ, a proper rotation for reflections too.

    The axis of a rotation is a pseudo-vector, hence axis' = det(M)·M·axis with the angle kept.
    """
    sign = np.asarray(np.sign(np.linalg.det(target_from_source)), wxyz.dtype)
    return np.concatenate([wxyz[..., :1], directions(target_from_source, wxyz[..., 1:]) * sign], axis=-1)


def extents(target_from_source: Matrix, sizes: NDArray[_Number], *, scale: float = 1.0) -> NDArray[_Number]:
    """Lengths along local axes [..., 3] permuted to go with `quaternions`; signs do not matter to a length."""
    return positions(np.abs(target_from_source), sizes, scale=scale)


def flip_winding(faces: NDArray[_Number]) -> NDArray[_Number]:
    """Triangles [F, 3] seen from the other side, each keeping its first vertex."""
    return np.ascontiguousarray(faces[:, [0, 2, 1]])


def flip_v(uvs: NDArray[_Number]) -> NDArray[_Number]:
    """UVs [..., 2] counted from the other origin (bottom left ↔ top left)."""
    return np.stack([uvs[..., 0], 1 - uvs[..., 1]], axis=-1).astype(uvs.dtype)


def object_pose(target_from_source: Matrix, world_from_object: Matrix, *, scale: float = 1.0) -> Matrix:
    """A 4×4 object transform for an object whose own vertices change axes and units too: M·T·M⁻¹."""
    return _placed(target_from_source, world_from_object, target_from_source.T, scale)


def camera_pose(
    target_from_source: Matrix,
    world_from_camera: Matrix,
    *,
    camera: Axes = NEUTRAL_AXES,
    source_camera: Axes = NEUTRAL_AXES,
    scale: float = 1.0,
) -> Matrix:
    """A 4×4 camera transform in target world axes whose local axes are `camera`.

    A Blender camera keeps the neutral local axes (it looks along its -Z); a Unity camera is (right, up,
    forward), an Unreal one (forward, right, up), a COLMAP one `OPENCV_AXES`.
    """
    source_from_target_camera = target_from_source_axes(source_camera, camera)
    return _placed(target_from_source, world_from_camera, source_from_target_camera, scale)


def _placed(left: Matrix, pose: Matrix, right: Matrix, scale: float) -> Matrix:
    result = np.eye(4)
    result[:3, :3] = left @ pose[:3, :3] @ right
    result[:3, 3] = scale * (left @ pose[:3, 3])
    return result


def move_mesh(mesh: Mesh, target: Frame, source: Frame = NEUTRAL) -> Mesh:
    """The mesh in another convention: axes, unit, winding, UV origin; its material is left alone."""
    matrix = target_from_source_axes(target.axes, source.axes)
    return replace(
        mesh,
        positions=positions(matrix, mesh.positions, scale=source.unit_m / target.unit_m),
        faces=mesh.faces if target.front_ccw == source.front_ccw else flip_winding(mesh.faces),
        normals=None if mesh.normals is None else directions(matrix, mesh.normals),
        uvs=mesh.uvs if mesh.uvs is None or target.uv_bottom_left == source.uv_bottom_left else flip_v(mesh.uvs),
    )


def move_splats(splats: Splats, target: Frame, source: Frame = NEUTRAL) -> Splats:
    """The cloud in another convention: positions, rotations, scales and the axes of its spherical harmonics."""
    if splats.sh.ndim != 3 or splats.sh.shape[1] not in (1, 4, 9, 16):
        raise UnsuitableAsset(f"splats need sh of shape [N, 1|4|9|16, 3], got {list(splats.sh.shape)}")
    matrix = target_from_source_axes(target.axes, source.axes)
    scale = source.unit_m / target.unit_m
    return replace(
        splats,
        positions=positions(matrix, splats.positions, scale=scale),
        rotations=quaternions(matrix, splats.rotations),
        scales=extents(matrix, splats.scales, scale=scale),
        sh=rotate(splats.sh, matrix),
    )


def rotation_matrices(wxyz: NDArray[Any]) -> Matrix:
    """Float64 [..., 3, 3] from quaternions [..., 4] wxyz of any length above 0."""
    q = np.asarray(wxyz, np.float64)
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
