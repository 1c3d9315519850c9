"""`transforms.json` as written for instant-ngp, nerfstudio and the NeRF synthetic scenes.

Poses are camera-to-world in OpenGL's camera axes (+X right, +Y up, looking along -Z), in a world whose +Z is up.
Intrinsics may stand once for all or in each frame, as focal lengths or as angles; a file's extension may be missing.
`applied_transform` says what nerfstudio had already done to the poses and is kept, not undone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.radiance.archive import CaptureError, listed_name
from generators.radiance.lens import Lens

EXTENSIONS = ("", ".png", ".jpg", ".jpeg", ".JPG", ".PNG", ".webp")
MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE", "OPENCV_FISHEYE")
RADIAL = ("k1", "k2", "k3", "k4")
FRAMES_MAX = 20_000


@dataclass(frozen=True, eq=False)
class Listed:
    """One line of a capture's list: which file, how it was seen, and through what lens.

    `world_from_camera` float64 [4, 4] in the file's own world but with the camera axes of OpenCV. `lens` is a
    function of the photograph's size, because some files leave the size to be looked up.
    """

    file: str
    world_from_camera: NDArray[np.float64]
    intrinsics: dict[str, Any] = field(default_factory=dict)
    mask: str | None = None
    lens: Lens | None = None
    depth: str | None = None
    """A picture of depths along the optical axis."""
    depth_unit: float = 0.001
    """What one of its steps is in units of the poses."""


def lens_from_json(values: dict[str, Any], width: int, height: int) -> Lens:
    """The lens that a frame's numbers describe, for a photograph whose true size is `width` × `height`."""
    w, h = _number(values, "w", width), _number(values, "h", height)
    longer = max(w, h)
    fx = values.get("fl_x") or _focal(values.get("camera_angle_x"), w) or _number(values, "focal_36mm", 0) * longer / 36
    fy = values.get("fl_y") or _focal(values.get("camera_angle_y"), h)
    focal = fx or fy
    if not focal:
        raise CaptureError("neither a focal length (fl_x) nor a field of view (camera_angle_x) is given")
    model = str(values.get("camera_model", "OPENCV"))
    if model == "EQUIRECTANGULAR":
        raise CaptureError("is a panorama (EQUIRECTANGULAR); cut it into flat views with their own poses first")
    if model not in MODELS or any(str(key).startswith("ftheta") for key in values):
        raise CaptureError(f"camera_model {model} is not known; expected one of {', '.join(MODELS)}, without ftheta")
    lens = Lens(
        fx=float(fx or focal),
        fy=float(fy or focal),
        cx=_number(values, "cx", w / 2 + _number(values, "offset_x", 0) * longer),
        cy=_number(values, "cy", h / 2 + _number(values, "offset_y", 0) * longer),
        width=round(w),
        height=round(h),
        radial=tuple(_number(values, key, 0.0) for key in RADIAL),
        tangential=(_number(values, "p1", 0.0), _number(values, "p2", 0.0)),
        fisheye=model == "OPENCV_FISHEYE" or bool(values.get("is_fisheye")),
    )
    if not lens.fisheye and lens.radial[3]:
        raise CaptureError("k4 is given without camera_model OPENCV_FISHEYE; what it means cannot be known")
    if min(lens.fx, lens.fy, lens.width, lens.height) <= 0:
        raise CaptureError(f"focal length {lens.fx:g} and size {lens.width}×{lens.height} must be positive")
    return lens


def _focal(angle: Any, side: float) -> float | None:
    return None if angle is None else 0.5 * side / math.tan(0.5 * float(angle))


def _number(values: dict[str, Any], key: str, default: float) -> float:
    value = values.get(key)
    if value is None:
        return float(default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CaptureError(f"{key}: expected a finite number, got {value!r}")
    return float(value)


def _matrix(rows: Any, where: str) -> NDArray[np.float64]:
    try:
        matrix = np.array(rows, np.float64)
    except (TypeError, ValueError) as error:
        raise CaptureError(f"{where}: expected 3×4 or 4×4 numbers") from error
    if matrix.shape == (3, 4):
        matrix = np.vstack([matrix, [0, 0, 0, 1]])
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise CaptureError(f"{where}: expected 3×4 or 4×4 finite numbers, got shape {list(matrix.shape)}")
    return matrix


def rigid(matrix: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    """The nearest rigid motion, or `CaptureError` where the matrix mirrors, shears or is empty."""
    left, sizes, right = np.linalg.svd(matrix[:3, :3])
    if sizes[2] < 0.5 * sizes[0] or np.linalg.det(matrix[:3, :3]) <= 0:
        raise CaptureError(f"{where}: the rotation part mirrors or shears (singular values {sizes.round(3).tolist()})")
    result = matrix.copy()
    result[:3, :3] = left @ right
    return result


@dataclass(frozen=True, eq=False)
class Document:
    """All that a transforms.json says."""

    frames: tuple[Listed, ...]
    applied: NDArray[np.float64] | None
    """`applied_transform` float64 [4, 4]."""
    points: str | None
    """The file with the points, relative to this one."""
    unit_m: float | None


def parse(content: bytes, name: str) -> Document:
    """What a transforms.json says. Raises `CaptureError` that names the frame and the field."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CaptureError(f"{name} is not JSON: {error}") from error
    frames = document.get("frames") if isinstance(document, dict) else None
    if not isinstance(frames, list) or not frames:
        raise CaptureError(f"{name} lists no frames")
    if len(frames) > FRAMES_MAX:
        raise CaptureError(f"{name} lists {len(frames)} frames; at most {FRAMES_MAX} are read")
    applied, points = document.get("applied_transform"), document.get("ply_file_path")
    shared = {key: value for key, value in document.items() if key != "frames"}
    unit = _number(document, "unit_m", 0.0)
    return Document(
        frames=tuple(_listed(frames, shared, name)),
        applied=None if applied is None else _matrix(applied, "applied_transform"),
        points=listed_name(points) if isinstance(points, str) else None,
        unit_m=unit if unit > 0 else None,
    )


def _listed(frames: list[Any], shared: dict[str, Any], name: str) -> Iterator[Listed]:
    flip = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenGL's camera axes to OpenCV's
    for index, frame in enumerate(frames):
        where = f"{name} frame {index}"
        if not isinstance(frame, dict) or not isinstance(frame.get("file_path"), str):
            raise CaptureError(f"{where}: expected an object with file_path")
        pose = rigid(_matrix(frame.get("transform_matrix"), f"{where} transform_matrix"), where)
        mask, depth = frame.get("mask_path"), frame.get("depth_file_path")
        yield Listed(
            file=listed_name(frame["file_path"]),
            world_from_camera=pose @ flip,
            intrinsics={**shared, **frame},
            mask=listed_name(mask) if isinstance(mask, str) else None,
            depth=listed_name(depth) if isinstance(depth, str) else None,
            depth_unit=_number({**shared, **frame}, "depth_unit_scale_factor", 0.001),
        )
