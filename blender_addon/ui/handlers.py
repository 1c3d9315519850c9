# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens around loading and saving a .blend."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import growing_clouds, live_preview, rows, session


@persistent
def load_pre(*_: Any) -> None:
    """Nothing is placed while a file is being opened."""
    one = session.maybe()
    if one is not None:
        rows.pull(one.form)
        rows.pull_live(one.live_form)
        live_preview.stop(one, "Another file was opened")
        one.loading = True


@persistent
def load_post(*_: Any) -> None:
    """Another file is open: its window manager knows nothing of the form yet."""
    one = session.maybe()
    if one is not None:
        one.loading = False
        one.file = session.file_identity()
        growing_clouds.file_opened(one)
        rows.show(one.form)
        rows.show_live(one.live_form)


@persistent
def save_post(*_: Any) -> None:
    """The open file may have got another name."""
    one = session.maybe()
    if one is not None and bpy.data.filepath and bpy.data.filepath != one.file:
        one.hub.file_renamed(one.file, bpy.data.filepath)
        one.file = bpy.data.filepath


_HANDLERS = {
    "load_pre": load_pre,
    "load_post": load_post,
    "save_post": save_post,
    "depsgraph_update_post": live_preview.scene_changed,
}


def register() -> None:
    """Begin to listen."""
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Stop listening."""
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
