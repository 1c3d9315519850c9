"""Where along each line of sight a splat cloud's surface lies: the median, and the mean of what lies near it.

A splat's own distance is taken where the line passes it, not at its middle: the mean of its Gaussian given the pixel,
which is linear in the pixel as far as the perspective is. The first pass finds the distance at which half of the light
is stopped; the second the mean of all that lies within a window around it, so that neither a veil before the surface
nor what shines through from behind moves it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engines.assets import FloatArray
from generators.radiance.cameras import Camera
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Projection, Rules
from generators.radiance.rasterizer.compositing import (
    ALPHA_MAX,
    ALPHA_MIN,
    AREA,
    CHECK_EVERY,
    HALF_TILE,
    all_opaque,
    reach_in_tile,
    row_weights,
)
from generators.radiance.rasterizer.cpu import NumbaBackend, camera_numbers
from generators.radiance.rasterizer.kernels import inlined, parallel_kernel, prange
from generators.radiance.rasterizer.lanes import WIDTH, load, ramp, spread, store, where_at_least
from generators.radiance.rasterizer.projection import NEAR, axes_in_picture, rotation, scale_of, to_camera
from generators.radiance.rasterizer.tiles import PACKED, TILE, Ints, pack, tile_lists

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
CHANNELS = 3
"""Of a tile: median, sum of distances in the window, weight in the window."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What one camera sees of a cloud, float32 [H, W]: `coverage`, the share of the light that is stopped; `depth`
    along +Z, 0 where that is less than half; `agreed`, the share stopped within the window around the median.
    """

    coverage: FloatArray
    depth: FloatArray
    agreed: FloatArray


def surface_depth(cloud: Parameters, camera: Camera, rules: Rules, window: float, sharpen: float = 1.0) -> Seen:
    """The surface as a camera sees it; `window` is a share of the distance, to each side.

    With `sharpen` above 1 splats stop more light than they do in pictures: α becomes 1 - (1 - α)^sharpen.
    """
    projection = NumbaBackend().project(cloud, camera, rules, sound=True)
    view, numbers = camera_numbers(camera, rules)
    planes = np.empty((len(cloud), 3), np.float32)
    _planes(view, numbers, cloud.positions, cloud.log_scales, cloud.quaternions, projection.conic, planes)
    packed, starts, members = _listed(_sharpened(projection, sharpen), camera)
    high, wide = camera.height, camera.width
    image = np.zeros((CHANNELS + 1, high, wide), np.float32)
    _measure(packed, planes, starts, members, np.float32(window), image)
    median, total, agreed, left = image
    found = (median > 0) & (agreed > 0)
    depth = np.where(found, total / np.where(found, agreed, 1), 0)
    return Seen(1 - left, depth.astype(np.float32), agreed)


def _sharpened(projection: Projection, sharpen: float) -> Projection:
    """The same splats stopping more light, drawn as far out as they are then seen."""
    if sharpen == 1:
        return projection
    before = np.minimum(projection.opacity, ALPHA_MAX)
    opacity = np.asarray(1 - (1 - before) ** np.float32(sharpen), np.float32)
    drawn = projection.extent[:, 0] > 0
    grown = np.ones(len(before), np.float32)
    grown[drawn] = np.sqrt(np.log(opacity[drawn] / ALPHA_MIN) / np.maximum(np.log(before[drawn] / ALPHA_MIN), 1e-6))
    return replace(projection, opacity=opacity, extent=np.asarray(projection.extent * grown[:, None], np.float32))


def _listed(projection: Projection, camera: Camera) -> tuple[FloatArray, Ints, Ints]:
    """The splats as compositing reads them, and for each tile which of them it meets, front to back."""
    packed = np.empty((len(projection.xy), PACKED), np.float32)
    pack(projection.xy, projection.conic, projection.opacity, projection.extent, packed)
    tiles = -(-camera.width // TILE), -(-camera.height // TILE)
    starts, members, _, _ = tile_lists(packed, projection.depth, *tiles)
    return packed, starts, members


@parallel_kernel
def _planes(
    view: FloatArray,
    camera: FloatArray,
    positions: FloatArray,
    log_scales: FloatArray,
    quaternions: FloatArray,
    conic: FloatArray,
    planes: FloatArray,
) -> None:
    """Distance of each splat at its middle, and its slope by a pixel to the right and downwards, into [N, 3]."""
    for i in prange(len(positions)):
        v, r = np.empty((3, 3), np.float32), np.empty((2, 3), np.float32)
        p = to_camera(view, positions[i])
        planes[i, 0] = p[2]
        planes[i, 1] = planes[i, 2] = ZERO
        if not p[2] > camera[NEAR]:
            continue
        matrix = rotation(quaternions[i])[0]
        s = (scale_of(log_scales[i, 0]), scale_of(log_scales[i, 1]), scale_of(log_scales[i, 2]))
        axes_in_picture(camera, view, p, matrix, s, v, r)
        across = r[0, 0] * v[2, 0] + r[0, 1] * v[2, 1] + r[0, 2] * v[2, 2]
        down = r[1, 0] * v[2, 0] + r[1, 1] * v[2, 1] + r[1, 2] * v[2, 2]
        planes[i, 1] = conic[i, 0] * across + conic[i, 1] * down
        planes[i, 2] = conic[i, 1] * across + conic[i, 2] * down


@inlined
def _first_pass(
    s: FloatArray, plane: FloatArray, left: np.float32, top: np.float32, through: FloatArray, sums: FloatArray
) -> None:
    """Note one splat's distance where it is the one that stops the half."""
    x, y, y0, y1, h0, h1 = reach_in_tile(s, left, top)
    one, half_light = spread(ONE), spread(HALF)
    for half in range(h0, h1):
        dx = ramp() + spread(np.float32(half * WIDTH) - x)
        for row in range(y0, y1):
            at = half * HALF_TILE + row * WIDTH
            dy = np.float32(row) - y
            before = load(through, at)
            _, weight = row_weights(s[2], s[3], s[4], s[5], dx, dy, through, at)
            crosses = where_at_least(before, half_light, one) - where_at_least(before - weight, half_light, one)
            z = spread(plane[0] + plane[2] * dy) + spread(plane[1]) * dx
            store(sums, at, load(sums, at) + crosses * z)


@inlined
def _second_pass(
    s: FloatArray, plane: FloatArray, left: np.float32, top: np.float32, window: np.float32, through: FloatArray,
    sums: FloatArray,
) -> None:  # fmt: skip
    """Add one splat's distance where it lies within the window around the median."""
    x, y, y0, y1, h0, h1 = reach_in_tile(s, left, top)
    for half in range(h0, h1):
        dx = ramp() + spread(np.float32(half * WIDTH) - x)
        for row in range(y0, y1):
            at = half * HALF_TILE + row * WIDTH
            dy = np.float32(row) - y
            _, weight = row_weights(s[2], s[3], s[4], s[5], dx, dy, through, at)
            z = spread(plane[0] + plane[2] * dy) + spread(plane[1]) * dx
            middle = load(sums, at)
            off, reach = z - middle, middle * spread(window)
            near = where_at_least(reach * reach, off * off, weight)
            store(sums, AREA + at, load(sums, AREA + at) + near * z)
            store(sums, 2 * AREA + at, load(sums, 2 * AREA + at) + near)


@parallel_kernel
def _measure(
    packed: FloatArray,
    planes: FloatArray,
    starts: Ints,
    members: Ints,
    window: np.float32,
    image: FloatArray,
) -> None:
    """Fill `image` [4, H, W]: median distance, sum and weight in the window, what is left."""
    _, height, width = image.shape
    tiles_x = (width + TILE - 1) // TILE
    for tile in prange(len(starts) - 1):
        through, sums = np.ones(AREA, np.float32), np.zeros(CHANNELS * AREA, np.float32)
        left, top = np.float32((tile % tiles_x) * TILE), np.float32((tile // tiles_x) * TILE)
        last = starts[tile]
        while last < starts[tile + 1]:
            i = members[last]
            _first_pass(packed[i], planes[i], left, top, through, sums)
            last += 1
            if (last - starts[tile]) % CHECK_EVERY == 0 and all_opaque(through):
                break
        left_over = through.copy()
        through[:] = ONE
        for member in range(starts[tile], last):
            i = members[member]
            _second_pass(packed[i], planes[i], left, top, window, through, sums)
        for row in range(min(TILE, height - int(top))):
            for column in range(min(TILE, width - int(left))):
                at = (column // WIDTH) * HALF_TILE + row * WIDTH + column % WIDTH
                for channel in range(CHANNELS):
                    image[channel, int(top) + row, int(left) + column] = sums[channel * AREA + at]
                image[CHANNELS, int(top) + row, int(left) + column] = left_over[at]
