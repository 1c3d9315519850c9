"""The surface that a cloud lies on: a normal for each splat, which side of it is outside, and what a lamp reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.transforms import rotation_matrices
from generators.radiance.cameras import Camera, looking_at
from generators.radiance.parameters import from_splats
from generators.radiance.rasterizer import Rules
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.radiance.rasterizer.kernels import parallel_kernel, prange
from generators.splats.clouds import Extent, covariances, shortest_axes
from generators.splats.ellipsoids import decomposed
from generators.splats.neighbours import Check, Ints, Neighbours
from generators.splats.visibility import shares_seen

NEIGHBOURS = 12
FLAT = 0.35
"""A splat whose smallest scale is below this share of its middle one has a normal of its own."""
ALIKE = np.float32(0.35)
"""Cosine from which on a neighbour's normal counts, and the more the closer it is."""
EVENINGS = 3
SHEET, SOLID = 0.1, 0.5
"""How lopsidedly a thin sheet, and a solid thing, are seen from all around: 0 alike from both sides, 1 from one."""
CHUNK = 1 << 15
FAR = 30.0
"""Distance of the lamp's camera in radii: near enough for floats, far enough for parallel light."""
SHADOW_PX = 512


@dataclass(frozen=True, eq=False)
class Surface:
    """`normals` float32 [N, 3] unit, outwards; `sided` float32 [N] 0..1: 1 where only one side is ever seen;
    `near` int32 [N, k] each splat's neighbours."""

    normals: FloatArray
    sided: FloatArray
    near: Ints


def surface_of(cloud: Splats, cameras: list[Camera], check: Check) -> Surface:
    """Normals from the splats' own shapes and their neighbours', turned to where they are seen from, and evened out."""
    near = _neighbours(cloud, check)
    normals = raw_normals(cloud, near, check)
    towards, both = np.zeros(len(normals)), np.zeros(len(normals))
    for camera, seen in zip(cameras, shares_seen(cloud, cameras, check), strict=True):
        way = camera.position - cloud.positions
        way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-12)
        facing = seen * (normals * way).sum(1)
        towards += facing
        both += np.abs(facing)
    normals[towards < 0] *= -1
    # Haze shows some of the far side of everything; only where both sides are seen about alike is it a thin sheet.
    share = np.abs(towards) / np.maximum(both, 1e-9)
    sided = np.asarray(np.clip((share - SHEET) / (SOLID - SHEET), 0, 1), np.float32)
    for _ in range(EVENINGS):
        normals = evened_normals(normals, cloud.opacities, near, check)
    return Surface(normals, evened(sided, near), near)


def evened(values: FloatArray, near: Ints) -> FloatArray:
    """Each value [N] averaged with those of its neighbours."""
    return np.asarray((values + values[near].sum(axis=1)) / (1 + near.shape[1]), np.float32)


def raw_normals(cloud: Splats, near: Ints, check: Check) -> FloatArray:
    """Unit normals float32 [N, 3] of either sign: of a flat splat its own, else that of its neighbourhood."""
    normals = shortest_axes(cloud)
    sizes = np.sort(cloud.scales, axis=1)
    round_ones = np.nonzero(sizes[:, 0] > FLAT * sizes[:, 1])[0]
    own = covariances(cloud)
    for first in range(0, len(round_ones) if near.shape[1] > 2 else 0, CHUNK):
        check()
        rows = round_ones[first : first + CHUNK]
        offsets = cloud.positions[near[rows]] - cloud.positions[rows, None]
        x, y, z = offsets[..., 0], offsets[..., 1], offsets[..., 2]
        spread = np.stack([x * x, x * y, x * z, y * y, y * z, z * z], -1)
        weights = cloud.opacities[near[rows]][..., None]
        scales, rotations = decomposed(own[rows] + ((own[near[rows]] + spread) * weights).mean(1))
        thin = np.argmin(scales, axis=1)
        normals[rows] = np.take_along_axis(rotation_matrices(rotations), thin[:, None, None], axis=2)[..., 0]
    return normals


def _neighbours(cloud: Splats, check: Check) -> Ints:
    count = len(cloud.positions)
    if count == 1:
        return np.zeros((1, 1), np.int32)
    return Neighbours(cloud.positions, check).nearest(min(NEIGHBOURS, count - 1), check)[1]


def evened_normals(normals: FloatArray, opacities: FloatArray, near: Ints, check: Check) -> FloatArray:
    """Normals averaged with those neighbours' that point about the same way: noise goes, edges stay."""
    out = np.empty_like(normals)
    for first in range(0, len(normals), CHUNK):
        check()
        _even_out(normals, opacities, near, first, min(first + CHUNK, len(normals)), out)
    return out


@parallel_kernel
def _even_out(normals: FloatArray, opacities: FloatArray, near: Ints, first: int, last: int, out: FloatArray) -> None:
    for i in prange(first, last):
        own = (np.float32(1) - ALIKE) * opacities[i]
        x, y, z = own * normals[i, 0], own * normals[i, 1], own * normals[i, 2]
        for k in range(near.shape[1]):
            j = near[i, k]
            cosine = normals[i, 0] * normals[j, 0] + normals[i, 1] * normals[j, 1] + normals[i, 2] * normals[j, 2]
            weight = max(cosine - ALIKE, np.float32(0)) * opacities[j]
            x += weight * normals[j, 0]
            y += weight * normals[j, 1]
            z += weight * normals[j, 2]
        length = np.sqrt(x * x + y * y + z * z)
        if length > np.float32(1e-9):
            out[i, 0], out[i, 1], out[i, 2] = x / length, y / length, z / length
        else:
            out[i, :] = normals[i, :]


def lit_shares(
    cloud: Splats, bulk: Extent, towards_lamp: NDArray[np.float64], softness: float, check: Check
) -> FloatArray:
    """How much of a far lamp's light reaches each splat, float32 [N]: 1 in the open, 0 behind something opaque.

    A depth picture as the lamp sees it, compared with each splat's own depth at several points around it.
    """
    radius = max(float(np.linalg.norm(bulk.high - bulk.low)) / 2, 1e-6)
    middle = (bulk.low + bulk.high) / 2
    eye = middle + towards_lamp * FAR * radius
    camera = looking_at(
        (float(eye[0]), float(eye[1]), float(eye[2])),
        (float(middle[0]), float(middle[1]), float(middle[2])),
        fov_y_deg=float(np.degrees(2 * np.arctan(1.15 / FAR))),
        width=SHADOW_PX,
        height=SHADOW_PX,
    )
    backend = NumbaBackend()
    check()
    projection = backend.project(from_splats(cloud), camera, Rules(near=1e-3), sound=True)
    depth = np.ascontiguousarray(projection.depth[:, None] - np.float32(FAR * radius))
    raster = backend.rasterize(projection, depth, np.zeros(1, np.float32), SHADOW_PX, SHADOW_PX)
    check()
    solid = 1 - raster.transmittance
    behind = np.float32(1e6 * radius)
    nearest = np.where(solid > 0.5, raster.image[0] / np.maximum(solid, np.float32(1e-3)), behind)
    pixel = 2.3 * radius / SHADOW_PX
    slack = np.float32((2.5 + 6 * softness) * pixel)
    lit = np.zeros(len(depth), np.float32)
    reach = 1 + 4 * softness
    offsets = [(dx * reach, dy * reach) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
    for dx, dy in offsets:
        check()
        column = np.clip(projection.xy[:, 0] + dx, 0, SHADOW_PX - 1).astype(np.intp)
        row = np.clip(projection.xy[:, 1] + dy, 0, SHADOW_PX - 1).astype(np.intp)
        above = nearest[row, column] + 2 * slack - depth[:, 0]
        lit += np.clip(above / slack, 0, 1)
    return np.asarray(lit / len(offsets), np.float32)
