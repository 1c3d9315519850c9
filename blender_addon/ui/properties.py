# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's side of the form: rows of values in the window manager, where neither undo nor a .blend touches them.

The value of a row is a custom property (`row["value"]`) whose limits, step, tooltip and choices are set for the
control it shows. So one class serves every parameter of every generator, and a changed catalog registers nothing.
"""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..core.controls import SEED_MAX, colour_parts, colour_text
from ..core.panel_model import categories
from ..core.targets import choices
from . import rows, session

KIND_ICONS = {
    "material": "MATERIAL",
    "image": "IMAGE_DATA",
    "clip": "FILE_MOVIE",
    "mesh": "MESH_DATA",
    "splats": "POINTCLOUD_DATA",
    "sound": "SOUND",
    "field": "VOLUME_DATA",
    "scene": "SCENE_DATA",
    "capture": "OUTLINER_OB_CAMERA",
}
# Blender evaluates the annotations below outside this module: a lambda in one would not find the module's names.
_kept: dict[str, list[tuple[Any, ...]]] = {}
"""Blender keeps no reference to the texts of dynamic choices; we must."""


def _kinds(_self: Any, _context: Any) -> list[tuple[Any, ...]]:
    one = session.maybe()
    found = categories(one.hub.generators) if one is not None else []
    items: list[tuple[Any, ...]] = [
        (row.kind, row.title, row.tip, KIND_ICONS.get(row.kind, "QUESTION"), place) for place, row in enumerate(found)
    ]
    return _keep("kinds", items or [("", "", "", "NONE", 0)])


def _targets(_self: Any, _context: Any) -> list[tuple[Any, ...]]:
    one = session.maybe()
    auto = ("auto", "Where it fits", "What is selected decides")
    return _keep("targets", [auto, *(choices(one.form.kind) if one is not None else ())])


def _keep(name: str, items: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    if _kept.get(name) != items:
        _kept[name] = items
    return _kept[name]


def _get_kind(_self: Any) -> int:
    one = session.maybe()
    found = [row.kind for row in categories(one.hub.generators)] if one is not None else []
    return found.index(one.form.kind) if one is not None and one.form.kind in found else 0


def _set_kind(_self: Any, index: int) -> None:
    one = session.current()
    rows.pull(one.form)
    one.form.choose_kind(categories(one.hub.generators)[index].kind)
    rows.show(one.form)


def _get_target(_self: Any) -> int:
    form = session.current().form
    names = ["auto", *(choice[0] for choice in choices(form.kind))]
    return names.index(form.target)


def _set_target(_self: Any, index: int) -> None:
    form = session.current().form
    form.target = ["auto", *(choice[0] for choice in choices(form.kind))][index]


def _get_colour(self: Any) -> tuple[float, float, float]:
    return colour_parts(self.get("value", "")) or (0.5, 0.5, 0.5)


def _set_colour(self: Any, colour: Any) -> None:
    self["value"] = colour_text(*colour)


def _used(self: Any, _context: Any) -> None:
    """A colour that is set needs one."""
    if self.kind == "colour":
        self["value"] = (self["value"] or "#808080") if self.used else ""


def _suggested(self: Any, _context: Any, typed: str) -> list[str]:
    one = session.maybe()
    if one is None:
        return []
    control = next((row for row in rows.form_of(self.lane).controls if row.name == self.name), None)
    listed = [text for text in control.suggestions if isinstance(text, str)] if control else []
    earlier = one.history.texts.get(self.name, [])
    return [text for text in dict.fromkeys([*earlier, *listed]) if typed.casefold() in text.casefold()]


def _get_words(self: Any) -> str:
    return str(self.get("value", ""))


def _set_words(self: Any, text: str) -> None:
    self["value"] = text


def _sources(self: Any, _context: Any) -> list[tuple[str, str, str]]:
    return rows.sources(self)


def _get_source(self: Any) -> int:
    names = [item[0] for item in rows.sources(self)]
    return names.index(self.picked) if self.picked in names else 0


def _set_source(self: Any, index: int) -> None:
    self.picked = rows.sources(self)[index][0]


def _overlay(self: Any, context: Any) -> None:
    one = session.maybe()
    if one is not None and one.live is not None:
        rows.set_overlay(one.live.overlay, self)
        for area in context.screen.areas if context.screen is not None else ():
            area.tag_redraw()


class ScenecastControl(bpy.types.PropertyGroup):
    """One parameter of the generator that is shown; its value is `["value"]`."""

    lane: StringProperty()  # type: ignore[valid-type]
    kind: StringProperty()  # type: ignore[valid-type]
    used: BoolProperty(  # type: ignore[valid-type]
        name="Set",
        description="Set it by hand; otherwise the generator decides",
        update=_used,
    )
    words: StringProperty(  # type: ignore[valid-type]
        name="Words",
        description="Say what you want to see; earlier words and suggestions come up while you type",
        get=_get_words,
        set=_set_words,
        search=_suggested,
        search_options={"SUGGESTION"},
    )
    colour: FloatVectorProperty(  # type: ignore[valid-type]
        name="Colour", subtype="COLOR_GAMMA", size=3, min=0.0, max=1.0, get=_get_colour, set=_set_colour
    )


class ScenecastInput(bpy.types.PropertyGroup):
    """One input of the generator that is shown: where it comes from."""

    lane: StringProperty()  # type: ignore[valid-type]
    picked: StringProperty()  # type: ignore[valid-type]
    source: EnumProperty(  # type: ignore[valid-type]
        name="From", description="Where this input comes from", items=_sources, get=_get_source, set=_set_source
    )
    object_name: StringProperty(name="Object", description="The object to send")  # type: ignore[valid-type]
    collection_name: StringProperty(name="Collection", description="The collection to send")  # type: ignore[valid-type]
    image_name: StringProperty(name="Image", description="The image to send")  # type: ignore[valid-type]
    path: StringProperty(  # type: ignore[valid-type]
        name="File", description="A file on this disk to send", subtype="FILE_PATH"
    )
    folder: StringProperty(  # type: ignore[valid-type]
        name="Folder", description="A folder of overlapping photographs on this disk", subtype="DIR_PATH"
    )
    views: IntProperty(  # type: ignore[valid-type]
        name="Views", description="Pictures taken from all around", default=40, min=8, max=400, soft_max=120
    )
    size_px: IntProperty(  # type: ignore[valid-type]
        name="Size",
        description="Width and height of each picture",
        default=480,
        min=64,
        max=4096,
        soft_max=1024,
        subtype="PIXEL",
    )
    look: EnumProperty(  # type: ignore[valid-type]
        name="Look",
        description="How the pictures are made; Blender is held while each is made, and free in between",
        items=[
            ("scene", "As it renders", "The scene's own render engine and lights, with few samples"),
            ("quick", "Quick", "Colours and textures in even light; a fraction of a second each"),
        ],
    )
    digest: StringProperty()  # type: ignore[valid-type]
    title: StringProperty()  # type: ignore[valid-type]


def _get_seed(_self: Any) -> str:
    return str(session.current().form.seed)


def _set_seed(_self: Any, text: str) -> None:
    form = session.current().form
    digits = "".join(mark for mark in text if mark.isdigit())
    form.seed = min(SEED_MAX, int(digits or 0))
    form.seed_fixed = True


def _get_fixed(_self: Any) -> bool:
    return bool(session.current().form.seed_fixed)


def _set_fixed(_self: Any, fixed: bool) -> None:
    session.current().form.seed_fixed = fixed


class ScenecastPanel(bpy.types.PropertyGroup):
    """All that the panels show and change."""

    kind: EnumProperty(name="Make", items=_kinds, get=_get_kind, set=_set_kind)  # type: ignore[valid-type]
    generator: StringProperty()  # type: ignore[valid-type]
    controls: CollectionProperty(type=ScenecastControl)  # type: ignore[valid-type]
    inputs: CollectionProperty(type=ScenecastInput)  # type: ignore[valid-type]
    target: EnumProperty(  # type: ignore[valid-type]
        name="Place", description="Where the result goes", items=_targets, get=_get_target, set=_set_target
    )
    seed: StringProperty(  # type: ignore[valid-type]
        name="Seed",
        description="The same seed and parameters give the same result; a whole number up to 4294967295",
        get=_get_seed,
        set=_set_seed,
    )
    seed_fixed: BoolProperty(  # type: ignore[valid-type]
        name="Keep seed",
        description="Keep this seed; otherwise each request gets a new one",
        get=_get_fixed,
        set=_set_fixed,
    )
    advanced: BoolProperty(name="More", description="Show the finer parameters")  # type: ignore[valid-type]
    live_generator: StringProperty()  # type: ignore[valid-type]
    live_controls: CollectionProperty(type=ScenecastControl)  # type: ignore[valid-type]
    live_inputs: CollectionProperty(type=ScenecastInput)  # type: ignore[valid-type]
    live_size_px: IntProperty(  # type: ignore[valid-type]
        name="Size",
        subtype="PIXEL",
        description="Longer side of the live picture; less is quicker",
        default=512,
        min=64,
        max=2048,
        soft_max=1024,
        step=64,
    )
    live_strength: FloatProperty(  # type: ignore[valid-type]
        name="Strength",
        description="How much the live picture covers the viewport",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_overlay,
    )
    live_background: FloatProperty(  # type: ignore[valid-type]
        name="Background",
        description="How much the live picture covers where there is nothing; less leaves grid and outlines to be seen",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_overlay,
    )
    live_split: FloatProperty(  # type: ignore[valid-type]
        name="Split",
        description="Leave this part of the viewport, from the left, as it is, to compare",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_overlay,
    )


CLASSES = (ScenecastControl, ScenecastInput, ScenecastPanel)


def register() -> None:
    """Hang the panel's state on the window manager."""
    bpy.types.WindowManager.scenecast = PointerProperty(type=ScenecastPanel)


def unregister() -> None:
    """Take it away."""
    del bpy.types.WindowManager.scenecast
    _kept.clear()
