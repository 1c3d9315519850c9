"""Cases about meshes, run inside Blender."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from blender_addon.placement import Target, place
from tests.blender_addon.cases import stage


def save_arrays(mesh: Any, path: Path) -> None:
    """Corner by corner, so that however Blender merged vertices the surface can be compared."""
    mesh.calc_loop_triangles()
    loops = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("loops", loops)
    vertices = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", vertices)
    positions = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", positions)
    uvs = np.empty(len(mesh.loops) * 2, np.float32)
    mesh.uv_layers.active.uv.foreach_get("vector", uvs)
    normals = np.array([normal.vector[:] for normal in mesh.corner_normals], np.float32)
    attribute = mesh.color_attributes[0]
    colours = np.empty(len(attribute.data) * 4, np.float32)
    attribute.data.foreach_get("color", colours)
    at = loops if attribute.domain == "CORNER" else vertices[loops]
    np.savez(
        path,
        positions=positions.reshape(-1, 3)[vertices[loops]],
        uvs=uvs.reshape(-1, 2)[loops],
        normals=normals[loops],
        colours=colours.reshape(-1, 4)[at, :3],
    )


def cursor(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """At the 3D cursor, twice, elsewhere, from Edit Mode, undone and redone, reloaded; and a picture of it."""
    result = stage.delivery(inputs, "mesh")
    bpy.ops.mesh.primitive_cube_add(location=(9, 9, 9))
    bpy.context.view_layer.objects.active.name = "Busy"
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.context.scene.cursor.location = (1, 2, 3)
    bpy.ops.ed.undo_push(message="before")
    first = place(result)
    name = first.datablocks[0][1]
    seen: dict[str, Any] = {"placed": [first.target, first.changed, first.message]}
    seen["mode"] = [bpy.context.view_layer.objects.active.name, bpy.context.view_layer.objects.active.mode]
    after = stage.state()
    again = place(result)
    seen["again"] = [again.changed, again.datablocks == first.datablocks, stage.state() == after]
    item = bpy.data.objects[name]
    seen["stands"] = [item.location[:], item.rotation_mode, item.rotation_euler[:], item.scale[:], item.parent is None]
    seen["left_over"] = [sorted(o.name for o in bpy.data.objects), [c.name for c in bpy.data.collections]]
    seen["images"] = sorted([i.name, i.packed_file is not None, i.colorspace_settings.name] for i in bpy.data.images)
    save_arrays(item.data, folder / "mesh.npz")
    bpy.ops.ed.undo()
    seen["undone"] = [name in bpy.data.objects, len(bpy.data.meshes), len(bpy.data.images)]
    bpy.ops.ed.redo()
    seen["redone"] = name in bpy.data.objects
    elsewhere = place(result, Target("cursor", location_m=(0, 0, 0)))
    other = bpy.data.objects[elsewhere.datablocks[0][1]]
    seen["elsewhere"] = [elsewhere.changed, other.name != name, other.data == bpy.data.objects[name].data]
    stage.reload(folder / "scene.blend")
    seen["reloaded"] = place(result, Target("cursor", location_m=(0, 0, 0))).changed
    stage.camera((0.1, 0, 0.5), 1.4)
    stage.sky(1.0)
    seen["front"] = stage.render(folder / "front.png", samples=4)
    stage.camera((0.1, 0, 0.5), 1.4, towards=(-1, 0, 0))
    seen["right"] = stage.render(folder / "right.png", samples=4)
    return seen


def replace(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """In the place of an object that stands somewhere, has a parent, a modifier, a child and materials."""
    result = stage.delivery(inputs, "mesh")
    bpy.ops.object.empty_add(location=(5, 0, 0))
    parent = bpy.context.view_layer.objects.active
    bpy.ops.mesh.primitive_cube_add()
    item = bpy.context.view_layer.objects.active
    item.name, item.parent = "Hero", parent
    item.location, item.rotation_euler, item.scale = (1, 2, 3), (0.1, 0.2, 0.3), (2, 2, 2)
    item.modifiers.new("Bevel", "BEVEL")
    item.vertex_groups.new(name="Group")
    item.data.materials.append(bpy.data.materials.new("Own"))
    twin = bpy.data.objects.new("Twin", item.data)
    bpy.context.scene.collection.objects.link(twin)
    bpy.context.view_layer.update()
    matrix = [value for row in item.matrix_world for value in row]
    bpy.ops.ed.undo_push(message="before")
    placed = place(result, Target("replace_selected"))
    item = bpy.data.objects["Hero"]
    seen: dict[str, Any] = {
        "placed": [placed.target, placed.changed, placed.notes],
        "kept": [
            item.parent.name,
            [modifier.type for modifier in item.modifiers],
            [value for row in item.matrix_world for value in row] == matrix,
            [slot.material.name for slot in item.material_slots],
            len(bpy.data.objects["Twin"].data.vertices),
        ],
        "vertices": len(item.data.vertices),
        "again": place(result, Target("replace_selected")).changed,
        "materials": sorted(material.name for material in bpy.data.materials),
        "record": stage.record(item).target,
    }
    bpy.ops.ed.undo()
    seen["undone"] = len(bpy.data.objects["Hero"].data.vertices)
    bpy.ops.ed.redo()
    seen["redone"] = len(bpy.data.objects["Hero"].data.vertices)
    placed = place(result, Target("replace_selected", object_name="Twin", keep_materials=False))
    seen["own_materials"] = [slot.material.name for slot in bpy.data.objects["Twin"].material_slots]
    seen["no_mesh"] = stage.refusal(
        lambda: place(result, Target("replace_selected", object_name=bpy.data.objects["Hero"].parent.name))
    )
    return seen


def broken(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """Files that are damaged or gone leave the .blend as it was; kinds without a form are refused in words."""
    from dataclasses import replace as changed

    seen: dict[str, Any] = {}
    before = stage.state()
    for name in ("mesh", "splats", "material", "clip", "sound", "image"):
        result = stage.delivery(inputs, name)
        cut = []
        for file in result.files:
            path = folder / f"cut_{file.name}"
            path.write_bytes(b"\x00" * 64)
            cut.append(changed(file, path=str(path)))
        bad = changed(result, files=tuple(cut))
        seen[f"cut {name}"] = stage.refusal(lambda bad=bad: place(bad))
        gone = changed(result, files=tuple(changed(file, path=file.path + ".gone") for file in result.files))
        seen[f"gone {name}"] = stage.refusal(lambda gone=gone: place(gone))
        none = changed(result, files=())
        seen[f"no {name}"] = stage.refusal(lambda none=none: place(none))
        assert stage.state() == before, f"{name} left something behind"
    for kind in ("field", "scene", "hologram"):
        asset = changed(stage.delivery(inputs, "mesh"), kind=kind)
        seen[kind] = stage.refusal(lambda asset=asset: place(asset))
    return seen
