# SPDX-License-Identifier: GPL-3.0-or-later
"""The places a target names: objects, slots, texture nodes, scenes; looked up anew each time, by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy

from .. import provenance
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
    """Whether an object can wear a material, and be seen in it."""
    return item is not None and item.data is not None and hasattr(item.data, "materials") and not is_cloud(item)


def is_cloud(item: Any) -> bool:
    """Whether an object is a cloud of splats made here, whose colours are its own."""
    record = provenance.read(item.data) if item.type == "MESH" else None
    return record is not None and record.kind == "splats"


def need_wearer(item: Any) -> None:
    """Raise `PlacementError` for an object that can wear no material."""
    if is_cloud(item):
        raise PlacementError(f"{item.name} is a cloud of splats, whose colours are its own", "Select a mesh or a curve")
    if not takes_materials(item):
        raise PlacementError(f"{item.name} ({type_title(item)}) cannot wear a material", "Select a mesh or a curve")


def give_material(item: Any, material: Any, slot: int | None) -> bool:
    """Put a material into a slot (the active one for None), making it where need be; whether anything changed.

    Raises `PlacementError` when the object takes none, or is linked from another file.
    """
    need_wearer(item)
    need_editable(item)
    if not item.material_slots:
        if not item.data.is_editable:
            raise PlacementError(
                f"The shape of {item.name} is linked from another file and has no material slot",
                "Make its data local first (Object > Relations > Make Local)",
            )
        item.data.materials.append(material)
        return True
    index = item.active_material_index if slot is None else slot
    if not 0 <= index < len(item.material_slots):
        raise PlacementError(f"{item.name} has no material slot {index}", "Pick another slot")
    chosen = item.material_slots[index]
    if chosen.material == material:
        return False
    if not item.data.is_editable:
        chosen.link = "OBJECT"  # the object's own slot: what is linked stays as it is
    chosen.material = material
    return True


def need_editable(item: Any) -> None:
    """Raise `PlacementError` for an object that is linked from another file, and no override."""
    if not item.is_editable:
        raise PlacementError(f"{item.name} is linked from another file", "Make it local, or a library override, first")


def shared_note(item: Any, material: Any) -> tuple[str, ...]:
    """A sentence where other objects share the object's data, and so wear the material too."""
    if material not in [one for one in item.data.materials if one is not None]:
        return ()
    others = [one.name for one in bpy.data.objects if one.data == item.data and one != item and one.users_scene]
    if not others:
        return ()
    who = others[0] if len(others) == 1 else f"{len(others)} other objects"
    wears = "wears" if len(others) == 1 else "wear"
    return (f"{who} {wears} it too, sharing the same data. Make it single-user to part them.",)


def type_title(item: Any) -> str:
    """What kind of object it is, in Blender's own word: `Empty`, `Text`."""
    return str(item.bl_rna.properties["type"].enum_items[item.type].name)


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
    """Select one new object alone and make it active, as Blender does with what it adds; local views take it in."""
    bpy.context.view_layer.update()  # until then the view layer does not know of it
    into_local_views(item)
    for other in bpy.context.view_layer.objects:
        if other.select_get():
            other.select_set(False)
    if item.name in bpy.context.view_layer.objects:
        item.select_set(True)
        bpy.context.view_layer.objects.active = item


def into_local_views(item: Any) -> None:
    """Let the local views of this view layer show a new object, as they do with what Blender adds."""
    for window in bpy.context.window_manager.windows:
        if window.view_layer != bpy.context.view_layer:
            continue
        for space in (area.spaces.active for area in window.screen.areas if area.type == "VIEW_3D"):
            if space.local_view is not None and item.name in window.view_layer.objects:
                item.local_view_set(space, True)


def link(item: Any) -> None:
    """Put a new object into the active collection."""
    bpy.context.view_layer.active_layer_collection.collection.objects.link(item)


@contextmanager
def own_collection() -> Iterator[None]:
    """Run the block with an active collection that new objects can be put into: never one from another file."""
    layer = bpy.context.view_layer
    active = layer.active_layer_collection
    if active.collection.is_editable and active.collection.override_library is None:
        yield
        return
    name = active.name
    layer.active_layer_collection = layer.layer_collection
    try:
        yield
    finally:
        layer.active_layer_collection = _found(layer.layer_collection, name) or layer.layer_collection


def _found(branch: Any, name: str) -> Any:
    """The layer collection of that name at or under a branch, or None."""
    if branch.name == name:
        return branch
    return next((one for child in branch.children if (one := _found(child, name)) is not None), None)
