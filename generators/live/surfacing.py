"""The inner loops of re-texturing: depth to normals and openness, and the lit picture of a material on all surfaces.

World-anchored triplanar mapping, so that the material stays where it is when the camera moves; Cook-Torrance with the
GGX distribution and Schlick's Fresnel for the sun, and for the sky Lazarov's fit of the split sum ("Getting More
Physical in Call of Duty: Black Ops II", SIGGRAPH 2013). Float32 in linear light and neutral axes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engines.assets import FloatArray
from generators.radiance.rasterizer.kernels import inlined, parallel_kernel, prange

Real = Any
"""A number of a kernel, a float32 unless it is an integer."""
CHANNELS = 8
"""Of a texel: square roots of red, green and blue, roughness, metallic, normal x and y, openness."""
VIEW = 17
"""Numbers of a view: rotation by rows (9), place (3), focal x and y, centre x and y, 1 when orthographic."""


@inlined
def _ray(view: FloatArray, x: Real, y: Real) -> tuple[Real, Real, Real]:
    """Direction of a pixel in the camera's axes, of length 1 along -Z; for an orthographic one its place."""
    return (x - view[14]) / view[12], (view[15] - y) / view[13], np.float32(-1)


@inlined
def _place(view: FloatArray, x: int, y: int, depth: Real) -> tuple[Real, Real, Real]:
    """Where a pixel's surface lies in the camera's axes."""
    across, up, _ = _ray(view, np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5))
    if view[16] > 0:
        return across, up, -depth
    return across * depth, up * depth, -depth


@parallel_kernel
def normals_of(depth: FloatArray, view: FloatArray, out: FloatArray) -> None:
    """Unit normals in the world's axes from depth alone: of each pair of neighbours the one that is nearer in depth."""
    height, width = depth.shape
    for line in prange(height):
        y: Any = np.int64(line)  # prange counts in unsigned numbers, whose differences with signed ones are floats
        for x in range(width):
            here = depth[y, x]
            if not here < np.float32(1e30):
                out[y, x, 0] = out[y, x, 1] = out[y, x, 2] = np.float32(0)
                continue
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            up, down = max(y - 1, 0), min(y + 1, height - 1)
            if right > x and (left == x or abs(depth[y, right] - here) < abs(depth[y, left] - here)):
                left = x
            else:
                right = x
            if down > y and (up == y or abs(depth[down, x] - here) < abs(depth[up, x] - here)):
                up = y
            else:
                down = y
            ax, ay, az = _place(view, left, y, depth[y, left])
            bx, by, bz = _place(view, right, y, depth[y, right])
            cx, cy, cz = _place(view, x, down, depth[down, x])
            dx, dy, dz = _place(view, x, up, depth[up, x])
            ux, uy, uz = bx - ax, by - ay, bz - az
            vx, vy, vz = dx - cx, dy - cy, dz - cz
            nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
            norm = 1 / math.sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-30))
            nx, ny, nz = nx * norm, ny * norm, nz * norm
            for row in range(3):
                out[y, x, row] = view[3 * row] * nx + view[3 * row + 1] * ny + view[3 * row + 2] * nz


@parallel_kernel
def openness(
    depth: FloatArray, normal: FloatArray, view: FloatArray, sun: FloatArray, reach_m: Real, out: FloatArray
) -> None:
    """How open the sky is and whether the sun is seen, both 0..1, at half the size; as far as the picture tells.

    `sun` [3] points to it, in the camera's axes. `out` [H/2, W/2, 2].
    """
    height, width = depth.shape
    for line in prange(out.shape[0]):
        row: Any = np.int64(line)
        for column in range(out.shape[1]):
            x, y = min(2 * column + 1, width - 1), min(2 * row + 1, height - 1)
            here = depth[y, x]
            out[row, column, 0] = out[row, column, 1] = np.float32(1)
            if not here < np.float32(1e30):
                continue
            px, py, pz = _place(view, x, y, here)
            wx, wy, wz = normal[y, x, 0], normal[y, x, 1], normal[y, x, 2]
            nx = view[0] * wx + view[3] * wy + view[6] * wz
            ny = view[1] * wx + view[4] * wy + view[7] * wz
            nz = view[2] * wx + view[5] * wy + view[8] * wz
            per_m = view[12] if view[16] > 0 else view[12] / max(here, np.float32(1e-3))
            reach_px = min(max(reach_m * per_m, np.float32(3)), np.float32(48))
            closed = np.float32(0)
            for sample in range(12):
                angle = np.float32(sample) * np.float32(2.3999632)  # golden angle: even, and the same everywhere
                far = reach_px * math.sqrt((np.float32(sample) + np.float32(0.7)) / np.float32(12))
                sx, sy = int(x + math.cos(angle) * far), int(y + math.sin(angle) * far)
                if sx < 0 or sy < 0 or sx >= width or sy >= height or not depth[sy, sx] < np.float32(1e30):
                    continue
                qx, qy, qz = _place(view, sx, sy, depth[sy, sx])
                qx, qy, qz = qx - px, qy - py, qz - pz
                square = qx * qx + qy * qy + qz * qz + np.float32(1e-9)
                rise = (qx * nx + qy * ny + qz * nz) / math.sqrt(square)
                fades = max(np.float32(0), 1 - square / (np.float32(4) * reach_m * reach_m))
                closed += max(np.float32(0), rise - np.float32(0.12)) * fades
            out[row, column, 0] = max(np.float32(0.12), 1 - np.float32(2.2) * closed / 12)
            if sun[0] * nx + sun[1] * ny + sun[2] * nz <= 0:
                continue
            shadow = np.float32(0)
            for step in range(1, 19):
                t = reach_m * np.float32(5) * np.float32(step * step) / np.float32(18 * 18)
                qx = px + sun[0] * t + nx * np.float32(0.02) * reach_m
                qy = py + sun[1] * t + ny * np.float32(0.02) * reach_m
                qz = pz + sun[2] * t + nz * np.float32(0.02) * reach_m
                if view[16] > 0:
                    fx, fy = qx * view[12] + view[14], view[15] - qy * view[13]
                else:
                    if qz > np.float32(-1e-3):
                        break
                    fx, fy = view[14] - qx / qz * view[12], view[15] + qy / qz * view[13]
                if fx < 0 or fy < 0 or fx >= width or fy >= height:
                    break
                behind = -qz - depth[int(fy), int(fx)]
                if np.float32(0.01) * t + np.float32(0.004) * here < behind < reach_m + t:
                    shadow = 1 - np.float32(0.5) * np.float32(step) / np.float32(18)
                    break
            out[row, column, 1] = 1 - shadow


@inlined
def _sky(up: Real, toward_sun: Real, light: FloatArray, c: int) -> Real:
    """Radiance of the sky: `light` holds zenith, horizon, ground and sun, three numbers each, then the sky's share."""
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
    return value + light[9 + c] * glow * glow * np.float32(0.06) * light[12]


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
    light: FloatArray,  # [13], see _sky
    look: FloatArray,  # exposure, haze per metre, relief, share of upward material 0/1
    curve: np.ndarray,  # uint8 [4096] of tone-mapped sRGB by sqrt(value / 16)
    out: np.ndarray,  # uint8 [H, W, 3]
) -> None:
    """The picture: material on every surface, sun, sky, haze."""
    height, width = depth.shape
    levels = int(math.log2(side)) + 1
    for line in prange(height):
        y: Any = np.int64(line)
        found = np.zeros(CHANNELS, np.float32)
        for x in range(width):
            rx, ry, rz = _ray(view, np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5))
            if view[16] > 0:
                rx, ry = np.float32(0), np.float32(0)
            dx = view[0] * rx + view[1] * ry + view[2] * rz
            dy = view[3] * rx + view[4] * ry + view[5] * rz
            dz = view[6] * rx + view[7] * ry + view[8] * rz
            norm = 1 / math.sqrt(dx * dx + dy * dy + dz * dz)
            dx, dy, dz = dx * norm, dy * norm, dz * norm
            z = depth[y, x]
            toward = dx * sun[0] + dy * sun[1] + dz * sun[2]
            if not z < np.float32(1e30):
                disc = min(max((toward - np.float32(0.9993)) * np.float32(4000), np.float32(0)), np.float32(1))
                for c in range(3):
                    value = (_sky(dy, toward, light, c) + disc * light[9 + c] * np.float32(2)) * look[0]
                    out[y, x, c] = curve[min(4095, int(math.sqrt(value * np.float32(0.0625)) * 4095))]
                continue
            px, py, pz = _place(view, x, y, z)
            wx = view[0] * px + view[1] * py + view[2] * pz + view[9]
            wy = view[3] * px + view[4] * py + view[5] * pz + view[10]
            wz = view[6] * px + view[7] * py + view[8] * pz + view[11]
            nx, ny, nz = normal[y, x, 0], normal[y, x, 1], normal[y, x, 2]
            facing = -(nx * dx + ny * dy + nz * dz)
            if facing < 0:
                nx, ny, nz, facing = -nx, -ny, -nz, -facing
            per_px = (1 if view[16] > 0 else z) / view[12] / math.sqrt(max(facing, np.float32(0.08)))
            ax, ay, az = abs(nx), abs(ny), abs(nz)
            ax, ay, az = ax * ax, ay * ay, az * az
            ax, ay, az = ax * ax, ay * ay, az * az
            total = 1 / (ax + ay + az + np.float32(1e-20))
            ax, ay, az = ax * total, ay * total, az * total
            bx = by = bz = np.float32(0)
            for channel in range(CHANNELS):
                colour_sum = np.float32(0)
                found[channel] = colour_sum
            tx = ty = np.float32(0)
            for axis in range(3):
                weight = ax if axis == 0 else ay if axis == 1 else az
                if weight < np.float32(0.03):
                    continue
                upward = 1 if axis == 1 and ny > 0 and look[3] > 0 else 0
                per_tile = 1 / tiles[upward]
                if axis == 0:
                    sign = np.float32(1) if nx > 0 else np.float32(-1)
                    u, v = -sign * wz * per_tile, -wy * per_tile
                elif axis == 1:
                    sign = np.float32(1) if ny > 0 else np.float32(-1)
                    u, v = wx * per_tile, sign * wz * per_tile
                else:
                    sign = np.float32(1) if nz > 0 else np.float32(-1)
                    u, v = sign * wx * per_tile, -wy * per_tile
                before_x, before_y = found[5], found[6]
                wanted = math.log2(max(per_px * per_tile * np.float32(side), np.float32(1)))
                level = min(int(wanted), levels - 1)
                part = wanted - np.float32(level)
                if level == levels - 1:
                    part = np.float32(0)
                first = 0
                for coarser in range(level):
                    first += (side >> coarser) * (side >> coarser)
                here = side >> level
                if part < np.float32(0.9):
                    share = weight if part < np.float32(0.1) else weight * (1 - part)
                    _sample(texels[upward], first, here, u, v, share, found)
                if part >= np.float32(0.1):
                    share = weight if part >= np.float32(0.9) else weight * part
                    _sample(texels[upward], first + here * here, here >> 1, u, v, share, found)
                tx = (found[5] - before_x) * 2 - weight
                ty = (found[6] - before_y) * 2 - weight
                if axis == 0:
                    by += ty
                    bz -= sign * tx
                elif axis == 1:
                    bx += tx
                    bz -= sign * ty
                else:
                    bx += sign * tx
                    by += ty
            least = np.float32(0.03)
            used = ax * (ax >= least) + ay * (ay >= least) + az * (az >= least)
            scale = 1 / max(used, np.float32(1e-3))
            for channel in range(CHANNELS):
                found[channel] *= scale
            relief = look[2] * scale
            nx, ny, nz = nx + bx * relief, ny + by * relief, nz + bz * relief
            norm = 1 / math.sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-20))
            nx, ny, nz = nx * norm, ny * norm, nz * norm
            facing = max(-(nx * dx + ny * dy + nz * dz), np.float32(0.02))
            rough, metal = max(found[3], np.float32(0.05)), found[4]
            half_y, half_x = min(y >> 1, open_.shape[0] - 1), min(x >> 1, open_.shape[1] - 1)
            sky_open = open_[half_y, half_x, 0] * found[7]
            seen = open_[half_y, half_x, 1]
            falling = max(nx * sun[0] + ny * sun[1] + nz * sun[2], np.float32(0))
            hx, hy, hz = sun[0] - dx, sun[1] - dy, sun[2] - dz
            norm = 1 / math.sqrt(hx * hx + hy * hy + hz * hz + np.float32(1e-20))
            cos_h = max((nx * hx + ny * hy + nz * hz) * norm, np.float32(0))
            cos_vh = max(-(dx * hx + dy * hy + dz * hz) * norm, np.float32(0))
            alpha = rough * rough
            a2 = alpha * alpha
            spread = cos_h * cos_h * (a2 - 1) + 1
            gloss = a2 / (np.float32(math.pi) * spread * spread + np.float32(1e-7))
            half = alpha / 2
            mask = (facing * (1 - half) + half) * (falling * (1 - half) + half)
            gloss *= np.float32(0.25) / max(mask, np.float32(1e-4))
            gloss = min(gloss, np.float32(30))
            schlick = 1 - cos_vh
            schlick = schlick * schlick * schlick * schlick * schlick
            mx, my, mz = dx + 2 * facing * nx, dy + 2 * facing * ny, dz + 2 * facing * nz
            mirror_sun = (mx * sun[0] + my * sun[1] + mz * sun[2]) * (1 - rough)
            mirror_up = my * (1 - rough) + ny * rough * np.float32(0.6)
            fit = min((1 - rough) * (1 - rough), math.exp2(np.float32(-9.28) * facing)) * (1 - rough)
            fit += np.float32(0.0425) - np.float32(0.0275) * rough
            fit_a = np.float32(-1.04) * fit + np.float32(1.04) - np.float32(0.572) * rough
            fit_b = np.float32(1.04) * fit + np.float32(0.022) * rough - np.float32(0.04)
            hidden = 1 - math.exp(-look[1] * z)
            for c in range(3):
                base = found[c] * found[c]
                f0 = np.float32(0.04) + (base - np.float32(0.04)) * metal
                diffuse = base * (1 - metal)
                above = light[c] * np.float32(0.55) + light[3 + c] * np.float32(0.45)
                dome = light[6 + c] + (above - light[6 + c]) * (np.float32(0.5) + np.float32(0.5) * ny)
                value = diffuse * dome * sky_open
                value += _sky(mirror_up, mirror_sun, light, c) * max(f0 * fit_a + fit_b, np.float32(0)) * sky_open
                fresnel = f0 + (1 - f0) * schlick
                value += (
                    light[9 + c]
                    * falling
                    * seen
                    * (diffuse * (1 - fresnel) * np.float32(1 / math.pi) + fresnel * gloss)
                )
                value += (_sky(min(abs(dy), np.float32(0.15)), toward, light, c) - value) * hidden
                value = max(value * look[0], np.float32(0))
                out[y, x, c] = curve[min(4095, int(math.sqrt(value * np.float32(0.0625)) * 4095))]
