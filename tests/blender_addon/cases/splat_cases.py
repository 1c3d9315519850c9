"""Cases about splat clouds, run inside Blender."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from blender_addon.placement import Target, place, splat_view
from tests.blender_addon.cases import stage

WIDTHS = {"FLOAT": ("value", 1), "FLOAT_VECTOR": ("vector", 3), "FLOAT_COLOR": ("color", 4), "QUATERNION": ("value", 4)}


def save_arrays(mesh: Any, path: Path) -> None:
    positions = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", positions)
    arrays: dict[str, Any] = {"position": positions.reshape(-1, 3)}
    for attribute in mesh.attributes:
        if attribute.name != "position" and not attribute.name.startswith(".") and attribute.data_type in WIDTHS:
            field, width = WIDTHS[attribute.data_type]
            values = np.empty(len(attribute.data) * width, np.float32)
            attribute.data.foreach_get(field, values)
            arrays[attribute.name] = values.reshape(-1, width)
    np.savez(path, **arrays)


def _for_solid_mode(item: Any, folder: Path) -> list[Any]:
    """What a viewport has of the cloud before, with colours for Solid mode, and after them."""
    told = []
    for on in (False, True, False):
        splat_view.set_solid_colours(item, on)
        graph = bpy.context.evaluated_depsgraph_get()
        whole = item.evaluated_get(graph).data
        told.append([len(whole.polygons), whole.color_attributes.active_color_name if on else ""])
        if on:
            save_arrays(whole, folder / "coloured.npz")
    return told


def cloud(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """Placed, looked at from two sides, grown to its next version, undone, redone, reloaded."""
    early, late = stage.delivery(inputs, "early"), stage.delivery(inputs, "late")
    bpy.ops.ed.undo_push(message="before")
    first = place(early)
    name = first.datablocks[0][1]
    after = stage.state()
    again = place(early)
    seen: dict[str, Any] = {
        "placed": [first.target, first.changed],
        "again": [again.changed, again.datablocks == first.datablocks, stage.state() == after],
        "count": len(bpy.data.objects[name].data.vertices),
    }
    item = bpy.data.objects[name]
    group = item.modifiers[0].node_group
    hull = next(node for node in group.nodes if node.type == "SET_MATERIAL").inputs["Material"].default_value
    seen["overlapping"] = stage.overlapping(group) + stage.overlapping(hull.node_tree)
    seen["solid mode"] = _for_solid_mode(item, folder)
    item.location, item.rotation_euler, item.scale = (0.25, 0, 0), (0, 0, 0), (1, 1, 1)
    item.modifiers[0].name = "My splats"
    bpy.ops.ed.undo_push(message="moved")
    grown = place(late, Target("cursor", location_m=(7, 7, 7)))
    item = bpy.data.objects[name]
    seen["grown"] = [grown.changed, grown.datablocks[0][1] == name, len(bpy.data.objects), len(bpy.data.meshes)]
    seen["kept"] = [item.location[:], item.modifiers[0].name, len(item.modifiers)]
    stale = place(replace(early, time=late.time - 1))
    seen["stale"] = [stale.changed, len(item.data.vertices)]
    seen["records"] = [stage.record(item).digest == late.digest, stage.record(item.data).digest == late.digest]
    save_arrays(item.data, folder / "cloud.npz")
    bpy.ops.ed.undo()
    seen["undone"] = len(bpy.data.objects[name].data.vertices)
    bpy.ops.ed.redo()
    seen["redone"] = len(bpy.data.objects[name].data.vertices)
    stage.reload(folder / "scene.blend")
    item = bpy.data.objects[name]
    seen["reloaded"] = [len(item.data.vertices), item.modifiers[0].node_group is not None]
    bpy.data.objects.remove(item)  # what the artist deleted is placed anew, not looked for
    fresh = place(replace(early, time=late.time + 1), Target("cursor", location_m=(0.25, 0, 0)))
    seen["deleted"] = [fresh.changed, len(bpy.data.objects)]
    item = bpy.data.objects[place(replace(late, time=late.time + 2)).datablocks[0][1]]
    stage.camera((0.35, 0, 0.5), 1.4)
    stage.sky(0.0)
    cycles = bpy.context.scene.cycles
    seen["transparent_bounces"] = [cycles.transparent_max_bounces, cycles.min_transparent_bounces]
    seen["front"] = stage.render(folder / "front.png", samples=16)
    group = item.modifiers[0].node_group
    soft = next(one.identifier for one in group.interface.items_tree if one.name == "Soft edges")
    item.modifiers[0][soft] = False
    item.data.update()
    seen["solid"] = stage.render(folder / "solid.png", samples=4)
    stage.camera((0.35, 0, 0.5), 1.4, towards=(-1, 0, 0))
    seen["right"] = stage.render(folder / "right.png", samples=4)
    return seen


def one_splat(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """One large Gaussian seen along an axis, against the closed form; and a cloud in the place of a mesh."""
    place(stage.delivery(inputs, "one"))
    stage.camera((0, 0, 0), 2.0)
    stage.sky(0.0)
    seen: dict[str, Any] = {"picture": stage.render(folder / "one.png", size_px=65, samples=256)}
    bpy.ops.mesh.primitive_cube_add(location=(1, 2, 3))
    item = bpy.context.view_layer.objects.active
    swapped = place(stage.delivery(inputs, "early"), Target("replace_selected"))
    item = bpy.data.objects[item.name]
    seen["replaced"] = [swapped.changed, item.location[:], [m.type for m in item.modifiers], len(item.data.vertices)]
    seen["again"] = place(stage.delivery(inputs, "early"), Target("replace_selected")).changed
    return seen
