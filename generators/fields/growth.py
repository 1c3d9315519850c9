"""From one lattice to the next finer one, keeping only cells that somebody has seen something in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.fields.lattice import FAINT, VERTICES, Lattice, lattice_of
from generators.fields.laying import mark_bricks, widen
from generators.radiance.rasterizer.kernels import parallel_kernel, prange


@parallel_kernel
def _halved(old_values: Any, old_places: Any, old_active: Any, vertices: Any, out: Any) -> None:
    """Fill `out` [N, 16] at vertices of the lattice of twice the cells: means of the active old ones around."""
    for row in prange(len(vertices)):
        x, y, z = np.int64(vertices[row, 0]), np.int64(vertices[row, 1]), np.int64(vertices[row, 2])
        found = 0
        for i in range(x // 2, (x + 1) // 2 + 1):
            for j in range(y // 2, (y + 1) // 2 + 1):
                for k in range(z // 2, (z + 1) // 2 + 1):
                    if max(i, j, k) >= old_places.shape[0] * 4:
                        continue
                    brick = np.int64(old_places[i // 4, j // 4, k // 4])
                    inside = (i % 4) * 16 + (j % 4) * 4 + k % 4
                    if brick < 0 or old_active[brick, inside] == 0:
                        continue
                    found += 1
                    for channel in range(16):
                        out[row, channel] += old_values[brick * 64 + inside, channel]
        for channel in range(16):
            if found:
                out[row, channel] /= np.float32(found)


@parallel_kernel
def _fill(values: Any, around: Any, active: Any, known: Any, filled: Any) -> None:
    """Give each active vertex that is not `known` [B, 64] the mean of its known neighbours; `filled` says which."""
    for brick in prange(len(around)):
        for vertex in range(64):
            filled[brick, vertex] = known[brick, vertex]
            if known[brick, vertex] or active[brick, vertex] == 0:
                continue
            row = brick * 64 + vertex
            found = 0
            for side in range(6):
                axis, sign = side // 2, side % 2 * 2 - 1
                x = vertex // 16 + (sign if axis == 0 else 0)
                y = vertex // 4 % 4 + (sign if axis == 1 else 0)
                z = vertex % 4 + (sign if axis == 2 else 0)
                home = np.int64(brick)
                if x < 0 or y < 0 or z < 0 or x > 3 or y > 3 or z > 3:
                    home = np.int64(around[brick, side])
                    if home < 0:
                        continue
                other = (x & 3) * 16 + (y & 3) * 4 + (z & 3)
                if known[home, other] == 0:
                    continue
                if found == 0:
                    for channel in range(16):
                        values[row, channel] = np.float32(0)
                found += 1
                for channel in range(16):
                    values[row, channel] += values[home * 64 + other, channel]
            if found:
                filled[brick, vertex] = 1
                for channel in range(16):
                    values[row, channel] /= np.float32(found)


def continued(lattice: Lattice, known: NDArray[np.uint8], rounds: int) -> None:
    """Carry values on, in place, from vertices that rays have trained to those beyond that none has reached."""
    for _ in range(rounds):
        filled = np.empty_like(known)
        _fill(lattice.values, lattice.around, lattice.active, known, filled)
        known = filled


def refined(old: Lattice, keep: NDArray[np.bool_]) -> Lattice:
    """The lattice of twice the cells, holding the children of the cells [B, 64] to be kept."""
    new = lattice_of(old.cells_in(keep, 2), old.cells * 2, np.repeat(old.occupied[keep], 8))
    vertices = new.vertices()
    values = np.zeros_like(new.values)
    _halved(old.values, old.places, old.active, vertices, values)
    values[new.active.reshape(-1) == 0] = 0
    values[new.active.reshape(-1) == 0, 0] = FAINT
    new.values = values
    return new


def bricks_for(old: Lattice, keep: NDArray[np.bool_]) -> int:
    """About how many bricks the lattice of twice the cells would have for these cells [B, 64]."""
    needed = np.zeros((old.cells // 2,) * 3, np.uint8)
    mark_bricks(old.cells_in(keep, 2), np.int64(old.cells * 2), needed)
    return int(np.count_nonzero(needed))


def thinned(old: Lattice, keep: NDArray[np.bool_], *states: FloatArray) -> tuple[Lattice, list[FloatArray]]:
    """The same lattice without some cells [B, 64], and arrays [B · 64, 16] that belong to its vertices."""
    new = lattice_of(old.cells_in(keep), old.cells, old.occupied[keep])
    homes = old.places[tuple(new.bricks.T)]
    rows = (homes[:, None] * VERTICES + np.arange(VERTICES)).reshape(-1)
    new.values = old.values[rows]
    return new, [state[rows] for state in states]


def widened(lattice: Lattice, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The cells to be kept, and their neighbours wherever the lattice has them occupied."""
    out = np.empty_like(lattice.occupied)
    widen(lattice.around, lattice.occupied, np.ascontiguousarray(keep).view(np.uint8), out)
    return out.view(np.bool_)
