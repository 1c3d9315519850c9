"""From the bytes of a frame to arrays in the neutral form, and cameras to pixels."""

from __future__ import annotations

import numpy as np
import pytest

from engines.assets import Array
from generators.events import GeneratorError
from generators.live.frames import Camera, frame_from
from generators.pipe import CameraRow, FrameOrder, PixelRow

TURN = [0.0, 0, 1, 5, 0, 1, 0, 6, -1, 0, 0, 7, 0, 0, 0, 1]
"""Looks along -X, at (5, 6, 7)."""


def order(camera: CameraRow | None = None, *rows: PixelRow, width: int = 4, height: int = 2) -> FrameOrder:
    return FrameOrder(run=1, frame=3, width_px=width, height_px=height, params={}, camera=camera, pictures=list(rows))


def row(channel: str, data: bytes, dtype: str, space: str = "", *, bottom_up: bool = False) -> PixelRow:
    return PixelRow(channel=channel, offset=0, size_bytes=len(data), dtype=dtype, space=space, bottom_up=bottom_up)


def one(channel: str, values: Array, space: str = "", **more: bool) -> Array:
    data = values.tobytes()
    dtype = {"uint8": "u1", "float16": "<f2", "float32": "<f4"}[values.dtype.name]
    camera = CameraRow(world_from_camera=TURN, fov_y_deg=90.0, near_m=1.0, far_m=9.0)
    frame = frame_from(order(camera, row(channel, data, dtype, space, **more)), None, memoryview(data))
    found: Array = getattr(frame, channel)
    return found


def test_colour_of_every_kind() -> None:
    codes = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
    assert np.array_equal(one("colour", codes), codes)
    assert np.array_equal(one("colour", codes, bottom_up=True), codes[::-1])
    rgba = np.concatenate([codes, np.full((2, 4, 1), 7, np.uint8)], -1)
    assert np.array_equal(one("colour", rgba), codes)
    levels = (codes / 255).astype(np.float32)
    assert np.array_equal(one("colour", levels, "srgb"), codes)
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4).astype(np.float32)
    found = one("colour", linear, "linear")
    assert np.abs(found.astype(int) - codes).max() <= 1
    assert found.flags.c_contiguous


def test_depth_of_every_kind() -> None:
    metres = np.array([[1.5, 2.0, 0.0, np.inf], [np.nan, 3.0, 4.0, 5.0]], np.float32)
    expected = np.array([[1.5, 2.0, np.inf, np.inf], [np.inf, 3.0, 4.0, 5.0]], np.float32)
    assert np.array_equal(one("depth", metres, "metres"), expected)
    assert np.array_equal(one("depth", metres.astype(np.float16)), expected)
    truth = np.array([[1.0, 1.5, 2.0, 3.0], [4.0, 6.0, 8.0, 8.9]])
    window = (9 / (9 - 1) * (1 - 1 / truth)).astype(np.float32)  # OpenGL: f/(f-n)·(1 - n/z)
    window[0, 0] = 1.0
    found = one("depth", window, "window")
    assert np.isinf(found[0, 0]) and np.allclose(found.ravel()[1:], truth.ravel()[1:], rtol=1e-4)
    flat = CameraRow(world_from_camera=TURN, fov_y_deg=0.0, near_m=-10.0, far_m=30.0, height_m=2.0)
    data = np.array([[0.1, 0.5, 0.9, 1.0]], np.float32).tobytes()
    ortho = frame_from(order(flat, row("depth", data, "<f4", "window"), height=1), None, memoryview(data)).depth
    assert ortho is not None and np.allclose(ortho[0, :3], [-6.0, 10.0, 26.0]) and np.isinf(ortho[0, 3])


def test_normals_of_every_kind() -> None:
    world = np.zeros((2, 4, 3), np.float32)
    world[..., 1] = 1
    assert np.array_equal(one("normal", world), world)
    codes = np.full((2, 4, 3), 128, np.uint8)
    codes[..., 0] = 255
    found = one("normal", codes)
    assert np.allclose(found[0, 0], [1, 0, 0], atol=0.01)
    towards = np.zeros((2, 4, 3), np.float32)
    towards[..., 2] = 1  # to the camera, which looks along -X
    found = one("normal", towards, "camera")
    assert np.allclose(found[0, 0], [1, 0, 0])


@pytest.mark.parametrize(("channel", "space"), [("depth", "window"), ("normal", "camera")])
def test_what_needs_a_camera_says_so(channel: str, space: str) -> None:
    data = bytes(4 * 2 * 4 * (3 if channel == "normal" else 1))
    with pytest.raises(GeneratorError, match="camera"):
        frame_from(order(None, row(channel, data, "<f4", space)), None, memoryview(data))


def test_a_camera_in_pixels() -> None:
    wide = CameraRow(world_from_camera=TURN, fov_y_deg=90.0, centre_x=0.5, centre_y=0.25)
    camera = Camera.of(wide, 200, 100)
    assert camera.focal_y_px == camera.focal_x_px == pytest.approx(50.0)
    assert (camera.centre_x_px, camera.centre_y_px) == pytest.approx((150.0, 37.5))
    squeezed = Camera.of(CameraRow(world_from_camera=TURN, fov_y_deg=90.0, fov_x_deg=90.0), 200, 100)
    assert squeezed.focal_x_px == pytest.approx(100.0)
    flat = Camera.of(CameraRow(world_from_camera=TURN, fov_y_deg=50.0, height_m=4.0), 200, 100)
    assert flat.orthographic and flat.focal_x_px == flat.focal_y_px == 25.0
    with pytest.raises(GeneratorError, match="scales or mirrors"):
        Camera.of(CameraRow(world_from_camera=[2.0, *TURN[1:]], fov_y_deg=50.0), 10, 10)
