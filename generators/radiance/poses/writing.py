"""A posed capture as one zip: the photographs as they were, `transforms.json` in nerfstudio's dialect, the points.

Two keys of our own say what others leave open: `unit_m` (metres in one unit, only when known) and `exif_applied`
(poses belong to the pictures turned upright, whatever size is stated).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.radiance.archive import Source
from generators.radiance.colmap import Points
from generators.radiance.lens import Lens

LISTING, POINTS = "transforms.json", "sparse_pc.ply"
Z_UP_FROM_NEUTRAL = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], np.float64)
_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
_EPOCH = (1980, 1, 1, 0, 0, 0)


def full_size(lens: Lens, width: int, height: int) -> Lens:
    """The same lens before a picture of another number of pixels."""
    across, down = width / lens.width, height / lens.height
    return replace(
        lens,
        fx=lens.fx * across,
        cx=lens.cx * across,
        fy=lens.fy * down,
        cy=lens.cy * down,
        width=width,
        height=height,
    )


def frame_json(name: str, world_from_camera: NDArray[np.float64], lens: Lens, mask: str = "") -> dict[str, Any]:
    """One frame of `transforms.json`; the pose is in neutral axes with the camera axes of OpenCV."""
    frame: dict[str, Any] = {
        "file_path": name,
        "transform_matrix": (Z_UP_FROM_NEUTRAL @ world_from_camera @ _FLIP).tolist(),
        "w": lens.width,
        "h": lens.height,
        "fl_x": lens.fx,
        "fl_y": lens.fy,
        "cx": lens.cx,
        "cy": lens.cy,
        "camera_model": "OPENCV_FISHEYE" if lens.fisheye else "OPENCV",
    }
    frame |= {f"k{number}": value for number, value in enumerate(lens.radial, 1)}
    if any(lens.tangential):
        frame |= {"p1": lens.tangential[0], "p2": lens.tangential[1]}
    return frame | ({"mask_path": mask} if mask else {})


def write_posed(
    path: Path,
    source: Source,
    frames: Sequence[dict[str, Any]],
    *,
    points: Points | None,
    metric: bool,
    check: Callable[[], None],
) -> None:
    """Write the zip; the same frames give the same bytes. `points` are in neutral axes."""
    document: dict[str, Any] = {"exif_applied": True, "frames": list(frames)}
    if metric:
        document["unit_m"] = 1.0
    if points is not None:
        document["ply_file_path"] = POINTS
    half = path.with_suffix(".part")
    with zipfile.ZipFile(half, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, LISTING, json.dumps(document, indent=1).encode())
        if points is not None:
            _add(archive, POINTS, points_ply(points))
        for frame in frames:
            check()
            _add(archive, frame["file_path"], source.read(frame["file_path"]))
            if "mask_path" in frame:
                _add(archive, frame["mask_path"], source.read(frame["mask_path"]))
    half.replace(path)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system, info.external_attr = 3, 0o100644 << 16
    archive.writestr(info, content)


def points_ply(points: Points) -> bytes:
    """Points as a binary PLY in the world of `transforms.json`: x, y, z, red, green, blue."""
    rows = np.empty(
        len(points.positions),
        [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")],
    )
    turned = points.positions @ Z_UP_FROM_NEUTRAL[:3, :3].T.astype(np.float32)
    colours = (points.colours * 255 + 0.5).astype(np.uint8)
    for axis, (place, colour) in enumerate((("x", "red"), ("y", "green"), ("z", "blue"))):
        rows[place], rows[colour] = turned[:, axis], colours[:, axis]
    kinds = {"<f4": "float", "|u1": "uchar"}
    columns = "".join(f"property {kinds[rows.dtype[name].str]} {name}\n" for name in rows.dtype.names or ())
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(rows)}\n{columns}end_header\n"
    return head.encode() + rows.tobytes()
