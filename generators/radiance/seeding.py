"""The first cloud: from stereo depth, from a capture's own points, or from nothing better than the cameras.

Every seed gets the size of the gap it is to fill. Seeds from depth are thinned on grids whose cells grow with the
distance, so that each covers about the same number of pixels wherever it lies. What is masked or transparent in the
photographs gives none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from engines.splat_values import dc_from_colour, log_from_scale, logit_from_opacity
from generators.radiance.cameras import Camera
from generators.radiance.colmap import Points
from generators.radiance.counting import LEAST, Counted, counted, partial, standing, weights
from generators.radiance.parameters import Parameters
from generators.radiance.photographs import Photograph
from generators.radiance.shelf import let_go
from generators.radiance.stereo import DepthMap, depth_maps, focus

STEREO_SIDE_PX = 112
"""Longest side of the pictures that depth is found in."""
NEAREST, FARTHEST = 0.25, 8.0
"""Range of the sweep, in distances to the point that the cameras look at."""
SEED_OPACITY = 0.4
FILL = 0.55
"""Standard deviation of a seed in sides of the cell that it stands for."""
FEW = 500
TRIES = 4
"""How often seeds are drawn anew for those that fell where nothing stands."""


def small_pictures(photographs: Sequence[Photograph], side_px: int) -> tuple[FloatArray, list[Camera]]:
    """Colour pictures float32 [V, 3, h, w] of the first view's shape shrunk by whole pixels, and their cameras."""
    height, width = photographs[0].pixels.shape[1:]
    block = max(1, round(max(height, width) / side_px))
    rows, columns = height // block, width // block
    pictures = np.empty((len(photographs), 3, rows, columns), np.float32)
    cameras = []
    for index, photograph in enumerate(photographs):
        cut = photograph.pixels[:, : rows * block, : columns * block]
        pictures[index] = cut.reshape(3, rows, block, columns, block).mean((2, 4)) / 255.0
        let_go(photograph.pixels)
        cameras.append(small_camera(photograph, side_px))
    return pictures, cameras


def small_camera(photograph: Photograph, side_px: int) -> Camera:
    """The camera of a photograph shrunk by whole pixels, what is left over cut off."""
    height, width = photograph.pixels.shape[1:]
    block = max(1, round(max(height, width) / side_px))
    rows, columns = height // block, width // block
    return replace(photograph.camera, width=columns * block, height=rows * block).resized(columns, rows)


def from_depth(
    photographs: Sequence[Photograph], *, count: int, points: Points | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Positions [P, 3], colours [P, 3] and standard deviations [P] of at most about `count` seeds on the surfaces.

    The views must share one size; others are left out. May return nothing at all.
    """
    shape = photographs[0].pixels.shape
    alike = [photograph for photograph in photographs if photograph.pixels.shape == shape]
    pictures, cameras = small_pictures(alike, STEREO_SIDE_PX)
    maps = known_maps(alike, cameras)
    if maps is None:
        maps = swept_maps(pictures, cameras, points)
    positions, colours, footprints = [], [], []
    for photograph, picture, known in zip(alike, pictures, maps, strict=True):
        depth = known.depth
        if partial(photograph):
            counts = small_counted(photograph, STEREO_SIDE_PX)
            depth, picture = np.where(counts.share >= LEAST, depth, 0), counts.colour
        v, u = np.nonzero(depth)
        positions.append(unproject(known.camera, u + 0.5, v + 0.5, depth[v, u]))
        colours.append(picture[:, v, u].T)
        footprints.append(depth[v, u] / known.camera.fx)
    found = thinned(np.concatenate(positions), np.concatenate(colours), np.concatenate(footprints), count)
    stands = that_stand(photographs, found[0])
    return found if stands is None else (found[0][stands], found[1][stands], found[2][stands])


def small_counted(photograph: Photograph, side_px: int) -> Counted:
    """What counts of a photograph, in blocks as those of `small_pictures`."""
    height, width = photograph.pixels.shape[1:]
    block = max(1, round(max(height, width) / side_px))
    return counted(photograph, height // block, width // block, block)


def that_stand(photographs: Sequence[Photograph], positions: FloatArray) -> NDArray[np.bool_] | None:
    """Which points [P, 3] lie where photographs count, bool [P]; None where everything counts in all of them."""
    if not any(partial(photograph) for photograph in photographs):
        return None
    views = []
    for photograph in photographs:
        one = small_counted(photograph, STEREO_SIDE_PX)
        views.append((small_camera(photograph, STEREO_SIDE_PX), one))
    return standing(positions, views)


def swept_maps(pictures: FloatArray, cameras: list[Camera], points: Points | None) -> list[DepthMap]:
    """What a plane sweep finds between small colour pictures [V, 3, h, w]."""
    nearest, farthest = depth_range(cameras, points)
    return depth_maps(np.ascontiguousarray(pictures.mean(1)), cameras, nearest, farthest)


def known_maps(photographs: Sequence[Photograph], cameras: Sequence[Camera]) -> list[DepthMap] | None:
    """The photographs' own depth at the size of the small pictures, when every one of them has it."""
    maps = []
    for photograph, camera in zip(photographs, cameras, strict=True):
        if photograph.depth is None:
            return None
        block = photograph.depth.shape[0] // camera.height
        middles = photograph.depth[block // 2 :: block, block // 2 :: block][: camera.height, : camera.width]
        maps.append(DepthMap(camera, np.ascontiguousarray(middles)))
    return maps


def depth_range(cameras: Sequence[Camera], points: Points | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nearest and farthest depth worth trying in each view, float64 [V]."""
    point = focus(list(cameras))
    ahead = np.array([(point - camera.position) @ camera.forward for camera in cameras])
    distance = np.maximum(ahead, 0.1 * np.median(np.abs(ahead)) + 1e-6)
    nearest, farthest = NEAREST * distance, FARTHEST * distance
    if points is not None and len(points.positions) >= 50:
        for index, camera in enumerate(cameras):
            local = points.positions @ camera.camera_from_world[2, :3] + camera.camera_from_world[2, 3]
            local = local[local > 0]
            if len(local) >= 50:
                low, high = np.percentile(local, [1, 99])
                nearest[index], farthest[index] = 0.7 * low, 2.0 * high
    return nearest, farthest


def unproject(camera: Camera, u: NDArray[Any], v: NDArray[Any], depth: FloatArray) -> FloatArray:
    """World positions float32 [P, 3] of pixels at known depth."""
    local = np.stack([(u - camera.cx) / camera.fx * depth, (v - camera.cy) / camera.fy * depth, depth], -1)
    rotation, shift = camera.camera_from_world[:3, :3], camera.camera_from_world[:3, 3]
    return np.asarray((local - shift) @ rotation, np.float32)


def thinned(
    positions: FloatArray, colours: FloatArray, footprints: FloatArray, count: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """At most about `count` means of what shares a grid cell, with the standard deviation that fills the cell.

    `footprints` [P] is the side of a pixel at each point. Cells are a power of two times a common factor wide,
    the smallest that is not below that factor times the footprint; the factor is found by halving.
    """
    if len(positions) == 0:
        return positions, colours, footprints
    low, high = 0.05, 64.0
    cells, sides = _cells(positions, footprints, low)
    if len(np.unique(cells)) > count:
        for _ in range(10):
            factor = float(np.sqrt(low * high))
            cells, sides = _cells(positions, footprints, factor)
            low, high = (factor, high) if len(np.unique(cells)) > count else (low, factor)
        cells, sides = _cells(positions, footprints, high)
    _, inverse, members = np.unique(cells, return_inverse=True, return_counts=True)
    means = [
        np.stack([np.bincount(inverse, weights=values[:, axis]) for axis in range(3)], -1) / members[:, None]
        for values in (positions, colours)
    ]
    side = np.bincount(inverse, weights=sides) / members
    return means[0].astype(np.float32), means[1].astype(np.float32), (FILL * side).astype(np.float32)


def _cells(positions: FloatArray, footprints: FloatArray, factor: float) -> tuple[NDArray[np.uint64], FloatArray]:
    level = np.ceil(np.log2(footprints * factor) * 2) / 2  # half octaves
    side = np.exp2(level)
    grid = np.floor(positions / side[:, None]).astype(np.int64)
    key = (level * 2).astype(np.int64)
    for axis in range(3):  # a mix of the four numbers; a collision merely merges two cells
        key = key * np.int64(1_000_003) + grid[:, axis]
    return key.astype(np.uint64), side.astype(np.float32)


def in_frusta(
    photographs: Sequence[Photograph], *, count: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """`count` seeds at random pixels and random inverse depth, coloured by the photograph that they were drawn in."""
    cameras = [photograph.camera for photograph in photographs]
    nearest, farthest = depth_range(cameras, None)
    view = rng.integers(0, len(photographs), count)
    positions, colours = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
    sizes = np.empty(count, np.float32)
    for index, photograph in enumerate(photographs):
        rows = np.nonzero(view == index)[0]
        _, height, width = photograph.pixels.shape
        u, v = rng.random(len(rows)) * width, rng.random(len(rows)) * height
        if partial(photograph):
            u, v = _where_it_counts(photograph, u, v, rng)
        inverse = rng.uniform(1 / farthest[index], 1 / (2 * nearest[index]), len(rows))
        depth = (1 / inverse).astype(np.float32)
        positions[rows] = unproject(photograph.camera, u, v, depth)
        colours[rows] = photograph.pixels[:, v.astype(int), u.astype(int)].T / np.float32(255)
        sizes[rows] = depth / photograph.camera.fx * np.sqrt(height * width * len(photographs) / count)
    return positions, colours, sizes


def _where_it_counts(
    photograph: Photograph, u: NDArray[Any], v: NDArray[Any], rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The same pixels, moved to others where the photograph does not count there and does anywhere."""
    known = np.argwhere(weights(photograph) > 0.5)
    if len(known):
        u, v = (known[rng.integers(0, len(known), len(u))] + rng.random((len(u), 2)))[:, ::-1].T
    return u, v


def drawn(
    photographs: Sequence[Photograph], *, count: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """At most `count` seeds of `in_frusta` that lie where photographs count; where none does, all of them."""
    found = in_frusta(photographs, count=count, rng=rng)
    stands = that_stand(photographs, found[0])
    if stands is None or not stands.any():
        return found
    kept = [tuple(part[stands] for part in found)]
    while len(kept) < TRIES and sum(len(one[0]) for one in kept) < count:
        found = in_frusta(photographs, count=count, rng=rng)
        stands = that_stand(photographs, found[0])
        kept.append(tuple(part[stands] for part in found))
    positions, colours, sizes = (np.concatenate(parts)[:count] for parts in zip(*kept, strict=True))
    return positions, colours, sizes


def seed_cloud(
    photographs: Sequence[Photograph],
    *,
    count: int,
    sh_count: int,
    rng: np.random.Generator,
    points: Points | None = None,
) -> Parameters:
    """A first cloud of at most about `count` splats for these views, with `sh_count` harmonics."""
    positions, colours, sizes = from_depth(photographs, count=count, points=points)
    if len(positions) < FEW:
        if points is not None and len(points.positions) >= FEW:
            stands = that_stand(photographs, points.positions)
            own = np.arange(len(points.positions)) if stands is None or not stands.any() else np.flatnonzero(stands)
            chosen = own[rng.permutation(len(own))[:count]]
            positions, colours = points.positions[chosen], points.colours[chosen]
            sizes = spacing(positions)
        else:
            positions, colours, sizes = drawn(photographs, count=count, rng=rng)
    total = len(positions)
    sh = np.zeros((total, sh_count, 3), np.float32)
    sh[:, 0] = dc_from_colour(colours)
    return Parameters(
        positions=np.ascontiguousarray(positions),
        log_scales=np.repeat(log_from_scale(sizes)[:, None], 3, axis=1),
        quaternions=np.tile(np.array([1, 0, 0, 0], np.float32), (total, 1)),
        logits=logit_from_opacity(np.full(total, SEED_OPACITY)),
        sh=sh,
    )


def spacing(positions: FloatArray) -> FloatArray:
    """For each point about its distance to the next, float32 [P], from how many share its cell of a coarse grid."""
    size = np.percentile(positions, 95, axis=0) - np.percentile(positions, 5, axis=0)
    side = float(max(size.max(), 1e-6)) / 32
    cells = np.floor(positions / side).astype(np.int64)
    key = (cells[:, 0] * 1_000_003 + cells[:, 1]) * 1_000_003 + cells[:, 2]
    _, inverse, members = np.unique(key, return_inverse=True, return_counts=True)
    return (side / np.sqrt(members[inverse])).astype(np.float32)
