# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the scene as GLB, modifiers applied; what is selected and where things stand is put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import mathutils

from ..core.captured import CapturedFile, CaptureError
from ..placement.transaction import object_mode

SOLID = ("MESH", "CURVE", "SURFACE", "FONT", "META")
"""Types of object that have a surface."""


def object_glb(folder: str | Path, object_name: str = "") -> CapturedFile:
    """The object (the active one for "") in a GLB in `folder`: turned and scaled as it stands, its origin at zero.

    So a result made from it can be put where the object is. Raises `CaptureError`.
    """
    item = bpy.data.objects.get(object_name) if object_name else bpy.context.view_layer.objects.active
    if item is None:
        raise CaptureError(
            f"There is no object {object_name!r}" if object_name else "No object is active", "Select one"
        )
    if item.type not in SOLID:
        raise CaptureError(f"{item.name} ({item.type.lower()}) has no surface", "Select a mesh, a curve or a text")
    with object_mode(), _at_origin(item):
        return _exported(Path(folder), [item], item.name)


def collection_glb(folder: str | Path, collection_name: str) -> CapturedFile:
    """Everything solid in a collection in one GLB in `folder`, each object where it stands. Raises `CaptureError`."""
    collection = bpy.data.collections.get(collection_name)
    if collection is None:
        raise CaptureError(f"There is no collection {collection_name!r}", "Pick another one")
    items = [item for item in collection.all_objects if item.type in SOLID]
    if not items:
        raise CaptureError(f"The collection {collection_name} holds nothing with a surface", "Pick another one")
    with object_mode():
        return _exported(Path(folder), items, collection.name)


@contextmanager
def _at_origin(item: Any) -> Iterator[None]:
    basis = item.matrix_basis.copy()
    world = item.matrix_world.copy()
    world.translation = mathutils.Vector((0.0, 0.0, 0.0))
    item.matrix_world = world
    try:
        yield
    finally:
        item.matrix_basis = basis


def _exported(folder: Path, items: list[Any], name: str) -> CapturedFile:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{bpy.path.clean_name(name)}.glb"
    with _selected(items):
        try:
            bpy.ops.export_scene.gltf(
                filepath=str(path),
                export_format="GLB",
                use_selection=True,
                export_apply=True,
                export_animations=False,
                export_skins=False,
                export_morph=False,
                export_cameras=False,
                export_lights=False,
                export_extras=False,
            )
        except AttributeError as error:
            raise CaptureError(
                "Blender's glTF add-on is switched off", "Switch on glTF 2.0 format under Preferences › Add-ons"
            ) from error
        except RuntimeError as error:
            raise CaptureError(f"{name} could not be exported: {error}") from error
    return CapturedFile(str(path), "mesh", "mesh", "model/gltf-binary", name)


@contextmanager
def _selected(items: list[Any]) -> Iterator[None]:
    """Only these objects selected; the artist's selection comes back. Raises `CaptureError` for hidden ones."""
    layer = bpy.context.view_layer
    before = [item.name for item in layer.objects if item.select_get()]
    active = layer.objects.active
    hidden = [item.name for item in items if item.name not in layer.objects or not item.visible_get()]
    if hidden:
        raise CaptureError(f"{hidden[0]} is hidden", "Show it, then try again")
    for item in layer.objects:
        item.select_set(item in items)
    try:
        yield
    finally:
        for item in layer.objects:
            item.select_set(item.name in before)
        layer.objects.active = active
