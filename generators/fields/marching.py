"""Along a ray through the lattice: where its samples lie, and what the field is there.

World space, centred and scaled, is contracted as in mip-NeRF 360 (Barron et al. 2022): points within 1 of the
centre stay, all others go to 2 - 1/|x| in their direction. Samples are evenly spaced in contracted space. Where
no brick is, the ray goes on to the next that may hold one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from generators.fields.lattice import BRICK, EXTENT
from generators.radiance.rasterizer.kernels import inlined, kernel
from generators.radiance.rasterizer.lanes import load, spread, store

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
SIDE = np.int64(BRICK)
HALF_EXTENT = np.float32(EXTENT / 2)
NEVER = np.float32(1e30)
TINY = np.float32(1e-6)
LOG2E = np.float32(1.4426950408889634)
DENSEST = np.float32(14.0)
"""Log density is held at or below this."""
_CELL, _CORNER = np.arange(64)[:, None], np.arange(8)
_X, _Y, _Z = _CELL // 16 + (_CORNER >> 2), _CELL // 4 % 4 + (_CORNER >> 1 & 1), _CELL % 4 + (_CORNER & 1)
CORNERS = ((_X // 4 * 4 + _Y // 4 * 2 + _Z // 4) * 64 + _X % 4 * 16 + _Y % 4 * 4 + _Z % 4).astype(np.int16)
"""By cell and corner: which of the eight joined bricks the corner's vertex lies in, times 64, and its place there."""
SH0, SH1 = np.float32(0.28209479177387814), np.float32(0.4886025119029199)


@inlined
def contracted(px: Any, py: Any, pz: Any, dx: Any, dy: Any, dz: Any, bound: Any) -> Any:
    """A point in contracted space, and the velocity there of one that moves with direction d in the world.

    `bound` is the squared radius within which nothing is contracted: 1, or `NEVER`.
    """
    m2 = px * px + py * py + pz * pz
    if m2 <= bound:
        return px, py, pz, dx, dy, dz
    inverse = ONE / np.sqrt(m2)
    s = (TWO - inverse) * inverse
    ux, uy, uz = px * inverse, py * inverse, pz * inverse
    radial = (inverse * inverse - s) * (dx * ux + dy * uy + dz * uz)
    return px * s, py * s, pz * s, s * dx + radial * ux, s * dy + radial * uy, s * dz + radial * uz


@inlined
def speed_of(px: Any, py: Any, pz: Any, dx: Any, dy: Any, dz: Any, bound: Any) -> Any:
    """How fast a point that moves with direction d in the world moves in contracted space."""
    _, _, _, vx, vy, vz = contracted(px, py, pz, dx, dy, dz, bound)
    return np.sqrt(vx * vx + vy * vy + vz * vz)


@inlined
def _to_edge(at: Any, velocity: Any, side: Any) -> Any:
    """Time until a coordinate leaves the interval of length `side` that it is in."""
    low = np.floor(at / side) * side
    if velocity > TINY:
        return (low + side - at) / velocity
    if velocity < -TINY:
        return (low - at) / velocity
    return NEVER


@inlined
def _slab(low: Any, high: Any, origin: Any, direction: Any) -> Any:
    """The part of the interval low … high of a ray in which one coordinate lies within the cube."""
    if abs(direction) < TINY:
        return (low, high) if abs(origin) < HALF_EXTENT else (high, high)
    a, b = (-HALF_EXTENT - origin) / direction, (HALF_EXTENT - origin) / direction
    return max(low, min(a, b)), min(high, max(a, b))


@inlined
def span(near: Any, far: Any, bound: Any, ox: Any, oy: Any, oz: Any, dx: Any, dy: Any, dz: Any) -> Any:
    """From where to where a ray can meet the lattice: all the way when it is contracted, else within its cube."""
    if bound < NEVER:
        return near, far
    near, far = _slab(near, far, ox, dx)
    near, far = _slab(near, far, oy, dy)
    return _slab(near, far, oz, dz)


@kernel
def next_sample(
    places: Any, gaps: Any, occupied: Any, cells: Any, step: Any, bound: Any, far: Any, t: Any,
    ox: Any, oy: Any, oz: Any, dx: Any, dy: Any, dz: Any,
) -> Any:  # fmt: skip
    """The next sample at or after `t`: t, length, brick, cell within it, and the place within the cell 0..1.

    `step` is in cells. The brick is -1 when the ray has left the lattice.
    """
    scale = np.float32(cells) / (TWO * HALF_EXTENT)
    last = np.float32(cells - 1)
    while t < far:
        x, y, z, vx, vy, vz = contracted(ox + t * dx, oy + t * dy, oz + t * dz, dx, dy, dz, bound)
        gx, gy, gz = (x + HALF_EXTENT) * scale, (y + HALF_EXTENT) * scale, (z + HALF_EXTENT) * scale
        vx, vy, vz = vx * scale, vy * scale, vz * scale
        length = step / max(np.sqrt(vx * vx + vy * vy + vz * vz), TINY)
        if gx < ZERO or gy < ZERO or gz < ZERO or gx >= last or gy >= last or gz >= last:
            t += length
            continue
        ix, iy, iz = np.int64(gx), np.int64(gy), np.int64(gz)
        bx, by, bz = ix // SIDE, iy // SIDE, iz // SIDE
        brick = places[bx, by, bz]
        if brick < 0:
            side = np.float32(SIDE)
            out = min(_to_edge(gx, vx, side), _to_edge(gy, vy, side), _to_edge(gz, vz, side))
            beyond = np.float32(SIDE * (np.int64(gaps[bx, by, bz]) - 1)) / max(abs(vx), abs(vy), abs(vz), TINY)
            t += np.ceil((out + beyond) / length + np.float32(1e-3)) * length
            continue
        cx, cy, cz = ix - bx * SIDE, iy - by * SIDE, iz - bz * SIDE
        cell = (cx * SIDE + cy) * SIDE + cz
        if occupied[brick, cell] == 0:
            t += length
            continue
        return t, length, np.int64(brick), cell, gx - np.float32(ix), gy - np.float32(iy), gz - np.float32(iz)
    return far, ZERO, np.int64(-1), np.int64(0), ZERO, ZERO, ZERO


@inlined
def corner_row(joined: Any, brick: Any, cell: Any, corner: Any) -> Any:
    """The row of `values` at a corner of a cell."""
    found = np.int64(CORNERS[cell, corner])
    return np.int64(joined[brick, found >> 6]) * 64 + (found & 63)


@inlined
def corner_weight(corner: Any, fx: Any, fy: Any, fz: Any) -> Any:
    """The trilinear weight of a corner of a cell."""
    wx = fx if corner & 4 else ONE - fx
    wy = fy if corner & 2 else ONE - fy
    wz = fz if corner & 1 else ONE - fz
    return wx * wy * wz


@inlined
def interpolate(
    values: Any, joined: Any, brick: Any, cell: Any, fx: Any, fy: Any, fz: Any, out: Any, rows: Any
) -> None:
    """All sixteen channels at a place within a cell, into `out` [16]; `values` is flat, `rows` [8] is told whence."""
    low, high = spread(ZERO), spread(ZERO)
    for corner in range(8):
        w = spread(corner_weight(corner, fx, fy, fz))
        row = corner_row(joined, brick, cell, corner)
        rows[corner] = row
        at = row * 16
        low = low + w * load(values, at)
        high = high + w * load(values, at + 8)
    store(out, 0, low)
    store(out, 8, high)
