import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engines import splat_values as values


@given(st.floats(0, 1))
def test_logit_and_back_is_within_the_documented_clamp(opacity: float) -> None:
    logit = values.logit_from_opacity(np.array([opacity]))
    assert np.isfinite(logit).all()
    assert abs(float(values.opacity_from_logit(logit)[0]) - opacity) <= 1.1e-6


@given(st.floats(-700, 700))
def test_sigmoid_equals_its_slow_twin(logit: float) -> None:
    np.testing.assert_allclose(values.opacity_from_logit(np.array([logit]))[0], 1 / (1 + math.exp(-logit)), atol=1e-7)


def test_sigmoid_at_the_ends_is_exact_and_silent() -> None:
    got = values.opacity_from_logit(np.array([-np.inf, -1e30, 0, 1e30, np.inf]))
    assert got.tolist() == [0, 0, 0.5, 1, 1]


@given(st.floats(1e-8, 1e6))
def test_log_scale_and_back(scale: float) -> None:
    got = values.scale_from_log(values.log_from_scale(np.array([scale])))
    np.testing.assert_allclose(got[0], scale, rtol=3e-6)


def test_scales_stay_finite_and_above_zero() -> None:
    assert np.isfinite(values.log_from_scale(np.array([0.0, -1.0]))).all()
    got = values.scale_from_log(np.array([-1e30, 1e30, -np.inf, np.inf]))
    assert np.isfinite(got).all() and (got > 0).all()


@given(st.floats(-4, 4))
def test_colour_and_back(colour: float) -> None:
    np.testing.assert_allclose(values.colour_from_dc(values.dc_from_colour(np.array([colour])))[0], colour, atol=2e-6)


def test_grey_is_no_harmonic_at_all() -> None:
    assert values.dc_from_colour(np.array([0.5]))[0] == 0
    np.testing.assert_allclose(values.dc_from_colour(np.array([1.0]))[0], 0.5 / 0.28209479177387814)


@given(st.lists(st.floats(-1e30, 1e30), min_size=4, max_size=4))
def test_quaternions_come_out_unit_with_one_sign(parts: list[float]) -> None:
    got = values.unit_quaternions(np.array([parts]))[0]
    np.testing.assert_allclose(np.linalg.norm(got), 1, atol=1e-6)
    assert got[np.argmax(got != 0)] > 0
    mirrored = values.unit_quaternions(-np.array([parts]))[0]
    np.testing.assert_array_equal(got, mirrored)


def test_tiny_zero_and_broken_quaternions() -> None:
    got = values.unit_quaternions(np.array([[0, 0, 0, 0], [0, 1e-300, 0, 0], [np.nan, 0, 0, 0], [np.inf, 0, 0, 0]]))
    assert got.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
