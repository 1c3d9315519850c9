"""Cameras see what they should."""

from __future__ import annotations

import numpy as np
import pytest

from generators.radiance.cameras import looking_at


def test_looking_at_centres_its_target_and_stands_upright() -> None:
    camera = looking_at((1, 2, 5), (0.5, 0, -1), fov_y_deg=40, width=30, height=20)
    local = camera.camera_from_world @ np.array([0.5, 0, -1, 1])
    assert np.allclose(local[:2], 0) and local[2] > 0
    above = camera.camera_from_world @ np.array([0.5, 0.1, -1, 1])
    assert above[1] < 0 and abs(above[0]) < 1e-9  # the picture's y points down
    right = camera.camera_from_world @ np.array([0.6, 0, -1, 1])
    assert right[0] > 0
    np.testing.assert_allclose(camera.position, [1, 2, 5], atol=1e-12)
    np.testing.assert_allclose(
        camera.camera_from_world[:3, :3] @ camera.camera_from_world[:3, :3].T, np.eye(3), atol=1e-12
    )
    assert np.linalg.det(camera.camera_from_world[:3, :3]) == pytest.approx(1)


def test_a_camera_looking_straight_down_is_still_a_camera() -> None:
    camera = looking_at((0, 3, 0), (0, 0, 0), fov_y_deg=40, width=30, height=20)
    assert np.linalg.det(camera.camera_from_world[:3, :3]) == pytest.approx(1)


def test_resizing_scales_the_intrinsics() -> None:
    camera = looking_at((0, 0, 3), (0, 0, 0), fov_y_deg=40, width=30, height=20).resized(60, 10)
    assert (camera.cx, camera.cy, camera.width, camera.height) == (30, 5, 60, 10)
    assert camera.fx == pytest.approx(4 * camera.fy)
