"""A capture as a folder that nerfstudio trains on: straight pictures and `transforms.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from generators.radiance.capture import unchecked
from generators.radiance.lens import Lens
from generators.radiance.photographs import Photograph
from generators.radiance.poses.writing import frame_json

LISTING = "transforms.json"


def write_dataset(photographs: Sequence[Photograph], folder: Path, check: Callable[[], None] = unchecked) -> Path:
    """Write `images/`, `masks/` where there are any, and `transforms.json` into a new folder; returns it.

    Poses are nerfstudio's: camera to world in OpenGL's camera axes, a world whose +Z is up. Pictures are lossless,
    with straight alpha if they had any. `check` is called before each.
    """
    from PIL import Image

    (folder / "images").mkdir(parents=True)
    frames = []
    for number, photograph in enumerate(photographs):
        check()
        name, mask = f"images/frame_{number:05}.png", ""
        planes = photograph.pixels if photograph.alpha is None else [*photograph.pixels, photograph.alpha]
        Image.fromarray(np.ascontiguousarray(np.stack(list(planes), -1))).save(folder / name, compress_level=1)
        if photograph.mask is not None:
            mask = f"masks/frame_{number:05}.png"
            (folder / "masks").mkdir(exist_ok=True)
            Image.fromarray(np.where(photograph.mask, 255, 0).astype(np.uint8)).save(folder / mask)
        camera = photograph.camera
        lens = Lens(camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
        world_from_camera = np.asarray(np.linalg.inv(camera.camera_from_world), np.float64)
        frames.append(frame_json(name, world_from_camera, lens, mask))
    document = {"camera_model": "OPENCV", "frames": frames}
    (folder / LISTING).write_text(json.dumps(document, indent=1), encoding="utf-8")
    return folder
