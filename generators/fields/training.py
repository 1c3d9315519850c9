"""Rays forward and backward in one pass: the loss of each pixel and its gradient by the lattice's values.

Rays are dealt to a fixed number of lanes, each with gradients of its own that are added in order afterwards, so
that results do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from generators.fields.marching import (
    DENSEST,
    HALF,
    ONE,
    SH0,
    SH1,
    ZERO,
    corner_weight,
    interpolate,
    next_sample,
    span,
    speed_of,
)
from generators.radiance.rasterizer.kernels import inlined, kernel, parallel_kernel, prange
from generators.radiance.rasterizer.lanes import load, spread, store

LANES = 4
SAMPLES_MAX = 512
OPAQUE = np.float32(1e-3)
VISITED = np.float32(1e-12)
"""Peak of a cell that rays went through without finding anything."""
RECORD = 10
"""What is remembered of a sample: place in the cell (3), colour (3), σ·length, transmittance after, weight, depth."""
TWO, QUARTER = np.float32(2), np.float32(0.25)


@inlined
def ray_of(cameras: Any, view: Any, u: Any, v: Any) -> Any:
    """Origin and unit direction of the ray through the middle of a pixel."""
    x = (np.float32(u) + HALF - cameras[view, 14]) / cameras[view, 12]
    y = (np.float32(v) + HALF - cameras[view, 15]) / cameras[view, 13]
    dx = cameras[view, 0] * x + cameras[view, 1] * y + cameras[view, 2]
    dy = cameras[view, 3] * x + cameras[view, 4] * y + cameras[view, 5]
    dz = cameras[view, 6] * x + cameras[view, 7] * y + cameras[view, 8]
    r = ONE / np.sqrt(dx * dx + dy * dy + dz * dz)
    return cameras[view, 9], cameras[view, 10], cameras[view, 11], dx * r, dy * r, dz * r


@inlined
def shade(value: Any, b1: Any, b2: Any, b3: Any, channel: Any) -> Any:
    """Display-referred colour of one channel, before it is held at 0."""
    return (
        HALF + SH0 * value[1 + channel] + b1 * value[4 + channel] + b2 * value[7 + channel] + b3 * value[10 + channel]
    )


@kernel
def _forward(
    values: Any, joined: Any, places: Any, gaps: Any, occupied: Any, cells: Any, step: Any, bound: Any, near: Any,
    far: Any, jitter: Any, ox: Any, oy: Any, oz: Any, dx: Any, dy: Any, dz: Any,
    value: Any, records: Any, homes: Any, peaks: Any,
) -> Any:  # fmt: skip
    """Walk one ray, remember its samples; returns their number, the transmittance left and the colour."""
    b1, b2, b3 = -SH1 * dy, SH1 * dz, -SH1 * dx
    through, red, green, blue = ONE, ZERO, ZERO, ZERO
    count = 0
    t, far = span(near, far, bound, ox, oy, oz, dx, dy, dz)
    first = True
    while count < SAMPLES_MAX and through > OPAQUE:
        if first:  # the whole ray is shifted by a share of its step
            speed = speed_of(ox + t * dx, oy + t * dy, oz + t * dz, dx, dy, dz, bound)
            t += jitter * step / (speed * np.float32(cells) * QUARTER)
            first = False
        t, length, brick, cell, fx, fy, fz = next_sample(
            places, gaps, occupied, cells, step, bound, far, t, ox, oy, oz, dx, dy, dz
        )
        if brick < 0:
            break
        interpolate(values, joined, brick, cell, fx, fy, fz, value, homes[count])
        thickness = np.exp(min(value[0], DENSEST)) * length
        after = through * np.exp(-thickness)
        weight = through - after
        r = max(ZERO, shade(value, b1, b2, b3, 0))
        g = max(ZERO, shade(value, b1, b2, b3, 1))
        b = max(ZERO, shade(value, b1, b2, b3, 2))
        red, green, blue = red + weight * r, green + weight * g, blue + weight * b
        record = records[count]
        record[0], record[1], record[2] = fx, fy, fz
        record[3], record[4], record[5] = r, g, b
        record[6], record[7], record[8], record[9] = thickness, after, weight, t
        place = brick * 64 + cell
        peaks[place] = max(peaks[place], weight, VISITED)
        through = after
        count += 1
        t += length
    return count, through, red, green, blue


@kernel
def _backward(
    count: Any, records: Any, homes: Any, b1: Any, b2: Any, b3: Any,
    gr: Any, gg: Any, gb: Any, rest: Any, scatter: Any, gradient: Any, touched: Any, push: Any,
) -> None:  # fmt: skip
    """Add one ray's gradient; `rest` is the gradient's product with the ground that shows through at the end.

    `scatter` weighs the distortion loss of mip-NeRF 360 on distances t/(1+t).
    """
    behind = rest
    total, moment = ZERO, ZERO
    if scatter > ZERO:
        for i in range(count):
            s = records[i, 9] / (ONE + records[i, 9])
            total += records[i, 8]
            moment += records[i, 8] * s
    later, later_moment = ZERO, ZERO
    for k in range(count):
        i = count - 1 - k
        record = records[i]
        worth = gr * record[3] + gg * record[4] + gb * record[5]
        weight = record[8]
        if scatter > ZERO:
            s = record[9] / (ONE + record[9])
            earlier, earlier_moment = total - later - weight, moment - later_moment - weight * s
            spread_of = s * earlier - earlier_moment + later_moment - s * later
            worth += scatter * TWO * spread_of
            later, later_moment = later + weight, later_moment + weight * s
        slope = record[6] * (record[7] * worth - behind)
        behind += weight * worth
        push[0] = slope
        wr = weight * gr if record[3] > ZERO else ZERO
        wg = weight * gg if record[4] > ZERO else ZERO
        wb = weight * gb if record[5] > ZERO else ZERO
        push[1], push[2], push[3] = wr * SH0, wg * SH0, wb * SH0
        push[4], push[5], push[6] = wr * b1, wg * b1, wb * b1
        push[7], push[8], push[9] = wr * b2, wg * b2, wb * b2
        push[10], push[11], push[12] = wr * b3, wg * b3, wb * b3
        low, high = load(push, 0), load(push, 8)
        for corner in range(8):
            row = np.int64(homes[i, corner])
            w = spread(corner_weight(corner, record[0], record[1], record[2]))
            touched[row >> 6] |= np.int64(1) << (row & 63)
            at = row * 16
            store(gradient, at, load(gradient, at) + w * low)
            store(gradient, at + 8, load(gradient, at + 8) + w * high)


@parallel_kernel
def train_rays(
    values: Any, joined: Any, places: Any, gaps: Any, occupied: Any, cells: Any, step: Any, bound: Any, near: Any,
    far: Any, scatter: Any, cameras: Any, pixels: Any, starts: Any, widths: Any, picks: Any, views: Any, jitter: Any,
    ground: Any, gradients: Any, touched: Any, peaks: Any, losses: Any, counts: Any,
) -> None:  # fmt: skip
    """Losses and gradients of the picked pixels: squared error summed over colours.

    `values` flat float32; `cameras` float32 [V, 16] (rotation, position, fx, fy, cx, cy); `pixels` uint8 [P, 4]
    with alpha (0 alpha: `ground` is seen); `picks` int64 [R] rows of `pixels`; `views` int32 [R]; `gradients`
    float32 [LANES, rows · 16]; `touched` int64 [LANES, B] a bit for each vertex; `peaks` float32 [LANES, B · 64] the
    largest weight by cell.
    """
    rays = len(picks)
    for lane in prange(LANES):
        value, push = np.zeros(16, np.float32), np.zeros(16, np.float32)
        records, homes = np.empty((SAMPLES_MAX, RECORD), np.float32), np.empty((SAMPLES_MAX, 8), np.int32)
        gradient, touch, peak = gradients[lane], touched[lane], peaks[lane]
        byte = np.float32(1 / 255)
        for ray in range(rays * lane // LANES, rays * (lane + 1) // LANES):
            view = np.int64(views[ray])
            pick = picks[ray] - starts[view]
            u, v = pick % widths[view], pick // widths[view]
            ox, oy, oz, dx, dy, dz = ray_of(cameras, view, u, v)
            count, through, red, green, blue = _forward(
                values, joined, places, gaps, occupied, cells, step, bound, near, far, jitter[ray],
                ox, oy, oz, dx, dy, dz, value, records, homes, peak,
            )  # fmt: skip
            pixel = pixels[picks[ray]]
            alpha = np.float32(pixel[3]) * byte
            er = red + through * ground[0] - (np.float32(pixel[0]) * byte * alpha + (ONE - alpha) * ground[0])
            eg = green + through * ground[1] - (np.float32(pixel[1]) * byte * alpha + (ONE - alpha) * ground[1])
            eb = blue + through * ground[2] - (np.float32(pixel[2]) * byte * alpha + (ONE - alpha) * ground[2])
            losses[ray] = er * er + eg * eg + eb * eb
            counts[ray] = count
            gr, gg, gb = TWO * er, TWO * eg, TWO * eb
            rest = through * (gr * ground[0] + gg * ground[1] + gb * ground[2])
            _backward(
                count, records, homes, -SH1 * dy, SH1 * dz, -SH1 * dx, gr, gg, gb, rest, scatter,
                gradient, touch, push,
            )  # fmt: skip
