"""The scene of known truth is true to itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from generators.radiance.capture import read_capture
from generators.radiance.lens import Lens
from generators.radiance.photographs import load_photographs
from tests.generators.radiance import known_scene
from tests.generators.radiance.known_scene import around, pattern, render, signed_distance, surface_points, views


def test_depth_ends_on_the_surface_and_normals_stand_on_it() -> None:
    view = render(around(3, width=64, height=48)[1])
    v, u = np.nonzero(view.depth)
    camera, depth = view.camera, view.depth[v, u].astype(np.float64)
    local = np.stack([(u + 0.5 - camera.cx) / camera.fx, (v + 0.5 - camera.cy) / camera.fy, np.ones(len(u))], -1)
    where = camera.position + (local * depth[:, None]) @ camera.camera_from_world[:3, :3]
    assert len(u) > 0.8 * 64 * 48
    assert np.abs(signed_distance(where)).max() < 1e-5
    off = signed_distance(where + 0.01 * view.normals[v, u])
    assert np.median(off) == pytest.approx(0.01, abs=1e-4)


def test_surface_points_lie_on_the_surface() -> None:
    positions, normals = surface_points(4000)
    assert positions.shape == normals.shape == (4000, 3)
    assert np.abs(signed_distance(positions)).max() < 1e-9
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-9)
    assert (positions[:, 1] > -1e-9).all()


def test_pictures_are_sharp_and_the_same_point_has_the_same_colour_from_everywhere() -> None:
    near, far = (render(camera) for camera in around(2, width=96, height=72, arc_deg=20))
    grey = near.pixels.mean(2)
    assert np.abs(np.diff(grey, axis=1)).mean() > 3
    v, u = np.nonzero(near.depth)
    camera = near.camera
    depth = near.depth[v, u].astype(np.float64)[:, None]
    local = np.stack([(u + 0.5 - camera.cx) / camera.fx, (v + 0.5 - camera.cy) / camera.fy, np.ones(len(u))], -1)
    world = camera.position + (local * depth) @ camera.camera_from_world[:3, :3]
    there = world @ far.camera.camera_from_world[:3, :3].T + far.camera.camera_from_world[:3, 3]
    s = (there[:, 0] / there[:, 2] * far.camera.fx + far.camera.cx).astype(int)
    t = (there[:, 1] / there[:, 2] * far.camera.fy + far.camera.cy).astype(int)
    inside = (s >= 0) & (s < 96) & (t >= 0) & (t < 72)
    seen = np.zeros(len(u), bool)
    seen[inside] = np.abs(far.depth[t[inside], s[inside]] - there[inside, 2]) < 0.05
    difference = far.pixels[t[seen], s[seen]].astype(int) - near.pixels[v[seen], u[seen]]
    assert seen.mean() > 0.5 and np.median(np.abs(difference)) < 12


def test_fine_patterns_fade_before_they_flicker() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (500, 3))
    assert pattern(points, np.full(500, 1.0)).std() < 1e-9
    assert pattern(points, np.full(500, 0.001)).std() > 0.1


@pytest.mark.parametrize(
    "lens",
    [
        Lens(110, 110, 48, 36, 96, 72, (-0.12, 0.03), (0.002, -0.001)),
        Lens(60, 60, 48, 36, 96, 72, (0.02,), fisheye=True),
    ],
)
def test_a_bent_capture_is_straightened_to_what_a_pinhole_sees(tmp_path: Path, lens: Lens) -> None:
    cameras = [replace(camera, fx=lens.fx, fy=lens.fy) for camera in around(3, width=96, height=72)]
    root = known_scene.write_capture(tmp_path / "bent", [render(camera, lens) for camera in cameras])
    straight, skipped = load_photographs(read_capture(root), longest_side_px=96)
    assert not skipped
    for got, camera in zip(straight, cameras, strict=True):
        wanted = render(camera).pixels.transpose(2, 0, 1).astype(float)
        known = np.ones((72, 96), bool) if got.mask is None else got.mask
        error = np.abs(got.pixels - wanted)[:, known]
        bent = np.abs(render(camera, lens).pixels.transpose(2, 0, 1) - wanted)[:, known]
        assert error.mean() < 6 and error.mean() < 0.5 * bent.mean()


def test_a_capture_of_it_reads_back(tmp_path: Path) -> None:
    seen = views(3, width=40, height=30)
    capture = read_capture(known_scene.write_capture(tmp_path / "room", seen))
    for frame, view in zip(capture.frames, seen, strict=True):
        np.testing.assert_allclose(frame.world_from_camera, np.linalg.inv(view.camera.camera_from_world), atol=1e-9)
