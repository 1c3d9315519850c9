"""What the splat editors can be told, as data; importing this loads nothing heavy."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from generators.spec import Params

Metres = float


def _slider(title: str, help_: str, low: float, high: float, **hints: Any) -> Meta:
    return Meta(ge=low, le=high, title=title, description=help_, extra_json_schema={"ui": "slider", **hints})


def _choice(title: str, help_: str, **hints: Any) -> Meta:
    return Meta(title=title, description=help_, extra_json_schema={"ui": "choice", **hints})


def _switch(title: str, help_: str, **hints: Any) -> Meta:
    return Meta(title=title, description=help_, extra_json_schema={"ui": "switch", **hints})


def _place(title: str, help_: str) -> Meta:
    return _slider(title, help_, -100_000.0, 100_000.0, unit="m", step=0.05)


def _length(title: str, help_: str) -> Meta:
    return _slider(title, help_, 1e-4, 100_000.0, unit="m", step=0.05)


def _angle(title: str, help_: str) -> Meta:
    return _slider(title, help_, -360.0, 360.0, unit="deg", step=1)


class CropParams(Params):
    """A box or a sphere, and which side of it stays."""

    shape: Annotated[Literal["box", "sphere"], _choice("Shape", "What the cloud is cut with.")] = "box"
    keep: Annotated[Literal["inside", "outside"], _choice("Keep", "Which part stays.")] = "inside"
    centre_x_m: Annotated[Metres, _place("Centre x", "Middle of the shape, to the right.")] = 0.0
    centre_y_m: Annotated[Metres, _place("Centre y", "Middle of the shape, upwards.")] = 0.0
    centre_z_m: Annotated[Metres, _place("Centre z", "Middle of the shape, towards the viewer.")] = 0.0
    size_x_m: Annotated[Metres, _length("Size x", "Width of the box.")] = 2.0
    size_y_m: Annotated[Metres, _length("Size y", "Height of the box.")] = 2.0
    size_z_m: Annotated[Metres, _length("Size z", "Depth of the box.")] = 2.0
    radius_m: Annotated[Metres, _length("Radius", "Radius of the sphere.")] = 1.0
    rotate_x_deg: Annotated[float, _angle("Turn about x", "Of the box; about fixed axes, x first.")] = 0.0
    rotate_y_deg: Annotated[float, _angle("Turn about y", "Of the box; after x.")] = 0.0
    rotate_z_deg: Annotated[float, _angle("Turn about z", "Of the box; last.")] = 0.0
    softness_m: Annotated[
        Metres,
        _slider(
            "Soft edge", "Depth over which opacity rises from nothing to its own; 0 cuts hard.", 0.0, 1000.0, unit="m"
        ),
    ] = 0.0
    edge: Annotated[
        Literal["centre", "whole"],
        _choice("Splats at the edge", "centre judges by their middles, whole drops those that stick out."),
    ] = "centre"


class CleanParams(Params):
    """What counts as dirt."""

    strength: Annotated[
        float, _slider("Strength", "0 takes only what is certainly dirt, 1 all that may be.", 0.0, 1.0, step=0.05)
    ] = 0.5
    faint: Annotated[bool, _switch("Faint splats", "Remove what is nearly transparent.")] = True
    oversized: Annotated[bool, _switch("Oversized splats", "Remove what is as large as the scene.")] = True
    needles: Annotated[bool, _switch("Needles", "Remove long thin spikes that stick out of their surroundings.")] = True
    floaters: Annotated[bool, _switch("Floaters", "Remove what hangs alone, far from its neighbours.")] = True
    islands: Annotated[bool, _switch("Islands", "Remove small groups that touch nothing else.")] = True
    neighbours: Annotated[
        int, _slider("Neighbours", "How many neighbours are looked at.", 4, 32, step=1, advanced=True)
    ] = 12


class TransformParams(Params):
    """Where the cloud goes; done in this order: level, size, mirror, turn, place, move."""

    level: Annotated[
        Literal["off", "nearly", "any"],
        _choice(
            "Stand upright",
            "Find the ground and make it level at height 0: nearly where up is about up already, any where it may lie "
            "on its side or its head.",
        ),
    ] = "off"
    scale: Annotated[float, _slider("Scale", "Grow or shrink about the origin.", 1e-4, 10_000.0, step=0.05)] = 1.0
    known: Annotated[
        Literal["none", "height", "distance"],
        _choice("Known size", "Bring to real size by the cloud's own height, or by any distance you measured in it."),
    ] = "none"
    real_m: Annotated[Metres, _length("Real size", "What the height or the distance is in the world.")] = 1.0
    measured: Annotated[
        float, _slider("Measured", "The same distance as it is in the cloud now.", 1e-6, 1e6, unit="m", step=0.05)
    ] = 1.0
    mirror: Annotated[Literal["none", "x", "y", "z"], _choice("Mirror", "Flip along an axis.")] = "none"
    rotate_x_deg: Annotated[float, _angle("Turn about x", "About fixed axes, x first.")] = 0.0
    rotate_y_deg: Annotated[float, _angle("Turn about y", "After x.")] = 0.0
    rotate_z_deg: Annotated[float, _angle("Turn about z", "Last.")] = 0.0
    pivot: Annotated[Literal["origin", "centre"], _choice("Pivot", "What turns and mirrors leave in place.")] = "origin"
    place: Annotated[
        Literal["keep", "centre", "on_ground"],
        _choice("Place", "Leave where it is, put its middle at the origin, or stand it there on height 0."),
    ] = "keep"
    move_x_m: Annotated[Metres, _place("Move x", "To the right, after all else.")] = 0.0
    move_y_m: Annotated[Metres, _place("Move y", "Upwards, after all else.")] = 0.0
    move_z_m: Annotated[Metres, _place("Move z", "Towards the viewer, after all else.")] = 0.0


class MergeParams(Params):
    """How clouds become one."""

    align: Annotated[
        Literal["none", "fit", "search"],
        _choice(
            "Align",
            "none takes them as they stand; fit moves each onto the first from where it stands (within some 20°); "
            "search also tries other starts all around the vertical.",
        ),
    ] = "none"
    rescale: Annotated[bool, _switch("Fit scale too", "Let clouds grow or shrink to fit, by up to half.")] = False
    duplicates: Annotated[
        Literal["keep", "remove"],
        _choice("Doubled splats", "remove drops what a cloud before already shows at the same place."),
    ] = "keep"
    tolerance: Annotated[
        float,
        _slider(
            "Doubled within",
            "How near is the same place, in spacings of the splats.",
            0.1,
            5.0,
            step=0.1,
            advanced=True,
        ),
    ] = 1.0


Budget = Annotated[
    int,
    _slider("Splats", "How many are to remain.", 1, 10_000_000, suggestions=[10_000, 50_000, 200_000, 1_000_000]),
]


class DecimateParams(Params):
    """How small the cloud is to become."""

    by: Annotated[Literal["share", "count"], _choice("Budget", "As a share of the cloud or as a number of splats.")] = (
        "share"
    )
    share: Annotated[float, _slider("Share", "What part of the splats is to remain.", 0.001, 1.0, step=0.05)] = 0.5
    count: Budget = 50_000


class LevelsParams(Params):
    """How many levels of detail, and how fast they fall."""

    levels: Annotated[int, _slider("Levels", "How many clouds, the finest included.", 2, 8, step=1)] = 4
    ratio: Annotated[float, _slider("Ratio", "Splats of each level against the one before.", 0.05, 0.9, step=0.05)] = (
        0.4
    )
    finest: Annotated[
        int,
        _slider("Finest", "Splats of lod0; 0 leaves it as it is.", 0, 10_000_000, suggestions=[0, 100_000, 500_000]),
    ] = 0


class RecolourParams(Params):
    """A grade for the whole cloud."""

    exposure_stops: Annotated[float, _slider("Exposure", "Doubles the light with each stop.", -6.0, 6.0, step=0.1)] = (
        0.0
    )
    contrast: Annotated[float, _slider("Contrast", "Spread of lightness around mid grey.", 0.0, 3.0, step=0.05)] = 1.0
    saturation: Annotated[float, _slider("Saturation", "0 is grey.", 0.0, 3.0, step=0.05)] = 1.0
    hue_deg: Annotated[float, _angle("Hue", "Turn of all hues.")] = 0.0
    temperature_k: Annotated[
        float,
        _slider(
            "Temperature", "Of the light in the scene: lower is warmer, 6500 leaves it.", 2000.0, 20_000.0,
            unit="K", step=100,
        ),
    ] = 6500.0  # fmt: skip
    tint: Annotated[float, _slider("Tint", "Green below 0, magenta above.", -1.0, 1.0, step=0.05)] = 0.0
    strength: Annotated[
        float, _slider("Match", "How far the colours follow the reference picture.", 0.0, 1.0, step=0.05)
    ] = 1.0
    method: Annotated[
        Literal["transport", "mean"],
        _choice(
            "Match by", "transport gives the cloud the picture's whole palette, mean only its average, spread and cast."
        ),
    ] = "transport"


class RelightParams(Params):
    """A lamp far away, and what is left of the light that was there."""

    azimuth_deg: Annotated[
        float, _slider("Azimuth", "Where the light comes from: 0 front, 90 right.", -360.0, 360.0, unit="deg", step=5)
    ] = 45.0
    elevation_deg: Annotated[
        float, _slider("Elevation", "0 at the horizon, 90 overhead.", -90.0, 90.0, unit="deg", step=5)
    ] = 45.0
    light: Annotated[float, _slider("Light", "Strength of the lamp.", 0.0, 8.0, step=0.1)] = 1.2
    ambient: Annotated[float, _slider("Ambient", "What reaches every side alike.", 0.0, 4.0, step=0.05)] = 0.35
    colour: Annotated[
        str,
        Meta(
            title="Colour", description="Of the lamp, as #rrggbb.", pattern="^#[0-9a-fA-F]{6}$",
            extra_json_schema={"ui": "colour"}, max_length=7,
        ),
    ] = "#ffffff"  # fmt: skip
    shadows: Annotated[float, _slider("Shadows", "How dark cast shadows are.", 0.0, 1.0, step=0.05)] = 0.8
    wrap: Annotated[
        float, _slider("Softness", "How far light creeps around edges, and how soft shadows are.", 0.0, 1.0, step=0.05)
    ] = 0.25


class FromImageParams(Params):
    """How deep the picture is taken to be."""

    guess: Annotated[
        Literal["ground", "gradient", "focus", "centre"],
        _choice(
            "Depth guess",
            "Used where no depth picture is given: ground is a floor below the horizon and a backdrop above, gradient "
            "takes lower for nearer, focus takes sharp for near, centre takes the middle for near.",
        ),
    ] = "gradient"
    horizon: Annotated[
        float, _slider("Horizon", "Its height in the picture, 0 top, 1 bottom (ground).", 0.0, 0.95, step=0.05)
    ] = 0.45
    depth_is: Annotated[
        Literal["near_bright", "far_bright", "metres"],
        _choice("Depth picture", "How it is to be read; metres for float pictures that hold distances."),
    ] = "near_bright"
    near_m: Annotated[Metres, _length("Nearest", "Distance of what is nearest.")] = 1.5
    far_m: Annotated[Metres, _length("Farthest", "Distance of what is farthest.")] = 6.0
    fov_deg: Annotated[
        float, _slider("Field of view", "Of the picture's longer side.", 10.0, 120.0, unit="deg", step=1)
    ] = 55.0
    size_px: Annotated[
        int,
        _slider(
            "Detail", "Longer side of the picture in splats.", 64, 2048, unit="px", suggestions=[256, 384, 512, 1024]
        ),
    ] = 384
    layers: Annotated[
        int,
        _slider(
            "Hidden layers", "0 leaves gaps behind edges, 1 closes them with what is farthest, 2 with both sides.", 0, 2
        ),
    ] = 2
    swing_deg: Annotated[
        float, _slider("Swing", "How far to the sides it is to be looked at.", 0.0, 40.0, unit="deg", step=1)
    ] = 15.0
    border: Annotated[
        bool, _switch("Fill the rim", "Make up what the swing shows beyond the picture's rim, mirrored from within.")
    ] = True
