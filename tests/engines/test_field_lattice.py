"""Fields out of dense grids, where their vertices stand, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.errors import UnsuitableAsset
from engines.field_lattice import contracted, expanded, field_from_grid, lattice_vertices, vertex_positions
from engines.forms import check_parts
from engines.parts import asset_from_parts, parts_from_asset


@given(st.integers(0, 999))
def test_contraction_keeps_the_middle_and_takes_in_all_the_rest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(40, 3)) * 10.0 ** rng.uniform(-2, 2, (40, 1))
    inside = contracted(points)
    length, before = np.linalg.norm(inside, axis=1), np.linalg.norm(points, axis=1)
    assert (length < 2).all()
    np.testing.assert_array_equal(inside[before <= 1], points[before <= 1])
    np.testing.assert_allclose(length[before > 1], 2 - 1 / before[before > 1])
    np.testing.assert_allclose(expanded(inside), points, rtol=1e-9)


def test_every_value_of_a_grid_is_found_where_it_stood() -> None:
    rng = np.random.default_rng(0)
    density, sh = rng.random((5, 6, 9)) + 0.1, rng.random((5, 6, 9, 4, 3))
    field = field_from_grid(density, sh, low_m=(1.0, -2.0, 3.0), pitch_m=0.25)
    check_parts(field.kind, parts_from_asset(field)[1])
    at = lattice_vertices(field)
    known = (at < density.shape).all(-1)
    assert known.sum() == density.size
    np.testing.assert_allclose(field.density[known], density[tuple(at[known].T)], rtol=1e-6)
    np.testing.assert_allclose(field.sh[known], sh[tuple(at[known].T)], rtol=1e-6)
    np.testing.assert_allclose(vertex_positions(field)[known], [1, -2, 3] + 0.25 * at[known], atol=1e-5)
    assert field.occupied.sum() == 4 * 5 * 8  # one fewer than vertices on each axis


def test_empty_cells_take_no_room() -> None:
    density = np.zeros((40, 40, 40))
    density[10, 20, 30] = 50.0
    field = field_from_grid(density, np.zeros((40, 40, 40, 1, 3)), low_m=(0, 0, 0), pitch_m=0.1)
    assert field.occupied.sum() == 8 and 1 <= len(field.bricks) <= 8
    assert len(field_from_grid(density * 0, np.zeros((40, 40, 40, 1, 3)), low_m=(0, 0, 0), pitch_m=0.1).bricks) == 0


def test_what_is_no_field_is_refused() -> None:
    with pytest.raises(UnsuitableAsset, match="not one grid"):
        field_from_grid(np.zeros((2, 2, 2)), np.zeros((2, 2, 3, 1, 3)), low_m=(0, 0, 0), pitch_m=0.1)
    field = field_from_grid(np.ones((3, 3, 3)), np.zeros((3, 3, 3, 1, 3)), low_m=(0, 0, 0), pitch_m=1.0)
    meta, parts = parts_from_asset(field)
    for wrong, why in ((6, "multiple of 4"), (0, "multiple of 4")):
        with pytest.raises(UnsuitableAsset, match=why):
            asset_from_parts(field.kind, {**meta, "cells": wrong}, parts)
    with pytest.raises(UnsuitableAsset, match="outside of its lattice"):
        asset_from_parts(field.kind, meta, {**parts, "bricks": parts["bricks"] + 9})
