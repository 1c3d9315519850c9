"""What works live: the declarations and their parameters, and nothing that computes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from engines.kinds import Kind
from generators.spec import GeneratorSpec, Live, Needs, Params, Port

COMPILING = "compiling its inner loops, once on this machine: about half a minute"
"""Told while a generator loads for the first time."""


def _share(title: str, description: str, step: float = 0.05) -> Meta:
    return Meta(
        ge=0.0, le=1.0, title=title, description=description,
        extra_json_schema={"unit": "", "ui": "slider", "step": step},
    )  # fmt: skip


def _hint(**hints: Any) -> dict[str, Any]:
    return {"unit": "", "ui": "slider", **hints}


class PainterlyParams(Params):
    """How the picture is painted."""

    stroke_px: Annotated[
        float,
        Meta(ge=3.0, le=48.0, title="Brush", description="Width of the largest brush.",
             extra_json_schema=_hint(unit="px", step=0.5)),
    ] = 12.0  # fmt: skip
    detail: Annotated[float, _share("Detail", "How readily smaller brushes are taken where there is more to see.")] = (
        0.7
    )
    length: Annotated[
        float,
        Meta(ge=1.0, le=8.0, title="Stroke length", description="Length of a stroke, in widths of its brush.",
             extra_json_schema=_hint(step=0.25)),
    ] = 3.5  # fmt: skip
    palette: Annotated[float, _share("Palette", "How far colours are drawn to few, richer tones.")] = 0.3
    variety: Annotated[float, _share("Variety", "How much one stroke's colour differs from the next.")] = 0.4
    relief: Annotated[float, _share("Relief", "How thick the paint lies.")] = 0.5
    canvas: Annotated[float, _share("Canvas", "How much of the weave shows through.")] = 0.35


PAINTERLY = GeneratorSpec(
    id="live.painterly",
    title="Painting",
    promise="Paints what you see with brush strokes along its edges, while you work.",
    gives=(),
    params=PainterlyParams,
    needs=Needs(memory_gb=0.3),
    live=Live(start="generators.live.painterly:start", wants=("colour",)),
    prepare="generators.live.warm:painterly",
)


class RetextureParams(Params):
    """What everything in view is made of, and how it is lit."""

    material: Annotated[
        str,
        Meta(max_length=400, title="Material", description="What surfaces are made of, in words.",
             extra_json_schema={"ui": "text", "suggestions": [
                 "old stone wall", "mossy cobblestone", "red bricks", "white plaster, cracked", "dark oak planks",
                 "rusty metal", "gold", "terrazzo", "concrete"]}),
    ] = "old stone wall"  # fmt: skip
    above: Annotated[
        str,
        Meta(max_length=400, title="On top", description="What lies on surfaces that face up; empty: the same.",
             extra_json_schema={"ui": "text", "suggestions": ["grass", "snow", "moss", "sand", "forest floor"]}),
    ] = ""  # fmt: skip
    tile_m: Annotated[
        Annotated[float, Meta(ge=0.02, le=100.0)] | None,
        Meta(title="Tile", description="Width of the material's tile; empty: its natural size.",
             extra_json_schema=_hint(unit="m", step=0.05)),
    ] = None  # fmt: skip
    sun_turn_deg: Annotated[
        float,
        Meta(ge=-360.0, le=360.0, title="Sun, turned", description="Where the sun stands, from the front to the right.",
             extra_json_schema=_hint(unit="deg", step=1)),
    ] = 40.0  # fmt: skip
    sun_height_deg: Annotated[
        float,
        Meta(ge=0.0, le=90.0, title="Sun, height", description="How high it stands; low suns are warm.",
             extra_json_schema=_hint(unit="deg", step=1)),
    ] = 42.0  # fmt: skip
    sun: Annotated[
        float, Meta(ge=0.0, le=4.0, title="Sun", description="Strength of the sun.", extra_json_schema=_hint(step=0.05))
    ] = 1.0
    sky: Annotated[
        float, Meta(ge=0.0, le=4.0, title="Sky", description="Strength of the sky.", extra_json_schema=_hint(step=0.05))
    ] = 1.0
    haze: Annotated[float, _share("Haze", "How soon distance fades.")] = 0.0
    relief: Annotated[
        float,
        Meta(ge=0.0, le=2.0, title="Relief", description="How strongly the material's bumps catch the light.",
             extra_json_schema=_hint(step=0.05)),
    ] = 1.0  # fmt: skip
    exposure: Annotated[
        float,
        Meta(ge=-4.0, le=4.0, title="Exposure", description="Brightness, in stops.",
             extra_json_schema=_hint(unit="stops", step=0.1)),
    ] = 0.0  # fmt: skip
    shadow_m: Annotated[
        float,
        Meta(gt=0.0, le=50.0, title="Contact", description="How far surfaces darken each other.",
             extra_json_schema=_hint(unit="m", step=0.05, advanced=True)),
    ] = 0.5  # fmt: skip
    texture_px: Annotated[
        Literal[256, 512, 1024],
        Meta(title="Texture size", description="Pixels of the material's tile.",
             extra_json_schema={"unit": "px", "advanced": True}),
    ] = 512  # fmt: skip


RETEXTURE = GeneratorSpec(
    id="live.retexture",
    title="Re-texture",
    promise="Shows what you see in any procedural material, in sun and sky, before anything is textured.",
    gives=(),
    params=RetextureParams,
    needs=Needs(memory_gb=0.7),
    live=Live(start="generators.live.retexture:start", wants=("depth", "camera"), optional=("normal",)),
    prepare="generators.live.warm:retexture",
)


class ViewSplatsParams(Params):
    """How a cloud of splats is shown."""

    background: Annotated[
        Literal["transparent", "black", "grey", "white"],
        Meta(title="Background", description="What lies behind the cloud."),
    ] = "transparent"
    splat_scale: Annotated[
        float,
        Meta(ge=0.05, le=2.0, title="Splat size", description="Smaller splats show what the cloud is made of.",
             extra_json_schema=_hint(step=0.05)),
    ] = 1.0  # fmt: skip
    view_dependent: Annotated[
        bool, Meta(title="Gloss", description="Whether colours change with the direction they are seen from.")
    ] = True


VIEW_SPLATS = GeneratorSpec(
    id="view.splats",
    title="Splats, as they are",
    promise="Shows a cloud of splats truly rendered for your camera: roughly while it moves, in full when it rests.",
    gives=(),
    params=ViewSplatsParams,
    takes=(Port(name="splats", kinds=(Kind.SPLATS,), help="The cloud to look at"),),
    needs=Needs(memory_gb=1.0, modules=("numba",)),
    live=Live(start="generators.live.view_splats:start", wants=("camera",), refines=True),
    prepare="generators.live.warm:splats",
)

SPECS = (PAINTERLY, RETEXTURE, VIEW_SPLATS)
