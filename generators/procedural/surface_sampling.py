"""Points spread evenly over a mesh, what the surface looks like there, and how open the sky is above them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.assets import Array, FloatArray, Image, Mesh
from engines.kinds import ColourSpace, MapName
from generators.events import GeneratorError
from generators.procedural.lattice_noise import Check, nothing
from generators.procedural.polyhedra import face_normals

BATCH = 1 << 16
NEUTRAL = 0.5
"""Linear grey of a surface without any colour."""
GRID = 64
"""Voxels along the longest side of the occlusion grid."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Points on a surface: all float32, [N, 3] positions and unit normals, [N] spacings, [N, 3] barycentrics."""

    positions: FloatArray
    normals: FloatArray
    spacings: FloatArray
    faces: Array
    """Index of the triangle of each point, int [N]."""
    weights: FloatArray


def sampled_surface(mesh: Mesh, count: int, detail: float, rng: np.random.Generator, check: Check = nothing) -> Samples:
    """Spread `count` points evenly by area, denser by up to 1 + 4·`detail` where the vertex normals turn.

    One systematic sweep along the triangles in Morton order gives every stretch of surface its exact share, and
    inside a triangle the points follow a two-dimensional low-discrepancy lattice: far more even than chance.
    """
    positions = mesh.positions.astype(np.float64)
    faces = mesh.faces.astype(np.intp)
    raw = face_normals(positions, faces)
    area = np.linalg.norm(raw, axis=1) / 2
    if not area.sum() > 0:
        raise GeneratorError("splats.from_mesh: the mesh has no surface; expected at least one triangle with an area")
    flat = raw / np.maximum(2 * area, 1e-30)[:, None]
    check()
    weight = area * (1 + 4 * detail * _bending(mesh, faces, flat))
    order = _morton_order(positions[faces].mean(1))
    check()
    share = np.concatenate(([0.0], np.cumsum(weight[order])))
    share *= count / share[-1]
    at = np.arange(count) + rng.random()
    slot = np.minimum(np.searchsorted(share, at, side="right") - 1, len(order) - 1)
    face = order[slot]
    first = np.searchsorted(at, share[:-1])
    within = np.arange(count) - first[slot]
    start = rng.random((len(order), 2))[slot]
    s, t = (start[:, 0] + within * 0.7548776662466927) % 1, (start[:, 1] + within * 0.5698402909980532) % 1
    # Square to triangle with little distortion, so that even points stay even (Heitz 2019).
    least = np.minimum(s, t) / 2
    s, t = np.where(t > s, least, s - least), np.where(t > s, t - least, least)
    barycentric = np.stack((1 - s - t, s, t), -1)
    check()
    points = np.empty((count, 3), np.float32)
    normals = np.empty((count, 3), np.float32)
    for top in range(0, count, BATCH):
        check()
        part = slice(top, top + BATCH)
        corners = faces[face[part]]
        points[part] = (positions[corners] * barycentric[part, :, None]).sum(1)
        if mesh.normals is None:
            normals[part] = flat[face[part]]
        else:
            smooth = (mesh.normals[corners] * barycentric[part, :, None]).sum(1)
            length = np.linalg.norm(smooth, axis=1, keepdims=True)
            normals[part] = np.where(length > 1e-6, smooth / np.maximum(length, 1e-6), flat[face[part]])
    density = weight / np.maximum(area, 1e-30) * (count / weight.sum())
    spacing = np.sqrt(1 / np.maximum(density[face], 1e-30))
    return Samples(points, normals, spacing.astype(np.float32), face, barycentric.astype(np.float32))


def _bending(mesh: Mesh, faces: Array, flat: Array) -> Array:
    """How far the vertex normals turn away within each face, 0..1, relative to the mesh's own typical bend."""
    if mesh.normals is None:
        return np.zeros(len(faces))
    turn = 1 - np.abs((mesh.normals[faces] * flat[:, None]).sum(-1)).min(1)
    typical = np.quantile(turn, 0.9)
    bent: Array = np.clip(turn / typical, 0, 1) if typical > 1e-9 else np.zeros(len(faces))
    return bent


def _morton_order(points: Array) -> Array:
    """Order of points along a space-filling curve, int [F]."""
    low = points.min(0)
    scale = 1023 / max(float((points.max(0) - low).max()), 1e-30)
    cell = ((points - low) * scale).astype(np.int64)
    code = np.zeros(len(points), np.int64)
    for bit in range(10):
        for axis in range(3):
            code |= ((cell[:, axis] >> bit) & 1) << (3 * bit + axis)
    return np.argsort(code, kind="stable")


def looked_up(image: Image, uvs: FloatArray) -> FloatArray:
    """Bilinear look-up with repeat, float32 [N, C]; sRGB is made linear, integers become 0..1."""
    pixels = image.pixels
    high, wide = pixels.shape[:2]
    u, v = uvs[:, 0] * wide - 0.5, (1 - uvs[:, 1]) * high - 0.5
    x, y = np.floor(u), np.floor(v)
    fx, fy = (u - x)[:, None], (v - y)[:, None]
    left, top = x.astype(np.intp) % wide, y.astype(np.intp) % high
    right, low = (left + 1) % wide, (top + 1) % high
    corners = [
        _linear(image, pixels[row, column]) for row, column in ((top, left), (top, right), (low, left), (low, right))
    ]
    upper = corners[0] * (1 - fx) + corners[1] * fx
    lower = corners[2] * (1 - fx) + corners[3] * fx
    return np.asarray(upper * (1 - fy) + lower * fy, np.float32)


def _linear(image: Image, values: Array) -> FloatArray:
    """Pixel values as linear float32; alpha is never gamma-coded."""
    scale = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
    unit: FloatArray = values.astype(np.float32) / np.float32(scale)
    if image.colour_space is ColourSpace.SRGB:
        bands = 3 if unit.shape[-1] >= 3 else 1
        unit[..., :bands] = linear_from_srgb(unit[..., :bands])
    return unit


def linear_from_srgb(coded: FloatArray) -> FloatArray:
    """IEC 61966-2-1 decoding of values 0..1."""
    linear: FloatArray = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4).astype(np.float32)
    return linear


def srgb_from_linear(linear: Array) -> FloatArray:
    """IEC 61966-2-1 encoding of values 0..1."""
    bent = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    coded: FloatArray = np.where(linear <= 0.0031308, linear * 12.92, bent).astype(np.float32)
    return coded


def material_colour(mesh: Mesh, samples: Samples, check: Check = nothing) -> tuple[FloatArray, bool]:
    """Linear base colour at the samples, float32 [N, 3], and whether the mesh had any; occlusion map included."""
    count = len(samples.positions)
    colour = np.full((count, 3), NEUTRAL, np.float32)
    maps = mesh.material.maps if mesh.material is not None and mesh.uvs is not None else {}
    base, occlusion = maps.get(MapName.BASE_COLOR), maps.get(MapName.OCCLUSION)
    if base is None and mesh.colours is None:
        return colour, False
    for top in range(0, count, BATCH):
        check()
        part = slice(top, top + BATCH)
        corners = mesh.faces[samples.faces[part]]
        weights = samples.weights[part, :, None]
        if base is not None and mesh.uvs is not None:
            uvs = (mesh.uvs[corners] * weights).sum(1)
            found = looked_up(base, uvs)
            colour[part] = found[:, :3]
            if occlusion is not None:
                colour[part] *= looked_up(occlusion, uvs)[:, :1]
        else:
            colour[part] = 1
        if mesh.colours is not None:
            colour[part] *= (mesh.colours[corners] * weights).sum(1)[:, :3]
    return colour, True


def occlusion_of(samples: Samples, check: Check = nothing) -> FloatArray:
    """Ambient occlusion, float32 [N], 1 open and 0 enclosed, from a voxel grid of the points themselves.

    At three distances along the normal the surface found in the blurred grid is compared with what a plane would
    show there.
    """
    low = samples.positions.min(0)
    extent = float((samples.positions.max(0) - low).max())
    cell = extent / GRID if extent > 0 else 1.0
    pad = 10
    shape = tuple(int(n) + 2 * pad + 1 for n in (samples.positions.max(0) - low) / cell)
    place = (samples.positions - low) / cell + pad
    index = np.floor(place).astype(np.intp)
    flat = np.ravel_multi_index((index[:, 0], index[:, 1], index[:, 2]), shape)
    # Surface per voxel in units of one voxel face.
    surface = np.bincount(flat, samples.spacings.astype(np.float64) ** 2 / cell**2, minlength=int(np.prod(shape)))
    grid: Array = np.minimum(surface, 2.0).reshape(shape)
    occluded = np.zeros(len(place))
    for radius in (1, 2, 4):
        check()
        grid = _box_blurred(grid, radius)
        # A plane at this distance is outside the blur's reach: what is found there belongs to something else.
        reach = 2.0 * radius + 1.0
        for top in range(0, len(place), BATCH):
            check()
            part = slice(top, top + BATCH)
            at = np.floor(place[part] + samples.normals[part] * reach).astype(np.intp).clip(0, np.array(shape) - 1)
            occluded[part] += grid[at[:, 0], at[:, 1], at[:, 2]] * (2 * radius + 1) * 0.5
    open_sky: FloatArray = np.exp(-1.1 * occluded).astype(np.float32)
    return open_sky


def _box_blurred(grid: Array, radius: int) -> Array:
    """Mean over (2·radius + 1)³ voxels, zero outside."""
    for axis in range(3):
        width = [(0, 0)] * 3
        width[axis] = (radius + 1, radius)
        total = np.cumsum(np.pad(grid, width), axis=axis)
        length = grid.shape[axis]
        upper = np.take(total, np.arange(2 * radius + 1, 2 * radius + 1 + length), axis=axis)
        grid = (upper - np.take(total, np.arange(length), axis=axis)) / (2 * radius + 1)
    return grid


def frames_along(normals: FloatArray) -> FloatArray:
    """Unit quaternions wxyz, float32 [N, 4], that turn the local z axis onto each unit normal by the shortest arc."""
    z = normals[:, 2]
    w = 1 + z
    quaternion = np.stack((w, -normals[:, 1], normals[:, 0], np.zeros_like(z)), -1).astype(np.float64)
    # Straight back has no shortest arc: half a turn about x.
    quaternion[w < 1e-6] = (0.0, 1.0, 0.0, 0.0)
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    return quaternion.astype(np.float32)
