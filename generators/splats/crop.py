"""`splats.crop`: what lies inside, or outside, a box or a sphere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engines.assets import Array, FloatArray, Splats
from generators.events import Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.splats.clouds import cloud_from, point_words, taken, whereabouts
from generators.splats.moving import Matrix, rotation_xyz
from generators.splats.params import CropParams
from generators.splats.pictures import before_after

CHUNK = 1 << 17
REACH = 2.0
"""Standard deviations that count as a splat's own extent: four fifths of a flat one's picture lie within."""


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield the chosen part of the cloud. Raises `GeneratorError` when nothing is left."""
    params = request.params
    if not isinstance(params, CropParams):
        raise TypeError(f"splats.crop wants CropParams, got {type(params).__name__}")
    cloud = cloud_from(request)
    count = len(cloud.positions)
    yield Progress(0.1, "measuring")
    depth = np.empty(count, np.float32)
    for first in range(0, count, CHUNK):
        context.check()
        rows = slice(first, first + CHUNK)
        depth[rows] = depth_inside(cloud, params, rows)
    kept = depth > 0
    left = int(kept.sum())
    if left == 0:
        raise GeneratorError(_nothing(cloud, params))
    yield Progress(0.6, "cutting")
    context.check()
    part = taken(cloud, kept)
    if params.softness_m > 0:
        fade = np.minimum(depth[kept] / np.float32(params.softness_m), np.float32(1))
        part = replace(part, opacities=part.opacities * fade)
    if left == count:
        yield Note(f"all {count:,} splats are {_where(params)}; nothing was cut away")
    else:
        yield Note(f"{left:,} of {count:,} splats are {_where(params)}")
    if context.wants_previews:
        yield Preview(before_after(cloud, part))
    yield Produced(part)


def depth_inside(cloud: Splats, params: CropParams, rows: slice) -> FloatArray:
    """How deep in the kept part each splat lies, float32 metres, negative outside; of its far edge if it is whole."""
    centre = np.array([params.centre_x_m, params.centre_y_m, params.centre_z_m])
    offset = np.asarray(cloud.positions[rows] - centre, np.float32)
    whole = params.edge == "whole"
    sign = np.float32(1 if params.keep == "inside" else -1)
    if params.shape == "sphere":
        distance = np.linalg.norm(offset, axis=1)
        if whole and params.keep == "inside":
            distance = farthest_tip(cloud, offset, rows)
        elif whole:
            distance = distance - reach_along(cloud, offset / np.maximum(distance, np.float32(1e-20))[:, None], rows)
        return np.asarray(sign * (np.float32(params.radius_m) - distance), np.float32)
    axes = rotation_xyz(params.rotate_x_deg, params.rotate_y_deg, params.rotate_z_deg)
    half = np.array([params.size_x_m, params.size_y_m, params.size_z_m]) / 2
    return _in_box(cloud, offset, axes, half, sign, rows if whole else None)


def _in_box(
    cloud: Splats, offset: FloatArray, axes: Matrix, half: NDArray[np.float64], sign: np.float32, rows: slice | None
) -> FloatArray:
    local = np.abs(offset @ axes.astype(np.float32))
    room = half.astype(np.float32) - local
    if rows is not None:
        reach = np.stack([reach_along(cloud, axes[:, axis].astype(np.float32), rows) for axis in range(3)], -1)
        room = room - sign * reach
    depth: FloatArray = room.min(axis=1)
    if sign > 0:
        return depth
    outside = np.linalg.norm(np.maximum(-room, 0), axis=1)  # rounded corners: a true distance outside
    return np.asarray(np.where(depth > 0, -depth, outside), np.float32)


def reach_along(cloud: Splats, direction: FloatArray, rows: slice) -> FloatArray:
    """How far splats reach to either side along unit directions [3] or [n, 3], float32 [n] metres."""
    scales = cloud.scales[rows]
    square = sum((part * scales[:, axis]) ** 2 for axis, part in enumerate(_own_axes(cloud, direction, rows)))
    return np.asarray(np.float32(REACH) * np.sqrt(square), np.float32)


def farthest_tip(cloud: Splats, offset: FloatArray, rows: slice) -> FloatArray:
    """Distance to the farthest end of a splat's axes, float32 [n], of splats at `offset` [n, 3] from a point."""
    square = (offset * offset).sum(1)
    farthest = square
    for axis, along in enumerate(_own_axes(cloud, offset, rows)):
        reach = np.float32(REACH) * cloud.scales[rows, axis]
        farthest = np.maximum(farthest, square + reach * (2 * np.abs(along) + reach))
    return np.asarray(np.sqrt(farthest), np.float32)


def _own_axes(cloud: Splats, direction: FloatArray, rows: slice) -> tuple[Array, Array, Array]:
    """Vectors [3] or [n, 3] in each splat's own axes: the rotation's columns against them."""
    w, x, y, z = (cloud.rotations[rows, axis] for axis in range(4))
    a, b, c = (direction[..., axis] for axis in range(3))
    return (
        (1 - 2 * (y * y + z * z)) * a + 2 * (x * y + w * z) * b + 2 * (x * z - w * y) * c,
        2 * (x * y - w * z) * a + (1 - 2 * (x * x + z * z)) * b + 2 * (y * z + w * x) * c,
        2 * (x * z + w * y) * a + 2 * (y * z - w * x) * b + (1 - 2 * (x * x + y * y)) * c,
    )


def _where(params: CropParams) -> str:
    return f"{params.keep} the {params.shape}"


def _nothing(cloud: Splats, params: CropParams) -> str:
    count = f"{len(cloud.positions):,}"
    centre = point_words(np.array([params.centre_x_m, params.centre_y_m, params.centre_z_m]))
    if params.shape == "sphere":
        shape = f"the sphere of {params.radius_m:g} m around {centre}"
    else:
        shape = f"the box of {params.size_x_m:g} × {params.size_y_m:g} × {params.size_z_m:g} m around {centre}"
    lie = f"they lie between {whereabouts(cloud.positions)}"
    if params.keep == "outside":
        return f"{shape} holds all of the {count} splats, and what is outside it was asked for; {lie}"
    whole = ", counting only those that lie in it whole" if params.edge == "whole" else ""
    return f"{shape} holds none of the {count} splats{whole}; {lie}"
