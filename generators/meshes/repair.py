"""`mesh.repair`: what is wrong is put right and told, until it can be printed."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np

from engines.assets import Mesh
from engines.geometry import smooth_normals
from generators.events import Context, Event, Note, Produced, Progress, Request
from generators.meshes.baking import unit
from generators.meshes.hole_filling import filled
from generators.meshes.inputs import given_mesh, picture, size_of
from generators.meshes.isosurface import Surface
from generators.meshes.manifold import mended, oriented
from generators.meshes.report import mended_words, reported
from generators.meshes.solid import closed
from generators.meshes.specs import RepairParams
from generators.meshes.topology import face_vectors
from generators.meshes.transfer import matched, recoloured
from generators.meshes.wrapping import wrapped

WELD = 1e-6
"""Vertices nearer than this share of the size are one."""
REACH = 0.05


def run(request: Request, context: Context) -> Iterator[Event]:
    """The mended mesh; notes say what was found before and what is left after."""
    params = request.params
    if not isinstance(params, RepairParams):
        raise TypeError(f"mesh.repair wants RepairParams, got {type(params).__name__}")
    mesh = given_mesh(request)
    size = size_of(mesh)
    wall_m = params.wall_mm / 1000
    yield Progress(0.05, "examining")
    surface, found = mended(mesh.positions, mesh.faces, tolerance=WELD * size, check=context.check)
    words = mended_words(found)
    yield Note(f"before: {reported(surface, wall_m, context.check).words()}")
    if words:
        yield Note(f"put right: {words}")
    yield Progress(0.4, "mending")
    if params.method == "rebuild":
        surface = wrapped(surface, params.resolution, context.check)
        yield Note(f"a new surface was made around everything, {params.resolution} cells along the longest side")
    elif params.watertight:
        surface = yield from _closed(surface, params.thickness_mm / 1000, context)
    yield Progress(0.7, "examining again")
    yield Note(f"after: {reported(surface, wall_m, context.check).words()}")
    result = _with_looks(surface, mesh, params, context)
    if mesh.material is not None and result.material is None:
        yield Note("the new surface has no uvs; run mesh.bake from the old mesh to it to carry the texture over")
    if context.wants_previews:
        yield picture(result)
    yield Produced(result)


def _closed(surface: Surface, thickness_m: float, context: Context) -> Generator[Event, None, Surface]:
    """Without any border."""
    if thickness_m > 0:
        surface, holes, thick = closed(surface, thickness_m, context.check)
        if thick:
            yield Note(f"open sheets were given a thickness of {thickness_m * 1000:.3g} mm")
    else:
        surface, holes, _ = filled(surface, None, context.check)
    if holes:
        yield Note(f"{holes} holes were closed")
    surface, _ = oriented(surface)
    return surface


def _with_looks(surface: Surface, mesh: Mesh, params: RepairParams, context: Context) -> Mesh:
    """The surface with the old mesh's look: triangles that were there keep their uvs, new ones take one colour each."""
    reach = REACH * size_of(mesh)
    if mesh.material is None or mesh.uvs is None or params.method == "rebuild":
        return recoloured(surface, mesh, reach, context.check)
    middles = np.ascontiguousarray(surface.positions[surface.faces].mean(1))
    towards = unit(face_vectors(surface.positions, surface.faces).astype(np.float32))
    old = mesh.faces[matched(mesh, middles, towards, 1e-4 * size_of(mesh), context.check).face].astype(np.int64)
    points = surface.positions[surface.faces]
    away = np.linalg.norm(points[:, :, None] - mesh.positions[old][:, None], axis=3)
    nearest = away.argmin(2)
    there = away.min(2).max(1) < 10 * WELD * size_of(mesh)
    there &= (np.sort(nearest, axis=1) == [0, 1, 2]).all(1)
    # A patch over a hole lies in no chart: one texel of its rim colours all of it.
    nearest[~there] = nearest[~there][:, :1]
    source = np.take_along_axis(old, nearest, axis=1)
    pairs = np.stack([surface.faces.ravel().astype(np.int64), source.ravel()], axis=1)
    unique, index = np.unique(pairs, axis=0, return_inverse=True)
    place, look = unique.T
    return Mesh(
        np.ascontiguousarray(surface.positions[place]),
        index.reshape(-1, 3).astype(np.uint32),
        normals=np.ascontiguousarray(smooth_normals(surface.positions, surface.faces)[place]),
        uvs=np.ascontiguousarray(mesh.uvs[look]),
        colours=None if mesh.colours is None else np.ascontiguousarray(mesh.colours[look]),
        material=mesh.material,
        name=mesh.name,
    )
