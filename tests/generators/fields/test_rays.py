"""Pixels are picked evenly over all views, never from outside or from where nothing is known."""

from __future__ import annotations

import numpy as np

from generators.fields.rays import camera_row, rays_of
from generators.radiance.cameras import looking_at
from generators.radiance.photographs import Photograph
from tests.generators.fields.lattices import random_photographs


def test_every_pixel_is_as_likely_as_any_other() -> None:
    first, second, _ = random_photographs()
    camera = looking_at((0, 0, 2), (0, 0, 0), fov_y_deg=40, width=30, height=11)
    odd = Photograph("odd.png", camera, np.zeros((3, 11, 30), np.uint8))
    rays = rays_of([first, odd, second])
    rng = np.random.default_rng(0)
    counts = np.zeros(len(rays.pixels))
    for _ in range(300):
        picks, views = rays.picked(2048, rng)
        assert ((picks >= rays.starts[views]) & (picks < rays.starts[views + 1])).all()
        np.add.at(counts, picks, 1)
    shares = counts / counts.mean()
    # a view's number of patches goes with its pixels, so only small views, wide in patches, get somewhat fewer
    assert shares.min() > 0.5 and shares.max() < 1.6
    for view in range(3):
        own = shares[rays.starts[view] : rays.starts[view + 1]]
        assert own.std() / own.mean() < 0.2  # corners like middles


def test_the_same_seed_picks_the_same() -> None:
    rays = rays_of(random_photographs())
    picks = [rays.picked(500, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(picks[0][0], picks[1][0]) and not np.array_equal(picks[0][0], picks[2][0])


def test_masked_pixels_are_left_out_and_alpha_is_kept() -> None:
    first, second, third = random_photographs(alpha=True)
    mask = np.zeros((16, 20), np.bool_)
    mask[4:9, 5:15] = True
    masked = Photograph(second.name, second.camera, second.pixels, second.alpha, mask)
    rays = rays_of([first, masked, third])
    picks, views = rays.picked(20_000, np.random.default_rng(0))
    inside = picks[views == 1] - rays.starts[1]
    assert len(inside) and mask[inside // 20, inside % 20].all()
    assert first.alpha is not None
    np.testing.assert_array_equal(rays.pixels[:320, 3], first.alpha.reshape(-1))
    np.testing.assert_array_equal(rays.pixels[:320, :3], first.pixels.reshape(3, -1).T)


def test_a_camera_is_sixteen_numbers() -> None:
    camera = looking_at((1, 2, 3), (0, 0, 0), fov_y_deg=40, width=30, height=20)
    row = camera_row(camera)
    np.testing.assert_allclose(row[:9].reshape(3, 3) @ [0, 0, 1], camera.forward, atol=1e-6)
    np.testing.assert_allclose(row[9:], [1, 2, 3, camera.fx, camera.fy, 15, 10], rtol=1e-6)
