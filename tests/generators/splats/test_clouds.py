from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.transforms import rotation_matrices
from generators.splats.clouds import (
    areas,
    broken_rows,
    extent,
    importance,
    joined,
    owned,
    point_words,
    shortest_axes,
    weighted_quantile,
    whereabouts,
)
from tests.generators.splats.clouds_at_hand import random_cloud


def test_areas_are_the_mean_shadow_of_an_ellipsoid() -> None:
    scales = np.exp(np.random.default_rng(0).normal(0, 1, (20, 3))).astype(np.float32)
    directions = np.random.default_rng(1).normal(size=(20_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # The shadow of an ellipsoid along d has the area π·sqrt((bc·dx)² + (ca·dy)² + (ab·dz)²).
    a, b, c = (scales[:, axis, None].astype(np.float64) for axis in range(3))
    shadow = np.pi * np.sqrt(
        (b * c * directions[:, 0]) ** 2 + (c * a * directions[:, 1]) ** 2 + (a * b * directions[:, 2]) ** 2
    )
    np.testing.assert_allclose(areas(scales), shadow.mean(1), rtol=0.03)


def test_quantiles_by_weight_are_those_of_repeated_values() -> None:
    rng = np.random.default_rng(0)
    values, counts = rng.random(50), rng.integers(1, 9, 50)
    repeated = np.sort(np.repeat(values, counts))
    for at in (0.02, 0.5, 0.9):
        assert weighted_quantile(values, counts, at) == repeated[int(np.ceil(at * len(repeated))) - 1]


def test_a_few_floaters_do_not_move_the_bulk() -> None:
    cloud = random_cloud(3000)
    before = extent(cloud)
    positions = cloud.positions.copy()
    positions[:20] += 500
    after = extent(replace(cloud, positions=positions))
    assert np.abs(after.low - before.low).max() < 0.1 and np.abs(after.high - before.high).max() < 0.2
    assert after.radius_m == pytest.approx(before.radius_m, rel=0.1)


def test_broken_rows_are_found_one_by_one() -> None:
    cloud = random_cloud(30)
    arrays = {name: getattr(cloud, name).copy() for name in ("positions", "rotations", "scales", "opacities", "sh")}
    arrays["positions"][1, 0] = np.inf
    arrays["rotations"][2] = 0
    arrays["scales"][3, 1] = 0
    arrays["scales"][4, 2] = -1
    arrays["opacities"][5] = np.nan
    arrays["sh"][6, 2, 1] = -np.inf
    np.testing.assert_array_equal(np.nonzero(broken_rows(replace(cloud, **arrays)))[0], [1, 2, 3, 4, 5, 6])
    assert not broken_rows(cloud).any()


def test_shortest_axes_are_the_columns_of_the_rotation() -> None:
    cloud = random_cloud(200)
    columns = np.take_along_axis(
        rotation_matrices(cloud.rotations), np.argmin(cloud.scales, axis=1)[:, None, None], axis=2
    )[..., 0]
    np.testing.assert_allclose(shortest_axes(cloud), columns, atol=1e-5)


def test_joining_owning_and_words() -> None:
    cloud = random_cloud(12)
    assert owned(cloud) is cloud
    cloud.sh.setflags(write=False)
    mine = owned(cloud)
    assert mine is not cloud and mine.sh.flags.writeable
    np.testing.assert_array_equal(mine.sh, cloud.sh)
    assert joined([cloud, mine]).name == "random" and len(joined([cloud, mine]).opacities) == 24
    assert (importance(cloud) > 0).all()
    assert point_words(np.array([1.2345, 0.0, -300.0])) == "(1.23, 0, -300)"
    assert whereabouts(np.array([[0, 1, 2], [3, -1, 5]], np.float32)) == "(0, -1, 2) and (3, 1, 5) m"
