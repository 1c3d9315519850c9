"""The live preview in real Blender with a real bridge; the viewport is played, as Blender's module has no window."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.cli import blender_addon
from tests.blender_addon.blenders import Blender

pytestmark = pytest.mark.timeout(700)  # a worker that loads torch on a busy machine takes a minute


def test_it_starts_follows_and_stops_without_a_trace(blender: Blender, tmp_path: Path) -> None:
    archive = blender_addon.build(tmp_path / "scenecast.zip")
    seen = blender.run(
        "live_cases:whole", tmp_path, timeout_secs=300, python=sys.executable, archive=str(archive)
    )  # fmt: skip
    assert seen["catalog"] == [False], "it takes no jobs, so the list of those does not offer it"
    assert "scenecast.live_start" in seen["idle"] and "scenecast.live_pick" in seen["idle"]
    width, height, told, upper_right = seen["first"]
    assert (width, height) == (64, 32)
    assert told == [127, 255, 255, 255], "half the depth hit something; normals and a camera above the ground came"
    assert upper_right == [55, 155, 205, 255]
    assert seen["shows"]
    assert "scenecast.live_stop" in seen["on"][0] and "scenecast.live_start" not in seen["on"][0] and seen["on"][1]
    assert seen["rests"][0], seen["rests"][1]
    assert seen["moved"] == [True, True]
    assert seen["parameter"] <= 2, "a changed parameter needs no new pictures of the viewport"
    assert seen["refused"] and seen["speed"].startswith("Live")
    assert seen["undone"] == [True, "ready"]
    assert seen["stopping"] == [True, True, True] and seen["stopped"] == ["closed", True]
    others = seen["others"]
    assert others["viewport closed"] == "The viewport was closed."
    assert others["file"] == [True, True]
    assert others["beside a job"] == ["Kept in this file", "ready"]
    assert others["lost"] == [True, "Waiting for the bridge"]
    assert others["disabled"] == [True, True, False]


def test_normals_come_from_depth_and_the_picture_hangs_where_it_was_seen(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("live_cases:normals", tmp_path)
    cameras_say_the_same(seen)
    assert seen["hit"] > 0.5 and seen["off"] < 2.5, "degrees, 8 bits and half-pixel steps included"
    assert seen["corners"] == [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    assert seen["away"] == pytest.approx([seen["away"][-1]] * 5, abs=1e-3)


def cameras_say_the_same(seen: dict[str, Any]) -> None:
    """A point is at the same place in the picture however the camera is told: from the world, or from an object."""
    up = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], np.float64)  # neutral from Blender
    item, pose = np.array(seen["item"]), np.array(seen["pose"])
    point = pose @ np.array([0.4, -0.3, -6.0, 1.0])  # before the camera
    perspective, from_item, flat, flat_from_item = seen["cameras"]
    expected = 1.8 * np.array([0.4, -0.3]) / 6
    for camera, place in ((perspective, point), (from_item, np.linalg.inv(item) @ point)):
        x, y, z, _ = np.linalg.inv(np.array(camera["world_from_camera"]).reshape(4, 4)) @ up @ place
        focal = [1 / np.tan(np.radians(camera[name]) / 2) for name in ("fov_x_deg", "fov_y_deg")]
        np.testing.assert_allclose([focal[0] * x / -z, focal[1] * y / -z], expected, atol=1e-5)
    for camera, place, scale in ((flat, point, 1.0), (flat_from_item, np.linalg.inv(item) @ point, 2.0)):
        _, y, z, _ = np.linalg.inv(np.array(camera["world_from_camera"]).reshape(4, 4)) @ up @ place
        assert camera["height_m"] == pytest.approx(2 / 0.8 / scale, rel=1e-5)
        assert 2 * y / camera["height_m"] == pytest.approx(0.8 * -0.3, abs=1e-5)
        assert camera["near_m"] > 0.05 and -z > camera["near_m"], "all that it sees is before it"
        share = (-z - camera["near_m"]) / (camera["far_m"] - camera["near_m"])
        assert share == pytest.approx((6 + 50) / 100, abs=1e-4), "and as deep as it was"
