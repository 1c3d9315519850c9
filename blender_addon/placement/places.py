# SPDX-License-Identifier: GPL-3.0-or-later
"""The places a target names: objects, slots, texture nodes, scenes; looked up anew each time, by name."""

from __future__ import annotations

from typing import Any

import bpy

from ..core.targets import PlacementError, Target


def active_object() -> Any:
    """The active object, or None; a window is not needed."""
    return bpy.context.view_layer.objects.active


def chosen_object(target: Target) -> Any:
    """The object that the target names, or the active one. Raises `PlacementError` when there is none."""
    if target.object_name:
        named = bpy.data.objects.get(target.object_name)
        if named is None:
            raise PlacementError(f"There is no object {target.object_name!r} any more", "Pick another one")
        return named
    if active_object() is None:
        raise PlacementError("No object is active", "Select one, or choose another place")
    return active_object()


def chosen_scene(target: Target) -> Any:
    """The scene that the target names, or the current one. Raises `PlacementError`."""
    if not target.scene_name:
        return bpy.context.scene
    named = bpy.data.scenes.get(target.scene_name)
    if named is None:
        raise PlacementError(f"There is no scene {target.scene_name!r} any more", "Pick another one")
    return named


def takes_materials(item: Any) -> bool:
    """Whether an object can wear a material."""
    return item is not None and item.data is not None and hasattr(item.data, "materials")


def give_material(item: Any, material: Any, slot: int | None) -> bool:
    """Put a material into a slot (the active one for None), making it where need be; whether anything changed.

    Raises `PlacementError` when the object takes none, or is linked from another file.
    """
    if not takes_materials(item):
        raise PlacementError(f"{item.name} ({item.type.lower()}) cannot wear a material", "Select a mesh or a curve")
    if not item.data.is_editable:
        raise PlacementError(f"{item.name} is linked from another file", "Make it local, or override it, first")
    if not item.material_slots:
        item.data.materials.append(material)
        return True
    index = item.active_material_index if slot is None else slot
    if not 0 <= index < len(item.material_slots):
        raise PlacementError(f"{item.name} has no material slot {index}", "Pick another slot")
    if item.material_slots[index].material == material:
        return False
    item.material_slots[index].material = material
    return True


def texture_node(target: Target) -> Any:
    """The image texture node that the target names, or that is active in the active object's material, or None."""
    if target.material_name:
        material = bpy.data.materials.get(target.material_name)
    else:
        material = getattr(active_object(), "active_material", None)
    tree = getattr(material, "node_tree", None)
    if tree is None:
        return None
    node = tree.nodes.get(target.node_name) if target.node_name else tree.nodes.active
    return node if node is not None and node.type in ("TEX_IMAGE", "TEX_ENVIRONMENT") else None


def cursor_or(location_m: tuple[float, float, float] | None) -> tuple[float, float, float]:
    """A world position, the 3D cursor's for None."""
    x, y, z = location_m if location_m is not None else bpy.context.scene.cursor.location
    return float(x), float(y), float(z)


def position_key(location_m: tuple[float, float, float]) -> str:
    """A position to a tenth of a millimetre, as text: what makes two placements the same."""
    return " ".join(f"{value + 0.0:.4f}" for value in location_m)


def show(item: Any) -> None:
    """Select one new object alone and make it active, as Blender does with what it adds."""
    bpy.context.view_layer.update()  # until then the view layer does not know of it
    for other in bpy.context.view_layer.objects:
        if other.select_get():
            other.select_set(False)
    if item.name in bpy.context.view_layer.objects:
        item.select_set(True)
        bpy.context.view_layer.objects.active = item


def link(item: Any) -> None:
    """Put a new object into the active collection."""
    bpy.context.view_layer.active_layer_collection.collection.objects.link(item)
