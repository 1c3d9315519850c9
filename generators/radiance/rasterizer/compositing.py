"""Front-to-back compositing of packed splats, tile by tile, and its gradient.

A tile is kept as two halves of sixteen rows of eight lanes. A splat contributes α = min(0.999, o·exp(-σ)) where
α ≥ 1/255 and the pixel's transmittance is still ≥ 1e-4. The way back runs front to back as well: what remains
behind a splat is the pixel's total less what came before, so no list is kept from the way forth.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engines.assets import FloatArray
from generators.radiance.rasterizer.kernels import inlined, parallel_kernel, prange
from generators.radiance.rasterizer.lanes import (
    WIDTH,
    at_most,
    exp2,
    largest,
    load,
    ramp,
    spread,
    store,
    total,
    where_at_least,
)
from generators.radiance.rasterizer.tiles import TILE, Ints

ALPHA_MAX = np.float32(0.999)
ALPHA_MIN = np.float32(1.0 / 255.0)
OPAQUE = np.float32(1e-4)
"""A pixel whose transmittance is below this takes no more splats."""
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
BELOW_MAX = np.float32(-0.99899995)
"""-α ≥ this: α is not held at its maximum."""
FAINTEST = np.float32(1e-30)
HALF_TILE = TILE * WIDTH
AREA = TILE * TILE
CHECK_EVERY = 32
"""Splats between two looks at whether the whole tile is opaque."""
MOMENTS = 6
"""Sums over pixels that give the geometric gradients: σ', σ'·dx, σ'·dy, σ'·dx², σ'·dx·dy, σ'·dy²."""


@inlined
def reach_in_tile(s: FloatArray, left: np.float32, top: np.float32) -> Any:
    """Centre relative to the tile's first pixel centre, rows y0 … y1 and halves h0 … h1 that the splat reaches."""
    x, y = s[0] - left - HALF, s[1] - top - HALF
    last = np.float32(TILE)
    y0 = int(max(ZERO, min(np.ceil(y - s[7]), last)))
    y1 = int(max(ZERO, min(np.floor(y + s[7]) + ONE, last)))
    h0 = 0 if x - s[6] <= np.float32(WIDTH - 1) else 1
    h1 = 2 if x + s[6] >= np.float32(WIDTH) else 1
    return x, y, y0, y1, h0, h1


@inlined
def row_weights(a: Any, b: Any, c: Any, level: Any, dx: Any, dy: Any, through: FloatArray, at: int) -> Any:
    """α and weight α·T of eight pixels; lowers their transmittance."""
    alpha = at_most(exp2(spread(level - c * dy * dy) - (spread(a) * dx + spread(b * dy)) * dx), spread(ALPHA_MAX))
    before = load(through, at)
    weight = where_at_least(alpha, spread(ALPHA_MIN), where_at_least(before, spread(OPAQUE), alpha * before))
    store(through, at, before - weight)
    return alpha, weight


@inlined
def composite_splat(
    s: FloatArray, feature: FloatArray, left: np.float32, top: np.float32, through: FloatArray, sums: FloatArray
) -> None:
    """Add one splat to a tile's `sums` and lower its `through`."""
    x, y, y0, y1, h0, h1 = reach_in_tile(s, left, top)
    a, b, c, level = s[2], s[3], s[4], s[5]
    for half in range(h0, h1):
        dx = ramp() + spread(np.float32(half * WIDTH) - x)
        for row in range(y0, y1):
            at = half * HALF_TILE + row * WIDTH
            _, weight = row_weights(a, b, c, level, dx, np.float32(row) - y, through, at)
            for channel in range(len(feature)):
                place = channel * AREA + at
                store(sums, place, load(sums, place) + weight * spread(feature[channel]))


@inlined
def all_opaque(through: FloatArray) -> bool:
    """Whether no pixel of the tile takes more splats."""
    most = ZERO
    for at in range(0, AREA, WIDTH):
        most = max(most, largest(load(through, at)))
    return bool(most < OPAQUE)


@parallel_kernel
def composite(
    packed: FloatArray,
    features: FloatArray,
    starts: Ints,
    members: Ints,
    background: FloatArray,
    image: FloatArray,
    transmittance: FloatArray,
    ends: Ints,
) -> None:
    """Fill `image` [C, H, W], `transmittance` [H, W] and, per tile, the end of the members that mattered."""
    channels, height, width = image.shape
    tiles_x = (width + TILE - 1) // TILE
    for tile in prange(len(ends)):
        through, sums = np.ones(AREA, np.float32), np.zeros(channels * AREA, np.float32)
        left, top = (tile % tiles_x) * TILE, (tile // tiles_x) * TILE
        member = starts[tile]
        while member < starts[tile + 1]:
            i = members[member]
            composite_splat(packed[i], features[i], np.float32(left), np.float32(top), through, sums)
            member += 1
            if (member - starts[tile]) % CHECK_EVERY == 0 and all_opaque(through):
                break
        ends[tile] = member
        for row in range(min(TILE, height - top)):
            for column in range(min(TILE, width - left)):
                at = (column // WIDTH) * HALF_TILE + row * WIDTH + column % WIDTH
                transmittance[top + row, left + column] = through[at]
                for channel in range(channels):
                    image[channel, top + row, left + column] = (
                        sums[channel * AREA + at] + through[at] * background[channel]
                    )


@inlined
def splat_gradient(
    s: FloatArray,
    feature: FloatArray,
    left: np.float32,
    top: np.float32,
    through: FloatArray,
    behind: FloatArray,
    grads: FloatArray,
    feature_sums: FloatArray,
    out: FloatArray,
) -> None:
    """Fill `out` [6 + C] with the moments and feature gradients of one splat in one tile."""
    x, y, y0, y1, h0, h1 = reach_in_tile(s, left, top)
    a, b, c, level = s[2], s[3], s[4], s[5]
    zero = spread(ZERO)
    m, mx, my, mxx, mxy, myy = zero, zero, zero, zero, zero, zero
    for channel in range(len(feature)):
        store(feature_sums, channel * WIDTH, zero)
    for half in range(h0, h1):
        dx = ramp() + spread(np.float32(half * WIDTH) - x)
        column, column_y = zero, zero
        for row in range(y0, y1):
            at = half * HALF_TILE + row * WIDTH
            dy = np.float32(row) - y
            alpha, weight = row_weights(a, b, c, level, dx, dy, through, at)
            shade = zero
            for channel in range(len(feature)):
                g = load(grads, channel * AREA + at)
                shade = shade + g * spread(feature[channel])
                store(feature_sums, channel * WIDTH, load(feature_sums, channel * WIDTH) + weight * g)
            shade = shade * weight
            rest = load(behind, at) - shade
            store(behind, at, rest)
            # ∂L/∂σ = -α·∂L/∂α, and α·∂L/∂α = weight·shade - rest·α/(1-α)
            g_sigma = alpha / (spread(ONE) - alpha) * rest - shade
            g_sigma = where_at_least(weight, spread(FAINTEST), where_at_least(zero - alpha, spread(BELOW_MAX), g_sigma))
            along = g_sigma * spread(dy)
            column = column + g_sigma
            column_y = column_y + along
            myy = myy + along * spread(dy)
        m = m + column
        mx = mx + column * dx
        mxx = mxx + column * dx * dx
        my = my + column_y
        mxy = mxy + column_y * dx
    out[0], out[1], out[2] = total(m), total(mx), total(my)
    out[3], out[4], out[5] = total(mxx), total(mxy), total(myy)
    for channel in range(len(feature)):
        out[MOMENTS + channel] = total(load(feature_sums, channel * WIDTH))


@parallel_kernel
def composite_backward(
    packed: FloatArray,
    features: FloatArray,
    starts: Ints,
    ends: Ints,
    members: Ints,
    slots: Ints,
    image: FloatArray,
    transmittance: FloatArray,
    grad_image: FloatArray,
    grad_transmittance: FloatArray,
    out: FloatArray,
) -> None:
    """Fill the slots [M, 6 + C] of `out`; members beyond a tile's end get zeros."""
    channels, height, width = image.shape
    tiles_x = (width + TILE - 1) // TILE
    for tile in prange(len(ends)):
        through, behind = np.ones(AREA, np.float32), np.zeros(AREA, np.float32)
        grads = np.zeros(channels * AREA, np.float32)
        feature_sums = np.empty(channels * WIDTH, np.float32)
        left, top = (tile % tiles_x) * TILE, (tile // tiles_x) * TILE
        for row in range(min(TILE, height - top)):
            for column in range(min(TILE, width - left)):
                at = (column // WIDTH) * HALF_TILE + row * WIDTH + column % WIDTH
                v, u = top + row, left + column
                behind[at] = grad_transmittance[v, u] * transmittance[v, u]
                for channel in range(channels):
                    grads[channel * AREA + at] = grad_image[channel, v, u]
                    behind[at] += grad_image[channel, v, u] * image[channel, v, u]
        for member in range(starts[tile], ends[tile]):
            i = members[member]
            splat_gradient(
                packed[i],
                features[i],
                np.float32(left),
                np.float32(top),
                through,
                behind,
                grads,
                feature_sums,
                out[slots[member]],
            )
        for member in range(ends[tile], starts[tile + 1]):
            out[slots[member], :] = ZERO


@parallel_kernel
def geometry_gradient(
    packed: FloatArray,
    conic: FloatArray,
    opacity: FloatArray,
    sums: FloatArray,
    grad_xy: FloatArray,
    grad_conic: FloatArray,
    grad_opacity: FloatArray,
    grad_features: FloatArray,
) -> None:
    """From each splat's summed moments [N, 6 + C] to the gradients of what was rasterized."""
    for i in prange(len(sums)):
        a, b, c = conic[i, 0], conic[i, 1], conic[i, 2]
        grad_xy[i, 0] = -(a * sums[i, 1] + b * sums[i, 2])
        grad_xy[i, 1] = -(c * sums[i, 2] + b * sums[i, 1])
        grad_conic[i, 0] = HALF * sums[i, 3]
        grad_conic[i, 1] = sums[i, 4]
        grad_conic[i, 2] = HALF * sums[i, 5]
        grad_opacity[i] = -sums[i, 0] / opacity[i] if packed[i, 6] > ZERO else ZERO
        for channel in range(grad_features.shape[1]):
            grad_features[i, channel] = sums[i, MOMENTS + channel]
