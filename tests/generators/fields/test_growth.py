"""Finer lattices say the same as the coarse ones, and nothing that matters is lost on the way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from generators.fields.growth import bricks_for, continued, refined, thinned, widened
from generators.fields.lattice import Lattice, lattice_of
from tests.generators.fields.lattices import random_lattice


def linear(lattice: Lattice) -> NDArray[np.float64]:
    """A function that trilinear interpolation keeps, at every vertex."""
    at = lattice.vertices() * (4 / lattice.cells)
    return np.asarray(at @ np.array([1.0, -2.0, 0.5]) + 3)


def test_a_refined_lattice_interpolates_the_coarse_one() -> None:
    old = random_lattice(12, 0.3)
    old.values[:, 0] = linear(old)
    new = refined(old, old.occupied > 0)
    assert new.cells == 24 and new.occupied.sum() == 8 * old.occupied.sum()
    active = new.active.reshape(-1) > 0
    inner = active & (new.vertices() % 2 == 0).all(1)
    np.testing.assert_allclose(new.values[inner, 0], linear(new)[inner], rtol=1e-5, atol=1e-6)
    # between two vertices whose cells are all there, too
    full = _full(12)
    whole = refined(full, full.occupied > 0)
    held = whole.active.reshape(-1) > 0
    np.testing.assert_allclose(whole.values[held, 0], linear(whole)[held], rtol=1e-5, atol=1e-6)
    assert bricks_for(old, old.occupied > 0) >= len(new)


def _full(cells: int) -> Lattice:
    lattice = lattice_of(np.argwhere(np.ones((cells - 1,) * 3)), cells)
    lattice.values[:, 0] = linear(lattice)
    return lattice


def test_thinning_keeps_values_and_what_belongs_to_them() -> None:
    old = random_lattice(16, 0.5)
    keep = (old.occupied > 0) & (np.arange(64) % 3 == 0)
    state = np.repeat(np.arange(len(old.values), dtype=np.float32)[:, None], 16, 1)
    new, (moved,) = thinned(old, keep, state)
    assert new.occupied.sum() == keep.sum()
    np.testing.assert_array_equal(new.values, old.values[moved[:, 0].astype(int)])
    np.testing.assert_array_equal(new.vertices(), old.vertices()[moved[:, 0].astype(int)])


def test_widening_goes_one_cell_and_never_into_the_empty() -> None:
    lattice = lattice_of(np.argwhere(np.ones((11,) * 3)), 12)
    keep = np.zeros(lattice.occupied.shape, bool)
    keep[lattice.places[1, 1, 1], 21] = True  # cell (5, 5, 5)
    wider = widened(lattice, keep)
    assert {tuple(row) for row in lattice.vertices()[wider.reshape(-1)].tolist()} == {
        (5, 5, 5), (4, 5, 5), (6, 5, 5), (5, 4, 5), (5, 6, 5), (5, 5, 4), (5, 5, 6)
    }  # fmt: skip
    lattice.occupied[:] = 0
    assert not widened(lattice, keep).any()


def test_surfaces_are_carried_on_where_nothing_is_known() -> None:
    lattice = lattice_of(np.argwhere(np.ones((11,) * 3)), 12)
    at = lattice.vertices()
    known = (at[:, 0] < 6).reshape(-1, 64).astype(np.uint8)
    lattice.values[:, 0] = np.where(at[:, 0] < 6, at[:, 1], -9)
    continued(lattice, known, 2)
    np.testing.assert_allclose(lattice.values[at[:, 0] < 8, 0], at[at[:, 0] < 8, 1])
    assert (lattice.values[(at[:, 0] >= 8) & (at[:, 0] < 11), 0] == -9).all()
