"""The picture shows points where they are, in their colours, and every camera."""

from __future__ import annotations

import numpy as np

from generators.radiance.colmap import Points
from generators.radiance.poses.picture import BACKDROP, CAMERA_COLOUR, drawn
from tests.generators.radiance.known_scene import around, pattern, surface_points

POSES = np.stack([np.linalg.inv(camera.camera_from_world) for camera in around(6)])


def test_points_and_cameras_are_drawn() -> None:
    positions = surface_points(2000)[0]
    red = np.tile(np.array([1, 0, 0], np.float32), (2000, 1))
    picture = drawn(POSES, Points(positions.astype(np.float32), red), 200)
    assert picture.shape == (200, 200, 3) and picture.dtype == np.uint8
    assert ((picture == (255, 0, 0)).all(-1)).sum() > 500
    assert ((picture == CAMERA_COLOUR).all(-1)).sum() > 6 * 20
    assert ((picture == BACKDROP).all(-1)).mean() > 0.3


def test_near_points_hide_far_ones() -> None:
    positions = surface_points(20_000)[0].astype(np.float32)
    colours = pattern(positions.astype(np.float64), np.zeros(len(positions))).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(positions))
    one, other = (drawn(POSES, Points(positions[rows], colours[rows]), 160) for rows in (slice(None), order))
    assert (one == other).mean() > 0.99


def test_no_points_at_all() -> None:
    empty = np.empty((0, 3), np.float32)
    assert ((drawn(POSES, Points(empty, empty), 120) == CAMERA_COLOUR).all(-1)).sum() > 50
