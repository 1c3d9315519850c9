"""Depth and seeds on a scene whose surfaces are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engines.assets import FloatArray
from generators.radiance.cameras import looking_at
from generators.radiance.colmap import Points
from generators.radiance.losses import psnr
from generators.radiance.rasterizer import Rules
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.radiance.seeding import depth_range, from_depth, in_frusta, seed_cloud, spacing, thinned, unproject
from generators.radiance.stereo import focus, neighbours
from tests.generators.radiance import known_scene
from tests.generators.radiance.scenes import photographs_of, textured_room

ROOM = textured_room()
VIEWS = photographs_of(ROOM, 8, width=96, height=80, arc_deg=70)


def from_surface(points: FloatArray) -> FloatArray:
    """Distance of points to the nearest of floor, wall and ball."""
    floor = np.abs(points[:, 1] + 0.8)
    wall = np.abs(points[:, 2] + 1.6)
    ball = np.abs(np.linalg.norm(points, axis=1) - 0.7)
    return np.asarray(np.minimum(np.minimum(floor, wall), ball), np.float32)


def test_seeds_lie_on_the_surfaces() -> None:
    positions, colours, sizes = from_depth(VIEWS, count=3000)
    assert 1000 < len(positions) <= 3000
    away = from_surface(positions)
    # the surfaces are a splat's 0.05 thick and 3.2 away; two pixels of disparity there are 0.1
    assert np.median(away) < 0.1 and np.percentile(away, 90) < 0.35
    assert (sizes > 0).all() and np.median(sizes) < 0.1
    assert colours.min() >= 0 and colours.max() <= 1


def test_the_seeded_cloud_already_looks_like_the_scene() -> None:
    cloud = seed_cloud(VIEWS, count=3000, sh_count=4, rng=np.random.default_rng(0))
    cloud.check()
    backend, view = NumbaBackend(), VIEWS[3]
    projection = backend.project(cloud, view.camera, Rules())
    image = backend.rasterize(projection, projection.colour, np.zeros(3, np.float32), 96, 80).image
    target = (view.pixels / 255).astype(np.float32)
    assert psnr(image, target) > psnr(np.zeros_like(target), target) + 5


def test_views_of_nothing_fall_back_to_random_seeds() -> None:
    blank = [replace(view, pixels=np.full_like(view.pixels, 90)) for view in VIEWS]
    cloud = seed_cloud(blank, count=700, sh_count=1, rng=np.random.default_rng(0))
    assert len(cloud) == 700
    cloud.check()


def test_the_captures_points_are_used_when_depth_fails() -> None:
    blank = [replace(view, pixels=np.full_like(view.pixels, 90)) for view in VIEWS]
    points = Points(ROOM.positions, np.full_like(ROOM.positions, 0.5))
    cloud = seed_cloud(blank, count=1500, sh_count=1, rng=np.random.default_rng(0), points=points)
    assert len(cloud) == 1500 and from_surface(cloud.positions).max() < 1e-5


def test_random_seeds_are_seen_by_their_cameras() -> None:
    positions, _, _ = in_frusta(VIEWS, count=500, rng=np.random.default_rng(0))
    seen = np.zeros(500, bool)
    for view in VIEWS:
        local = positions @ view.camera.camera_from_world[:3, :3].T + view.camera.camera_from_world[:3, 3]
        u = local[:, 0] / local[:, 2] * view.camera.fx + view.camera.cx
        v = local[:, 1] / local[:, 2] * view.camera.fy + view.camera.cy
        seen |= (local[:, 2] > 0) & (u >= -1e-3) & (u <= 96.001) & (v >= -1e-3) & (v <= 80.001)
    assert seen.all()


def test_thinning_keeps_to_the_count_and_to_the_mean() -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(20_000, 3)).astype(np.float32)
    colours = rng.random((20_000, 3)).astype(np.float32)
    kept, shades, sizes = thinned(positions, colours, np.full(20_000, 0.01, np.float32), 1000)
    assert 300 < len(kept) <= 1000 and len(shades) == len(sizes) == len(kept)
    few = thinned(positions[:10], colours[:10], np.full(10, 1e-4, np.float32), 1000)
    assert len(few[0]) == 10


def test_focus_is_where_the_cameras_look() -> None:
    np.testing.assert_allclose(focus([view.camera for view in VIEWS]), 0, atol=1e-6)
    parallel = [looking_at((x, 0, 0), (x, 0, -5), fov_y_deg=40, width=8, height=8) for x in (-1.0, 0.0, 1.0)]
    np.testing.assert_allclose(focus(parallel), [0, 0, -2], atol=1e-6)


def test_neighbours_are_beside_and_never_oneself() -> None:
    cameras = [view.camera for view in VIEWS]
    chosen = neighbours(cameras, np.zeros(3), 3)
    for index, row in enumerate(chosen):
        assert index not in row and np.abs(row - index).max() <= 4
    assert neighbours(cameras[:2], np.zeros(3), 4).tolist() == [[1], [0]]


def test_range_of_depth_follows_the_points() -> None:
    cameras = [view.camera for view in VIEWS]
    low, high = depth_range(cameras, Points(ROOM.positions, ROOM.positions))
    assert (low > 0.5).all() and (low < 3).all() and (high > 4).all() and (high < 14).all()


def test_unprojecting_is_the_inverse_of_projecting() -> None:
    camera = VIEWS[2].camera
    projection = NumbaBackend().project(ROOM, camera, Rules())
    back = unproject(camera, projection.xy[:, 0], projection.xy[:, 1], projection.depth)
    np.testing.assert_allclose(back, ROOM.positions, atol=1e-4)


def test_spacing_is_about_that_of_a_grid() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(12.0)] * 2, [0.0]), -1).reshape(-1, 3).astype(np.float32)
    assert 0.2 < np.median(spacing(grid)) < 2


def test_depth_that_came_with_the_pictures_is_taken_at_its_word() -> None:
    seen = known_scene.views(3, width=160, height=120)
    posed = [
        replace(photograph, depth=view.depth)
        for photograph, view in zip(known_scene.photographs(seen), seen, strict=True)
    ]
    positions, _, _ = from_depth(posed, count=3000)
    assert len(positions) > 1500
    assert np.median(np.abs(known_scene.signed_distance(positions.astype(np.float64)))) < 0.01
    by_stereo, _, _ = from_depth(known_scene.photographs(seen), count=3000)
    assert len(by_stereo) == 0 or not np.array_equal(by_stereo, positions)
