"""A radiance field from photographs, seen in real Blender through the cameras that took them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bridge.cli import blender_addon
from generators.radiance.photographs import Photograph
from tests.blender_addon.blenders import Blender
from tests.generators.fields.lattices import ROOM
from tests.generators.radiance.captures import frame_json, write_folder

QUICK = {"resolution_px": 64, "iterations": 150, "detail": "coarse", "hold_out_every": 0}


@pytest.mark.slow
@pytest.mark.timeout(900)  # a busy machine, a cold cache of kernels
def test_a_field_is_seen_where_it_was_photographed(blender: Blender, tmp_path: Path) -> None:
    left_out, rest = [ROOM[2], ROOM[-3]], [one for one in ROOM if one not in (ROOM[2], ROOM[-3])]
    photos = write_folder(tmp_path / "room", rest)
    camera = ROOM[0].camera
    seen = blender.run(
        "field_cases:trained", tmp_path, timeout_secs=800, python=sys.executable, photos=str(photos), params=QUICK,
        archive=str(blender_addon.build(tmp_path / "scenecast.zip")), size=[camera.width, camera.height],
        fov_y=float(2 * np.arctan(camera.height / 2 / camera.fy)),
        cameras=[frame_json(one, "")["transform_matrix"] for one in left_out],
    )  # fmt: skip
    line, buttons, _ = seen["row"]
    assert (
        line == "Ready: look at it, or make others of it"
        and "view" in buttons
        and "scenecast.view_field" in seen["drawn"]
    )
    for number, photograph in enumerate(left_out):
        said, size, backgrounds, shown = seen["views"][number]
        assert said == "Placed behind Eye" and size == [camera.width, camera.height] and shown
        assert backgrounds == 1, "the newer view takes the place of the older one"
        alike = [likeness_db(tmp_path / f"view_{number}.png", one) for one in ROOM]
        best = int(np.argmax(alike))
        assert ROOM[best] is photograph and alike[best] > 15, "seen from there and from nowhere else"


def likeness_db(path: Path, photograph: Photograph) -> float:
    """PSNR of a picture on disk against a photograph."""
    with Image.open(path) as opened:
        pixels = np.asarray(opened.convert("RGB"), np.float64)
    error = (pixels - photograph.pixels.transpose(1, 2, 0)) / 255
    return float(-10 * np.log10((error**2).mean()))
