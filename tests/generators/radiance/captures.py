"""Writes small captures to disk in every form that can be read."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from generators.radiance.photographs import Photograph

FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
Z_UP_FROM_NEUTRAL = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], np.float64)


def png(photograph: Photograph) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(photograph.pixels.transpose(1, 2, 0))).save(file, "PNG")
    return file.getvalue()


def frame_json(photograph: Photograph, file_path: str) -> dict[str, Any]:
    pose = Z_UP_FROM_NEUTRAL @ np.linalg.inv(photograph.camera.camera_from_world) @ FLIP
    return {"file_path": file_path, "transform_matrix": pose.tolist()}


def transforms(photographs: Sequence[Photograph]) -> dict[str, Any]:
    camera = photographs[0].camera
    return {
        "fl_x": camera.fx,
        "fl_y": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
        "w": camera.width,
        "h": camera.height,
        "frames": [frame_json(p, f"images/{p.name}") for p in photographs],
    }


def write_folder(root: Path, photographs: Sequence[Photograph], document: dict[str, Any] | None = None) -> Path:
    (root / "images").mkdir(parents=True)
    for photograph in photographs:
        (root / "images" / photograph.name).write_bytes(png(photograph))
    (root / "transforms.json").write_text(json.dumps(document or transforms(photographs)))
    return root


def quaternion(rotation: np.ndarray[Any, Any]) -> list[float]:
    """wxyz of a rotation matrix, through its eigenvector: slow and safe."""
    m = rotation
    k = np.array(
        [
            [m[0, 0] - m[1, 1] - m[2, 2], m[1, 0] + m[0, 1], m[2, 0] + m[0, 2], m[2, 1] - m[1, 2]],
            [m[1, 0] + m[0, 1], m[1, 1] - m[0, 0] - m[2, 2], m[2, 1] + m[1, 2], m[0, 2] - m[2, 0]],
            [m[2, 0] + m[0, 2], m[2, 1] + m[1, 2], m[2, 2] - m[0, 0] - m[1, 1], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], m[0, 0] + m[1, 1] + m[2, 2]],
        ]
    )
    x, y, z, w = np.linalg.eigh(k)[1][:, 3]
    return [float(w), float(x), float(y), float(z)]


def write_colmap(root: Path, photographs: Sequence[Photograph], points: np.ndarray[Any, Any], *, text: bool) -> Path:
    (root / "images").mkdir(parents=True)
    sparse = root / "sparse" / "0"
    sparse.mkdir(parents=True)
    for photograph in photographs:
        (root / "images" / photograph.name).write_bytes(png(photograph))
    c = photographs[0].camera
    poses = [(quaternion(p.camera.camera_from_world[:3, :3]), p.camera.camera_from_world[:3, 3]) for p in photographs]
    if text:
        (sparse / "cameras.txt").write_text(f"# cameras\n7 PINHOLE {c.width} {c.height} {c.fx} {c.fy} {c.cx} {c.cy}\n")
        lines = ["# images"]
        for index, (photograph, (q, t)) in enumerate(zip(photographs, poses, strict=True)):
            numbers = " ".join(repr(float(v)) for v in (*q, *t))
            lines += [f"{index + 1} {numbers} 7 {photograph.name}", "" if index % 2 else "1.5 2.5 -1"]
        (sparse / "images.txt").write_text("\n".join(lines) + "\n")
        rows = [f"{i} {p[0]} {p[1]} {p[2]} 255 128 0 0.5 1 2" for i, p in enumerate(points)]
        (sparse / "points3D.txt").write_text("\n".join(rows) + "\n")
        return root
    (sparse / "cameras.bin").write_bytes(struct.pack("<QiiQQ4d", 1, 7, 1, c.width, c.height, c.fx, c.fy, c.cx, c.cy))
    content = struct.pack("<Q", len(photographs))
    for index, (photograph, (q, t)) in enumerate(zip(photographs, poses, strict=True)):
        content += struct.pack("<i7di", index + 1, *q, *t, 7) + photograph.name.encode() + b"\0"
        content += struct.pack("<Qddq", 1, 1.5, 2.5, -1)
    (sparse / "images.bin").write_bytes(content)
    content = struct.pack("<Q", len(points))
    for index, p in enumerate(points):
        content += struct.pack("<Q3d3BdQii", index, *p, 255, 128, 0, 0.5, 1, 1, 2)
    (sparse / "points3D.bin").write_bytes(content)
    return root
