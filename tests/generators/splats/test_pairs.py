"""Merging two Gaussians, against sums over fine grids and against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from engines.assets import Array, FloatArray
from engines.splat_values import colour_from_dc
from engines.transforms import rotation_matrices
from generators.splats.clouds import covariances
from generators.splats.ellipsoids import decomposed
from generators.splats.pairs import fill_costs, match, merge_rows
from tests.generators.splats.clouds_at_hand import random_cloud

FULL = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])
PLANES = ([1, 2], [0, 2], [0, 1])


def picture(grid: Array, centre: Array, covariance: Array) -> Array:
    """A Gaussian of height 1 over the points of a plane."""
    inverse = np.linalg.inv(covariance)
    offset = grid - centre
    return np.asarray(np.exp(-0.5 * np.einsum("...i,ij,...j->...", offset, inverse, offset)))


def test_the_merged_splat_keeps_mean_covariance_and_colour_and_as_much_opacity_as_both() -> None:
    cloud = random_cloud(2, harmonics=4, seed=3, size_m=0.3)
    cloud.positions[1] = cloud.positions[0] + np.array([0.2, 0.1, -0.15], np.float32)
    wide = covariances(cloud).astype(np.float64)[:, FULL]
    alpha = cloud.opacities.astype(np.float64)
    area = np.array([np.mean([np.sqrt(np.linalg.det(c[np.ix_(p, p)])) for p in PLANES]) for c in wide])
    weights = alpha * area / (alpha * area).sum()
    mean = weights @ cloud.positions
    spread = [c + np.outer(p - mean, p - mean) for c, p in zip(wide, cloud.positions.astype(np.float64), strict=True)]
    covariance = weights[0] * spread[0] + weights[1] * spread[1]

    positions, merged = cloud.positions.copy(), covariances(cloud)
    opacities, sh = cloud.opacities.copy(), cloud.sh.copy()
    first, second = np.array([0], np.int32), np.array([1], np.int32)
    merge_rows(first, second, positions, merged, opacities, sh)
    np.testing.assert_allclose(positions[0], mean, atol=1e-5)
    np.testing.assert_allclose(merged[0][FULL], covariance, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(sh[0], np.einsum("n,nkc->kc", weights, cloud.sh), atol=1e-5)

    line = np.linspace(-4, 4, 401)
    covered, ground = 0.0, 0.0
    for plane in PLANES:
        grid = np.stack(np.meshgrid(line, line, indexing="ij"), -1) + mean[plane]
        one, two = (
            picture(grid, p[plane], c[np.ix_(plane, plane)]) for p, c in zip(cloud.positions, wide, strict=True)
        )
        covered += float((alpha[0] * one + alpha[1] * two).sum())
        ground += float(picture(grid, mean[plane], covariance[np.ix_(plane, plane)]).sum())
    assert opacities[0] == pytest.approx(covered / ground, rel=0.01)


def test_the_cost_is_the_squared_error_of_the_pictures() -> None:
    cloud = random_cloud(6, harmonics=1, seed=8, size_m=0.3)
    cloud = type(cloud)(cloud.positions * 0.4, cloud.rotations, cloud.scales, cloud.opacities, cloud.sh)
    near = np.array([[1, 2], [0, 3], [0, 4], [5, 1], [2, 5], [3, 0]], np.int32)
    costs = np.empty((6, 2), np.float32)
    wide = covariances(cloud)
    colours = colour_from_dc(cloud.sh[:, 0])
    fill_costs(cloud.positions, wide, cloud.opacities, colours, near, 0, 6, costs)
    assert np.isinf(costs[1, 0]) and np.isinf(costs[2, 0]), "a pair that knows itself both ways is judged twice"
    line = np.linspace(-4, 4, 321)
    for i in range(6):
        for k in range(2):
            if np.isinf(costs[i, k]):
                continue
            assert costs[i, k] == pytest.approx(_by_grid(cloud, colours, i, int(near[i, k]), line), rel=0.02, abs=2e-5)


def _by_grid(cloud, colours: FloatArray, i: int, j: int, line: Array) -> float:  # type: ignore[no-untyped-def]
    wide = covariances(cloud)
    positions, merged, sh = cloud.positions.copy(), wide.copy(), cloud.sh.copy()
    opacities = cloud.opacities.copy()
    merge_rows(np.array([i], np.int32), np.array([j], np.int32), positions, merged, opacities, sh)
    colour = colour_from_dc(sh[i, 0])
    total = 0.0
    for plane in PLANES:
        grid = np.stack(np.meshgrid(line, line, indexing="ij"), -1)
        both = [
            cloud.opacities[n]
            * picture(grid, cloud.positions[n][plane], wide[n][FULL][np.ix_(plane, plane)].astype(float))
            for n in (i, j)
        ]
        one = opacities[i] * picture(grid, positions[i][plane], merged[i][FULL][np.ix_(plane, plane)].astype(float))
        step = (line[1] - line[0]) ** 2 / (2 * np.pi)
        for channel in range(3):
            error = both[0] * colours[i, channel] + both[1] * colours[j, channel] - one * colour[channel]
            total += float((error**2).sum() * step)
        total += 0.25 * float(((both[0] + both[1] - one) ** 2).sum() * step)
    return total


def test_pairs_are_made_cheapest_first_and_each_splat_once() -> None:
    rng = np.random.default_rng(2)
    near = rng.integers(0, 40, (40, 3)).astype(np.int32)
    near[near == np.arange(40)[:, None]] += 1
    near %= 40
    costs = rng.random((40, 3))
    order = np.argsort(costs, axis=None, kind="stable")
    partners = np.full(40, -1, np.int32)
    made = match(order, near, 12, partners)
    free = set(range(40))
    want: list[tuple[int, int]] = []
    for place in order:
        i, j = int(place // 3), int(near[place // 3, place % 3])
        if i in free and j in free and i != j and len(want) < 12:
            free -= {i, j}
            want.append((i, j))
    assert made == len(want) == 12
    assert all(partners[i] == j and partners[j] == i for i, j in want)
    assert (partners >= 0).sum() == 24


def test_covariances_come_apart_into_the_scales_and_rotations_that_make_them() -> None:
    cloud = random_cloud(500, size_m=0.2)
    wide = covariances(cloud)
    wide[0] = [1, 0, 0, 1, 0, 1]
    wide[1] = [4, 0, 0, 0, 0, 1e-8]
    scales, rotations = decomposed(wide)
    assert (scales > 0).all()
    np.testing.assert_allclose(np.linalg.norm(rotations, axis=1), 1, atol=1e-6)
    axes = rotation_matrices(rotations) * scales.astype(np.float64)[:, None, :]
    again = axes @ axes.transpose(0, 2, 1)
    np.testing.assert_allclose(again[2:], wide[2:, FULL], rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(again[1], wide[1, FULL], atol=1e-6)
    np.testing.assert_allclose(np.sort(scales[2:]), np.sort(cloud.scales[2:]), rtol=2e-3)
