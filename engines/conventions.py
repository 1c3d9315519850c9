"""What a host believes: the vocabulary in which `blender.py`, `unity.py`, `unreal.py` and `web.py` are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from engines.kinds import ColourSpace, Kind, MapName

Direction = Literal["right", "left", "up", "down", "forward", "back"]
"""A direction as the artist looking at the scene's front would name it; neutral is +X right, +Y up, +Z back."""
Channel = Literal["r", "g", "b", "a"]


@dataclass(frozen=True)
class Axes:
    """Which way each positive axis of the host points."""

    x: Direction
    y: Direction
    z: Direction


@dataclass(frozen=True)
class PackedMap:
    """One texture that carries several data maps in its channels.

    `channels` maps a channel to the neutral map it holds; a name with a leading `1-` is stored inverted (Unity's
    smoothness is `1-roughness`). `fill` is the value of channels and maps that the material lacks.
    """

    name: str
    channels: Mapping[Channel, str]
    colour_space: ColourSpace = ColourSpace.DATA
    fill: Mapping[Channel, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Host:
    """One row: all that export needs to know of a host, each quirk with its source in the host's own file.

    `formats` gives, for every kind, the format names the host reads, the preferred one first. `plain_maps` are
    the neutral maps delivered as textures of their own, `packed` those delivered together.
    """

    name: str
    title: str
    axes: Axes
    handed: Literal["right", "left"]
    unit_m: float
    """Length of one host unit in metres: 1.0 for metres, 0.01 for centimetres."""
    front: Literal["ccw", "cw"]
    """Winding of front faces as the host's mesh API wants it."""
    normal_y: Literal[1, -1]
    """+1 when green is up (OpenGL), -1 when green is down (DirectX)."""
    uv_origin: Literal["bottom_left", "top_left"]
    formats: Mapping[Kind, tuple[str, ...]]
    plain_maps: tuple[MapName, ...]
    packed: tuple[PackedMap, ...] = ()
    quirks: tuple[str, ...] = ()
    """Sentences a person should know, each ending with its source."""
