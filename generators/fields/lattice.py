"""The sparse lattice a field lives on: bricks of 4³ vertices, which cells are occupied, and how to find them.

The lattice spans the cube -2 … 2 of contracted space with `cells` cells along each side; vertex i stands at
-2 + 4·i / cells. A cell is interpolated between its eight vertices, which may lie in up to eight bricks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.fields.laying import activate, connect, list_cells, mark_bricks, mark_cells

BRICK = 4
VERTICES = BRICK**3
CHANNELS = 16
"""One row of memory a vertex: log density, twelve harmonics (4 × RGB), three unused; one cache line."""
USED = 13
EXTENT = 4.0
"""Side of the contracted cube."""
FARTHEST_GAP = 6
FAINT = np.float32(-12.0)
"""Log density of a vertex that nothing is known about."""


@dataclass(eq=False)
class Lattice:
    """Bricks and what they hold.

    `bricks` int32 [B, 3] brick coordinates; `places` int32 [n, n, n] the brick at each place or -1; `gaps` uint8
    [n, n, n] bricks to the nearest one by the longest axis, 0 in a brick; `joined` int32 [B, 8] the brick itself and
    those beyond it in +x, +y, +z (bits 4, 2, 1), -1 where there is none; `around` int32 [B, 6] its face neighbours
    -x, +x, -y, +y, -z, +z; `occupied` uint8 [B, 64] by cell; `active` uint8 [B, 64] vertices of an occupied cell;
    `values` float32 [B · 64, 16].
    """

    cells: int
    bricks: NDArray[np.int32]
    places: NDArray[np.int32]
    gaps: NDArray[np.uint8]
    joined: NDArray[np.int32]
    around: NDArray[np.int32]
    occupied: NDArray[np.uint8]
    active: NDArray[np.uint8]
    values: FloatArray

    def __len__(self) -> int:
        return len(self.bricks)

    @property
    def pitch(self) -> float:
        """Side of a cell in contracted space."""
        return EXTENT / self.cells

    def vertices(self) -> NDArray[np.int32]:
        """Lattice coordinates int32 [B · 64, 3] of all vertices, in the order of `values`."""
        return self.cells_in(np.ones((len(self), VERTICES), np.uint8))

    def cells_in(self, keep: NDArray[Any], times: int = 1) -> NDArray[np.int32]:
        """Coordinates int32 [M · times³, 3] of the cells in a mask [B, 64], each parted `times` along every side."""
        kept = np.ascontiguousarray(keep).view(np.uint8)
        out = np.empty((int(np.count_nonzero(kept)) * times**3, 3), np.int32)
        list_cells(self.bricks, kept, np.int64(times), out)
        return out

    def occupied_cells(self) -> NDArray[np.int32]:
        """Lattice coordinates int32 [M, 3] of the occupied cells."""
        return self.cells_in(self.occupied)


def lattice_of(cells_at: NDArray[np.integer], cells: int, marks: NDArray[np.uint8] | None = None) -> Lattice:
    """The smallest lattice that holds these occupied cells [M, 3]; all values are faint and grey.

    `cells` is a multiple of 4; cells outside of 0 … cells - 2 are left out. `marks` uint8 [M] are what `occupied` is
    to say of them, 1 if not given.
    """
    if cells % BRICK:
        raise ValueError(f"a lattice has a multiple of {BRICK} cells along a side, not {cells}")
    n = cells // BRICK
    at = np.ascontiguousarray(cells_at, np.int32)
    needed = np.zeros((n, n, n), np.uint8)
    mark_bricks(at, np.int64(cells), needed)
    bricks = np.argwhere(needed).astype(np.int32)
    places = _places_of(bricks, n)
    occupied = np.zeros((len(bricks), VERTICES), np.uint8)
    told = np.ones(len(at), np.uint8) if marks is None else np.ascontiguousarray(marks)
    mark_cells(at, told, np.int64(cells), places, occupied)
    return completed(cells, bricks, occupied, places)


def completed(
    cells: int, bricks: NDArray[np.int32], occupied: NDArray[np.uint8], places: NDArray[np.int32] | None = None
) -> Lattice:
    """A lattice of these bricks with everything that follows from them."""
    if places is None:
        places = _places_of(bricks, cells // BRICK)
    joined, around = np.empty((len(bricks), 8), np.int32), np.empty((len(bricks), 6), np.int32)
    connect(bricks, places, joined, around)
    active = np.empty_like(occupied)
    activate(bricks, places, occupied, active)
    values = np.zeros((len(bricks) * VERTICES, CHANNELS), np.float32)
    values[:, 0] = FAINT
    return Lattice(cells, bricks, places, gaps_of(places), joined, around, occupied, active, values)


def _places_of(bricks: NDArray[np.int32], n: int) -> NDArray[np.int32]:
    places = np.full((n, n, n), -1, np.int32)
    places[tuple(bricks.T)] = np.arange(len(bricks), dtype=np.int32)
    return places


def gaps_of(places: NDArray[np.int32]) -> NDArray[np.uint8]:
    """How many bricks away the nearest one is, uint8, 0 … `FARTHEST_GAP`."""
    reached = places >= 0
    gaps = np.where(reached, 0, FARTHEST_GAP).astype(np.uint8)
    for distance in range(1, FARTHEST_GAP):
        wider = reached
        for axis in range(3):
            grown = wider.copy()
            ahead = [slice(None)] * 3
            behind = [slice(None)] * 3
            ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
            grown[tuple(ahead)] |= wider[tuple(behind)]
            grown[tuple(behind)] |= wider[tuple(ahead)]
            wider = grown
        gaps[wider & ~reached] = distance
        reached = wider
    return gaps
