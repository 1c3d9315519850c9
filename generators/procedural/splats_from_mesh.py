"""`splats.from_mesh`: flat Gaussians laid on a surface, coloured from its material, with baked occlusion."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engines.assets import Array, FloatArray, Material, Mesh, Splats
from generators.events import Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.procedural.small_specs import SplatsFromMeshParams
from generators.procedural.surface_sampling import (
    Samples,
    frames_along,
    material_colour,
    occlusion_of,
    sampled_surface,
    srgb_from_linear,
)

SH_DC = 0.28209479177387814
"""Y00, the constant real spherical harmonic."""
BATCH = 1 << 16
SPHERE_ROWS = 192


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield one cloud of exactly `count` splats of SH degree 0, their thin third axis along the surface normal."""
    params = request.params
    if not isinstance(params, SplatsFromMeshParams):
        raise TypeError(f"splats.from_mesh wants SplatsFromMeshParams, got {type(params).__name__}")
    mesh = request.inputs["mesh"]
    if isinstance(mesh, Material):
        yield Note(f"The material was put on a sphere of {params.sphere_radius_m:g} m radius.")
        mesh = material_sphere(mesh, params.sphere_radius_m)
    if not isinstance(mesh, Mesh):
        raise GeneratorError(f"splats.from_mesh: expected a mesh or a material, got {type(mesh).__name__.lower()}")
    yield Progress(0.1, "sampling")
    context.check()
    samples = sampled_surface(mesh, params.count, params.detail, np.random.default_rng(request.seed), context.check)
    yield Progress(0.4, "colouring")
    colour, has_colour = material_colour(mesh, samples, context.check)
    if not has_colour:
        yield Note("The mesh has neither a material nor vertex colours: the splats are a neutral grey.")
    if context.wants_previews:
        yield Preview(_picture(samples, colour))
    light = np.ones(params.count, np.float32)
    if params.occlusion:
        yield Progress(0.6, "occlusion")
        light = light - np.float32(params.occlusion) * (1 - occlusion_of(samples, context.check))
    if params.shading:
        light = light * (1 - params.shading + params.shading * (0.65 + 0.5 * samples.normals[:, 1]))
    yield Progress(0.9, "packing")
    context.check()
    shown = srgb_from_linear(np.clip(colour * light[:, None], 0, 1))
    # The Gaussians of neighbours a spacing s apart close the surface when their deviation is near s/2.
    flat = samples.spacings * np.float32(0.55 * params.coverage)
    scales = np.stack((flat, flat, flat * np.float32(params.thickness)), -1)
    yield Produced(
        Splats(
            positions=samples.positions,
            rotations=frames_along(samples.normals),
            scales=np.ascontiguousarray(scales, np.float32),
            opacities=np.full(params.count, params.opacity, np.float32),
            sh=((shown - 0.5) / SH_DC).astype(np.float32)[:, None],
            name=mesh.name or "splats",
        )
    )


def material_sphere(material: Material, radius_m: float) -> Mesh:
    """A sphere that carries a material, displaced by its height map, with the tile repeated twice around."""
    from engines.kinds import MapName

    rows, columns = SPHERE_ROWS, 2 * SPHERE_ROWS
    v, u = np.meshgrid(np.linspace(0, 1, rows + 1), np.linspace(0, 1, columns + 1), indexing="ij")
    polar, around = v * np.pi, u * 2 * np.pi
    normal = np.stack((np.sin(polar) * np.sin(around), np.cos(polar), np.sin(polar) * np.cos(around)), -1)
    uvs = np.stack((2 * u, 1 - v), -1).reshape(-1, 2).astype(np.float32)
    lifted = np.full((rows + 1, columns + 1), radius_m)
    if MapName.HEIGHT in material.maps:
        from generators.procedural.surface_sampling import looked_up

        height = looked_up(material.maps[MapName.HEIGHT], uvs)[:, 0].reshape(rows + 1, columns + 1)
        depth = material.height_m * (np.pi * radius_m / material.tile_m)
        # Both seams and the poles are single points of the sphere: faded to the undisplaced surface at the poles.
        lifted = lifted + (height - 0.5) * depth * np.clip(np.sin(polar) * 4, 0, 1)
    index = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]))
    faces = np.concatenate((np.stack((a, b, c), -1), np.stack((c, b, d), -1))).astype(np.uint32)
    return Mesh(
        positions=(normal * lifted[..., None]).reshape(-1, 3).astype(np.float32),
        faces=faces,
        uvs=uvs,
        material=material,
        name=material.name or "material sphere",
    )


def _picture(samples: Samples, colour: FloatArray, size_px: int = 256) -> FloatArray:
    """The points seen from the front, nearest last, float32 linear [size, size, 3]."""
    points: Array = samples.positions[:, :2]
    low, high = points.min(0), points.max(0)
    scale = 0.9 * size_px / max(float((high - low).max()), 1e-9)
    pixel = ((points - (low + high) / 2) * scale + size_px / 2).astype(np.intp).clip(0, size_px - 1)
    order = np.argsort(samples.positions[:, 2], kind="stable")
    out = np.full((size_px, size_px, 3), 0.16, np.float32)
    lit = colour * (0.35 + 0.65 * np.clip(samples.normals @ np.array([-0.3, 0.6, 0.74], np.float32), 0, 1))[:, None]
    out[size_px - 1 - pixel[order, 1], pixel[order, 0]] = lit[order]
    return out
