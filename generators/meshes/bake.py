"""`mesh.bake`: the fine shapes and colours of a detailed mesh as textures of a simple one."""

from __future__ import annotations

from collections.abc import Iterator

from generators.events import Context, Event, Note, Produced, Progress, Request
from generators.meshes.inputs import given_mesh, joined, picture, size_of
from generators.meshes.specs import BakeParams
from generators.meshes.transfer import Wanted, dressed, unfolded


def run(request: Request, context: Context) -> Iterator[Event]:
    """The simple mesh, unfolded if it has no uvs, with maps baked from the detailed one."""
    params = request.params
    if not isinstance(params, BakeParams):
        raise TypeError(f"mesh.bake wants BakeParams, got {type(params).__name__}")
    low, high = given_mesh(request, "low"), given_mesh(request, "high")
    yield Progress(0.05, "unfolding" if low.uvs is None else "finding the detail of each texel")
    if low.uvs is None:
        low, charts = unfolded(joined(low, context.check), params.texture_px, low.name, context.check)
        yield Note(f"the simple mesh had no uvs; it was unfolded into {charts} charts")
    wanted = Wanted(params.texture_px, params.colour, params.normal_map, params.occlusion)
    if params.colour and high.material is None and high.colours is None:
        yield Note("the detailed mesh has no colours; none were carried over")
    yield Progress(0.3, "baking")
    result = dressed(low, high, wanted, params.reach * size_of(low), context.check)
    if context.wants_previews:
        yield picture(result)
    yield Produced(result)
