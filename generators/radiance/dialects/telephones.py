"""What telephones track while they photograph (ARKit): Polycam, Record3D and 3D Scanner App; and ScanNet's folders.

ARKit's world has +Y up and is metric, its camera axes are OpenGL's. Sources: the raw exports themselves, as nerfstudio
and the tools of their users describe them; for ScanNet the README of its SensReader.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from generators.radiance.archive import CaptureError, Source
from generators.radiance.dialects.shared import (
    NEUTRAL_FROM_Z_UP,
    OPENGL_FROM_OPENCV,
    Dialect,
    Matrix,
    floats,
    json_in,
    picture_of,
    rotated,
)
from generators.radiance.lens import Lens
from generators.radiance.transforms_json import Listed, rigid

_POLYCAM = re.compile(r"(.*/)?keyframes/(corrected_)?cameras/[^/]+\.json")
_SCANNER = re.compile(r"(.*/)?frame_\d+\.json")
_SCANNET = re.compile(r"(.*/)?poses?/[^/]+\.txt")
_COLOURS = ("color", "colour", "rgb", "images")
_INTRINSICS = ("intrinsic/intrinsic_color.txt", "intrinsics/intrinsic_color.txt", "intrinsic.txt", "intrinsics.txt")


def _lens(k: Matrix, width: float, height: float, where: str) -> Lens:
    """The straight lens of fx, fy, cx, cy."""
    if min(k[0], k[1], width, height) <= 0:
        raise CaptureError(f"{where}: focal length {k[0]:g} and size {width:g}×{height:g} must be positive")
    return Lens(float(k[0]), float(k[1]), float(k[2]), float(k[3]), round(width), round(height))


def _arkit(kind: str, frames: list[Listed], root: PurePosixPath) -> Dialect:
    return Dialect(kind, tuple(frames), root, np.eye(4), unit_m=1.0)


# -- Polycam -------------------------------------------------------------------------------------------------------


def polycam(source: Source) -> Dialect | None:
    """A raw export of Polycam, the poses that it has corrected before those that it tracked; None without one."""
    found = {name: match for name in source.names if (match := _POLYCAM.fullmatch(name))}
    if not found:
        return None
    corrected = any(match[2] for match in found.values())
    frames = []
    for name in sorted(name for name, match in found.items() if bool(match[2]) == corrected):
        values, keyframes, stem = json_in(source, name), PurePosixPath(name).parent.parent, PurePosixPath(name).stem
        folder = "corrected_images" if corrected else "images"
        pose = np.eye(4)
        pose[:3] = floats([values.get(f"t_{r}{c}") for r in range(3) for c in range(4)], 12, name).reshape(3, 4)
        k = floats([values.get(key) for key in ("fx", "fy", "cx", "cy")], 4, name)
        width, height = floats([values.get("width"), values.get("height")], 2, name)
        depth = str(keyframes / "depth" / f"{stem}.png")
        frames.append(
            Listed(
                file=picture_of(str(keyframes / folder / stem), source.names) or f"{keyframes / folder / stem}.jpg",
                world_from_camera=rigid(pose, name) @ OPENGL_FROM_OPENCV,
                lens=_lens(k, width, height, name),
                depth=depth if depth in source.names else None,
            )
        )
    return _arkit("Polycam", frames, PurePosixPath())


# -- Record3D ------------------------------------------------------------------------------------------------------


def record3d(source: Source) -> Dialect | None:
    """An .r3d file of Record3D, or its unpacked folder; None without one."""
    for name in sorted(source.names):
        if PurePosixPath(name).name in ("metadata", "metadata.json"):
            folder = PurePosixPath(name).parent
            pictures = {stem: path for path in source.names if (stem := _frame_number(path, folder)) is not None}
            if pictures:
                return _record3d(json_in(source, name), name, pictures)
    return None


def _frame_number(name: str, folder: PurePosixPath) -> int | None:
    path = PurePosixPath(name)
    inside = path.parent in (folder / "rgbd", folder / "rgb") and path.suffix.lower() in (".jpg", ".png")
    return int(path.stem) if inside and path.stem.isdecimal() else None


def _record3d(values: Mapping[str, Any], name: str, pictures: Mapping[int, str]) -> Dialect | None:
    poses = values.get("poses")
    if not isinstance(poses, list) or "K" not in values:
        return None
    k = floats(values["K"], 9, f"{name} K").reshape(3, 3).T
    width, height = floats([values.get("w"), values.get("h")], 2, f"{name} w, h")
    each = values.get("perFrameIntrinsicCoeffs")
    frames = []
    for number, path in sorted(pictures.items()):
        where = f"{name} pose {number}"
        if number >= len(poses):
            continue
        row = floats(poses[number], 7, where)
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = rotated(row[:4], where), row[4:]
        inner = np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2]])
        if isinstance(each, list) and number < len(each) and isinstance(each[number], list) and len(each[number]) >= 4:
            inner = floats(each[number][:4], 4, f"{where} intrinsics")
        frames.append(
            Listed(
                file=path,
                world_from_camera=pose @ OPENGL_FROM_OPENCV,
                lens=_lens(inner, width, height, where),
            )
        )
    return _arkit("Record3D", frames, PurePosixPath())


# -- 3D Scanner App ------------------------------------------------------------------------------------------------


def scanner_app(source: Source) -> Dialect | None:
    """ "All data" of 3D Scanner App: `frame_00000.json` beside a picture of that name; None without one.

    It notes many more poses than it keeps pictures; those are no missing photographs.
    """
    frames = []
    for name in sorted(name for name in source.names if _SCANNER.fullmatch(name)):
        picture = picture_of(name.removesuffix(".json"), source.names)
        if picture is None:
            continue
        values = json_in(source, name)
        if "cameraPoseARFrame" not in values:
            continue
        pose = floats(values["cameraPoseARFrame"], 16, name).reshape(4, 4)
        k = floats(values.get("intrinsics"), 9, f"{name} intrinsics")
        inner = {"fl_x": k[0], "fl_y": k[4], "cx": k[2], "cy": k[5]}
        frames.append(
            Listed(
                file=picture,
                world_from_camera=rigid(pose, name) @ OPENGL_FROM_OPENCV,
                intrinsics={key: float(value) for key, value in inner.items()},
            )
        )
    return _arkit("3D Scanner App", frames, PurePosixPath()) if frames else None


# -- ScanNet -------------------------------------------------------------------------------------------------------


def scannet(source: Source) -> Dialect | None:
    """Folders `pose` of 4×4 matrices, `color` and `intrinsic` as ScanNet and its kin have them; None without them."""
    poses = sorted(name for name in source.names if _SCANNET.fullmatch(name))
    if not poses:
        return None
    root = PurePosixPath(poses[0]).parent.parent
    inner = next((str(root / name) for name in _INTRINSICS if str(root / name) in source.names), None)
    if inner is None:
        return None
    k = _rows(source, inner)[:3, :3]
    lens = {"fl_x": float(k[0, 0]), "fl_y": float(k[1, 1]), "cx": float(k[0, 2]), "cy": float(k[1, 2])}
    frames, unposed = [], []
    for name in poses:
        stem = PurePosixPath(name).stem
        picture = next((p for f in _COLOURS if (p := picture_of(str(root / f / stem), source.names))), None)
        if picture is None:
            continue
        matrix = _rows(source, name)
        if matrix.shape == (4, 4) and np.isfinite(matrix).all():
            frames.append(Listed(file=picture, world_from_camera=rigid(matrix, name), intrinsics=lens))
        else:
            unposed.append((picture, "tracking was lost there"))
    return Dialect("ScanNet", tuple(frames), PurePosixPath(), NEUTRAL_FROM_Z_UP, unit_m=1.0, unposed=tuple(unposed))


def _rows(source: Source, name: str) -> Matrix:
    """A text file of a matrix; infinities are numbers too."""
    try:
        rows = [[float(v) for v in line.split()] for line in source.read(name).decode().splitlines() if line.strip()]
        matrix = np.array(rows, np.float64)
    except ValueError as error:
        raise CaptureError(f"{name}: expected rows of numbers ({error})") from error
    if matrix.ndim != 2 or min(matrix.shape) < 3:
        raise CaptureError(f"{name}: expected a matrix of 3×3 or 4×4 numbers")
    return matrix
