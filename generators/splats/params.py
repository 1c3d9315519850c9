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
