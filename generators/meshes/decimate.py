"""`mesh.decimate`: fewer triangles of the same shape and look."""

from __future__ import annotations

from collections.abc import Iterator

from engines.assets import Mesh
from generators.events import Context, Event, Note, Produced, Progress, Request
from generators.meshes.decimation import decimated
from generators.meshes.inputs import given_mesh, joined, picture, size_of
from generators.meshes.isosurface import Check, Surface
from generators.meshes.specs import DecimateParams
from generators.meshes.transfer import Wanted, dressed, recoloured, unfolded

REACH = 0.03


def run(request: Request, context: Context) -> Iterator[Event]:
    """One mesh of at most `triangles` where the shape allows it; a closed one stays closed."""
    params = request.params
    if not isinstance(params, DecimateParams):
        raise TypeError(f"mesh.decimate wants DecimateParams, got {type(params).__name__}")
    mesh = given_mesh(request)
    if len(mesh.faces) <= params.triangles:
        yield Note(f"the mesh has {len(mesh.faces):,} triangles already; it is left as it is")
        yield Produced(mesh)
        return
    yield Progress(0.05, f"reducing {len(mesh.faces):,} triangles")
    surface = joined(mesh, context.check)
    low = decimated(surface, params.triangles, context.check)
    if len(low.faces) > params.triangles:
        yield Note(
            f"{len(low.faces):,} triangles is as few as the shape allows without tearing it; "
            f"{params.triangles:,} were asked for"
        )
    yield Progress(0.4, "carrying the look over")
    result = clothed(low, mesh, params.texture_px if params.texture == "bake" else 0, context.check)
    if context.wants_previews:
        yield picture(result)
    yield Note(f"{len(mesh.faces):,} triangles became {len(result.faces):,}")
    yield Produced(result)


def clothed(low: Surface, source: Mesh, texture_px: int, check: Check) -> Mesh:
    """The surface with the source's look: a baked material, or its vertex colours; bare when `texture_px` is 0."""
    if source.material is None or not texture_px:
        return recoloured(low, source, REACH * size_of(source), check)
    flat, _ = unfolded(low, texture_px, source.name, check)
    check()
    return dressed(flat, source, Wanted(texture_px), REACH * size_of(source), check)
