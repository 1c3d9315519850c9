# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts what a job made into the scene: one undo step each, whole or not at all, and once however often it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import bpy

from ..core.delivered import Delivered
from ..core.targets import Placed, PlacementError, Target, TargetKind, choices
from . import clip, image, material, mesh, places, sound, splats
from .previews import draw_next as draw_next_preview
from .transaction import object_mode, whole_or_nothing

__all__ = [
    "Placed", "PlacementError", "Target", "choices", "draw_next_preview", "place", "resolved", "where_it_fits",
]  # fmt: skip

_PLACERS: dict[str, Callable[[Delivered, Target], Placed]] = {
    "material": material.place,
    "image": image.place,
    "clip": clip.place,
    "mesh": mesh.place,
    "splats": splats.place,
    "sound": sound.place,
}
_REFUSED = {
    "field": (
        "A radiance field has no form that Blender can draw",
        "Press From the camera in its row, which renders it there, or make splats or a mesh from it",
    ),
    "scene": ("A scene plan names assets that have to be placed one by one", "Place the assets it names"),
}


def place(delivered: Delivered, target: Target | None = None) -> Placed:
    """Put a result where the target says, as one undo step.

    The same result (digest and job) at the same target again changes nothing and makes no undo step. Raises
    `PlacementError`, and then the file is as it was before.
    """
    chosen = resolved(delivered.kind, target or Target())
    try:
        with object_mode():
            with whole_or_nothing(), places.own_collection():
                placed = _PLACERS[delivered.kind](delivered, chosen)
            if placed.changed:
                bpy.ops.ed.undo_push(message=f"Scenecast: {placed.message}"[:60])
    except OSError as error:
        raise PlacementError(
            f"A file of {delivered.name} cannot be read: {error.strerror or error}",
            "Press Place, which fetches it anew",
        ) from error
    return placed


def resolved(kind: str, target: Target) -> Target:
    """The target with `auto` made certain by what is selected. Raises `PlacementError` for an impossible one."""
    if kind not in _PLACERS:
        message, remedy = _REFUSED.get(kind, (f"This add-on does not know assets of kind {kind}", "Update it"))
        raise PlacementError(message, remedy)
    if target.kind == "auto":
        return replace(target, kind=_usual(kind, target))
    if target.kind not in [choice[0] for choice in choices(kind)]:
        titles = " or ".join(title for _, title, _ in choices(kind))
        raise PlacementError(f"A {kind} cannot go to {target.kind.replace('_', ' ')}", f"Choose {titles}")
    return target


def where_it_fits(kind: str) -> str:
    """Where `auto` would put it now, in the words of the choices: `Selected object: Cube`; empty for no place."""
    if kind not in _PLACERS:
        return ""
    target = resolved(kind, Target())
    title = next((title for one, title, _ in choices(kind) if one == target.kind), "")
    item = places.active_object() if target.kind == "active_slot" else None
    return f"{title}: {item.name}" if item is not None else title


def _usual(kind: str, target: Target) -> TargetKind:
    if kind in ("image", "clip") and places.texture_node(target) is not None:
        return "texture_node"
    named = bpy.data.objects.get(target.object_name) if target.object_name else places.active_object()
    if kind == "material":
        return "active_slot" if places.takes_materials(named) else "new_material"
    if kind == "clip":
        return "active_slot" if places.takes_materials(named) else "image"
    return choices(kind)[0][0]
