"""Renders of a scene with the cameras that made them, as one capture: what a host sends instead of photographs."""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

from .errors import ScenecastError
from .folders import store_bytes

Picture = Union[bytes, str, "os.PathLike[str]"]
Matrix = Sequence[Sequence[float]]
_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", ".png"), (b"\xff\xd8\xff", ".jpg"))


@dataclass(frozen=True)
class PosedCamera:
    """A pinhole: its place and turn as 4 rows of `world_from_camera`, its field of view, its picture's size in pixels.

    The camera looks along its own -Z with +Y up, as in glTF, OpenGL and Blender. The world is right-handed in metres,
    with +Y up (glTF) or, with `up` "z", +Z up (Blender). A left-handed world is mirrored first: change the sign of
    the third row and of the third column.
    """

    world_from_camera: Matrix
    fov_y_deg: float
    width_px: int
    height_px: int
    up: str = "y"
    centre_px: Optional[tuple[float, float]] = None
    """Where the optical axis meets the picture; None for its middle (a shifted lens moves it)."""


@dataclass(frozen=True)
class PosedFrame:
    """One render: a PNG or JPEG as bytes or path, its camera, and what else the host knows.

    `mask` is a picture, black where the render does not count. `depth` is a grey PNG of 16 bits: millimetres along
    the optical axis, 0 for nothing.
    """

    picture: Picture
    camera: PosedCamera
    mask: Optional[Picture] = None
    depth: Optional[Picture] = None


def capture_zip(path: Union[str, os.PathLike[str]], frames: Iterable[PosedFrame]) -> int:
    """Write renders and their cameras to a new zip at `path`, ready to be uploaded; how many there are.

    The same frames give the same bytes. One picture is in memory at a time. Raises `ScenecastError` for fewer than 3
    frames, a picture that is neither PNG nor JPEG, a camera that makes no sense, or a file that cannot be read.
    """
    listed: list[dict[str, Any]] = []
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for number, frame in enumerate(frames):
                stem = f"{number:05}"
                entry = _camera(frame.camera, number)
                entry["file_path"] = _store(archive, "images", stem, frame.picture)
                if frame.mask is not None:
                    entry["mask_path"] = _store(archive, "masks", stem, frame.mask)
                if frame.depth is not None:
                    entry["depth_file_path"] = _store(archive, "depths", stem, frame.depth)
                listed.append(entry)
            document = {"unit_m": 1.0, "depth_unit_scale_factor": 0.001, "exif_applied": True, "frames": listed}
            store_bytes(archive, "transforms.json", json.dumps(document).encode())
    except OSError as error:
        raise ScenecastError(f"{os.fspath(path)} cannot be written: {error}") from error
    if len(listed) < 3:
        raise ScenecastError(
            f"{len(listed)} pictures are too few for a capture", remedy="Render 3 and more, all around."
        )
    return len(listed)


def _camera(camera: PosedCamera, number: int) -> dict[str, Any]:
    """The numbers of `transforms.json`: focal length in pixels, pose in a world with +Z up."""
    rows = [[float(value) for value in row] for row in camera.world_from_camera]
    flat = [value for row in rows for value in row]
    if len(rows) not in (3, 4) or any(len(row) != 4 for row in rows) or not all(map(math.isfinite, flat)):
        raise ScenecastError(f"camera {number}: expected 4 rows of 4 finite numbers, got {camera.world_from_camera!r}")
    if not 0 < camera.fov_y_deg < 180 or min(camera.width_px, camera.height_px) < 1 or camera.up not in ("y", "z"):
        raise ScenecastError(
            f"camera {number}: a field of view of {camera.fov_y_deg:g}° at {camera.width_px}×{camera.height_px} px "
            f"with {camera.up!r} up makes no sense",
            remedy="Give 0 to 180°, a size in pixels, and 'y' or 'z'.",
        )
    if camera.up == "y":
        rows = [rows[0], [-value for value in rows[2]], rows[1], *rows[3:]]
    focal = camera.height_px / (2 * math.tan(math.radians(camera.fov_y_deg) / 2))
    across, down = camera.centre_px or (camera.width_px / 2, camera.height_px / 2)
    return {
        "transform_matrix": [*rows[:3], [0.0, 0.0, 0.0, 1.0]],
        "camera_model": "PINHOLE",
        "w": camera.width_px,
        "h": camera.height_px,
        "fl_x": focal,
        "fl_y": focal,
        "cx": across,
        "cy": down,
    }


def _store(archive: zipfile.ZipFile, folder: str, stem: str, picture: Picture) -> str:
    if isinstance(picture, (bytes, bytearray, memoryview)):
        content = bytes(picture)
    else:
        with open(picture, "rb") as file:
            content = file.read()
    extension = next((ending for start, ending in _SIGNATURES if content.startswith(start)), "")
    if not extension:
        raise ScenecastError(f"{folder}/{stem} is neither PNG nor JPEG", remedy="Write the render as PNG.")
    name = f"{folder}/{stem}{extension}"
    store_bytes(archive, name, content)
    return name
