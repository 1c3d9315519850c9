"""The inner loop of the lit picture: a material on all surfaces by its place in the world, sun, sky and haze.

Triplanar mapping, so that the material stays where it is when the camera moves; Cook-Torrance with the GGX
distribution and Schlick's Fresnel for the sun, and for the sky Lazarov's fit of the split sum ("Getting More Physical
in Call of Duty: Black Ops II", SIGGRAPH 2013). Float32 in linear light and neutral axes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engines.assets import FloatArray
from generators.live.surfacing import place_of, ray_of
from generators.radiance.rasterizer.kernels import inlined, parallel_kernel, prange

Real = Any
"""A number of a kernel, a float32 unless it is an integer."""
CHANNELS = 8
"""Of a texel: square roots of red, green and blue, roughness, metallic, normal x and y, openness."""
LEAST = np.float32(0.03)
"""A plane of the mapping that counts for less is left out."""


@inlined
def _sky(up: Real, toward_sun: Real, light: FloatArray, c: int) -> Real:
    """Radiance of the sky: `light` holds zenith, horizon, ground and sun, three numbers each."""
    rise = min(max(up, np.float32(-1)), np.float32(1))
    if rise >= 0:
        t = 1 - rise
        t = t * t
        t = t * t
        value = light[c] + (light[3 + c] - light[c]) * t
    else:
        t = min(-rise * np.float32(8), np.float32(1))
        value = light[3 + c] + (light[6 + c] - light[3 + c]) * t
    glow = max(toward_sun, np.float32(0))
    glow = glow * glow
    glow = glow * glow
    glow = glow * glow
    return value + light[9 + c] * glow * glow * np.float32(0.06)


@inlined
def _code(value: Real, exposure: Real, curve: np.ndarray) -> Real:
    """The byte that shows so much light."""
    light = max(value * exposure, np.float32(0))
    return curve[min(4095, int(math.sqrt(light * np.float32(0.0625)) * 4095))]


@inlined
def _sample(texels: np.ndarray, first: int, side: int, u: Real, v: Real, weight: Real, into: FloatArray) -> None:
    """Add a texture's bilinear value at u, v (in tiles, v down) to `into`."""
    x = (u - math.floor(u)) * np.float32(side) - np.float32(0.5)
    y = (v - math.floor(v)) * np.float32(side) - np.float32(0.5)
    x0, y0 = int(x + 1) - 1, int(y + 1) - 1
    fx, fy = x - np.float32(x0), y - np.float32(y0)
    x0, y0 = x0 & (side - 1), y0 & (side - 1)
    x1, y1 = (x0 + 1) & (side - 1), (y0 + 1) & (side - 1)
    a, b = first + y0 * side + x0, first + y0 * side + x1
    c, d = first + y1 * side + x0, first + y1 * side + x1
    scale = weight * np.float32(1 / 255)
    wa, wb = (1 - fx) * (1 - fy) * scale, fx * (1 - fy) * scale
    wc, wd = (1 - fx) * fy * scale, fx * fy * scale
    for channel in range(CHANNELS):
        into[channel] += (
            np.float32(texels[a, channel]) * wa + np.float32(texels[b, channel]) * wb
            + np.float32(texels[c, channel]) * wc + np.float32(texels[d, channel]) * wd
        )  # fmt: skip


@inlined
def _filtered(texels: np.ndarray, side: int, u: Real, v: Real, wanted: Real, weight: Real, into: FloatArray) -> None:
    """Add a texture's value to `into`, from the one or two halvings next to the `wanted` one."""
    level = int(wanted)
    here, part = side >> level, wanted - np.float32(level)
    first = (4 * side * side - 4 * here * here) // 3  # texels of all finer ones
    if part < np.float32(0.9):
        _sample(texels, first, here, u, v, weight if part < np.float32(0.1) else weight * (1 - part), into)
    if part >= np.float32(0.1):
        share = weight if part >= np.float32(0.9) else weight * part
        _sample(texels, first + here * here, here >> 1, u, v, share, into)


@inlined
def _textured(
    texels: np.ndarray, side: int, tiles: FloatArray, look: FloatArray, wx: Real, wy: Real, wz: Real, nx: Real,
    ny: Real, nz: Real, per_px: Real, found: FloatArray,
) -> tuple[Real, Real, Real]:  # fmt: skip
    """Fill `found` with the material at a place in the world; returns the normal with the material's bumps."""
    ax, ay, az = nx * nx, ny * ny, nz * nz
    ax, ay, az = ax * ax, ay * ay, az * az
    total = 1 / (ax + ay + az + np.float32(1e-20))
    bx = by = bz = used = np.float32(0)
    for channel in range(CHANNELS):
        found[channel] = np.float32(0)
    for axis in range(3):
        weight = (ax if axis == 0 else ay if axis == 1 else az) * total
        if weight < LEAST:
            continue
        used += weight
        upward = 1 if axis == 1 and ny > 0 and look[3] > 0 else 0
        per_tile = 1 / tiles[upward]
        along = nx if axis == 0 else ny if axis == 1 else nz
        sign = np.float32(1) if along > 0 else np.float32(-1)
        u = (-sign * wz if axis == 0 else wx if axis == 1 else sign * wx) * per_tile
        v = (sign * wz if axis == 1 else -wy) * per_tile
        before_x, before_y = found[5], found[6]
        wanted = min(math.log2(max(per_px * per_tile * np.float32(side), np.float32(1))), look[4])
        _filtered(texels[upward], side, u, v, wanted, weight, found)
        tx, ty = (found[5] - before_x) * 2 - weight, (found[6] - before_y) * 2 - weight
        if axis == 0:
            by += ty
            bz -= sign * tx
        elif axis == 1:
            bx += tx
            bz -= sign * ty
        else:
            bx += sign * tx
            by += ty
    scale = 1 / max(used, np.float32(1e-3))
    for channel in range(CHANNELS):
        found[channel] *= scale
    relief = look[2] * scale
    nx, ny, nz = nx + bx * relief, ny + by * relief, nz + bz * relief
    norm = 1 / math.sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-20))
    return nx * norm, ny * norm, nz * norm


@inlined
def _gloss(
    facing: Real,
    falling: Real,
    rough: Real,
    nx: Real,
    ny: Real,
    nz: Real,
    dx: Real,
    dy: Real,
    dz: Real,
    sun: FloatArray,
) -> tuple[Real, Real]:
    """The sun's highlight without its Fresnel factor, and Schlick's power of the angle it depends on."""
    hx, hy, hz = sun[0] - dx, sun[1] - dy, sun[2] - dz
    norm = 1 / math.sqrt(hx * hx + hy * hy + hz * hz + np.float32(1e-20))
    cos_h = max((nx * hx + ny * hy + nz * hz) * norm, np.float32(0))
    alpha = rough * rough
    a2 = alpha * alpha
    spread = cos_h * cos_h * (a2 - 1) + 1
    half = alpha / 2
    mask = (facing * (1 - half) + half) * (falling * (1 - half) + half)
    peak = a2 / (np.float32(math.pi) * spread * spread + np.float32(1e-7))
    schlick = 1 - max(-(dx * hx + dy * hy + dz * hz) * norm, np.float32(0))
    power = schlick * schlick * schlick * schlick * schlick
    return min(peak * np.float32(0.25) / max(mask, np.float32(1e-4)), np.float32(30)), power


@inlined
def _lit(
    found: FloatArray, sky_open: Real, seen: Real, z: Real, nx: Real, ny: Real, nz: Real, dx: Real, dy: Real, dz: Real,
    sun: FloatArray, light: FloatArray, look: FloatArray, curve: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Light one surface and write its pixel, uint8 [3]."""
    facing = max(-(nx * dx + ny * dy + nz * dz), np.float32(0.02))
    rough, metal = max(found[3], np.float32(0.05)), found[4]
    falling = max(nx * sun[0] + ny * sun[1] + nz * sun[2], np.float32(0))
    gloss, schlick = _gloss(facing, falling, rough, nx, ny, nz, dx, dy, dz, sun)
    mx, my, mz = dx + 2 * facing * nx, dy + 2 * facing * ny, dz + 2 * facing * nz
    mirror_sun = (mx * sun[0] + my * sun[1] + mz * sun[2]) * (1 - rough)
    mirror_up = my * (1 - rough) + ny * rough * np.float32(0.6)
    fit = min((1 - rough) * (1 - rough), math.exp2(np.float32(-9.28) * facing)) * (1 - rough)
    fit += np.float32(0.0425) - np.float32(0.0275) * rough
    fit_a = np.float32(-1.04) * fit + np.float32(1.04) - np.float32(0.572) * rough
    fit_b = np.float32(1.04) * fit + np.float32(0.022) * rough - np.float32(0.04)
    hidden = 1 - math.exp(-look[1] * z) if look[1] > 0 else np.float32(0)
    toward = dx * sun[0] + dy * sun[1] + dz * sun[2]
    for c in range(3):
        base = found[c] * found[c]
        f0 = np.float32(0.04) + (base - np.float32(0.04)) * metal
        diffuse = base * (1 - metal)
        above = light[c] * np.float32(0.55) + light[3 + c] * np.float32(0.45)
        dome = light[6 + c] + (above - light[6 + c]) * (np.float32(0.5) + np.float32(0.5) * ny)
        value = diffuse * dome * sky_open
        value += _sky(mirror_up, mirror_sun, light, c) * max(f0 * fit_a + fit_b, np.float32(0)) * sky_open
        fresnel = f0 + (1 - f0) * schlick
        reflected = diffuse * (1 - fresnel) * np.float32(1 / math.pi) + fresnel * gloss
        value += light[9 + c] * falling * seen * reflected
        value += (_sky(min(abs(dy), np.float32(0.15)), toward, light, c) - value) * hidden
        out[c] = _code(value, look[0], curve)


@inlined
def _between(open_: FloatArray, x: int, y: int, c: int) -> Real:
    """Bilinear value of a map of half the size."""
    fx = min(max(np.float32(x) * np.float32(0.5) - np.float32(0.25), np.float32(0)), np.float32(open_.shape[1] - 1))
    fy = min(max(np.float32(y) * np.float32(0.5) - np.float32(0.25), np.float32(0)), np.float32(open_.shape[0] - 1))
    x0, y0 = int(fx), int(fy)
    x1, y1 = min(x0 + 1, open_.shape[1] - 1), min(y0 + 1, open_.shape[0] - 1)
    u, v = fx - np.float32(x0), fy - np.float32(y0)
    upper = open_[y0, x0, c] * (1 - u) + open_[y0, x1, c] * u
    return upper * (1 - v) + (open_[y1, x0, c] * (1 - u) + open_[y1, x1, c] * u) * v


@parallel_kernel
def shade(
    depth: FloatArray,  # [H, W]
    normal: FloatArray,  # [H, W, 3] world
    open_: FloatArray,  # [H/2, W/2, 2]
    texels: np.ndarray,  # uint8 [2, all levels, CHANNELS]: on walls, and on what faces up
    side: int,
    tiles: FloatArray,  # [2] metres a tile has
    view: FloatArray,
    sun: FloatArray,  # [3] towards it, world
    light: FloatArray,  # [12], see _sky
    look: FloatArray,  # exposure, haze per metre, relief, 1 where something else lies on top, log2 of the side
    curve: np.ndarray,  # uint8 [4096] of tone-mapped sRGB by sqrt(value / 16)
    out: np.ndarray,  # uint8 [H, W, 3]
) -> None:
    """The picture: material on every surface, sun, sky, haze."""
    height, width = depth.shape
    for line in prange(height):
        y: Any = np.int64(line)
        found = np.zeros(CHANNELS, np.float32)
        for x in range(width):
            rx, ry, rz = ray_of(view, np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5))
            if view[16] > 0:
                rx, ry = np.float32(0), np.float32(0)
            dx = view[0] * rx + view[1] * ry + view[2] * rz
            dy = view[3] * rx + view[4] * ry + view[5] * rz
            dz = view[6] * rx + view[7] * ry + view[8] * rz
            norm = 1 / math.sqrt(dx * dx + dy * dy + dz * dz)
            dx, dy, dz = dx * norm, dy * norm, dz * norm
            z = depth[y, x]
            if not z < np.float32(1e30):
                toward = dx * sun[0] + dy * sun[1] + dz * sun[2]
                disc = min(max((toward - np.float32(0.9993)) * np.float32(4000), np.float32(0)), np.float32(1))
                for c in range(3):
                    out[y, x, c] = _code(_sky(dy, toward, light, c) + disc * light[9 + c] * 2, look[0], curve)
                continue
            px, py, pz = place_of(view, x, y, z)
            wx = view[0] * px + view[1] * py + view[2] * pz + view[9]
            wy = view[3] * px + view[4] * py + view[5] * pz + view[10]
            wz = view[6] * px + view[7] * py + view[8] * pz + view[11]
            nx, ny, nz = normal[y, x, 0], normal[y, x, 1], normal[y, x, 2]
            facing = -(nx * dx + ny * dy + nz * dz)
            if facing < 0:
                nx, ny, nz, facing = -nx, -ny, -nz, -facing
            per_px = (1 if view[16] > 0 else z) / view[12] / math.sqrt(max(facing, np.float32(0.08)))
            nx, ny, nz = _textured(texels, side, tiles, look, wx, wy, wz, nx, ny, nz, per_px, found)
            sky_open, seen = _between(open_, x, y, 0) * found[7], _between(open_, x, y, 1)
            _lit(found, sky_open, seen, z, nx, ny, nz, dx, dy, dz, sun, light, look, curve, out[y, x])
