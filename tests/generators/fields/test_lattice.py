"""Bricks are found, joined and measured as a dense array would be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.fields.lattice import FARTHEST_GAP, gaps_of, lattice_of


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([8, 12, 20]), st.floats(0.0, 0.4))
def test_a_lattice_holds_just_its_cells_and_every_corner_of_them(seed: int, cells: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    wanted = rng.random((cells,) * 3) < share
    wanted[-1] = wanted[:, -1] = wanted[:, :, -1] = False
    at = np.argwhere(wanted)
    lattice = lattice_of(at, cells)
    assert {tuple(row) for row in lattice.occupied_cells()} == {tuple(row) for row in at}
    active = {tuple(row) for row in lattice.vertices()[lattice.active.reshape(-1) > 0]}
    assert active == {tuple(row + corner) for row in at for corner in np.ndindex(2, 2, 2)}
    for brick, joined, around in zip(lattice.bricks, lattice.joined, lattice.around, strict=True):
        for bits, other in enumerate(joined):
            expected = brick + np.array([bits >> 2 & 1, bits >> 1 & 1, bits & 1])
            if other >= 0:
                assert (lattice.bricks[other] == expected).all()
            else:
                assert (expected >= cells // 4).any() or lattice.places[tuple(expected)] == -1
        for side, other in enumerate(around):
            if other >= 0:
                step = np.zeros(3, int)
                step[side // 2] = side % 2 * 2 - 1
                assert (lattice.bricks[other] == brick + step).all()


def test_gaps_are_the_longest_axis_to_the_next_brick() -> None:
    rng = np.random.default_rng(0)
    places = np.where(rng.random((15, 15, 15)) < 0.004, 0, -1).astype(np.int32)
    held = np.argwhere(places >= 0)
    away = np.abs(np.argwhere(np.ones_like(places))[:, None] - held).max(2).min(1).reshape(places.shape)
    np.testing.assert_array_equal(gaps_of(places), np.minimum(away, FARTHEST_GAP))


def test_cells_at_the_rim_are_left_out_and_marks_are_kept() -> None:
    lattice = lattice_of(np.array([[0, 0, 0], [7, 0, 0], [-1, 2, 2], [3, 3, 3]]), 8, np.array([1, 1, 1, 2], np.uint8))
    assert lattice.occupied_cells().tolist() == [[0, 0, 0], [3, 3, 3]]
    assert sorted(lattice.occupied[lattice.occupied > 0].tolist()) == [1, 2]
    with pytest.raises(ValueError, match="multiple of 4"):
        lattice_of(np.zeros((0, 3), int), 10)
    assert len(lattice_of(np.zeros((0, 3), int), 8)) == 0
