from __future__ import annotations

import numpy as np
import pytest

from engines.assets import Array, FloatArray, Splats
from engines.colour import linear_from_srgb, srgb_from_linear
from engines.spherical_harmonics import basis, evaluate
from generators.splats.grading import Change, display_from_oklab, grade, oklab_from_display, recoloured, white_balance
from tests.generators.splats.clouds_at_hand import random_cloud

REST = {
    "exposure_stops": 0.0, "contrast": 1.0, "saturation": 1.0, "hue_deg": 0.0, "temperature_k": 6500.0, "tint": 0.0,
}  # fmt: skip


def graded(colours: Array, **values: float) -> FloatArray:
    change = grade(**{**REST, **values})
    assert change is not None
    return change(np.asarray(colours, np.float32), slice(None))


def directions(count: int) -> Array:
    d = np.random.default_rng(1).normal(size=(count, 3))
    return np.asarray(d / np.linalg.norm(d, axis=1, keepdims=True))


def by_sampling(cloud: Splats, change: Change) -> Array:
    """The slow twin: change the colour seen from many directions and fit harmonics to what comes out."""
    ways = directions(400)
    degree = int(np.sqrt(cloud.sh.shape[1])) - 1
    values = basis(ways, degree)
    inverse = np.linalg.pinv(values)
    out = []
    for row, sh in enumerate(cloud.sh):
        seen = 0.5 + values @ sh
        out.append(inverse @ (change(seen.astype(np.float32), slice(row, row + 1)) - 0.5))
    return np.array(out)


def test_oklab_has_its_published_values_and_goes_back() -> None:
    # Ottosson's own table: white, and the primaries' lightness.
    np.testing.assert_allclose(oklab_from_display(np.ones((1, 3), np.float32)), [[1, 0, 0]], atol=2e-4)
    red = oklab_from_display(np.array([[1, 0, 0]], np.float32))
    np.testing.assert_allclose(red, [[0.62796, 0.22486, 0.12585]], atol=2e-4)
    colours = np.random.default_rng(0).uniform(-0.3, 1.4, (500, 3)).astype(np.float32)
    np.testing.assert_allclose(display_from_oklab(oklab_from_display(colours)), colours, atol=2e-4)


def test_a_grade_at_rest_is_none_and_each_value_does_what_it_says() -> None:
    assert grade(**REST) is None
    colours = np.random.default_rng(2).uniform(0.1, 0.6, (50, 3)).astype(np.float32)
    np.testing.assert_allclose(
        graded(colours, exposure_stops=1.0), srgb_from_linear(2 * linear_from_srgb(colours)), atol=1e-5
    )
    grey = graded(colours, saturation=0.0)
    assert np.ptp(grey, axis=1).max() < 1e-3
    before, after = oklab_from_display(colours), oklab_from_display(graded(colours, contrast=1.5))
    np.testing.assert_allclose(after[:, 0] - 0.5644, 1.5 * (before[:, 0] - 0.5644), atol=1e-3)
    np.testing.assert_allclose(after[:, 1:], before[:, 1:], atol=1e-3)
    turned = oklab_from_display(graded(colours, hue_deg=90.0))
    np.testing.assert_allclose(turned[:, 1], -before[:, 2], atol=1e-3)
    np.testing.assert_allclose(turned[:, 2], before[:, 1], atol=1e-3)


def test_low_temperatures_are_warm_and_no_white_balance_changes_the_brightness_of_white() -> None:
    np.testing.assert_allclose(white_balance(6500, 0), np.eye(3), atol=1e-9)
    previous = None
    for kelvin in (2000, 2500, 3500, 5000, 6500, 9000, 20_000):
        white = white_balance(kelvin, 0) @ np.ones(3)
        assert [0.2126729, 0.7151522, 0.0721750] @ white == pytest.approx(1, abs=1e-6)
        assert previous is None or white[2] / white[0] > previous
        previous = white[2] / white[0]
    green = white_balance(6500, -1) @ np.ones(3)
    assert green[1] > green[0] and green[1] > green[2]


@pytest.mark.parametrize("harmonics", [4, 16])
def test_harmonics_follow_exactly_where_the_change_is_linear(harmonics: int) -> None:
    cloud = random_cloud(40, harmonics=harmonics, seed=2)
    matrix = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)

    def change(colours: FloatArray, _rows: slice) -> FloatArray:
        return np.asarray(colours @ matrix + np.float32(0.1), np.float32)

    result = recoloured(cloud, change)
    ways = directions(40)
    seen = 0.5 + evaluate(cloud.sh, ways)
    np.testing.assert_allclose(0.5 + evaluate(result.sh, ways), seen @ matrix + 0.1, atol=2e-3)
    np.testing.assert_array_equal(result.positions, cloud.positions)


def test_harmonics_follow_closely_where_it_is_not() -> None:
    cloud = random_cloud(60, harmonics=9, seed=6)
    small = cloud.sh * np.float32(0.25)
    small[:, 0] = np.clip(small[:, 0], -0.6, 0.6)
    cloud = Splats(cloud.positions, cloud.rotations, cloud.scales, cloud.opacities, small)
    change = grade(**{**REST, "contrast": 1.4, "saturation": 1.3, "exposure_stops": 0.5})
    assert change is not None
    fast, slow = recoloured(cloud, change).sh, by_sampling(cloud, change)
    moved = np.linalg.norm(slow - cloud.sh)
    assert np.linalg.norm(fast - slow) < 0.12 * moved
    np.testing.assert_allclose(fast[:, 0], slow[:, 0], atol=0.12)


def test_black_and_beyond_stay_tame() -> None:
    cloud = random_cloud(200, harmonics=9)
    dark = cloud.sh.copy()
    dark[:, 0] = -1.9  # a little below black
    cloud = Splats(cloud.positions, cloud.rotations, cloud.scales, cloud.opacities, dark)
    change = grade(**{**REST, "contrast": 1.6, "saturation": 1.8})
    assert change is not None
    result = recoloured(cloud, change).sh
    assert np.isfinite(result).all()
    assert np.abs(result[:, 1:]).max() < 6 * np.abs(dark[:, 1:]).max()
