# SPDX-License-Identifier: GPL-3.0-or-later
"""Preview pictures of placed materials, drawn at once or when Blender has time: they need every map decoded."""

from __future__ import annotations

from typing import Any

import bpy

from ..core.delivered import PREVIEW_ROLES, Delivered
from . import thumbnail

_waiting: list[str] = []
"""Names of materials, oldest first."""


def draw(material: Any, delivered: Delivered, *, later: bool) -> None:
    """Give the material its preview and its colour in Solid shading.

    A picture that came with the asset is taken; otherwise one is made from the maps, `later` on `draw_next`.
    """
    file = delivered.of_role(*PREVIEW_ROLES)
    if file is not None:
        thumbnail.show(material, thumbnail.of_file(file.path))
    elif later:
        _waiting.append(material.name)
    else:
        _draw(material)


def draw_next() -> bool:
    """Draw one waiting preview, about a tenth of a second for maps of 2048 pixels; whether more are waiting."""
    if _waiting:
        material = bpy.data.materials.get(_waiting.pop(0))
        if material is not None:  # it may have been undone or deleted meanwhile
            _draw(material)
    return bool(_waiting)


def _draw(material: Any) -> None:
    picture, colour = thumbnail.of_material(material)
    thumbnail.show(material, picture)
    material.diffuse_color = (*colour, 1.0)
