# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that keep parameters under a name and bring them back."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from ..core.presets import PresetError
from . import rows, session

_names: list[tuple[str, str, str]] = []


class SCENECAST_OT_preset_save(bpy.types.Operator):
    """Keep these parameters under a name; a preset of that name is replaced"""

    bl_idname = "scenecast.preset_save"
    bl_label = "Save preset"
    preset: StringProperty(name="Name", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the name."""
        answer: set[str] = context.window_manager.invoke_props_dialog(self)
        return answer

    def execute(self, _context: Any) -> set[str]:
        """Write the file."""
        one = session.current()
        rows.pull(one.form)
        try:
            name = one.presets.save(one.form.generator, self.preset, one.form.params())
        except (PresetError, ValueError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Saved {name}")
        return {"FINISHED"}


class SCENECAST_OT_preset_load(bpy.types.Operator):
    """Take the parameters of this preset"""

    bl_idname = "scenecast.preset_load"
    bl_label = "Load preset"
    preset: StringProperty(name="Name", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, _context: Any) -> set[str]:
        """Show them in the form."""
        one = session.current()
        try:
            one.form.take_params(one.presets.load(one.form.generator, self.preset))
        except PresetError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        rows.show(one.form)
        return {"FINISHED"}


def _presets(_self: Any, _context: Any) -> list[tuple[str, str, str]]:
    one = session.current()
    _names[:] = [(name, name, "") for name in one.presets.names(one.form.generator)]
    return _names


class SCENECAST_OT_preset_remove(bpy.types.Operator):
    """Remove this preset"""

    bl_idname = "scenecast.preset_remove"
    bl_label = "Remove preset"
    preset: EnumProperty(name="Name", items=_presets, options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, _context: Any) -> set[str]:
        """Delete the file."""
        one = session.current()
        one.presets.remove(one.form.generator, self.preset)
        return {"FINISHED"}


CLASSES = (SCENECAST_OT_preset_save, SCENECAST_OT_preset_load, SCENECAST_OT_preset_remove)
