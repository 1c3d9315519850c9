# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenecast in Blender: ask for what the scene needs, watch it form, get it placed."""

from __future__ import annotations


def register() -> None:
    """Show the panels and begin to look for a bridge."""
    from . import ui

    ui.register()


def unregister() -> None:
    """Leave nothing behind: no timer, no handler, no class, no open socket. Running jobs go on in the bridge."""
    from . import ui

    ui.unregister()
