"""COLMAP's sparse models, text and binary: cameras, images and points (COLMAP documentation, "Output Format")."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.archive import CaptureError, listed_name
from generators.radiance.lens import Lens
from generators.radiance.transforms_json import Listed

MODELS: dict[int, tuple[str, int]] = {
    0: ("SIMPLE_PINHOLE", 3),
    1: ("PINHOLE", 4),
    2: ("SIMPLE_RADIAL", 4),
    3: ("RADIAL", 5),
    4: ("OPENCV", 8),
    5: ("OPENCV_FISHEYE", 8),
    6: ("FULL_OPENCV", 12),
    8: ("SIMPLE_RADIAL_FISHEYE", 4),
    9: ("RADIAL_FISHEYE", 5),
}
"""Model number in binary files: its name in text files, and how many numbers it has."""
OTHERS = {7: "FOV", 10: "THIN_PRISM_FISHEYE", 11: "RAD_TAN_THIN_PRISM_FISHEYE"}
"""Those that are refused by name."""
_COUNTS = dict(MODELS.values())
NAME_BYTES_MAX = 4096


@dataclass(frozen=True, eq=False)
class Points:
    """Triangulated points in the world of the poses: positions float32 [P, 3], sRGB colours float32 [P, 3] in 0..1."""

    positions: FloatArray
    colours: FloatArray


def lens_from_model(model: str, width: int, height: int, p: list[float]) -> Lens:
    """The lens of a COLMAP camera; `CaptureError` for models that are not among `MODELS`."""
    if model not in _COUNTS:
        raise CaptureError(f"COLMAP camera model {model} is not known; undistort the images with COLMAP first")
    if len(p) != _COUNTS[model] or not np.isfinite(p).all():
        raise CaptureError(f"COLMAP camera model {model} needs {_COUNTS[model]} finite numbers, got {len(p)}")
    if model.endswith("RADIAL_FISHEYE"):
        return Lens(p[0], p[0], p[1], p[2], width, height, radial=tuple(p[3:]), fisheye=True)
    if model.startswith("SIMPLE") or model == "RADIAL":
        return Lens(p[0], p[0], p[1], p[2], width, height, radial=tuple(p[3:]))
    fx, fy, cx, cy, *rest = p
    if model == "OPENCV_FISHEYE":
        return Lens(fx, fy, cx, cy, width, height, radial=tuple(rest), fisheye=True)
    if not rest:
        return Lens(fx, fy, cx, cy, width, height)
    radial = (rest[0], rest[1], *rest[4:])
    return Lens(fx, fy, cx, cy, width, height, radial=radial, tangential=(rest[2], rest[3]))


def _listed(name: str, q: tuple[float, ...], t: tuple[float, ...], lens: Lens) -> Listed:
    rotation = rotation_matrix(np.array(q, np.float64), name)
    pose = np.eye(4)
    pose[:3, :3] = rotation.T
    pose[:3, 3] = -rotation.T @ np.array(t, np.float64)
    if not np.isfinite(pose).all():
        raise CaptureError(f"{name}: its pose is not finite")
    return Listed(file=listed_name(name), world_from_camera=pose, lens=lens)


def rotation_matrix(q: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    """The matrix [3, 3] of a quaternion wxyz of any length but zero."""
    length = float(np.linalg.norm(q))
    if not length > 1e-9:
        raise CaptureError(f"{where}: its rotation is the zero quaternion")
    w, x, y, z = q / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


# -- text ----------------------------------------------------------------------------------------------------------


def _lines(content: bytes) -> Iterator[list[str]]:
    for line in content.decode("utf-8", errors="replace").splitlines():
        if not line.startswith("#"):
            yield line.split()


def parse_text(cameras: bytes, images: bytes) -> list[Listed]:
    """The frames of cameras.txt and images.txt; `CaptureError` that names the file when a line cannot be read."""
    try:
        lenses = {
            int(f[0]): lens_from_model(f[1], int(f[2]), int(f[3]), [float(v) for v in f[4:]])
            for f in _lines(cameras)
            if f
        }
    except (ValueError, IndexError) as error:
        raise CaptureError(f"cameras.txt cannot be read: {error}") from error
    frames = []
    # Two lines for each image; the second lists its keypoints and may be empty.
    for number, f in enumerate(_lines(images)):
        if number % 2 == 0 and f:
            try:
                q, t = tuple(float(v) for v in f[1:5]), tuple(float(v) for v in f[5:8])
                frames.append(_listed(" ".join(f[9:]), q, t, lenses[int(f[8])]))
            except (ValueError, IndexError, KeyError) as error:
                raise CaptureError(f"images.txt, image {number // 2}: cannot be read ({error})") from error
    return frames


def parse_points_text(content: bytes) -> Points:
    """The points of points3D.txt."""
    try:
        rows = np.array([[float(v) for v in f[1:7]] for f in _lines(content) if f], np.float64).reshape(-1, 6)
    except ValueError as error:
        raise CaptureError(f"points3D.txt cannot be read: {error}") from error
    return _points(rows)


# -- binary --------------------------------------------------------------------------------------------------------


class _Reader:
    """Little-endian numbers off a byte string; running past its end is a `CaptureError` that names the file."""

    def __init__(self, content: bytes, name: str) -> None:
        self._content, self._name, self._at = content, name, 0

    def take(self, form: str) -> tuple[float, ...]:
        size = struct.calcsize("<" + form)
        self.skip(size)
        return struct.unpack_from("<" + form, self._content, self._at - size)

    def skip(self, size: int) -> None:
        if size < 0 or self._at + size > len(self._content):
            raise CaptureError(f"{self._name} ends in the middle of a record")
        self._at += size

    def text(self) -> str:
        end = self._content.find(b"\0", self._at, self._at + NAME_BYTES_MAX)
        if end < 0:
            raise CaptureError(f"{self._name}: an image name does not end")
        value = self._content[self._at : end].decode("utf-8", errors="replace")
        self._at = end + 1
        return value


def parse_binary(cameras: bytes, images: bytes) -> list[Listed]:
    """The frames of cameras.bin and images.bin."""
    reader, lenses = _Reader(cameras, "cameras.bin"), {}
    for _ in range(int(reader.take("Q")[0])):
        number, model, width, height = (int(v) for v in reader.take("iiQQ"))
        if model not in MODELS:
            raise CaptureError(
                f"COLMAP camera model {OTHERS.get(model, model)} is not known; undistort the images with COLMAP first"
            )
        name, count = MODELS[model]
        lenses[number] = lens_from_model(name, width, height, list(reader.take(f"{count}d")))
    reader, frames = _Reader(images, "images.bin"), []
    for _ in range(int(reader.take("Q")[0])):
        values = reader.take("i7di")
        name = reader.text()
        reader.skip(24 * int(reader.take("Q")[0]))
        if int(values[8]) not in lenses:
            raise CaptureError(f"images.bin: {name} was taken by camera {int(values[8])}, which cameras.bin lacks")
        frames.append(_listed(name, values[1:5], values[5:8], lenses[int(values[8])]))
    return frames


def parse_points_binary(content: bytes) -> Points:
    """The points of points3D.bin."""
    reader, rows = _Reader(content, "points3D.bin"), []
    for _ in range(int(reader.take("Q")[0])):
        values = reader.take("Q3d3Bd")
        reader.skip(8 * int(reader.take("Q")[0]))
        rows.append(values[1:7])
    return _points(np.array(rows, np.float64).reshape(-1, 6))


def _points(rows: NDArray[np.float64]) -> Points:
    rows = rows[np.isfinite(rows).all(1)]
    return Points(rows[:, :3].astype(np.float32), (rows[:, 3:] / 255.0).clip(0, 1).astype(np.float32))
