# SPDX-License-Identifier: GPL-3.0-or-later
"""Menus of the panel: generators of a kind, presets, earlier results."""

from __future__ import annotations

import time
from typing import Any

import bpy

from ..core.panel_model import generator_rows, when_in_words
from . import session
from .properties import KIND_ICONS

PAST_SHOWN = 25


class SCENECAST_MT_generators(bpy.types.Menu):
    """The generators of the chosen kind; greyed ones cannot run here and say why."""

    bl_label = "Generator"

    def draw(self, _context: Any) -> None:
        """Draw the menu."""
        one = session.current()
        for row in generator_rows(one.hub.generators, one.form.kind):
            line = self.layout.row()
            line.active = row.available
            icon = "RADIOBUT_ON" if row.id == one.form.generator else "RADIOBUT_OFF"
            line.operator("scenecast.pick_generator", text=row.title, icon=icon).generator = row.id


class SCENECAST_MT_presets(bpy.types.Menu):
    """Presets of the chosen generator."""

    bl_label = "Presets"

    def draw(self, _context: Any) -> None:
        """Draw the menu."""
        one = session.current()
        names = one.presets.names(one.form.generator)
        for name in names:
            self.layout.operator("scenecast.preset_load", text=name, icon="PRESET").preset = name
        if names:
            self.layout.separator()
        self.layout.operator("scenecast.preset_save", text="Save as preset …", icon="ADD")
        if names:
            self.layout.operator_menu_enum("scenecast.preset_remove", "preset", text="Remove", icon="REMOVE")
        self.layout.operator("scenecast.reset", text="Defaults", icon="LOOP_BACK")


class SCENECAST_MT_past(bpy.types.Menu):
    """Open the parameters of anything that was made before."""

    bl_label = "Earlier results"

    def draw(self, _context: Any) -> None:
        """Draw the menu."""
        one = session.current()
        if not one.history.results:
            self.layout.label(text="Nothing has been made yet")
        now = time.time()
        for number, past in enumerate(one.history.results[:PAST_SHOWN]):
            text = f"{past.label or past.title}   ·   {when_in_words(past.time, now)}"
            icon = KIND_ICONS.get(past.kind, "DOT")
            self.layout.operator("scenecast.past_parameters", text=text, icon=icon).number = number
        self.layout.separator()
        self.layout.operator("scenecast.list_synthetic", text="Generated things in this file", icon="VIEWZOOM")


CLASSES = (SCENECAST_MT_generators, SCENECAST_MT_presets, SCENECAST_MT_past)
