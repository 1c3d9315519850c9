"""Harmonics in kernels against those of `engines`, slopes against central differences."""

from __future__ import annotations

import numpy as np
import pytest

from engines import spherical_harmonics
from generators.radiance.rasterizer.harmonics import basis, slope


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_values_are_those_of_engines(degree: int) -> None:
    rng = np.random.default_rng(degree)
    for direction in rng.normal(size=(20, 3)):
        unit = (direction / np.linalg.norm(direction)).astype(np.float32)
        out = np.zeros(16, np.float32)
        basis((degree + 1) ** 2, unit[0], unit[1], unit[2], out)
        expected = spherical_harmonics.basis(unit.astype(np.float64), degree)
        np.testing.assert_allclose(out[: (degree + 1) ** 2], expected, atol=2e-6)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_slopes_are_central_differences(degree: int) -> None:
    rng = np.random.default_rng(degree)
    for direction in rng.normal(size=(20, 3)):
        unit = direction / np.linalg.norm(direction)
        x, y, z = unit.astype(np.float32)
        weights = rng.normal(size=16).astype(np.float32)
        got = slope((degree + 1) ** 2, x, y, z, weights)
        for axis in range(3):
            step = 1e-5 * np.eye(3)[axis]
            ahead = spherical_harmonics.basis(unit + step, degree)
            behind = spherical_harmonics.basis(unit - step, degree)
            expected = ((ahead - behind) / 2e-5) @ weights[: (degree + 1) ** 2]
            assert abs(got[axis] - expected) < 1e-4
