"""Front-to-back compositing straight into bytes, tile by tile, from lists that are sorted as they are reached.

A tile is two halves of sixteen rows of eight lanes. A splat touches of a half only the rows that its ellipse reaches
there; a half that nothing shines through any more takes no more splats.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.rasterizer.compositing import ALPHA_MIN, AREA, HALF_TILE
from generators.radiance.rasterizer.forward.binning import FEW, Keys, reach_across, sort_few, sort_many
from generators.radiance.rasterizer.forward.lanes import prefetch
from generators.radiance.rasterizer.forward.projection import RECORD
from generators.radiance.rasterizer.kernels import inlined, parallel_kernel, prange
from generators.radiance.rasterizer.lanes import (
    WIDTH,
    exp2,
    largest,
    load,
    ramp,
    spread,
    store,
    where_at_least,
)
from generators.radiance.rasterizer.tiles import LOG2_CUT, SLACK, TILE, Ints

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
OPAQUE = np.float32(1 / 512)
"""A pixel whose transmittance is below this is held to be opaque: half a grey level."""
CHECK_EVERY = 16
"""Splats between two looks at whether a half is opaque."""
SMALL = np.float32(4)
"""Splats that reach no further up and down are drawn as boxes: to find their rows takes longer than to draw them."""
AHEAD = 6
"""So many splats before its turn a record is asked of memory."""


@inlined
def composite_half(one: FloatArray, x: Any, y: Any, half: int, through: FloatArray, sums: FloatArray) -> None:
    """Add a splat, whose centre is (x, y) from the tile's first pixel centre, to half a tile."""
    a, b, c, level = one[2], one[3], one[4], one[5]
    low = np.float32(half * WIDTH) - x
    least, greatest = -one[7], one[7]
    if one[7] > SMALL:
        least, greatest = reach_across(low, low + np.float32(WIDTH - 1), one[7], c, b, a, level - LOG2_CUT + SLACK)
    y0 = int(max(ZERO, min(np.ceil(y + least - SLACK), np.float32(TILE))))
    y1 = int(max(ZERO, min(np.floor(y + greatest + SLACK) + ONE, np.float32(TILE))))
    dx = ramp() + spread(low)
    red, green, blue = spread(one[8]), spread(one[9]), spread(one[10])
    square = spread(a) * dx * dx
    cross = spread(b) * dx
    for row in range(y0, y1):
        at = half * HALF_TILE + row * WIDTH
        dy = np.float32(row) - y
        power = spread(level - c * dy * dy) - square - cross * spread(dy)
        alpha = exp2(power)
        before = load(through, at)
        weight = where_at_least(alpha, spread(ALPHA_MIN), alpha * before)
        store(through, at, before - weight)
        store(sums, at, load(sums, at) + weight * red)
        store(sums, AREA + at, load(sums, AREA + at) + weight * green)
        store(sums, 2 * AREA + at, load(sums, 2 * AREA + at) + weight * blue)


@inlined
def half_is_opaque(through: FloatArray, half: int) -> bool:
    """Whether no pixel of half a tile takes more splats."""
    most = load(through, half * HALF_TILE)
    for row in range(1, TILE):
        one = load(through, half * HALF_TILE + row * WIDTH)
        most = where_at_least(most, one, most) + where_at_least(one, most, one)
    return bool(largest(most) < OPAQUE)


@inlined
def composite_tile(
    records: FloatArray, flat: FloatArray, keys: Keys, begin: int, end: int, left: Any, top: Any,
    through: FloatArray, sums: FloatArray,
) -> None:  # fmt: skip
    """Add a sorted list to a tile, as far as it can be seen."""
    open0, open1 = True, True
    for member in range(begin, end):
        if member + AHEAD < end:
            prefetch(flat, np.intp(keys[member + AHEAD] & np.uint64(0xFFFFFFFF)) * RECORD)
        one = records[np.intp(keys[member] & np.uint64(0xFFFFFFFF))]
        x, y = one[0] - left - HALF, one[1] - top - HALF
        if open0 and x - one[6] <= np.float32(WIDTH - 1):
            composite_half(one, x, y, 0, through, sums)
        if open1 and x + one[6] >= np.float32(WIDTH):
            composite_half(one, x, y, 1, through, sums)
        if (member - begin) % CHECK_EVERY == CHECK_EVERY - 1:
            open0, open1 = open0 and not half_is_opaque(through, 0), open1 and not half_is_opaque(through, 1)
            if not (open0 or open1):
                break


@inlined
def code(value: Any) -> Any:
    """A byte of 0 … 1."""
    return np.uint8(min(max(value * np.float32(255) + HALF, ZERO), np.float32(255)))


@inlined
def finish(
    through: FloatArray, sums: FloatArray, background: FloatArray, left: int, top: int, out: NDArray[np.uint8]
) -> None:
    """Write a tile: over the background where the picture has three channels, else with straight alpha."""
    height, width, channels = out.shape
    for row in range(min(TILE, height - top)):
        for column in range(min(TILE, width - left)):
            at = (column // WIDTH) * HALF_TILE + row * WIDTH + column % WIDTH
            rest = through[at]
            cover = ONE - rest
            pixel = out[top + row, left + column]
            if rest < OPAQUE:  # what would have come behind is like what is there
                rest, share = ZERO, ONE / cover
            elif channels == 4:
                share = ONE / max(cover, np.float32(1e-4))
            else:
                share = ONE
            for channel in range(3):
                value = sums[channel * AREA + at] * share
                pixel[channel] = code(value if channels == 4 else value + rest * background[channel])
            if channels == 4:
                pixel[3] = code(ONE - rest)


@parallel_kernel
def composite(
    records: FloatArray, keys: Keys, other: Keys, starts: Ints, first: int, last: int, background: FloatArray,
    out: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Sort and draw the tiles from `first` to `last` into `out` [H, W, 3 | 4]; every second one by the same thread."""
    tiles_x = (out.shape[1] + TILE - 1) // TILE
    flat = records.reshape(-1)
    count = last - first
    for number in prange(count):
        half = (count + 1) // 2
        tile = first + (2 * number if number < half else 2 * (number - half) + 1)
        through, sums, tally = np.empty(AREA, np.float32), np.empty(3 * AREA, np.float32), np.empty(256, np.int32)
        through[:] = ONE
        sums[:] = ZERO
        left, top = (tile % tiles_x) * TILE, (tile // tiles_x) * TILE
        begin, end = starts[tile], starts[tile + 1]
        if end - begin <= FEW:
            sort_few(keys, begin, end)
            composite_tile(records, flat, keys, begin, end, np.float32(left), np.float32(top), through, sums)
        elif sort_many(keys, other, begin, end, tally):
            composite_tile(records, flat, other, begin, end, np.float32(left), np.float32(top), through, sums)
        else:
            composite_tile(records, flat, keys, begin, end, np.float32(left), np.float32(top), through, sums)
        finish(through, sums, background, left, top, out)
