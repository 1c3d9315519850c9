# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators of the live preview."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import EnumProperty

from ..capture import viewport_area
from ..core.client_core import ScenecastError
from . import inputs, live_preview, rows, session

_listed: list[tuple[str, str, str]] = []


def _generators(_self: Any, _context: Any) -> list[tuple[str, str, str]]:
    rows_ = session.current().hub.live_generators
    _listed[:] = [(row.id, row.title, row.promise if row.available else row.reason) for row in rows_]
    return _listed


class SCENECAST_OT_live_pick(bpy.types.Operator):
    """Choose what the live preview does"""

    bl_idname = "scenecast.live_pick"
    bl_label = "Choose live generator"
    generator: EnumProperty(name="Generator", items=_generators, options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, _context: Any) -> set[str]:
        """Show its parameters."""
        one = session.current()
        rows.pull_live(one.live_form)
        if one.live is not None or not one.live_form.choose_generator(self.generator):
            return {"CANCELLED"}
        rows.show_live(one.live_form)
        return {"FINISHED"}


class SCENECAST_OT_live_start(bpy.types.Operator):
    """Show the viewport through this generator while you work"""

    bl_idname = "scenecast.live_start"
    bl_label = "Start live preview"

    def execute(self, context: Any) -> set[str]:
        """Open it on this viewport, or on the largest."""
        one = session.current()
        rows.pull_live(one.live_form)
        digests, item = inputs.live()
        hindrances = one.live_form.hindrances(digests)
        area = context.area if context.area is not None and context.area.type == "VIEW_3D" else viewport_area()
        if area is None:
            hindrances.append("No 3D viewport is open")
        if hindrances:
            self.report({"ERROR"}, "; ".join(hindrances))
            return {"CANCELLED"}
        try:
            preview = live_preview.start(one, area, digests, item, rows.state().live_size_px)
        except ScenecastError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        rows.set_overlay(preview.overlay, rows.state())
        return {"FINISHED"}


class SCENECAST_OT_live_stop(bpy.types.Operator):
    """Stop the live preview; nothing of it goes on"""

    bl_idname = "scenecast.live_stop"
    bl_label = "Stop live preview"

    def execute(self, _context: Any) -> set[str]:
        """End it."""
        live_preview.stop(session.current())
        return {"FINISHED"}


CLASSES = (SCENECAST_OT_live_pick, SCENECAST_OT_live_start, SCENECAST_OT_live_stop)
