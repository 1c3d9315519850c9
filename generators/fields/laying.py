"""Inner loops over whole lattices: which bricks cells need, their neighbours, and cells beside others.

All are plain passes over memory whose results do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from generators.radiance.rasterizer.kernels import kernel, parallel_kernel, prange


@kernel
def mark_bricks(cells_at: Any, cells: Any, needed: Any) -> None:
    """Set `needed` uint8 [n, n, n] for each brick that holds a corner of a cell of int32 [M, 3] within 0 … cells-2."""
    for row in range(len(cells_at)):
        x, y, z = np.int64(cells_at[row, 0]), np.int64(cells_at[row, 1]), np.int64(cells_at[row, 2])
        if min(x, y, z) < 0 or max(x, y, z) >= cells - 1:
            continue
        for i in range(x // 4, (x + 1) // 4 + 1):
            for j in range(y // 4, (y + 1) // 4 + 1):
                for k in range(z // 4, (z + 1) // 4 + 1):
                    needed[i, j, k] = 1


@kernel
def mark_cells(cells_at: Any, marks: Any, cells: Any, places: Any, occupied: Any) -> None:
    """Write `marks` uint8 [M] of cells int32 [M, 3] into `occupied` uint8 [B, 64]; all their bricks are there."""
    for row in range(len(cells_at)):
        x, y, z = np.int64(cells_at[row, 0]), np.int64(cells_at[row, 1]), np.int64(cells_at[row, 2])
        if min(x, y, z) < 0 or max(x, y, z) >= cells - 1:
            continue
        occupied[places[x // 4, y // 4, z // 4], x % 4 * 16 + y % 4 * 4 + z % 4] = marks[row]


@parallel_kernel
def connect(bricks: Any, places: Any, joined: Any, around: Any) -> None:
    """Fill `joined` int32 [B, 8] and `around` int32 [B, 6] (see `Lattice`)."""
    n = places.shape[0]
    for brick in prange(len(bricks)):
        x, y, z = np.int64(bricks[brick, 0]), np.int64(bricks[brick, 1]), np.int64(bricks[brick, 2])
        for corner in range(8):
            i, j, k = x + (corner >> 2), y + (corner >> 1 & 1), z + (corner & 1)
            joined[brick, corner] = places[i, j, k] if max(i, j, k) < n else -1
        for side in range(6):
            sign = side % 2 * 2 - 1
            i = x + (sign if side // 2 == 0 else 0)
            j = y + (sign if side // 2 == 1 else 0)
            k = z + (sign if side // 2 == 2 else 0)
            around[brick, side] = places[i, j, k] if min(i, j, k) >= 0 and max(i, j, k) < n else -1


@parallel_kernel
def activate(bricks: Any, places: Any, occupied: Any, active: Any) -> None:
    """Fill `active` uint8 [B, 64]: vertices that an occupied cell has as a corner."""
    for brick in prange(len(bricks)):
        x0, y0, z0 = np.int64(bricks[brick, 0]) * 4, np.int64(bricks[brick, 1]) * 4, np.int64(bricks[brick, 2]) * 4
        for vertex in range(64):
            x, y, z = x0 + vertex // 16, y0 + vertex // 4 % 4, z0 + vertex % 4
            found = 0
            for corner in range(8):
                i, j, k = x - (corner >> 2), y - (corner >> 1 & 1), z - (corner & 1)
                if min(i, j, k) < 0:
                    continue
                home = np.int64(places[i // 4, j // 4, k // 4])
                if home >= 0 and occupied[home, i % 4 * 16 + j % 4 * 4 + k % 4]:
                    found = 1
            active[brick, vertex] = found


@parallel_kernel
def widen(around: Any, occupied: Any, keep: Any, out: Any) -> None:
    """Fill `out` uint8 [B, 64]: occupied cells that are in `keep` uint8 [B, 64] or share a face with one that is."""
    for brick in prange(len(around)):
        for cell in range(64):
            out[brick, cell] = 0
            if occupied[brick, cell] == 0:
                continue
            found = keep[brick, cell]
            for side in range(6):
                sign = side % 2 * 2 - 1
                x = cell // 16 + (sign if side // 2 == 0 else 0)
                y = cell // 4 % 4 + (sign if side // 2 == 1 else 0)
                z = cell % 4 + (sign if side // 2 == 2 else 0)
                home = np.int64(brick)
                if x < 0 or y < 0 or z < 0 or x > 3 or y > 3 or z > 3:
                    home = np.int64(around[brick, side])
                    if home < 0:
                        continue
                found |= keep[home, (x & 3) * 16 + (y & 3) * 4 + (z & 3)]
            out[brick, cell] = found


@kernel
def list_cells(bricks: Any, keep: Any, times: Any, out: Any) -> None:
    """Fill `out` int32 [M · times³, 3] with the cells of `keep` uint8 [B, 64], each parted `times` along a side."""
    row = 0
    for brick in range(len(bricks)):
        for cell in range(64):
            if keep[brick, cell] == 0:
                continue
            x = (bricks[brick, 0] * 4 + cell // 16) * times
            y = (bricks[brick, 1] * 4 + cell // 4 % 4) * times
            z = (bricks[brick, 2] * 4 + cell % 4) * times
            for part in range(times * times * times):
                out[row, 0] = x + part // (times * times)
                out[row, 1] = y + part // times % times
                out[row, 2] = z + part % times
                row += 1
