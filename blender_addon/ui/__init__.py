# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on inside Blender: panels, operators, preferences, and the timer that moves everything on."""

from __future__ import annotations

import bpy

from ..placement import media
from . import (
    field_operator,
    form_operators,
    handlers,
    job_operators,
    live_operators,
    live_preview,
    menus,
    panels,
    preferences,
    preset_operators,
    properties,
    session,
    solid_operator,
    synthetic_operator,
    thumbnails,
    ticker,
)

CLASSES = (
    *properties.CLASSES,
    *preferences.CLASSES,
    *form_operators.CLASSES,
    *job_operators.CLASSES,
    *preset_operators.CLASSES,
    *synthetic_operator.CLASSES,
    *live_operators.CLASSES,
    *field_operator.CLASSES,
    *solid_operator.CLASSES,
    *menus.CLASSES,
    *panels.CLASSES,
)


def register() -> None:
    """Show the panels, open the session and start the timer."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    properties.register()
    thumbnails.register()
    handlers.register()
    media.register()
    session.start()
    ticker.register()


def unregister() -> None:
    """Take everything away in the opposite order."""
    ticker.unregister()
    one = session.maybe()
    if one is not None:
        live_preview.stop(one)
    session.stop()
    media.unregister()
    handlers.unregister()
    thumbnails.unregister()
    properties.unregister()
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
