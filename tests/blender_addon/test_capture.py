"""Objects, images and views taken from real Blender, and the pure parts of it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from blender_addon.core.png import png_bytes
from engines.asymmetric import asymmetric_mesh, findings
from engines.formats import glb
from engines.formats.registry import Limits
from generators.radiance.capture import read_capture
from generators.radiance.photographs import load_photographs
from tests.blender_addon.blenders import Blender
from tests.blender_addon.deliveries import delivered
from tests.blender_addon.looking import picture


def test_the_scene_is_seen_and_exported_untouched(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("capture_cases:everything", tmp_path, mesh=delivered(asymmetric_mesh(), tmp_path / "files"))
    assert "no camera" in seen["no_camera"]
    assert [one["role"] for one in seen["camera"]] == ["colour", "depth", "normal"]
    assert seen["files"] == ["colour.png", "depth.png", "normal.png"]
    assert all(one["media_type"] == "image/png" and one["kind"] == "image" for one in seen["camera"])
    meta = seen["camera"][1]["meta"]
    assert [meta["width_px"], meta["height_px"]] == [160, 80]
    # The picture is wide, so the lens angle of 0.6 is the horizontal one.
    assert np.radians(meta["fov_y_deg"]) == pytest.approx(2 * np.arctan(np.tan(0.3) / 2), rel=1e-4)
    # The camera stands 5 m before the plate's plane; the blue arm comes 0.4 m nearer, the letter goes 0.12 m back.
    assert meta["near_m"] == pytest.approx(4.6, abs=0.02)
    assert 4.98 < meta["far_m"] < 5.13
    assert seen["engine"] == ["BLENDER_WORKBENCH", 200, 1]
    assert seen["stays"] == [[3, 0, 0], True]
    assert seen["changed"] == []
    assert seen["settings"]
    colour = picture(seen["camera"][0]["path"])
    assert colour.shape == (80, 160, 3)
    # 51.7 pixels a metre: the red arm's middle, 0.3 m right of the camera and 0.42 m above, is at column 95, row 18.
    assert int(np.argmax(colour[17:20, 90:100].reshape(-1, 3).mean(axis=0))) == 0, "red runs right at the top"
    with Image.open(seen["camera"][1]["path"]) as depth:
        values = np.asarray(depth, np.int64)
    assert values.max() == 65535 and values[0, 0] == 0
    normal = picture(seen["camera"][2]["path"])
    assert np.abs(normal[0, 0] - (0.5, 0.5, 1.0)).max() < 0.01
    back = glb.decode(Path(seen["object"]["path"]), Limits())
    assert findings(back) == []
    moved = glb.decode(Path(seen["collection"]["path"]), Limits())
    np.testing.assert_allclose(moved.positions[:, 0].min(), 3.0, atol=1e-5)
    assert seen["packed_same"]
    painted = picture(seen["painted"]["path"])
    assert painted.shape == (4, 8, 3)
    assert painted[3, 0].tolist() == [1, 0, 0] and painted[0, 0].tolist() == pytest.approx([0, 0, 0.5], abs=0.003)
    assert "window" in seen["viewport"][0] and "use the camera" in seen["viewport"][1]
    assert "no surface" in seen["refused"][0]
    assert "no object 'Nobody'" in seen["refused"][1]
    assert "no collection 'Nothing'" in seen["refused"][2]
    assert "no image 'None'" in seen["refused"][3]
    assert "no 'smell'" in seen["refused"][4]
    assert "hidden" in seen["hidden"]


def test_the_scene_is_photographed_from_all_around_with_true_poses(blender: Blender, tmp_path: Path) -> None:
    """Every corner that the mesh has is where its pose says, in what our own reader makes of the folder."""
    mesh = asymmetric_mesh()
    seen = blender.run("capture_cases:around", tmp_path, mesh=delivered(mesh, tmp_path / "files"))
    assert seen["steps"] == [False] * 7 + [True]
    assert seen["files"] == ["transforms.json", *(f"view_{number:03d}.png" for number in range(8))]
    assert (seen["captured"]["kind"], seen["captured"]["path"]) == ("capture", str(tmp_path / "scene"))
    assert seen["changed"] == [] and seen["settings"]
    assert seen["look"] == ["AgX", "AgX - Punchy", "STUDIO"]
    assert "Nothing is selected" in seen["refused"][0] and "has no size" in seen["refused"][1]
    for look in ("scene", "quick"):  # a third of the way round, the letter is seen from its front
        front = picture(tmp_path / look / "view_002.png")
        assert {int(np.argmax(pixel)) for pixel in front[np.ptp(front, axis=2) > 0.3]} == {0, 1, 2}, look
    capture = read_capture(tmp_path / "scene")
    photographs, unreadable = load_photographs(capture, longest_side_px=96)
    assert len(photographs) == 8 and not unreadable and not capture.skipped
    # At (3, 1, 2) of Blender, which is (3, 2, -1) in neutral axes; the letter itself is neutral already.
    corners = np.asarray(mesh.positions, np.float64) + np.array([3, 2, -1])
    for photograph in photographs:
        camera = photograph.camera
        inside = corners @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]
        assert inside[:, 2].min() > 0, "all of it is before the camera"
        x, y = (inside[:, :2] / inside[:, 2:] * (camera.fx, camera.fy) + (camera.cx, camera.cy)).T
        assert photograph.alpha is not None
        rows, columns = np.nonzero(photograph.alpha > 127)
        for seen_px, expected_px in ((columns, x), (rows, y)):
            assert abs(seen_px.min() - expected_px.min()) < 1.6 and abs(seen_px.max() + 1 - expected_px.max()) < 1.6


@settings(deadline=None)
@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.sampled_from([np.uint8, np.uint16]), st.integers(0, 99)
)
def test_png_says_what_it_was_given(height: int, width: int, channels: int, dtype: type, seed: int) -> None:
    pixels: NDArray[Any] = (
        np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (height, width, channels)).astype(dtype)
    )
    with Image.open(io.BytesIO(png_bytes(pixels))) as image:
        assert image.size == (width, height)
        if dtype is np.uint8 or channels == 1:  # Pillow reads 16 bits of one channel only
            back = np.asarray(image).astype(np.int64).reshape(height, width, channels)
            np.testing.assert_array_equal(back, pixels.astype(np.int64))


def test_png_refuses_what_it_cannot_hold() -> None:
    for shape, dtype in (((2, 2), np.uint8), ((2, 2, 5), np.uint8), ((2, 2, 3), np.float32)):
        with pytest.raises(ValueError, match="cannot hold"):
            png_bytes(np.zeros(shape, dtype))
