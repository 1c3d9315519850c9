# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: another bridge than the one on this computer, and how results are placed."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty

from ..core.hub import BUDGET_SECS
from . import draw, live_preview, session


def _moved(_self: Any, _context: Any) -> None:
    """The address or the token is another one."""
    one = session.maybe()
    if one is not None:
        live_preview.stop(one)
        one.hub.reopen(session.make_client)


class ScenecastPreferences(bpy.types.AddonPreferences):
    """Everything an artist may want to set; the defaults are right on one computer."""

    bl_idname = session.PACKAGE

    url: StringProperty(  # type: ignore[valid-type]
        name="Bridge",
        description="Address of a bridge on another computer, as wss://studio.example:7263. "
        "Empty: the one that runs on this computer is found by itself",
        update=_moved,
    )
    token: StringProperty(  # type: ignore[valid-type]
        name="Token",
        description="What the bridge's owner gave you; `scenecast token` shows it. Kept in Blender's preferences",
        subtype="PASSWORD",
        update=_moved,
    )
    fingerprint: StringProperty(  # type: ignore[valid-type]
        name="Certificate",
        description="SHA-256 of the bridge's certificate, when no authority has signed it; `scenecast token` shows it",
        update=_moved,
    )
    share_disk: BoolProperty(  # type: ignore[valid-type]
        name="Read results from the bridge's disk",
        description="Where the bridge runs on this computer, open its files instead of having them sent",
        default=True,
        update=_moved,
    )
    placing: EnumProperty(  # type: ignore[valid-type]
        name="Results",
        description="What happens to a result when it is there",
        items=[
            ("at_once", "Place them at once", "Each result goes where the panel says, as one undo step"),
            ("wait", "Wait for me", "Results wait in the list until you place them"),
        ],
    )
    budget_ms: FloatProperty(  # type: ignore[valid-type]
        name="Time per turn (ms)",
        description="How long Blender may be held by the network at a time; more is quicker for large results",
        default=1000 * BUDGET_SECS,
        min=1.0,
        max=50.0,
        soft_max=20.0,
        precision=0,
        step=100,
    )

    def draw(self, _context: Any) -> None:
        """Draw the page."""
        draw.preferences(self.layout, self)


CLASSES = (ScenecastPreferences,)
