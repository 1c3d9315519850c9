"""The inner loops over lattices against plain numpy: bricks, neighbours, vertices in use and cells beside others."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from generators.fields.growth import bricks_for, refined, widened
from generators.fields.lattice import Lattice, lattice_of

CORNERS = np.array([(i >> 2 & 1, i >> 1 & 1, i & 1) for i in range(8)])
SIDES = np.array([(-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)])


def some_cells(cells: int, share: float, seed: int = 0) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    return np.argwhere(rng.random((cells - 1,) * 3) < share)


def dense(lattice: Lattice, by_place: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """What an array [B, 64] says, at every place [cells, cells, cells]."""
    out = np.zeros((lattice.cells,) * 3, np.bool_)
    out[tuple(lattice.vertices().T)] = by_place.reshape(-1) > 0
    return out


def vertices_of(cells_at: NDArray[np.int64], cells: int) -> NDArray[np.bool_]:
    out = np.zeros((cells,) * 3, np.bool_)
    for corner in CORNERS:
        out[tuple((cells_at + corner).T)] = True
    return out


@pytest.mark.parametrize(("cells", "share"), [(8, 1.0), (16, 0.3), (32, 0.02)])
def test_a_lattice_holds_the_bricks_and_vertices_of_its_cells(cells: int, share: float) -> None:
    at = some_cells(cells, share)
    lattice = lattice_of(at, cells)
    wanted = vertices_of(at, cells)
    np.testing.assert_array_equal(dense(lattice, lattice.active), wanted)
    n = cells // 4
    np.testing.assert_array_equal(lattice.places >= 0, wanted.reshape(n, 4, n, 4, n, 4).any((1, 3, 5)))
    np.testing.assert_array_equal(lattice.occupied_cells()[np.lexsort(lattice.occupied_cells().T[::-1])], at)


def test_cells_keep_their_marks_and_those_outside_are_left_out() -> None:
    at = np.concatenate([some_cells(16, 0.2), [[-1, 3, 3], [3, 15, 3], [16, 0, 0]]])
    marks = (np.arange(len(at)) % 3 + 1).astype(np.uint8)
    lattice = lattice_of(at, 16, marks)
    table = np.zeros((16, 16, 16), np.uint8)
    table[tuple(at[:-3].T)] = marks[:-3]
    np.testing.assert_array_equal(table[tuple(lattice.vertices().T)], lattice.occupied.reshape(-1))


def test_bricks_know_their_neighbours() -> None:
    lattice = lattice_of(some_cells(32, 0.02), 32)
    known = {tuple(place): row for row, place in enumerate(lattice.bricks.tolist())}
    for row, place in enumerate(lattice.bricks):
        assert lattice.joined[row].tolist() == [known.get(tuple((place + corner).tolist()), -1) for corner in CORNERS]
        assert lattice.around[row].tolist() == [known.get(tuple((place + side).tolist()), -1) for side in SIDES]


def test_widening_is_that_of_a_dense_array() -> None:
    lattice = lattice_of(some_cells(24, 0.4), 24)
    keep = (np.random.default_rng(1).random(lattice.occupied.shape) < 0.1) & (lattice.occupied > 0)
    held = np.pad(dense(lattice, keep.view(np.uint8)), 1)
    wider = held.copy()
    for side in SIDES:
        wider |= np.roll(held, tuple(side), (0, 1, 2))
    wanted = wider[1:-1, 1:-1, 1:-1] & dense(lattice, lattice.occupied)
    np.testing.assert_array_equal(dense(lattice, widened(lattice, keep).view(np.uint8)), wanted)


def test_children_are_the_eight_parts_of_every_cell() -> None:
    lattice = lattice_of(some_cells(12, 0.3), 12, None)
    keep = (lattice.occupied > 0) & (np.arange(64) % 2 == 0)
    new = refined(lattice, keep)
    parents = lattice.vertices()[keep.reshape(-1)]
    children = np.zeros((24, 24, 24), np.bool_)
    for corner in CORNERS:
        children[tuple((2 * parents + corner).T)] = True
    np.testing.assert_array_equal(dense(new, new.occupied), children)
    assert bricks_for(lattice, keep) == len(new)
