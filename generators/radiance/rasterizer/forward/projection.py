"""From laid-out splats to the ellipses that a camera sees: eight at a time, and only what falls into the picture.

The mathematics is that of `generators.radiance.rasterizer.projection`. A stripe is a run of blocks that one thread
works on; what it finds lies together, in the cloud's order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engines.assets import FloatArray
from generators.radiance.rasterizer.forward.cloud import BLOCK, ROWS
from generators.radiance.rasterizer.forward.lanes import at_least, log2, root
from generators.radiance.rasterizer.harmonics import basis
from generators.radiance.rasterizer.kernels import inlined, parallel_kernel, prange
from generators.radiance.rasterizer.lanes import WIDTH, at_most, load, spread, store
from generators.radiance.rasterizer.projection import CX, CY, EYE, FX, FY, HIGH_X, HIGH_Y, LOW_X, LOW_Y, NEAR, TINY
from generators.radiance.rasterizer.tiles import LOG2_CUT, LOG2_E, SLACK, TILE, Ints

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
RECORD = 12
"""Floats of a record: x, y, ½A, B, ½C in units of log2, log2 of opacity, reach in x and y, red, green, blue, depth."""
BLUR, KEPT_BLUR, SIZE = 13, 14, 15
"""Columns of the camera's row after those of `camera_numbers`: see `Lens` in `renderer`."""
LOOSE = np.float32(1.3)
"""Blocks are held to be this much larger than they are: ellipses in the picture are larger than cones are wide."""
TWO_LN_2 = np.float32(2 / 1.4426950408889634)


@inlined
def block_is_seen(ball: FloatArray, view: FloatArray, camera: FloatArray) -> bool:
    """Whether any splat of a block may fall into the picture; the camera's limits are 0.15 pictures outside it."""
    x = view[0, 0] * ball[0] + view[0, 1] * ball[1] + view[0, 2] * ball[2] + view[0, 3]
    y = view[1, 0] * ball[0] + view[1, 1] * ball[1] + view[1, 2] * ball[2] + view[1, 3]
    z = view[2, 0] * ball[0] + view[2, 1] * ball[1] + view[2, 2] * ball[2] + view[2, 3]
    if not z + ball[3] > camera[NEAR]:
        return False
    reach = ball[3] + LOOSE * camera[SIZE] * ball[4]
    left, right, top, bottom = camera[LOW_X], camera[HIGH_X], camera[LOW_Y], camera[HIGH_Y]
    return bool(
        x - right * z <= reach * np.sqrt(ONE + right * right)
        and left * z - x <= reach * np.sqrt(ONE + left * left)
        and y - bottom * z <= reach * np.sqrt(ONE + bottom * bottom)
        and top * z - y <= reach * np.sqrt(ONE + top * top)
    )


@inlined
def seen_row(m: FloatArray, at: int, view: FloatArray, row: int) -> Any:
    """One coordinate of eight positions in camera space."""
    return (
        spread(view[row, 0]) * load(m, at)
        + spread(view[row, 1]) * load(m, at + BLOCK)
        + spread(view[row, 2]) * load(m, at + 2 * BLOCK)
        + spread(view[row, 3])
    )


@inlined
def axis(m: FloatArray, at: int, column: int, t0: Any, t1: Any, t2: Any) -> Any:
    """One column of J·V·M for eight splats, whose J·V has the row (t0, t1, t2)."""
    return (
        t0 * load(m, at + (3 + column) * BLOCK)
        + t1 * load(m, at + (6 + column) * BLOCK)
        + t2 * load(m, at + (9 + column) * BLOCK)
    )


@inlined
def project_eight(m: FloatArray, at: int, view: FloatArray, camera: FloatArray, out: FloatArray) -> None:
    """Fill `out` [9 · 8] with x, y, ½A, B, ½C, level, squared reach in x and y, and depth of eight splats."""
    x, y, z = seen_row(m, at, view, 0), seen_row(m, at, view, 1), seen_row(m, at, view, 2)
    inverse = spread(ONE) / at_least(z, spread(camera[NEAR]))
    across, down = x * inverse, y * inverse
    tx = at_most(at_least(across, spread(camera[LOW_X])), spread(camera[HIGH_X]))
    ty = at_most(at_least(down, spread(camera[LOW_Y])), spread(camera[HIGH_Y]))
    size = spread(camera[SIZE]) * inverse
    u0, u1 = spread(camera[FX]) * size, spread(camera[FY]) * size
    w0, w1 = u0 * tx, u1 * ty
    a0 = u0 * spread(view[0, 0]) - w0 * spread(view[2, 0])
    a1 = u0 * spread(view[0, 1]) - w0 * spread(view[2, 1])
    a2 = u0 * spread(view[0, 2]) - w0 * spread(view[2, 2])
    b0 = u1 * spread(view[1, 0]) - w1 * spread(view[2, 0])
    b1 = u1 * spread(view[1, 1]) - w1 * spread(view[2, 1])
    b2 = u1 * spread(view[1, 2]) - w1 * spread(view[2, 2])
    p0, p1, p2 = axis(m, at, 0, a0, a1, a2), axis(m, at, 1, a0, a1, a2), axis(m, at, 2, a0, a1, a2)
    q0, q1, q2 = axis(m, at, 0, b0, b1, b2), axis(m, at, 1, b0, b1, b2), axis(m, at, 2, b0, b1, b2)
    a, b, c = p0 * p0 + p1 * p1 + p2 * p2, p0 * q0 + p1 * q1 + p2 * q2, q0 * q0 + q1 * q1 + q2 * q2
    n0, n1, n2 = p1 * q2 - p2 * q1, p2 * q0 - p0 * q2, p0 * q1 - p1 * q0
    sharp = n0 * n0 + n1 * n1 + n2 * n2
    blur = spread(camera[BLUR])
    det = sharp + blur * (a + c) + blur * blur
    level = load(m, at + 12 * BLOCK)
    if camera[KEPT_BLUR] < camera[BLUR]:
        kept = spread(camera[KEPT_BLUR])
        share = (sharp + kept * (a + c) + kept * kept) / det
        level = level + spread(HALF) * log2(at_least(share, spread(TINY)))
    a, c = a + blur, c + blur
    scale = spread(HALF * LOG2_E) / det
    above = at_least(level - spread(LOG2_CUT), spread(ZERO)) * spread(TWO_LN_2)
    store(out, 0, spread(camera[FX]) * across + spread(camera[CX]))
    store(out, WIDTH, spread(camera[FY]) * down + spread(camera[CY]))
    store(out, 2 * WIDTH, c * scale)
    store(out, 3 * WIDTH, spread(ZERO) - (b + b) * scale)
    store(out, 4 * WIDTH, a * scale)
    store(out, 5 * WIDTH, level)
    store(out, 6 * WIDTH, root(above * a))
    store(out, 7 * WIDTH, root(above * c))
    store(out, 8 * WIDTH, z)


@inlined
def keep(one: FloatArray, lane: int, near: Any, width: int, height: int, record: FloatArray) -> bool:
    """Fill a record's geometry with one of eight splats, when it is in front of the camera and in the picture."""
    x, y, rx, ry = one[lane], one[WIDTH + lane], one[6 * WIDTH + lane], one[7 * WIDTH + lane]
    z = one[8 * WIDTH + lane]
    # comparisons with what is not finite are false
    if not (z > near and rx > ZERO and ry > ZERO and rx < np.float32(1e9) and ry < np.float32(1e9)):
        return False
    if not (x + rx > ZERO and x - rx < np.float32(width) and y + ry > ZERO and y - ry < np.float32(height)):
        return False
    for row in range(6):
        record[row] = one[row * WIDTH + lane]
    record[6], record[7], record[11] = rx + SLACK, ry + SLACK, z
    return True


@inlined
def colour(m: FloatArray, at: int, camera: FloatArray, sh: FloatArray, count: int, v: FloatArray, out: Any) -> None:
    """Fill columns 8 to 10 of a record with the colour in which the eye sees a splat."""
    x, y, z = m[at] - camera[EYE], m[at + BLOCK] - camera[EYE + 1], m[at + 2 * BLOCK] - camera[EYE + 2]
    inverse = ONE / max(np.sqrt(x * x + y * y + z * z), TINY)
    basis(count, x * inverse, y * inverse, z * inverse, v)
    red, green, blue = HALF, HALF, HALF
    for k in range(count):
        red += v[k] * sh[k, 0]
        green += v[k] * sh[k, 1]
        blue += v[k] * sh[k, 2]
    out[8], out[9], out[10] = max(red, ZERO), max(green, ZERO), max(blue, ZERO)


@parallel_kernel
def find_seen(
    geometry: FloatArray,
    sh: FloatArray,
    balls: FloatArray,
    view: FloatArray,
    camera: FloatArray,
    sh_count: int,
    width: int,
    height: int,
    stripes: Ints,
    records: FloatArray,
    rows: Ints,
    found: Ints,
) -> None:
    """Write the records of each stripe's blocks from `stripes[s] · BLOCK` on, and their tile rows' first and end.

    `records` [P, RECORD]; `rows` [P, 2]; `found` [S, 2]: records of the stripe, and tile rows in them together.
    """
    for s in prange(len(found)):
        eight, values = np.empty(9 * WIDTH, np.float32), np.empty(16, np.float32)
        begin = stripes[s] * BLOCK
        at, total = begin, 0
        for block in range(stripes[s], stripes[s + 1]):
            if not block_is_seen(balls[block], view, camera):
                continue
            base = block * ROWS * BLOCK
            for group in range(0, BLOCK, WIDTH):
                project_eight(geometry, base + group, view, camera, eight)
                for lane in range(WIDTH):
                    if keep(eight, lane, camera[NEAR], width, height, records[at]):
                        splat = block * BLOCK + group + lane
                        colour(geometry, base + group + lane, camera, sh[splat], sh_count, values, records[at])
                        top = max(records[at, 1] - records[at, 7], ZERO)
                        bottom = min(records[at, 1] + records[at, 7], np.float32(height - 1))
                        rows[at, 0], rows[at, 1] = int(top) // TILE, int(bottom) // TILE + 1
                        total += rows[at, 1] - rows[at, 0]
                        at += 1
        found[s, 0], found[s, 1] = at - begin, total
