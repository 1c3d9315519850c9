"""Eight at once against numpy."""

from __future__ import annotations

import numpy as np

from generators.radiance.rasterizer import lanes
from generators.radiance.rasterizer.kernels import kernel
from generators.radiance.rasterizer.lanes import (
    at_most,
    exp2,
    largest,
    load,
    ramp,
    spread,
    store,
    total,
    where_at_least,
)

FloatRow = np.ndarray[tuple[int], np.dtype[np.float32]]


@kernel
def _exp2_all(values: FloatRow, out: FloatRow) -> None:
    for at in range(0, len(values), 8):
        store(out, at, exp2(load(values, at)))


@kernel
def _everything(a: FloatRow, b: FloatRow, out: FloatRow) -> tuple[float, float]:
    x, y = load(a, 0), load(b, 0)
    store(out, 0, (x + y) * (x - y) / y + ramp() * spread(np.float32(0.5)))
    store(out, 8, at_most(x, y))
    store(out, 16, where_at_least(x, y, x + y))
    return total(x), largest(x)


def test_exp2_is_within_three_millionths() -> None:
    values = np.linspace(-125.9, 3.0, 80_000).astype(np.float32)
    out = np.empty_like(values)
    _exp2_all(values, out)
    assert np.abs(out / np.exp2(values.astype(np.float64)) - 1).max() < 3e-6


def test_exp2_of_the_very_small_is_as_good_as_zero() -> None:
    values = np.array([-126, -127, -1e3, -1e30, -np.inf, -200, -300, -150], np.float32)
    out = np.empty_like(values)
    _exp2_all(values, out)
    assert (out <= 2.0**-125).all() and (out >= 0).all()


def test_arithmetic_is_numpys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=8).astype(np.float32), rng.normal(size=8).astype(np.float32) + 3
    out = np.empty(24, np.float32)
    summed, most = _everything(a, b, out)
    np.testing.assert_allclose(out[:8], (a + b) * (a - b) / b + np.arange(8) * 0.5, rtol=1e-5)
    assert np.array_equal(out[8:16], np.minimum(a, b))
    assert np.array_equal(out[16:], np.where(a >= b, a + b, 0))
    assert most == a.max() and abs(summed - a.sum()) < 1e-5


def test_polynomial_is_one_at_zero() -> None:
    assert abs(lanes.exp2_coefficients()[-1] - 1) < 3e-6
