"""The small embedded generators as data: noise, rock, terrain, loops, splats, sound effects, exemplar materials."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from engines.kinds import Kind
from generators.spec import GeneratorSpec, Needs, Params, Port

NoiseKind = Literal[
    "perlin", "ridged", "billow", "worley", "cells", "cracks", "blue", "white", "caustics", "gradient"
]  # fmt: skip
RockStone = Literal["granite", "sandstone", "basalt", "limestone", "mossy"]
TerrainForm = Literal["mountains", "hills", "canyons", "island", "dunes"]
LoopKind = Literal["fire", "smoke", "caustics", "clouds", "plasma", "ripples"]
EffectKind = Literal[
    "auto", "wood", "metal", "glass", "stone", "footstep", "wind", "rain", "fire", "water", "whoosh", "click",
    "explosion", "engine", "hum",
]  # fmt: skip
Ground = Literal["gravel", "wood", "concrete", "grass", "snow", "metal"]


def _ui(**hints: Any) -> dict[str, Any]:
    return hints


def _slider(title: str, help_: str, low: float, high: float, **hints: Any) -> Meta:
    """Bounds, words and panel hints of one number; `advanced` and `unit` are passed on as hints."""
    return Meta(ge=low, le=high, title=title, description=help_, extra_json_schema=_ui(ui="slider", **hints))


def _choice(title: str, help_: str, **hints: Any) -> Meta:
    return Meta(title=title, description=help_, extra_json_schema=_ui(ui="choice", **hints))


def _switch(title: str, help_: str, **hints: Any) -> Meta:
    return Meta(title=title, description=help_, extra_json_schema=_ui(ui="switch", **hints))


def _colour(title: str, help_: str) -> Meta:
    return Meta(
        title=title, description=help_, pattern="^(#[0-9a-fA-F]{6})?$", extra_json_schema=_ui(ui="colour"), max_length=7
    )


POWERS_OF_TWO = [64, 128, 256, 512, 1024, 2048, 4096]


class NoiseParams(Params):
    """A noise map that wraps in both directions."""

    kind: Annotated[NoiseKind, _choice("Kind", "Which noise: clouds, ridges, cells, cracks, dither or light.")] = (
        "perlin"
    )
    size_px: Annotated[
        int, _slider("Size", "Width and height of the map.", 64, 4096, unit="px", suggestions=POWERS_OF_TWO)
    ] = 512
    frequency: Annotated[
        int, _slider("Frequency", "How many features fit across one tile at the coarsest octave.", 1, 64, step=1)
    ] = 6
    octaves: Annotated[
        int, _slider("Octaves", "Layers of ever finer detail, each at twice the frequency.", 1, 10, step=1)
    ] = 5
    gain: Annotated[
        float, _slider("Gain", "How strong each finer octave is against the one before.", 0.05, 0.95, step=0.05)
    ] = 0.5
    warp: Annotated[
        float, _slider("Warp", "How far the pattern is bent by a second, coarse noise.", 0.0, 1.0, step=0.05)
    ] = 0.0
    contrast: Annotated[
        float, _slider("Contrast", "Spread around middle grey; 1 uses the full range exactly.", 0.0, 4.0, step=0.05)
    ] = 1.0
    brightness: Annotated[float, _slider("Brightness", "Added after the contrast.", -1.0, 1.0, step=0.05)] = 0.0
    invert: Annotated[bool, _switch("Invert", "Swap dark and light.")] = False
    channels: Annotated[
        Literal["grey", "rgb"],
        _choice("Channels", "One channel, or three independent noises (for flow maps, dithering, masks)."),
    ] = "grey"
    depth: Annotated[
        Literal["8", "16", "float"],
        _choice("Bit depth", "8 bits for previews, 16 or float for heights.", advanced=True),
    ] = "8"


class RockParams(Params):
    """A closed boulder with fracture faces."""

    triangles: Annotated[
        int,
        _slider(
            "Triangles", "Triangle budget; the nearest subdivision is used.", 500, 200_000,
            suggestions=[500, 2000, 8000, 20_000, 80_000, 200_000],
        ),
    ] = 20_000  # fmt: skip
    size_m: Annotated[float, _slider("Size", "Longest horizontal extent.", 0.05, 50.0, unit="m", step=0.05)] = 1.2
    flatness: Annotated[float, _slider("Flatness", "0 as tall as wide, 1 a slab.", 0.0, 1.0, step=0.05)] = 0.35
    fractures: Annotated[
        int, _slider("Fractures", "Number of planar breaks that shape it; 0 leaves a river pebble.", 0, 40, step=1)
    ] = 16
    sharpness: Annotated[float, _slider("Edge sharpness", "Worn round to freshly broken.", 0.0, 1.0, step=0.05)] = 0.7
    roughness: Annotated[
        float, _slider("Surface roughness", "Depth of lumps, pits and ridges.", 0.0, 1.0, step=0.05)
    ] = 0.5
    strata: Annotated[float, _slider("Strata", "Depth of sedimentary layers; 0 for none.", 0.0, 1.0, step=0.05)] = 0.0
    stone: Annotated[RockStone, _choice("Stone", "Which stone the surface is.")] = "granite"
    moss: Annotated[float, _slider("Moss", "How far moss covers what faces up.", 0.0, 1.0, step=0.05)] = 0.15
    texture_px: Annotated[
        int,
        Meta(
            ge=256,
            le=2048,
            multiple_of=256,
            title="Texture size",
            description="Side of the material's maps.",
            extra_json_schema=_ui(ui="slider", unit="px", step=256, suggestions=[256, 512, 1024]),
        ),
    ] = 512


class TerrainParams(Params):
    """A landscape shaped by water and gravity."""

    grid: Annotated[
        int, _slider("Grid", "Vertices along one side.", 64, 1024, suggestions=[64, 128, 256, 512, 1024])
    ] = 256
    form: Annotated[TerrainForm, _choice("Form", "What the land is before it weathers.")] = "mountains"
    size_m: Annotated[float, _slider("Side", "Length of one side.", 10.0, 20_000.0, unit="m", step=10)] = 2000.0
    height_m: (
        Annotated[
            float,
            _slider(
                "Height", "From the lowest to the highest point. Empty: the form's own.", 1.0, 4000.0, unit="m", step=5
            ),
        ]
        | None
    ) = None
    feature_scale: Annotated[
        float, _slider("Feature scale", "Larger gives fewer, broader massifs.", 0.3, 3.0, step=0.1)
    ] = 1.0
    erosion: Annotated[
        float, _slider("Erosion", "How deep running water cuts; 0 leaves the raw form.", 0.0, 1.0, step=0.05)
    ] = 0.6
    deposition: Annotated[
        float, _slider("Deposits", "How much of the eroded rock fills valley floors.", 0.0, 1.0, step=0.05)
    ] = 0.4
    talus_deg: Annotated[
        float, _slider("Talus angle", "Steepest slope that loose rock can hold.", 20.0, 70.0, unit="deg", step=1)
    ] = 42.0
    snow_line: Annotated[
        float,
        _slider(
            "Snow line", "Share of the height above which snow lies; 1 for none, lower for hills.", 0.0, 1.0, step=0.02
        ),
    ] = 0.64
    tree_line: Annotated[
        float, _slider("Grass line", "Share of the height up to which grass grows.", 0.0, 1.0, step=0.02)
    ] = 0.36
    texture_px: Annotated[
        int,
        _slider("Texture size", "Side of the baked maps.", 256, 4096, unit="px", suggestions=[512, 1024, 2048]),
    ] = 1024


class LoopParams(Params):
    """A moving picture without beginning or end."""

    kind: Annotated[LoopKind, _choice("Kind", "What moves.")] = "fire"
    size_px: Annotated[
        int, _slider("Size", "Width and height.", 64, 1024, unit="px", step=2, suggestions=[128, 256, 512, 1024])
    ] = 256
    frames: Annotated[int, _slider("Frames", "Length of one loop.", 8, 240, suggestions=[16, 32, 48, 64, 96])] = 48
    fps: Annotated[
        float, _slider("Frame rate", "Frames a second.", 1.0, 120.0, unit="Hz", suggestions=[24, 30, 60])
    ] = 24.0
    scale: Annotated[float, _slider("Scale", "Size of the features in the picture.", 0.25, 4.0, step=0.05)] = 1.0
    speed: Annotated[float, _slider("Speed", "How fast things move.", 0.1, 4.0, step=0.1)] = 1.0
    intensity: Annotated[float, _slider("Intensity", "Brightness, density or contrast.", 0.1, 3.0, step=0.05)] = 1.0
    turbulence: Annotated[float, _slider("Turbulence", "How much it swirls.", 0.0, 1.0, step=0.05)] = 0.5
    tint: Annotated[str, _colour("Tint", "Colour as #rrggbb; empty for the natural one.")] = ""
    transparent: Annotated[
        bool, _switch("Transparent", "Straight alpha instead of a dark ground (fire, smoke, clouds, plasma).")
    ] = False


class SplatsFromMeshParams(Params):
    """A surface as Gaussian splats."""

    count: Annotated[
        int,
        _slider("Splats", "How many Gaussians.", 1000, 2_000_000, suggestions=[10_000, 50_000, 200_000, 1_000_000]),
    ] = 100_000
    coverage: Annotated[
        float, _slider("Coverage", "Splat size against the spacing of the samples.", 0.3, 3.0, step=0.05)
    ] = 1.0
    thickness: Annotated[
        float, _slider("Thickness", "Extent along the normal against the extent along the surface.", 0.01, 1.0)
    ] = 0.1
    opacity: Annotated[float, _slider("Opacity", "Opacity of every splat.", 0.05, 1.0, step=0.05)] = 0.95
    detail: Annotated[
        float, _slider("Detail", "Spend more, smaller splats where the surface bends.", 0.0, 1.0, step=0.05)
    ] = 0.3
    occlusion: Annotated[float, _slider("Occlusion", "Strength of the baked ambient occlusion.", 0.0, 1.0)] = 0.6
    shading: Annotated[float, _slider("Sky shading", "Strength of a baked soft light from above.", 0.0, 1.0)] = 0.25
    sh_degree: Annotated[
        Literal[0], _choice("SH degree", "Surfaces carry one colour: only degree 0 is known.", advanced=True)
    ] = 0
    sphere_radius_m: Annotated[
        float,
        _slider("Sphere radius", "Radius of the sphere that a material is put on.", 0.01, 100.0, unit="m"),
    ] = 0.5


class EffectParams(Params):
    """A sound from words or numbers."""

    prompt: Annotated[
        str,
        Meta(
            title="Prompt",
            description="Words that pick the sound, such as 'heavy metal clang' or 'steps on gravel'.",
            max_length=500,
            extra_json_schema=_ui(ui="text"),
        ),
    ] = ""
    kind: Annotated[EffectKind, _choice("Kind", "Which sound; auto reads the prompt.")] = "auto"
    duration_secs: Annotated[
        float, _slider("Duration", "Length of an ambience or upper limit of a one-shot.", 0.05, 60.0, unit="s")
    ] = 4.0
    size: Annotated[float, _slider("Size", "Small and high to huge and deep.", 0.0, 1.0, step=0.05)] = 0.5
    hardness: Annotated[float, _slider("Hardness", "Soft mallet to hammer.", 0.0, 1.0, step=0.05)] = 0.6
    damping: Annotated[float, _slider("Damping", "Rings long to dies at once.", 0.0, 1.0, step=0.05)] = 0.4
    intensity: Annotated[
        float, _slider("Intensity", "Drizzle to downpour, breeze to storm, idle to full.", 0.0, 1.0)
    ] = 0.5
    steps: Annotated[int, _slider("Steps", "How many footsteps.", 1, 16, step=1)] = 4
    ground: Annotated[Ground, _choice("Ground", "What footsteps fall on.")] = "gravel"
    channels: Annotated[Literal["mono", "stereo"], _choice("Channels", "Mono is placed in 3D by the host.")] = "stereo"
    variations: Annotated[int, _slider("Variations", "How many different takes.", 1, 8, step=1)] = 1


class ExemplarParams(Params):
    """A larger, seamless version of a picture or material."""

    size_px: Annotated[
        int, _slider("Size", "Side of the result.", 256, 4096, unit="px", suggestions=[512, 1024, 2048, 4096])
    ] = 1024
    coverage: Annotated[
        float, _slider("Coverage", "How many lengths of the exemplar fit across the result.", 0.5, 6.0, step=0.25)
    ] = 2.0
    patch: Annotated[
        float,
        _slider("Patch size", "Side of a patch as a share of the exemplar; larger keeps larger shapes.", 0.1, 0.5),
    ] = 0.25
    variety: Annotated[
        float, _slider("Variety", "0 always the best fitting patch, 1 freely chosen among good ones.", 0.0, 1.0)
    ] = 0.3
    flatten: Annotated[
        float,
        _slider(
            "Flatten lighting",
            "Remove the picture's broad shading and colour casts before cutting (pictures only).",
            0.0,
            1.0,
            step=0.05,
        ),
    ] = 0.7
    tile_m: Annotated[
        float, _slider("Tile size", "Side of the result in the world (pictures only).", 0.01, 100.0, unit="m")
    ] = 2.0
    height_strength: Annotated[
        float, _slider("Relief", "Depth of the estimated relief (pictures only).", 0.0, 3.0, step=0.05)
    ] = 1.0
    invert_height: Annotated[
        bool, _switch("Light is low", "Read light as low, as with pale mortar between dark bricks (pictures only).")
    ] = False
    roughness: Annotated[
        float, _slider("Roughness", "Mean of the estimated roughness (pictures only).", 0.05, 1.0, step=0.05)
    ] = 0.75


SPECS = (
    GeneratorSpec(
        id="image.noise",
        title="Noise map",
        promise="A seamless noise map for masks, heights, dithering or light.",
        gives=(Kind.IMAGE,),
        params=NoiseParams,
        run="generators.procedural.noise:run",
        needs=Needs(memory_gb=0.8),
    ),
    GeneratorSpec(
        id="mesh.rock",
        title="Rock",
        promise="A closed boulder with fracture faces, texture coordinates and a stone material.",
        gives=(Kind.MESH,),
        params=RockParams,
        run="generators.procedural.rock:run",
        version=2,
    ),
    GeneratorSpec(
        id="mesh.terrain",
        title="Eroded terrain",
        promise="A landscape carved by rivers and rockfall, with its own baked material.",
        gives=(Kind.MESH,),
        params=TerrainParams,
        run="generators.procedural.terrain:run",
        needs=Needs(memory_gb=1.5),
    ),
    GeneratorSpec(
        id="clip.loop",
        title="Looping animated texture",
        promise="Fire, smoke, caustics, clouds, plasma or rain ripples that loop without a jump.",
        gives=(Kind.CLIP,),
        params=LoopParams,
        run="generators.procedural.loop:run",
        needs=Needs(memory_gb=2.0),
    ),
    GeneratorSpec(
        id="splats.from_mesh",
        title="Splats from a mesh",
        promise="Turns a mesh, or a material on a sphere, into a cloud of Gaussian splats.",
        gives=(Kind.SPLATS,),
        takes=(
            Port(name="mesh", kinds=(Kind.MESH, Kind.MATERIAL), help="The surface; a material is put on a sphere."),
        ),
        params=SplatsFromMeshParams,
        run="generators.procedural.splats_from_mesh:run",
        version=2,
        needs=Needs(memory_gb=1.5),
    ),
    GeneratorSpec(
        id="sound.effect",
        title="Sound effect",
        promise="Impacts, footsteps, weather, machines and interface sounds from words or sliders.",
        gives=(Kind.SOUND,),
        params=EffectParams,
        run="generators.procedural.effect:run",
        version=2,
    ),
    GeneratorSpec(
        id="material.from_exemplar",
        title="Material from a picture",
        promise="Grows a photograph or a material into a larger, seamless material.",
        gives=(Kind.MATERIAL,),
        takes=(Port(name="exemplar", kinds=(Kind.IMAGE, Kind.MATERIAL), help="A texture seen straight on."),),
        params=ExemplarParams,
        run="generators.procedural.exemplar:run",
        needs=Needs(memory_gb=2.0),
        version=2,
    ),
)
