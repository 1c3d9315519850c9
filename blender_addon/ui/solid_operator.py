# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours for splats in Solid mode, which shows no materials: switched on and off by the artist, never by itself."""

from __future__ import annotations

from typing import Any

import bpy

from ..placement import splat_view

COLOURED = ("FLAT", "VERTEX")
"""Lighting and colour of a viewport's Solid mode that show splats as they are: unlit, by attribute."""
USUAL = ("STUDIO", "MATERIAL")
_before: dict[int, tuple[str, str]] = {}
"""By viewport, the lighting and colour that it had."""


def shows_cloud(context: Any) -> bool:
    """Whether the active object is a cloud of splats before the artist in Solid mode."""
    space, item = context.space_data, context.active_object
    if space is None or space.type != "VIEW_3D" or space.shading.type != "SOLID" or item is None:
        return False
    return item.type == "MESH" and splat_view.modifier_of(item) is not None


def is_coloured(context: Any) -> bool:
    """Whether that cloud is seen in its colours."""
    shading = context.space_data.shading
    return (shading.light, shading.color_type) == COLOURED and splat_view.solid_colours(context.active_object)


class SCENECAST_OT_solid_colours(bpy.types.Operator):
    """Show splats in their colours in this viewport's Solid mode, flat and by attribute; again, to have it as it was"""

    bl_idname = "scenecast.solid_colours"
    bl_label = "Colours of splats in Solid mode"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only over such a cloud."""
        return shows_cloud(context)

    def execute(self, context: Any) -> set[str]:
        """Switch the clouds that are selected, and this viewport."""
        on = not is_coloured(context)
        clouds = {context.active_object, *context.selected_objects}
        for item in clouds:
            if item.type == "MESH" and splat_view.modifier_of(item) is not None:
                splat_view.set_solid_colours(item, on)
        shading, viewport = context.space_data.shading, context.space_data.as_pointer()
        now = (shading.light, shading.color_type)
        if on and now != COLOURED:
            _before[viewport] = now
        shading.light, shading.color_type = COLOURED if on else _before.pop(viewport, USUAL)
        return {"FINISHED"}


CLASSES = (SCENECAST_OT_solid_colours,)
