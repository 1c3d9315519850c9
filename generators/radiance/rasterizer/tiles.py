"""Which splats touch which 16×16 tile, front to back.

A splat touches a tile when its ellipse of visible opacity reaches a pixel centre's rectangle there: an exact
test of the quadratic form, not of its bounding box. Each pair of splat and tile owns a slot; the slots of one
splat lie side by side, so that its gradients can be summed in one fixed order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.rasterizer.kernels import inlined, kernel, parallel_kernel, prange

TILE = 16
"""Side of a tile in pixels."""
PACKED = 8
"""Floats of a packed splat: x, y, ½A, B, ½C in units of log2, log2 of opacity, reach in x and y."""

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
LOG2_E = np.float32(1.4426950408889634)
LOG2_CUT = np.float32(-7.994353436858858)
"""log2 of the smallest drawn opacity, 1/255."""
SLACK = np.float32(1e-3)
"""The reach is widened by this much, so that rounding never loses a pixel at the very edge."""
RADIX_BITS = 11

Ints = NDArray[np.int32]


@parallel_kernel
def pack(xy: FloatArray, conic: FloatArray, opacity: FloatArray, extent: FloatArray, packed: FloatArray) -> None:
    """Fill `packed` [N, 8] with what compositing reads, in the units in which it reads it."""
    for i in prange(len(xy)):
        packed[i, 0], packed[i, 1] = xy[i, 0], xy[i, 1]
        packed[i, 2] = HALF * LOG2_E * conic[i, 0]
        packed[i, 3] = LOG2_E * conic[i, 1]
        packed[i, 4] = HALF * LOG2_E * conic[i, 2]
        visible = extent[i, 0] > ZERO and extent[i, 1] > ZERO
        packed[i, 5] = np.log2(opacity[i]) if visible else ZERO
        packed[i, 6] = extent[i, 0] + SLACK if visible else -ONE
        packed[i, 7] = extent[i, 1] + SLACK if visible else -ONE


@inlined
def tile_box(s: FloatArray, tiles_x: int, tiles_y: int) -> Any:
    """First and one-past-last tile in x and y that the bounding box of a packed splat meets."""
    side = np.float32(TILE)
    x0 = int(max(ZERO, min(np.floor((s[0] - s[6]) / side), np.float32(tiles_x))))
    x1 = int(max(ZERO, min(np.floor((s[0] + s[6]) / side) + ONE, np.float32(tiles_x))))
    y0 = int(max(ZERO, min(np.floor((s[1] - s[7]) / side), np.float32(tiles_y))))
    y1 = int(max(ZERO, min(np.floor((s[1] + s[7]) / side) + ONE, np.float32(tiles_y))))
    return x0, x1, y0, y1


@inlined
def touches(s: FloatArray, tile_x: int, tile_y: int) -> bool:
    """Whether opacity reaches 1/255 anywhere between the outermost pixel centres of a tile."""
    left = np.float32(tile_x * TILE) + HALF - s[0]
    top = np.float32(tile_y * TILE) + HALF - s[1]
    right, bottom = left + np.float32(TILE - 1), top + np.float32(TILE - 1)
    a, b, c = s[2], s[3], s[4]
    limit = s[5] - LOG2_CUT + SLACK
    inside_x, inside_y = left <= ZERO <= right, top <= ZERO <= bottom
    if inside_x and inside_y:
        return True
    lowest = np.float32(np.inf)
    if not inside_x:  # along the edge that faces the centre: the form is convex, so its minimum is there
        x = left if left > ZERO else right
        y = min(max(-HALF * b * x / c, top), bottom)
        lowest = (a * x + b * y) * x + c * y * y
    if not inside_y:
        y = top if top > ZERO else bottom
        x = min(max(-HALF * b * y / a, left), right)
        lowest = min(lowest, (a * x + b * y) * x + c * y * y)
    return bool(lowest <= limit)


@parallel_kernel
def find_boxes(packed: FloatArray, tiles_x: int, tiles_y: int, boxes: Ints, sizes: NDArray[np.int64]) -> None:
    """Fill `boxes` [N, 4] with each splat's tile box x0, x1, y0, y1 and `sizes` [N] with the number of tiles in it."""
    for i in prange(len(packed)):
        sizes[i] = 0
        if packed[i, 6] > ZERO:
            x0, x1, y0, y1 = tile_box(packed[i], tiles_x, tiles_y)
            boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3] = x0, x1, y0, y1
            sizes[i] = max(x1 - x0, 0) * max(y1 - y0, 0)


@parallel_kernel
def list_tiles(
    packed: FloatArray, boxes: Ints, places: NDArray[np.int64], tiles_x: int, tile_of: Ints, counts: Ints
) -> None:
    """From `places[i]` on, fill `tile_of` with the tiles of splat i's box that it touches, and `counts` [N].

    Every question is asked once only: two compiled copies of one test may round differently at a tile's very
    edge, and a list that is longer than it was counted overruns memory.
    """
    for i in prange(len(packed)):
        count = 0
        if places[i] < places[i + 1]:
            for tile_y in range(boxes[i, 2], boxes[i, 3]):
                for tile_x in range(boxes[i, 0], boxes[i, 1]):
                    if touches(packed[i], tile_x, tile_y):
                        tile_of[places[i] + count] = tile_y * tiles_x + tile_x
                        count += 1
        counts[i] = count


@kernel
def front_to_back(depth: FloatArray, counts: Ints) -> Ints:
    """Indices of the splats with tiles, nearest first, equals in their own order (a radix sort of the float bits)."""
    visible = 0
    for i in range(len(depth)):
        if counts[i] > 0:
            visible += 1
    keys, order = np.empty(visible, np.uint32), np.empty(visible, np.int32)
    bits = depth.view(np.uint32)  # positive floats sort like their bits
    at = 0
    for i in range(len(depth)):
        if counts[i] > 0:
            keys[at], order[at] = bits[i], i
            at += 1
    other_keys, other_order = np.empty_like(keys), np.empty_like(order)
    for shift in range(0, 32, RADIX_BITS):
        places = np.zeros((1 << RADIX_BITS) + 1, np.int64)
        for k in range(visible):
            places[((keys[k] >> np.uint32(shift)) & np.uint32((1 << RADIX_BITS) - 1)) + 1] += 1
        for k in range(1 << RADIX_BITS):
            places[k + 1] += places[k]
        for k in range(visible):
            digit = (keys[k] >> np.uint32(shift)) & np.uint32((1 << RADIX_BITS) - 1)
            other_keys[places[digit]], other_order[places[digit]] = keys[k], order[k]
            places[digit] += 1
        keys, other_keys = other_keys, keys
        order, other_order = other_order, order
    return order


@kernel
def fill_tiles(
    order: Ints, places: NDArray[np.int64], tile_of: Ints, counts: Ints, tiles: int
) -> tuple[Ints, Ints, Ints, Ints]:
    """Lists by tile: `starts` [tiles + 1], `members` [M] front to back, their `slots` [M], and `firsts` [N + 1]."""
    firsts = np.empty(len(counts) + 1, np.int32)
    firsts[0] = 0
    starts = np.zeros(tiles + 1, np.int32)
    for i in range(len(counts)):
        firsts[i + 1] = firsts[i] + counts[i]
        for k in range(counts[i]):
            starts[tile_of[places[i] + k] + 1] += 1
    for tile in range(tiles):
        starts[tile + 1] += starts[tile]
    free = starts.copy()
    pairs = firsts[len(counts)]
    members, slots = np.empty(pairs, np.int32), np.empty(pairs, np.int32)
    for i in order:
        for k in range(counts[i]):
            tile = tile_of[places[i] + k]
            members[free[tile]], slots[free[tile]] = i, firsts[i] + k
            free[tile] += 1
    return starts, members, slots, firsts


def tile_lists(packed: FloatArray, depth: FloatArray, tiles_x: int, tiles_y: int) -> tuple[Ints, Ints, Ints, Ints]:
    """What `fill_tiles` gives, for packed splats [N, 8] at these depths."""
    count = len(packed)
    boxes, sizes = np.empty((count, 4), np.int32), np.empty(count, np.int64)
    find_boxes(packed, tiles_x, tiles_y, boxes, sizes)
    places = np.zeros(count + 1, np.int64)
    np.cumsum(sizes, out=places[1:])
    tile_of, counts = np.empty(places[-1], np.int32), np.empty(count, np.int32)
    list_tiles(packed, boxes, places, tiles_x, tile_of, counts)
    return fill_tiles(front_to_back(depth, counts), places, tile_of, counts, tiles_x * tiles_y)


@parallel_kernel
def sum_slots(values: FloatArray, firsts: Ints, sums: FloatArray) -> None:
    """Fill `sums` [N, C] with each splat's total over its slots of `values` [M, C], in the order of the slots."""
    for i in prange(len(sums)):
        for channel in range(sums.shape[1]):
            sums[i, channel] = ZERO
        for slot in range(firsts[i], firsts[i + 1]):
            for channel in range(sums.shape[1]):
                sums[i, channel] += values[slot, channel]
