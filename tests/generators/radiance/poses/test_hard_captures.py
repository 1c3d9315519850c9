"""Photographs as telephones write them: lying on their side, bent by the lens, with a focal length and a place."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engines.assets import Capture
from generators.events import Note, Produced, Request
from generators.radiance.archive import CaptureError
from generators.radiance.cameras import looking_at
from generators.radiance.capture import Capture as ReadCapture
from generators.radiance.capture import read_capture
from generators.radiance.capture_specs import CapturePosesParams
from generators.radiance.lens import Lens
from generators.radiance.photographs import load_photographs
from generators.radiance.poses.capture_poses import run
from generators.radiance.poses.exif import EARTH_M
from tests.generators.radiance import known_scene
from tests.generators.radiance.known_scene import View, around, png, render
from tests.generators.radiance.poses.alignment import Aligned, aligned, true_poses
from tests.generators.radiance.poses.contexts import Bench

LENS = Lens(230.0, 230.0, 120.0, 90.0, 240, 180, radial=(-0.16, 0.05))
SITE = 30.0
"""The room's metres, blown up to a building's so that satellites can tell them."""


def seen_through(lens: Lens, count: int, distance_m: float = 3.0) -> list[View]:
    cameras = around(count, width=lens.width, height=lens.height, arc_deg=65, distance_m=distance_m)
    cameras = [replace(camera, fx=lens.fx, fy=lens.fy) for camera in cameras]
    return [render(camera, lens) for camera in cameras]


@pytest.fixture(scope="module")
def bent() -> list[View]:
    return seen_through(LENS, 9)


def place_of(position: np.ndarray[Any, Any], index: int) -> dict[int, Any]:
    """EXIF's GPS block for a place in the enlarged room, two metres off."""
    east, up, south = SITE * position + 2 * np.array([np.sin(index), np.cos(3 * index), np.sin(5 * index)])
    latitude = 48.0 - math.degrees(south / EARTH_M)
    longitude = 11.0 + math.degrees(east / EARTH_M) / math.cos(math.radians(48.0))

    def parts(value: float) -> tuple[float, float, float]:
        whole = int(value)
        minutes = int((value - whole) * 60)
        return float(whole), float(minutes), (value - whole - minutes / 60) * 3600

    return {1: "N", 2: parts(latitude), 3: "E", 4: parts(longitude), 6: 100.0 + up}


def telephone(view: View, index: int) -> bytes:
    """A JPEG that lies on its side and says so."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112], exif[0x0110] = 6, "Phone"
    exif.get_ifd(0x8769)[0xA405] = round(math.hypot(36, 24) * LENS.fx / math.hypot(240, 180))
    exif.get_ifd(0x8825).update(place_of(view.camera.position, index))
    Image.fromarray(np.ascontiguousarray(np.rot90(view.pixels, 1))).save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


def posed(root: Path, params: CapturePosesParams, folder: Path) -> tuple[ReadCapture, list[str]]:
    events = list(run(Request(params, 1, {"photos": Capture(root)}), Bench(folder)))
    last = events[-1]
    assert isinstance(last, Produced) and isinstance(last.asset, Capture)
    return read_capture(last.asset.path), [event.text for event in events if isinstance(event, Note)]


def error_of(capture: ReadCapture, views: list[View]) -> Aligned:
    numbers = [int(Path(frame.file).stem[-3:]) for frame in capture.frames]
    return aligned(
        np.stack([frame.world_from_camera for frame in capture.frames]), true_poses([views[n] for n in numbers])
    )


def test_a_telephone(bent: list[View], tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / "masks").mkdir(parents=True)
    for index, view in enumerate(bent):
        (root / f"IMG_{index:03}.jpg").write_bytes(telephone(view, index))
    mask = np.full((240, 180, 3), 255, np.uint8)  # as it is stored: on its side
    mask[:60] = 0
    (root / "masks" / "IMG_004.jpg.png").write_bytes(png(mask))
    capture, notes = posed(root, CapturePosesParams(resolution_px=240), tmp_path / "scratch")
    assert len(capture.frames) == 9 and not any("do not name their lens" in note for note in notes)
    error = error_of(capture, bent)
    assert error.translation.max() < 0.03 and error.rotation_deg.max() < 0.6
    assert notes[-1].startswith("metres are known from the positions")
    assert capture.unit_m == 1 and 1 / error.scale == pytest.approx(SITE, rel=0.15)
    photographs, skipped = load_photographs(capture, longest_side_px=240)
    assert not skipped and photographs[0].pixels.shape == (3, 180, 240)
    straight = render(replace(bent[0].camera, fx=photographs[0].camera.fx, fy=photographs[0].camera.fy)).pixels
    got = photographs[0].pixels.transpose(1, 2, 0).astype(float)
    raw = np.abs(bent[0].pixels.astype(float) - straight)
    assert np.abs(got - straight)[20:-20, 20:-20].mean() < 0.75 * raw[20:-20, 20:-20].mean()
    assert photographs[4].mask is not None
    assert photographs[4].mask[90, 30] and not photographs[4].mask[90, 215]


def test_a_fisheye(tmp_path: Path) -> None:
    lens = Lens(150.0, 150.0, 160.0, 120.0, 320, 240, radial=(0.03, -0.01), fisheye=True)
    views = seen_through(lens, 9, distance_m=2.0)
    root = known_scene.write_capture(tmp_path / "in", views, posed=False)
    params = CapturePosesParams(resolution_px=320, lens="fisheye")
    capture, _ = posed(root, params, tmp_path / "scratch")
    error = error_of(capture, views)
    assert len(capture.frames) == 9 and error.translation.max() < 0.03 and error.rotation_deg.max() < 0.6
    photographs, _ = load_photographs(capture, longest_side_px=320)
    assert photographs[0].camera.fx == pytest.approx(150, rel=0.08)


def test_the_global_method(tmp_path: Path) -> None:
    views = known_scene.views(8, width=240, height=180, arc_deg=60)
    root = known_scene.write_capture(tmp_path / "in", views, posed=False)
    capture, _ = posed(root, CapturePosesParams(resolution_px=240, mapper="global"), tmp_path / "scratch")
    assert len(capture.frames) == 8 and error_of(capture, views).translation.max() < 0.01


def test_a_camera_that_only_turned_is_told_so(tmp_path: Path) -> None:
    eye, views = (1.6, 1.2, 1.6), []
    for angle in np.radians(np.linspace(200, 245, 7)):
        target = (eye[0] + float(np.sin(angle)), 1.0, eye[2] + float(np.cos(angle)))
        views.append(render(looking_at(eye, target, fov_y_deg=50, width=240, height=180)))
    root = known_scene.write_capture(tmp_path / "in", views, posed=False)
    with pytest.raises(CaptureError, match=r"0 of 7 photographs could be placed.* turned on the spot"):
        posed(root, CapturePosesParams(resolution_px=240), tmp_path / "scratch")


def test_photographs_of_another_place_are_named(tmp_path: Path) -> None:
    here = known_scene.views(7, width=240, height=180, arc_deg=50)
    there = [replace(one, pixels=np.ascontiguousarray(one.pixels[:, ::-1])) for one in here[:4]]
    root = known_scene.write_capture(tmp_path / "in", [*here, *there], posed=False)
    capture, notes = posed(root, CapturePosesParams(resolution_px=240), tmp_path / "scratch")
    assert [Path(frame.file).name for frame in capture.frames] == [f"view{index:03}.png" for index in range(7)]
    assert all(f"images/view{index:03}.png (" in notes[0] for index in range(7, 11))
