"""Which ellipses meet which tile: spans of tiles row by row, gathered by tile, and each tile's list front to back.

An ellipse meets, of a row of tiles, those between the leftmost and the rightmost place that it reaches in the row's
sixteen lines: exact, without a test for each tile. All passes run on stripes or tiles of their own, in one order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.rasterizer.forward.cloud import BLOCK
from generators.radiance.rasterizer.kernels import inlined, parallel_kernel, prange
from generators.radiance.rasterizer.tiles import LOG2_CUT, SLACK, TILE, Ints

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
Keys = NDArray[np.uint64]
DIGIT = 8
KEPT_BITS = 24
"""Leading bits of the depths' differences within a tile that are sorted by: a ten-millionth of the depth."""
FEW = 40
"""So many are sorted by insertion."""


@inlined
def reach_across(low: Any, high: Any, r: Any, a: Any, b: Any, c: Any, limit: Any) -> Any:
    """Least and greatest x that a·x² + b·x·y + c·y² ≤ limit has for y between `low` and `high`; least > greatest: none.

    `r` is the greatest x of all, at y = -b·r / 2c; a concave function's maximum between two places is the nearest to
    its peak.
    """
    peak = -b * r / (TWO * c)
    y0, y1 = min(max(-peak, low), high), min(max(peak, low), high)
    curve, half = np.float32(4) * a * c - b * b, ONE / (TWO * a)
    under0, under1 = np.float32(4) * a * limit - curve * y0 * y0, np.float32(4) * a * limit - curve * y1 * y1
    if not (under0 >= ZERO or under1 >= ZERO):
        return ONE, -ONE
    least = -(b * y0 + np.sqrt(max(under0, ZERO))) * half
    greatest = -(b * y1 - np.sqrt(max(under1, ZERO))) * half
    return least, greatest


@parallel_kernel
def find_spans(
    records: FloatArray, rows: Ints, found: Ints, stripes: Ints, places: Ints, width: int, spans: Any, counts: Ints
) -> None:
    """Fill `spans` [R, 2] from `places[s]` on with each row's first and end tile; count the splats of tiles [S, T]."""
    tiles_x = (width + TILE - 1) // TILE
    for s in prange(len(found)):
        place = places[s]
        counts[s, :] = 0
        for record in range(stripes[s] * BLOCK, stripes[s] * BLOCK + found[s, 0]):
            one = records[record]
            limit = one[5] - LOG2_CUT + SLACK
            for row in range(rows[record, 0], rows[record, 1]):
                low = np.float32(row * TILE) + HALF - one[1]
                least, greatest = reach_across(low, low + np.float32(TILE - 1), one[6], one[2], one[3], one[4], limit)
                first, end = 0, 0
                if least <= greatest:
                    left = max(one[0] + least - HALF - SLACK, ZERO)
                    right = min(one[0] + greatest - HALF + SLACK, np.float32(width - 1))
                    if np.ceil(left) <= np.floor(right):
                        first, end = int(np.ceil(left)) // TILE, int(right) // TILE + 1
                spans[place, 0], spans[place, 1] = first, end
                place += 1
                for tile in range(row * tiles_x + first, row * tiles_x + end):
                    counts[s, tile] += 1


@parallel_kernel
def fill_tiles(
    records: FloatArray, rows: Ints, found: Ints, stripes: Ints, places: Ints, width: int, spans: Any, free: Ints,
    keys: Keys,
) -> None:  # fmt: skip
    """Write depth and number of every record into each of its tiles; `free` [S, T] is where a stripe's places begin."""
    tiles_x = (width + TILE - 1) // TILE
    for s in prange(len(found)):
        place = places[s]
        for record in range(stripes[s] * BLOCK, stripes[s] * BLOCK + found[s, 0]):
            bits = records[record, 11:12].view(np.uint32)[0]  # positive floats sort like their bits
            key = (np.uint64(bits) << np.uint64(32)) | np.uint64(record)
            for row in range(rows[record, 0], rows[record, 1]):
                for tile in range(row * tiles_x + spans[place, 0], row * tiles_x + spans[place, 1]):
                    keys[free[s, tile]] = key
                    free[s, tile] += 1
                place += 1


@inlined
def sort_few(keys: Keys, begin: int, end: int) -> None:
    """Sort a short run in its place."""
    for i in range(begin + 1, end):
        key, j = keys[i], i - 1
        while j >= begin and keys[j] > key:
            keys[j + 1] = keys[j]
            j -= 1
        keys[j + 1] = key


@inlined
def sort_many(keys: Keys, other: Keys, begin: int, end: int, tally: Ints) -> bool:
    """Sort a run by depth, equals in their own order; True when the result is in `other`."""
    least, most = keys[begin], keys[begin]
    for i in range(begin, end):
        least, most = min(least, keys[i]), max(most, keys[i])
    low = least >> np.uint64(32)
    spread, drop = (most >> np.uint64(32)) - low, 0
    while spread >> np.uint64(drop + KEPT_BITS) > np.uint64(0):
        drop += 1
    moved = False
    base = least & np.uint64(0xFFFFFFFF00000000)
    for digit in range(0, KEPT_BITS, DIGIT):
        if spread >> np.uint64(drop + digit) == np.uint64(0):
            break
        shift = np.uint64(32 + drop + digit)
        source, target = (other, keys) if moved else (keys, other)
        tally[:] = 0
        for i in range(begin, end):
            tally[((source[i] - base) >> shift) & np.uint64(255)] += 1
        at = begin
        for k in range(1 << DIGIT):
            tally[k], at = at, at + tally[k]
        for i in range(begin, end):
            k = ((source[i] - base) >> shift) & np.uint64(255)
            target[tally[k]] = source[i]
            tally[k] += 1
        moved = not moved
    return moved
