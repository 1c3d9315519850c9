"""What matters to a cloud's picture, and that sorting by it loses and changes nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.assets import Splats
from engines.importance import falling, importance, order_of, sorted_splats


def cloud(count: int, seed: int, *, levels: int = 4) -> Splats:
    """A cloud in which many splats matter equally."""
    random = np.random.default_rng(seed)
    turns = random.standard_normal((count, 4)).astype(np.float32)
    return Splats(
        positions=random.random((count, 3), np.float32),
        rotations=turns / np.linalg.norm(turns, axis=1, keepdims=True),
        scales=(random.integers(1, 1 + levels, (count, 3)) / 8).astype(np.float32),
        opacities=(random.integers(0, levels, count) / levels).astype(np.float32),
        sh=random.random((count, 4, 3), np.float32),
        name="cloud",
    )


@given(st.integers(0, 60), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_the_order_is_that_of_a_plain_sort(count: int, seed: int) -> None:
    splats = cloud(count, seed)
    rows = []
    for row in range(count):
        x, y, z = (float(value) for value in splats.scales[row])
        rows.append((-float(splats.opacities[row]) * (x * y + y * z + z * x), row))
    assert order_of(splats).tolist() == [row for _, row in sorted(rows)]
    again = sorted_splats(splats)
    assert sorted_splats(again) is again, "once sorted it stays as it is"
    assert again.name == "cloud" and np.array_equal(again.sh, splats.sh[order_of(splats)])


def test_a_large_opaque_splat_matters_more_than_a_small_or_faint_one() -> None:
    opacities = np.array([1, 1, 0.1, 0], np.float32)
    scales = np.array([[1, 1, 0.01], [0.1, 0.1, 0.1], [1, 1, 1], [9, 9, 9]], np.float32)
    weights = importance(opacities, scales)
    assert weights[0] > weights[2] > weights[1] > weights[3] == 0
    assert falling(weights).tolist() == [0, 2, 1, 3]
