"""A capture as a folder that nerfstudio trains on: straight pictures and `transforms.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from generators.radiance.capture import unchecked
from generators.radiance.colmap import Points
from generators.radiance.lens import Lens
from generators.radiance.photographs import Photograph
from generators.radiance.poses.writing import POINTS, frame_json, points_ply

LISTING = "transforms.json"


def write_dataset(
    photographs: Sequence[Photograph],
    folder: Path,
    check: Callable[[], None] = unchecked,
    *,
    points: Points | None = None,
) -> Path:
    """Write `images/`, `masks/`, `transforms.json` and the points that splats begin at into a new folder; returns it.

    Poses are nerfstudio's: camera to world in OpenGL's camera axes, a world whose +Z is up. Pictures are lossless,
    with straight alpha if they had any. nerfstudio takes a mask for every picture or for none, so where one has a mask
    the others get one that lets everything through. `check` is called before each picture.
    """
    from PIL import Image

    (folder / "images").mkdir(parents=True)
    masked = any(photograph.mask is not None for photograph in photographs)
    frames = []
    for number, photograph in enumerate(photographs):
        check()
        name, mask = f"images/frame_{number:05}.png", ""
        planes = photograph.pixels if photograph.alpha is None else [*photograph.pixels, photograph.alpha]
        Image.fromarray(np.ascontiguousarray(np.stack(list(planes), -1))).save(folder / name, compress_level=1)
        if masked:
            mask = f"masks/frame_{number:05}.png"
            (folder / "masks").mkdir(exist_ok=True)
            counts = np.ones(photograph.pixels.shape[1:], bool) if photograph.mask is None else photograph.mask
            Image.fromarray(np.where(counts, 255, 0).astype(np.uint8)).save(folder / mask)
        camera = photograph.camera
        lens = Lens(camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
        world_from_camera = np.asarray(np.linalg.inv(camera.camera_from_world), np.float64)
        frames.append(frame_json(name, world_from_camera, lens, mask))
    document: dict[str, object] = {"camera_model": "OPENCV", "frames": frames}
    if points is not None and len(points.positions):
        document["ply_file_path"] = POINTS
        (folder / POINTS).write_bytes(points_ply(points))
    (folder / LISTING).write_text(json.dumps(document, indent=1), encoding="utf-8")
    return folder
