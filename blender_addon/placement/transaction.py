# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole or not at all: what a failed placement has made is removed, and the artist's mode comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy

_MADE = (
    "objects", "materials", "meshes", "images", "node_groups", "cameras", "speakers", "sounds", "collections",
    "movieclips", "lights", "actions", "armatures",
)  # fmt: skip
"""Collections of `bpy.data` that placing can add to; objects first, for they use the others."""


@contextmanager
def whole_or_nothing() -> Iterator[None]:
    """Remove every datablock that the block made, when it raises."""
    before = {name: uids(name) for name in _MADE}
    try:
        yield
    except BaseException:
        made = [block for name in _MADE for block in getattr(bpy.data, name) if block.session_uid not in before[name]]
        bpy.data.batch_remove(made)
        raise


@contextmanager
def object_mode() -> Iterator[None]:
    """Run the block in Object Mode, then go back to the mode the artist was in.

    An undo step pushed from another mode holds that mode's data alone, not the new datablocks.
    """
    active = bpy.context.view_layer.objects.active
    mode = active.mode if active is not None else "OBJECT"
    if mode == "OBJECT":
        yield
        return
    name, together = active.name, {item.name for item in bpy.context.view_layer.objects if item.mode == mode}
    bpy.ops.object.mode_set(mode="OBJECT")
    try:
        yield
    finally:
        objects = bpy.context.view_layer.objects
        if name in objects:
            for item in objects:  # every selected object would enter the mode, what was just placed too
                item.select_set(item.name in together)
            objects.active = objects[name]
            bpy.ops.object.mode_set(mode=mode)


def uids(collection: str) -> set[int]:
    """Identities of all datablocks of a collection; they last as long as the session."""
    return {block.session_uid for block in getattr(bpy.data, collection)}


def newer_than(collection: str, before: set[int]) -> list[Any]:
    """The datablocks that have come since `before` was taken."""
    return [block for block in getattr(bpy.data, collection) if block.session_uid not in before]
