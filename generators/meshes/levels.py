"""`mesh.levels`: the same thing in ever fewer triangles, for the distance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from generators.events import Context, Event, Note, Produced, Progress, Request
from generators.meshes.decimate import clothed
from generators.meshes.decimation import decimated
from generators.meshes.inputs import given_mesh, joined, picture
from generators.meshes.specs import LevelsParams

TRIANGLES_MIN = 12


def run(request: Request, context: Context) -> Iterator[Event]:
    """The mesh itself as `lod0`, then `count` levels `lod1` … each with its own texture, half as large each time."""
    params = request.params
    if not isinstance(params, LevelsParams):
        raise TypeError(f"mesh.levels wants LevelsParams, got {type(params).__name__}")
    mesh = given_mesh(request)
    yield Produced(mesh, "lod0")
    surface = joined(mesh, context.check)
    counts = [len(mesh.faces)]
    for level in range(1, params.count + 1):
        yield Progress(level / (params.count + 1), f"level {level} of {params.count}")
        budget = max(TRIANGLES_MIN, int(len(mesh.faces) * params.ratio**level))
        surface = decimated(surface, budget, context.check)
        if len(surface.faces) >= counts[-1]:
            yield Note(f"level {level} is left out: the shape allows no fewer than {counts[-1]:,} triangles")
            break
        counts.append(len(surface.faces))
        low = clothed(surface, mesh, max(128, params.texture_px >> (level - 1)), context.check)
        if context.wants_previews:
            yield picture(low)
        yield Produced(replace(low, name=f"{mesh.name or 'mesh'} LOD{level}"), f"lod{level}")
    yield Note("triangles by level: " + ", ".join(f"{count:,}" for count in counts))
