# SPDX-License-Identifier: GPL-3.0-or-later
"""A delivered splat cloud as points that carry every value of it, seen through a Geometry Nodes view.

A later version of the same job's cloud takes the place of the earlier one's data: the object, its transform and
everything the artist did to it stay.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from .. import provenance
from ..core import splat_file
from ..core.delivered import Delivered
from ..core.targets import Placed, PlacementError, Target
from . import places, splat_view
from .mesh import replaceable

GROWING = "growing"
"""Role of the points of a cloud whose job is still at it; see `growing`."""
VIEW_NOTE = "What is shown has one colour per splat; a live preview of it shows the cloud in full."
TRANSFORM_NOTE = "Colours are right with the view transform Standard; {} bends them."


def place(delivered: Delivered, target: Target) -> Placed:
    """Make the cloud, update its earlier version, or find it. Raises `PlacementError`."""
    earlier = _earlier_version(delivered)
    if earlier is not None:
        return _update(earlier, delivered, target)
    if target.kind == "replace_selected":
        return _replace(delivered, target)
    location = places.cursor_or(target.location_m)
    key = f"at {places.position_key(location)}"
    there = provenance.matching(bpy.context.scene.objects, delivered, "object", key)
    if there is not None:
        return _placed(delivered, target, there, "as", changed=False)
    item = bpy.data.objects.new(delivered.name, _mesh_of(delivered))
    item.location = location
    places.link(item)
    splat_view.give(item)
    provenance.write(item, delivered, "object", key)
    places.show(item)
    return _placed(delivered, target, item, "as", changed=True)


def _earlier_version(delivered: Delivered) -> Any:
    """The points of another version of this job's cloud that an object still shows, or None."""
    if not delivered.job_id:
        return None
    shown = {item.data for item in bpy.data.objects if item.type == "MESH" and item.users_scene}
    for mesh in shown:
        record = provenance.read(mesh)
        if record is None or (record.kind, record.job_id) != ("splats", delivered.job_id):
            continue
        if record.role == GROWING or (record.role, record.name) == ("mesh", delivered.name):
            return mesh if record.digest != delivered.digest else None
    return None


def _update(mesh: Any, delivered: Delivered, target: Target) -> Placed:
    items = [item for item in bpy.data.objects if item.data == mesh and item.users_scene]
    held = provenance.read(mesh)
    if held is not None and 0 < delivered.time < held.time:
        return _placed(delivered, target, items[0], "superseded in", changed=False)
    table = _read(delivered)  # before anything is touched: a broken file must leave the earlier version
    if held is not None and held.role == GROWING:
        _christen(mesh, items, held.name, delivered.name)
    fill(mesh, table)
    provenance.write(mesh, delivered, "mesh")
    for item in items:
        record = provenance.read(item)
        provenance.write(item, delivered, "object", record.target if record else "")
    return _placed(delivered, target, items[0], "updated in", changed=True)


def _christen(mesh: Any, items: list[Any], working_title: str, name: str) -> None:
    """Give the finished cloud its name, where the artist has not given it another one."""
    mesh.name = name
    for item in items:
        if item.name.startswith(working_title[:60]):
            item.name = name


def _replace(delivered: Delivered, target: Target) -> Placed:
    item = replaceable(target)
    if provenance.matching([item.data], delivered, "mesh") is not None:
        return _placed(delivered, target, item, "in the place of", changed=False)
    old = item.data.name
    item.data = _mesh_of(delivered)
    splat_view.give(item)
    provenance.write(item, delivered, "object", f"instead of {old}")
    return _placed(delivered, target, item, "in the place of", changed=True)


def _mesh_of(delivered: Delivered) -> Any:
    known = provenance.matching(bpy.data.meshes, delivered, "mesh")
    if known is not None:
        return known
    table = _read(delivered)
    mesh = bpy.data.meshes.new(delivered.name)
    fill(mesh, table)
    provenance.write(mesh, delivered, "mesh")
    return mesh


def _read(delivered: Delivered) -> splat_file.SplatTable:
    file = delivered.of_role("splats")
    if file is None:
        raise PlacementError(f"{delivered.name} came without splats", "Make it again")
    try:
        return splat_file.read(file.path)
    except ValueError as error:
        raise PlacementError(f"The splats of {delivered.name} cannot be read: {error}", "Make it again") from error


def fill(mesh: Any, table: splat_file.SplatTable) -> None:
    """Make the mesh the cloud's points; whatever it held is gone."""
    count = len(table.positions)
    if len(mesh.vertices) != count or "sh_0" not in mesh.attributes:
        mesh.clear_geometry()
        mesh.vertices.add(count)
    mesh.vertices.foreach_set("co", table.positions.ravel())
    rgba = np.concatenate([table.colours(), table.opacities[:, None]], axis=1)
    _attribute(mesh, splat_view.SCALE, "FLOAT_VECTOR", "vector", table.scales)
    _attribute(mesh, splat_view.ROTATION, "QUATERNION", "value", table.rotations)
    _attribute(mesh, splat_view.OPACITY, "FLOAT", "value", table.opacities)
    _attribute(mesh, splat_view.COLOUR, "FLOAT_COLOR", "color", rgba)
    if mesh.color_attributes.active_color_name != splat_view.COLOUR:
        mesh.color_attributes.active_color_name = splat_view.COLOUR  # what Solid mode shows when asked for colours
    for band in range(table.harmonics.shape[1]):
        _attribute(mesh, f"sh_{band}", "FLOAT_VECTOR", "vector", table.harmonics[:, band])
    for stale in [one.name for one in mesh.attributes if one.name.startswith("sh_")][table.harmonics.shape[1] :]:
        mesh.attributes.remove(mesh.attributes[stale])
    mesh.update()


def _attribute(mesh: Any, name: str, kind: str, field: str, values: Any) -> None:
    attribute = mesh.attributes.get(name)
    if attribute is None:
        attribute = mesh.attributes.new(name, kind, "POINT")
    attribute.data.foreach_set(field, np.ascontiguousarray(values, np.float32).ravel())


def _placed(delivered: Delivered, target: Target, item: Any, verb: str, *, changed: bool) -> Placed:
    blocks = (("objects", item.name), ("meshes", item.data.name))
    count = f"{len(item.data.vertices):,} splats"
    of = "" if delivered.name == item.name else f" of {delivered.name}"
    transform = bpy.context.scene.view_settings.view_transform
    bent = () if transform == "Standard" else (TRANSFORM_NOTE.format(transform),)
    return Placed("splats", target.kind, blocks, changed, f"{count}{of} {verb} {item.name}", (*bent, VIEW_NOTE))
