# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a result is to go, in names alone, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TargetKind = Literal[
    "auto", "active_slot", "new_material", "texture_node", "image", "sequencer", "camera_background", "cursor",
    "replace_selected", "speaker",
]  # fmt: skip
Relief = Literal["bump", "displacement"]


CAMERA_MATRIX = "world_from_camera"
"""Parameter by which a generator takes a camera: 16 numbers, row by row, +Y up."""


class PlacementError(Exception):
    """A result cannot be placed there; says why in one sentence, and what to do instead."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}. {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True)
class Target:
    """A place for a result. Names, never references: an undo or a loaded file may have come in between.

    Every empty name means "what is active when the result is placed".
    """

    kind: TargetKind = "auto"
    object_name: str = ""
    """Whose material slot, or which object is replaced; for `camera_background` the camera."""
    slot: int | None = None
    """Index of the material slot; None is the active one."""
    material_name: str = ""
    """With `node_name`, the material whose texture node takes a picture."""
    node_name: str = ""
    location_m: tuple[float, float, float] | None = None
    """World position of a new object; None is the 3D cursor."""
    frame: int | None = None
    """First frame of a strip; None is the playhead."""
    scene_name: str = ""
    relief: Relief = "bump"
    """How a material's height is used: shading alone, or geometry."""
    keep_materials: bool = True
    """On `replace_selected`: the materials of the replaced object stay, where it has some."""
    mark_asset: bool = True
    """Show a material in the Asset Browser."""
    preview: Literal["now", "later"] = "now"
    """When a material's preview is made; `later` leaves it to `placement.draw_next_preview`, called when idle."""


@dataclass(frozen=True)
class Placed:
    """What a placement did."""

    kind: str
    """Kind of the asset."""
    target: TargetKind
    """Where it went; never `auto`."""
    datablocks: tuple[tuple[str, str], ...]
    """Collection of `bpy.data` and name of what now holds the result, the principal one first; a strip is under
    `strips`."""
    changed: bool
    """False when all was in place already: nothing was touched and no undo step was made."""
    message: str
    """One sentence for the panel and the undo history."""
    notes: tuple[str, ...] = ()
    """What the artist should know, one sentence each."""


Choice = tuple[TargetKind, str, str]
"""Target, title, tooltip."""

_TEXTURE_NODE: Choice = (
    "texture_node",
    "Selected texture node",
    "Show it in the image texture node that is active in the Shader Editor",
)
_BACKGROUND: Choice = ("camera_background", "Camera background", "Show it behind the scene in the camera's view")

CHOICES: dict[str, tuple[Choice, ...]] = {
    "material": (
        ("active_slot", "Selected object", "Put the material into the active material slot of the active object"),
        ("new_material", "Material only", "Make the material without giving it to an object"),
    ),
    "image": (
        ("image", "Image", "Keep it as an image of this file, ready for any node or editor"),
        _TEXTURE_NODE,
        ("active_slot", "Selected object", "Show it as the colour of a new material on the active object"),
        _BACKGROUND,
    ),
    "clip": (
        ("active_slot", "Selected object", "Play it on the active object, glowing like a screen"),
        _TEXTURE_NODE,
        ("image", "Image", "Keep it as a movie image of this file, ready for any node or editor"),
        ("sequencer", "Video Sequencer", "Add a strip at the playhead, on a free channel"),
        _BACKGROUND,
    ),
    "mesh": (
        ("cursor", "3D cursor", "Add it as a new object at the 3D cursor"),
        (
            "replace_selected",
            "Replace selected",
            "Take the place of the active object; its transform, parent, modifiers and name stay",
        ),
    ),
    "splats": (
        ("cursor", "3D cursor", "Add the cloud as a new object at the 3D cursor"),
        ("replace_selected", "Replace selected", "Take the place of the active cloud; its transform and parent stay"),
    ),
    "sound": (
        ("sequencer", "Video Sequencer", "Add a strip at the playhead, on a free channel"),
        ("speaker", "Speaker", "Add a speaker at the 3D cursor that plays it from the playhead on"),
    ),
    "field": (),
    "scene": (),
}


def choices(kind: str) -> list[Choice]:
    """Where an asset of that kind can go, the usual place first; empty when Blender has no place for it."""
    return list(CHOICES.get(kind, ()))
