# SPDX-License-Identifier: GPL-3.0-or-later
"""A delivered mesh as a new object at the 3D cursor, or in the place of another object."""

from __future__ import annotations

from typing import Any

import bpy

from .. import provenance
from ..core.delivered import Delivered
from ..core.targets import Placed, PlacementError, Target
from . import glb, places

_DRESSED = "mesh in other materials"
"""Role of a mesh that wears what it replaced wore, so that it is not taken for the mesh as delivered."""


def place(delivered: Delivered, target: Target) -> Placed:
    """Import the mesh, or share it where it was imported before. Raises `PlacementError`."""
    if target.kind == "replace_selected":
        return _replace(delivered, target)
    location = places.cursor_or(target.location_m)
    key = f"at {places.position_key(location)}"
    there = provenance.matching(bpy.context.scene.objects, delivered, "object", key)
    if there is not None:
        return _placed(delivered, target, there, changed=False)
    item = bpy.data.objects.new(delivered.name, mesh_of(delivered))
    item.location = location
    places.link(item)
    provenance.write(item, delivered, "object", key)
    places.show(item)
    return _placed(delivered, target, item, changed=True)


def mesh_of(delivered: Delivered) -> Any:
    """The mesh datablock of this result, imported once. Raises `PlacementError`."""
    known = provenance.matching(bpy.data.meshes, delivered, "mesh")
    if known is not None:
        return known
    file = delivered.of_role("mesh")
    if file is None:
        raise PlacementError(f"{delivered.name} came without a mesh", "Make it again")
    mesh = glb.mesh_from(file.path, delivered)
    provenance.write(mesh, delivered, "mesh")
    return mesh


def _replace(delivered: Delivered, target: Target) -> Placed:
    item = replaceable(target)
    there = provenance.matching([item.data], delivered, "mesh") is not None
    dressed = provenance.matching([item.data], delivered, _DRESSED) is not None
    if there or (dressed and target.keep_materials):
        return _placed(delivered, target, item, changed=False)
    old = item.data
    worn = [slot.material for slot in item.material_slots]
    lost = [
        title
        for title, has in (("vertex groups", bool(item.vertex_groups)), ("shape keys", old.shape_keys is not None))
        if has
    ]
    new = mesh_of(delivered)
    notes: tuple[str, ...] = ()
    if target.keep_materials and any(worn):
        new = _wearing(new, worn, delivered)
    item.data = new
    item.vertex_groups.clear()  # their weights belonged to the old vertices
    provenance.write(item, delivered, "object", f"instead of {old.name}")
    if lost:
        notes = (f"The {' and '.join(lost)} of the old mesh do not fit the new one and are gone.",)
    return _placed(delivered, target, item, changed=True, notes=notes)


def replaceable(target: Target) -> Any:
    """The mesh object to be replaced. Raises `PlacementError`."""
    item = places.chosen_object(target)
    if item.type != "MESH":
        raise PlacementError(f"{item.name} ({places.type_title(item)}) is no mesh", "Select a mesh object")
    places.need_editable(item)
    return item


def _wearing(mesh: Any, worn: list[Any], delivered: Delivered) -> Any:
    """The mesh in the materials of what it replaces; a copy where others already use it with its own."""
    if mesh.users:
        mesh = mesh.copy()
    own = list(mesh.materials)
    mesh.materials.clear()
    for material in worn:
        mesh.materials.append(material)
    bpy.data.batch_remove(_unused(own))
    provenance.write(mesh, delivered, _DRESSED)
    return mesh


def _unused(materials: list[Any]) -> list[Any]:
    """Materials that came with the mesh and nothing uses now, and their images."""
    gone = [material for material in materials if material is not None and not material.users]
    images = {
        node.image
        for material in gone
        for node in material.node_tree.nodes
        if node.type == "TEX_IMAGE" and node.image is not None and node.image.users <= 1
    }
    return [*gone, *images]


def _placed(delivered: Delivered, target: Target, item: Any, *, changed: bool, notes: tuple[str, ...] = ()) -> Placed:
    blocks = [("objects", item.name), ("meshes", item.data.name)]
    blocks += [("materials", material.name) for material in item.data.materials if material is not None]
    verb = "in the place of" if target.kind == "replace_selected" else "as"
    return Placed("mesh", target.kind, tuple(blocks), changed, f"Mesh {delivered.name} {verb} {item.name}", notes)
