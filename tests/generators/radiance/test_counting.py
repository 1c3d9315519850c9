"""Masked and transparent parts of photographs give no seeds, and none stands where they show nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.cameras import Camera
from generators.radiance.colmap import Points
from generators.radiance.counting import counted, standing, weights
from generators.radiance.photographs import Photograph
from generators.radiance.seeding import drawn, from_depth, seed_cloud
from tests.generators.radiance.scenes import photographs_of, textured_room

RADIUS = 0.75
"""Of the sphere that is cut out: the room's ball and the halves of the splats on it."""
MAGENTA = np.array([255, 0, 255], np.uint8)[:, None]
VIEWS = photographs_of(textured_room(), 8, width=96, height=80, arc_deg=70)


def sphere_in(camera: Camera, radius: float = RADIUS) -> NDArray[np.bool_]:
    """Where a camera sees a sphere around the origin, bool [H, W]."""
    v, u = np.mgrid[: camera.height, : camera.width] + 0.5
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones_like(u)], -1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    middle = camera.camera_from_world[:3, 3]
    return np.asarray((middle**2).sum() - (rays @ middle) ** 2 < radius**2)


def cut_out(view: Photograph) -> Photograph:
    """The ball alone; magenta beneath what is transparent."""
    inside = sphere_in(view.camera)
    pixels = np.where(inside, view.pixels, MAGENTA[..., None])
    return replace(view, pixels=pixels, alpha=np.where(inside, 255, 0).astype(np.uint8))


def magenta(colours: FloatArray) -> NDArray[np.bool_]:
    return np.asarray((colours[:, 0] + colours[:, 2]) / 2 - colours[:, 1] > 0.5)


def test_a_cut_out_subject_has_no_halo() -> None:
    views = [cut_out(view) for view in VIEWS]
    positions, colours, _ = from_depth(views, count=3000)
    assert len(positions) > 500
    assert not magenta(colours).any()
    assert magenta(from_depth([replace(view, alpha=None) for view in views], count=3000)[1]).any()
    for view in views:
        x, y, z = (positions @ view.camera.camera_from_world[:3, :3].T + view.camera.camera_from_world[:3, 3]).T
        u, v = x / z * view.camera.fx + view.camera.cx, y / z * view.camera.fy + view.camera.cy
        near = sphere_in(view.camera, RADIUS + 0.1)
        assert near[v.astype(int), u.astype(int)].mean() > 0.98


def test_what_is_masked_is_not_sown() -> None:
    views = []
    for index, view in enumerate(VIEWS):
        mask = np.ones(view.pixels.shape[1:], np.bool_)
        mask[20:55, 10 + 7 * index : 34 + 7 * index] = False
        pixels = np.where(mask, view.pixels, MAGENTA[..., None])
        views.append(replace(view, pixels=pixels, mask=mask, masked=True))
    _, colours, _ = from_depth(views, count=3000)
    assert len(colours) > 500 and not magenta(colours).any()


def test_beyond_a_bent_lens_all_stays_as_it_is() -> None:
    mask = np.ones((80, 96), np.bool_)
    mask[:8, :8] = False
    clouds = [
        seed_cloud(views, count=3000, sh_count=4, rng=np.random.default_rng(0))
        for views in (VIEWS, [replace(view, mask=mask) for view in VIEWS])
    ]
    for (_, mine), (_, theirs) in zip(clouds[0].arrays(), clouds[1].arrays(), strict=True):
        assert mine.tobytes() == theirs.tobytes()


def test_random_seeds_and_the_captures_points_keep_to_the_subject() -> None:
    blank = [replace(cut_out(view), pixels=np.full_like(view.pixels, 90)) for view in VIEWS]
    positions, colours, sizes = drawn(blank, count=2000, rng=np.random.default_rng(0))
    assert 100 < len(positions) == len(colours) == len(sizes) <= 2000
    seen = [sphere_in(view.camera, RADIUS + 0.1) for view in blank]
    assert all(share > 0.85 for share in _inside(positions, blank, seen))
    everything = np.concatenate([textured_room().positions, np.zeros((10, 3), np.float32)])
    cloud = seed_cloud(
        blank, count=1500, sh_count=1, rng=np.random.default_rng(0), points=Points(everything, everything)
    )
    assert all(share > 0.85 for share in _inside(cloud.positions, blank, seen))


def _inside(positions: FloatArray, views: list[Photograph], seen: list[NDArray[np.bool_]]) -> list[float]:
    shares = []
    for view, where in zip(views, seen, strict=True):
        camera = view.camera
        x, y, z = (positions @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]).T
        u, v = (x / z * camera.fx + camera.cx).astype(int), (y / z * camera.fy + camera.cy).astype(int)
        framed = (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
        shares.append(float(where[v[framed], u[framed]].mean()))
    return shares


def test_photographs_that_are_wholly_masked_still_give_a_cloud() -> None:
    nothing = np.zeros((80, 96), np.bool_)
    views = [replace(view, mask=nothing, masked=True) for view in VIEWS]
    cloud = seed_cloud(views, count=700, sh_count=1, rng=np.random.default_rng(0))
    assert len(cloud) == 700
    cloud.check()


def test_blocks_are_those_of_the_pixels() -> None:
    rng = np.random.default_rng(2)
    view = replace(
        VIEWS[0],
        pixels=rng.integers(0, 256, (3, 80, 96), np.uint8),
        alpha=rng.integers(0, 3, (80, 96)).astype(np.uint8) * np.uint8(127),
        mask=rng.random((80, 96)) < 0.7,
    )
    assert view.alpha is not None and view.mask is not None
    view.alpha[:12] = 0
    view.mask[:6] = True
    one, weight = counted(view, 26, 32, 3), weights(view)
    for row in (0, 1, 2, 3, 4, 25):
        for column in range(32):
            at = np.s_[3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
            np.testing.assert_allclose(one.share[row, column], weight[at].mean(), atol=1e-6)
            assert one.empty[row, column] == (not view.alpha[at].any() and view.mask[at].all())
            if weight[at].sum() > 0:
                mean = (view.pixels[:, at[0], at[1]] * weight[at]).sum((1, 2)) / weight[at].sum() / 255
                np.testing.assert_allclose(one.colour[:, row, column], mean, atol=1e-5)
    assert one.empty[:2].all()


def test_a_point_stands_where_some_view_counts_it_and_hardly_any_is_empty() -> None:
    ball = np.array([[0, 0, 0], [0, 0.3, 0], [1.5, 0, 0], [0, 1.2, 0]], np.float32)
    views = [(view.camera, counted(cut_out(view), 80, 96, 1)) for view in VIEWS]
    assert standing(ball, views).tolist() == [True, True, False, False]
    beside = np.array([[0, 50, 0]], np.float32)
    assert standing(beside, views).tolist() == [False]
