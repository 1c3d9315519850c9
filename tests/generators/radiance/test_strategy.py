"""Growing, moving and dropping splats without changing the picture more than promised."""

from __future__ import annotations

import numpy as np
import pytest

from engines.splat_values import logit_from_opacity, opacity_from_logit
from generators.radiance.adam import Adam
from generators.radiance.rasterizer import RasterGradients, Rules
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.radiance.strategy import FAINT, Default, Mcmc, divided
from tests.generators.radiance.scenes import front_camera, random_cloud


def test_divided_splats_integrate_to_the_one_they_came_from() -> None:
    # In the paper's derivation the integral of the rendered profile along a line through the centre is kept.
    x = np.linspace(-8, 8, 20_001)
    step = x[1] - x[0]
    for opacity in (0.1, 0.5, 0.95):
        for shares in (1, 2, 5, 20):
            new, factor = divided(np.array([opacity]), np.array([shares]))
            whole = (opacity * np.exp(-0.5 * x**2)).sum() * step
            parts = (1 - (1 - new[0] * np.exp(-0.5 * (x / factor[0]) ** 2)) ** shares).sum() * step
            assert parts == pytest.approx(whole, rel=1e-6)


def test_mcmc_revives_the_dead_and_grows_to_its_limit() -> None:
    cloud, rng = random_cloud(100, seed=1), np.random.default_rng(0)
    cloud.logits[:30] = logit_from_opacity(np.full(30, FAINT / 2))
    adam = Adam.fresh(cloud)
    strategy = Mcmc(splats_max=108)
    for expected in (105, 108, 108):
        cloud = strategy.refine(cloud, adam, rng)
        cloud.check()
        assert len(cloud) == len(adam.first) == len(adam.second) == expected
        assert (opacity_from_logit(cloud.logits) >= FAINT * 0.99).all()


def test_mcmc_refinement_hardly_changes_the_picture() -> None:
    cloud, camera, backend = random_cloud(200, seed=2), front_camera(), NumbaBackend()
    before = backend.project(cloud, camera, Rules())
    first = backend.rasterize(before, before.colour, np.zeros(3, np.float32), 61, 45).image
    grown = Mcmc(splats_max=300, growth=0.1).refine(cloud, Adam.fresh(cloud), np.random.default_rng(0))
    after = backend.project(grown, camera, Rules())
    second = backend.rasterize(after, after.colour, np.zeros(3, np.float32), 61, 45).image
    assert len(grown) == 220 and np.abs(first - second).mean() < 0.02


def test_noise_moves_the_faint_along_their_own_axes_and_leaves_the_firm() -> None:
    cloud = random_cloud(4000)
    cloud.logits[:] = -12.0
    cloud.logits[2000:] = 4.0
    cloud.quaternions[:] = (1, 0, 0, 0)
    cloud.log_scales[:] = (0.0, -2.0, -4.0)
    before = cloud.positions.copy()
    Mcmc(10, noise=1.0).disturb(cloud, 0.1, 7)
    moved = cloud.positions - before
    assert not moved[2000:].any()
    gate = 1 / (1 + np.exp(100 * (float(opacity_from_logit(np.array([-12.0]))[0]) - FAINT)))
    expected = 0.1 * gate * np.exp(2 * np.array([0.0, -2.0, -4.0]))
    np.testing.assert_allclose(moved[:2000].std(0), expected, rtol=0.08)
    assert (np.abs(moved[:2000].mean(0)) < 0.1 * expected).all()
    again = random_cloud(4000)
    again.logits[:], again.quaternions[:], again.log_scales[:] = cloud.logits, cloud.quaternions, cloud.log_scales
    Mcmc(10, noise=1.0).disturb(again, 0.1, 7)
    assert np.array_equal(again.positions, cloud.positions)
    Mcmc(10, noise=1.0).disturb(again, 0.1, 8)
    assert not np.array_equal(again.positions, cloud.positions)


def test_mcmc_regularisers_are_the_derivatives_of_means() -> None:
    cloud = random_cloud(7)
    gradients = cloud.zeros()
    Mcmc(10, opacity_weight=0.3, scale_weight=0.7).regularise(cloud, gradients)
    opacity = opacity_from_logit(cloud.logits)
    np.testing.assert_allclose(gradients.logits, 0.3 / 7 * opacity * (1 - opacity), rtol=1e-5)
    np.testing.assert_allclose(gradients.log_scales, 0.7 / 21 * np.exp(cloud.log_scales), rtol=1e-5)


def pulled(cloud_size: int, pulls: list[float]) -> RasterGradients:
    xy = np.zeros((cloud_size, 2), np.float32)
    xy[: len(pulls), 0] = pulls
    zeros = np.zeros((cloud_size, 3), np.float32)
    return RasterGradients(xy, zeros, np.zeros(cloud_size, np.float32), zeros)


def test_default_clones_the_small_splits_the_large_and_drops_the_faint() -> None:
    cloud = random_cloud(5)
    cloud.logits[:] = 2.0
    cloud.logits[4] = -9.0
    cloud.log_scales[:] = np.log(0.02)
    cloud.log_scales[1] = np.log(0.001)
    adam = Adam.fresh(cloud)
    strategy = Default(100)
    projection = NumbaBackend().project(cloud, front_camera(), Rules())
    projection.extent[:] = 1.0
    strategy.observe(projection, pulled(5, [1.0, 1.0]), 60, 40)
    old = cloud.take(np.arange(5))
    grown = strategy.refine(cloud, adam, np.random.default_rng(0))
    assert len(grown) == len(adam.first) == 6  # 5 - 1 faint + 2
    halves = grown.take(np.array([0, 4]))
    np.testing.assert_allclose(halves.positions.mean(0), old.positions[0], atol=1e-5)
    np.testing.assert_allclose(halves.log_scales, np.log(0.02 / 1.6), atol=1e-5)
    assert np.array_equal(grown.positions[5], old.positions[1])


def test_default_keeps_to_its_limit() -> None:
    cloud = random_cloud(50)
    cloud.logits[:] = 2.0
    cloud.log_scales[:] = -4.0
    strategy = Default(53)
    projection = NumbaBackend().project(cloud, front_camera(), Rules())
    projection.extent[:] = 1.0
    strategy.observe(projection, pulled(50, list(np.arange(50.0) + 1)), 60, 40)
    assert len(strategy.refine(cloud, Adam.fresh(cloud), np.random.default_rng(0))) == 53
