"""`mesh.rock`: a closed boulder: fracture planes cut from a ball, then lumps, pits, ridges and strata."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engines.assets import Array, FloatArray, Mesh
from generators.events import Context, Event, Preview, Produced, Progress, Request
from generators.procedural.mesh_preview import picture
from generators.procedural.polyhedra import box_uvs, geodesic, vertex_means, vertex_normals
from generators.procedural.small_specs import RockParams
from generators.procedural.solid_noise import SolidNoise
from generators.procedural.stone import STONES, stone_material


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield one closed mesh standing on y = 0 with normals, box uvs, vertex tint (linear) and a stone material."""
    params = request.params
    if not isinstance(params, RockParams):
        raise TypeError(f"mesh.rock wants RockParams, got {type(params).__name__}")
    rng = np.random.default_rng(request.seed)
    directions, faces = geodesic(max(5, round((params.triangles / 20) ** 0.5)))
    yield Progress(0.1, "fracturing")
    context.check()
    noise = SolidNoise(rng)
    radii = fractured_radii(directions, params, noise, rng)
    yield Progress(0.3, "weathering")
    radii = radii * (1 + weathering(directions * radii[:, None], params, noise, context))
    positions = _standing(directions * radii[:, None] * _proportions(params, rng), params.size_m)
    context.check()
    normals = vertex_normals(positions, faces)
    tint = surface_tint(positions, faces, normals, params, noise, context)
    if context.wants_previews:
        yield Preview(picture(positions, faces, normals, tint * np.array(STONES[params.stone].preview)))
    yield Progress(0.6, "material")
    material = stone_material(params.stone, params.texture_px, request.seed, context)
    # Small stones show a part of the tile, cliffs a coarser grain: nobody looks at both from one distance.
    tile_m = material.tile_m * max(0.25, min(params.size_m, 6.0) / 1.2)
    source, split, uvs = box_uvs(positions, faces, broad_normals(positions, faces, context), tile_m)
    yield Produced(
        Mesh(
            positions=positions[source].astype(np.float32),
            faces=split.astype(np.uint32),
            normals=normals[source],
            uvs=uvs,
            colours=tint[source].astype(np.float32),
            material=material,
            name=f"{params.stone} rock",
        )
    )


def broad_normals(positions: Array, faces: Array, context: Context) -> Array:
    """Normals of the rock without its small forms, [V, 3]: how its large faces lie."""
    smooth = positions
    for _ in range(max(4, round((len(faces) / 20) ** 0.5 / 4))):
        context.check()
        smooth = np.stack([vertex_means(smooth[:, k], faces) for k in range(3)], -1)
    return vertex_normals(smooth, faces)


def fractured_radii(directions: Array, params: RockParams, noise: SolidNoise, rng: np.random.Generator) -> Array:
    """Distance from the centre to the surface along unit `directions` [V, 3], about 0.6..1.

    A half-space {x : x·n ≤ o} limits the radius to o/(d·n). The smooth minimum over all planes is the p-norm of
    (d·n)/o, whose power sets how sharp the edges are.
    """
    count = params.fractures + 1
    planes = rng.standard_normal((count, 3))
    planes /= np.linalg.norm(planes, axis=1, keepdims=True)
    # The first plane is the bed the rock lies on.
    planes[0] = (0.0, -1.0, 0.0)
    offsets = rng.uniform(0.54, 0.88, count)
    offsets[0] = 0.7
    bent = directions + 0.05 * np.stack([noise(directions * 2.1 + 9.1 * k) for k in range(3)], -1)
    facing = np.maximum(bent @ planes.T / offsets, 0)
    power = 5.0 + 110.0 * params.sharpness**2
    ball = 0.97 + 0.09 * noise(directions * 1.3 + 40)
    radii: Array = ((facing**power).sum(1) + ball**-power) ** (-1 / power)
    return radii


def weathering(points: Array, params: RockParams, noise: SolidNoise, context: Context) -> Array:
    """Relative displacement of surface points [V, 3]: lumps, ridges, pits, grain and strata, float [V]."""
    rough = params.roughness
    lumps = noise.fbm(points * 1.9, 2, check=context.check)
    ridges = noise.fbm(points * 3.7 + 7, 4, 0.55, lambda v: 0.6 - np.abs(v) * 1.9, context.check)
    grain = noise.fbm(points * 16 + 3, 3, 0.6, check=context.check)
    # Pits sit where the mask is high, so that some faces stay smooth as fresh breaks do.
    mask = np.clip(0.5 + noise(points * 1.6 + 21) * 1.4, 0, 1)
    moved: Array = rough * (0.07 * lumps + 0.045 * ridges * (0.25 + mask) + 0.009 * grain * (0.3 + mask))
    if params.strata:
        bend = 0.12 * noise.fbm(points * 1.1 + 60, 3, check=context.check)
        layer = (points @ np.array([0.14, 0.97, 0.2]) + bend) * 9
        which = np.floor(layer)
        part = layer - which
        hardness = np.modf(np.sin(which * 127.1) * 43758.5453)[0]
        following = np.modf(np.sin((which + 1) * 127.1) * 43758.5453)[0]
        step = np.clip((part - 0.8) / 0.2, 0, 1)
        blended = hardness + (following - hardness) * step * step * (3 - 2 * step)
        moved = moved + params.strata * (0.06 * blended - 0.035 * np.exp(-(((part - 0.9) / 0.06) ** 2)))
    return moved


def _proportions(params: RockParams, rng: np.random.Generator) -> Array:
    """Scale along x, y, z; x is the longest."""
    return np.array([1.0, 1.0 - 0.68 * params.flatness, rng.uniform(0.7, 0.92)])


def _standing(points: Array, size_m: float) -> Array:
    """Scaled to its longest horizontal extent, centred on the y axis, lowest point at y = 0."""
    low, high = points.min(0), points.max(0)
    middle = (low + high) / 2
    placed: Array = (points - (middle[0], low[1], middle[2])) * (size_m / max(high[0] - low[0], high[2] - low[2]))
    return placed


def surface_tint(
    positions: Array, faces: Array, normals: FloatArray, params: RockParams, noise: SolidNoise, context: Context
) -> Array:
    """Colours that multiply the material, linear [V, 3]: dark hollows, moss on top, bands where there are strata."""
    size = params.size_m
    points = positions / size * 2
    smooth, hollow = positions, np.zeros(len(positions))
    for rounds in (2, 5):
        for _ in range(rounds):
            context.check()
            smooth = np.stack([vertex_means(smooth[:, k], faces) for k in range(3)], -1)
        hollow += ((smooth - positions) * normals).sum(1)
    hollow = np.clip(hollow / (np.std(hollow) + 1e-12) * 0.16, -0.3, 0.5)
    patches = noise.fbm(points * 2.3 + 80, 4, 0.55, check=context.check)
    shade: Array = np.clip(0.86 - hollow + 0.1 * patches, 0.25, 1.0)
    tint: Array = shade[:, None] * np.array([1.0, 1.0, 1.0])
    stain = np.clip(patches * 0.9 + 0.1, 0, 1)[:, None] * 0.45
    tint = tint * (1 - stain + stain * np.array([1.0, 0.86, 0.68]))
    if params.strata:
        bands = 0.5 + 0.5 * np.sin((points @ np.array([0.14, 0.97, 0.2]) + 0.2 * patches) * 16)
        band = (params.strata * 0.4 * bands)[:, None]
        tint = tint * (1 - band + band * np.array([0.86, 0.62, 0.45]))
    if params.moss:
        grown = normals[:, 1] * 0.8 + hollow * 0.8 + patches * 0.9 - 1.05 + params.moss * 1.35
        cover = np.clip(grown * 3.2, 0, 1)[:, None] * min(1.0, 0.5 + params.moss)
        tint = tint * (1 - cover) + cover * np.array([0.22, 0.34, 0.07]) * (0.6 + 0.7 * shade[:, None])
    return tint
