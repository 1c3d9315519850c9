# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator that lists everything generated in the open file."""

from __future__ import annotations

from typing import Any

import bpy

from .. import provenance
from . import draw

_found: list[provenance.Synthetic] = []


class SCENECAST_OT_list_synthetic(bpy.types.Operator):
    """List everything in this file that was generated, with how it was made"""

    bl_idname = "scenecast.list_synthetic"
    bl_label = "Generated things in this file"

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Look once, and show the list in a window: that is drawn with every move of the mouse."""
        _found[:] = provenance.synthetic()
        answer: set[str] = context.window_manager.invoke_popup(self, width=520)
        return answer

    def draw(self, _context: Any) -> None:
        """Draw the list."""
        draw.synthetic(self.layout, _found)

    def execute(self, _context: Any) -> set[str]:
        """Say how many there are, and print them."""
        found = provenance.synthetic()
        for item in found:
            record = item.record
            print(f"{item.collection}\t{item.name}\t{record.generator}\tseed {record.seed}\t{record.digest}")
        self.report({"INFO"}, f"{len(found)} generated datablocks; the console lists them")
        return {"FINISHED"}


CLASSES = (SCENECAST_OT_list_synthetic,)
