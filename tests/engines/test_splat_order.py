"""The Z-order curve: a permutation that keeps neighbours together, as a slow twin walks it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.splat_order import morton_order

LEVELS = 2**21 - 1


def slow_code(steps: list[int]) -> int:
    return sum((steps[axis] >> bit & 1) << (3 * bit + axis) for bit in range(21) for axis in range(3))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, LEVELS)] * 3), min_size=2, max_size=40))
def test_the_order_is_that_of_the_slow_twin(steps: list[tuple[int, int, int]]) -> None:
    corners = [(0, 0, 0), (LEVELS, LEVELS, LEVELS)]
    positions = np.array([*steps, *corners], np.float32)
    rounded = [[int(value) for value in row] for row in positions.astype(np.float64)]
    exact = [[min(value, LEVELS) for value in row] for row in rounded]
    codes = [slow_code(row) for row in exact]
    assert list(morton_order(positions)) == sorted(range(len(codes)), key=codes.__getitem__)


@pytest.mark.parametrize("extent", [1e-3, 1.0, 1e6])
def test_neighbours_stay_together(extent: float) -> None:
    positions = (np.random.default_rng(0).random((20_000, 3)) * extent).astype(np.float32)
    order = morton_order(positions)
    assert sorted(order) == list(range(20_000))
    chunks = positions[order][: 78 * 256].reshape(78, 256, 3)
    assert np.median(np.ptp(chunks, axis=1)) < 0.45 * extent


def test_clouds_without_extent_keep_their_order() -> None:
    assert morton_order(np.zeros((0, 3), np.float32)).tolist() == []
    assert morton_order(np.ones((5, 3), np.float32)).tolist() == [0, 1, 2, 3, 4]
    flat = np.array([[3, 1, 1], [1, 1, 1], [2, 1, 1]], np.float32)
    assert morton_order(flat).tolist() == [1, 2, 0]
