"""Cases about materials, run inside Blender."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from blender_addon import provenance
from blender_addon.placement import Target, place
from tests.blender_addon.cases import stage


def wired(material: Any) -> dict[str, Any]:
    """For every image texture: the path of sockets it takes to the output, its colour space and extension."""
    found = {}
    for node in material.node_tree.nodes:
        if node.type == "TEX_IMAGE":
            link, path = next((link for socket in node.outputs for link in socket.links), None), []
            while link is not None:
                path.append(f"{link.to_node.type}.{link.to_socket.name}")
                link = next((link for socket in link.to_node.outputs for link in socket.links), None)
            found[stage.record(node.image).role] = {
                "path": path,
                "space": node.image.colorspace_settings.name,
                "packed": node.image.packed_file is not None,
                "extension": node.extension,
                "fed": node.inputs["Vector"].is_linked,
            }
    return found


def tree(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """On the active slot, twice, undone, redone, saved, opened again, appended elsewhere."""
    result = stage.delivery(inputs, "material")
    stage.plane(side_m=4.0)
    bpy.ops.ed.undo_push(message="before")
    first = place(result)
    name = first.datablocks[0][1]
    after = stage.state()
    second = place(result)
    seen: dict[str, Any] = {
        "placed": [first.target, first.changed, first.message],
        "again": [second.target, second.changed, second.datablocks == first.datablocks, stage.state() == after],
        "slot": bpy.data.objects["Wall"].material_slots[0].material.name,
    }
    material = bpy.data.materials[name]
    nodes = material.node_tree.nodes
    mix = next(node for node in nodes if node.type == "MIX")
    seen["wired"] = wired(material)
    seen["overlapping"] = stage.overlapping(material.node_tree)
    seen["frames"] = sorted(node.label for node in nodes if node.type == "FRAME")
    seen["occlusion_factor"] = next(one for one in mix.inputs if one.identifier == "Factor_Float").default_value
    seen["values"] = {node.label: node.outputs[0].default_value for node in nodes if node.type == "VALUE"}
    displaced = next(node for node in nodes if node.type == "DISPLACEMENT")
    seen["relief"] = [displaced.inputs["Midlevel"].default_value, displaced.inputs["Scale"].default_value]
    seen["method"] = material.displacement_method
    seen["asset"] = [tag.name for tag in material.asset_data.tags] + [material.asset_data.description]
    picture = np.array(material.preview.image_pixels_float[:]).reshape(*reversed(material.preview.image_size[:]), 4)
    np.save(folder / "preview.npy", picture)
    bpy.ops.ed.undo()
    seen["undone"] = [len(bpy.data.materials), len(bpy.data.objects["Wall"].material_slots), len(bpy.data.images)]
    bpy.ops.ed.redo()
    seen["redone"] = bpy.data.objects["Wall"].material_slots[0].material.name
    stage.reload(folder / "scene.blend")
    third = place(result, Target("active_slot", object_name="Wall"))
    material = bpy.data.materials[name]
    seen["reloaded"] = [third.changed, wired(material) == seen["wired"], material.asset_data is not None]
    deeper = place(result, Target("active_slot", object_name="Wall", relief="displacement"))
    strength = next(node for node in material.node_tree.nodes if node.type == "NORMAL_MAP").inputs["Strength"]
    seen["displaced"] = [deeper.changed, material.displacement_method, strength.default_value, len(bpy.data.materials)]
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(folder / "scene.blend"), assets_only=True) as (held, wanted):
        wanted.materials = held.materials
    record = stage.record(bpy.data.materials[0])
    seen["appended"] = [record.digest, record.job_id, record.generator, record.seed, record.params, record.time]
    seen["synthetic"] = sorted({(one.collection, one.record.role) for one in provenance.synthetic()})
    return seen


def light(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """The test picture on a wall, lit from four sides, and the wall bare."""
    result = stage.delivery(inputs, "material")
    wall = stage.plane()
    stage.camera((0, 0, 0), 2.0)
    stage.sky(0.15)
    stage.sun((0, -1, 1))
    pictures = {"bare": stage.render(folder / "bare.png")}
    material = bpy.data.materials[place(result).datablocks[0][1]]
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    pictures["textured"] = stage.render(folder / "textured.png")
    # The bump is mirror-like metal: seen as matt plaster, its shading tells which way it faces.
    for name, value in (("Metallic", 0.0), ("Roughness", 1.0), ("Base Color", (0.6, 0.6, 0.6, 1.0))):
        for link in list(shader.inputs[name].links):
            material.node_tree.links.remove(link)
        shader.inputs[name].default_value = value
    for side, direction in {"up": (0, -1, 2), "down": (0, -1, -2), "right": (2, -1, 0), "left": (-2, -1, 0)}.items():
        stage.sun(direction)
        pictures[side] = stage.render(folder / f"{side}.png")
    # Relief by the height alone, without the normal map, must lean the same way.
    for link in list(shader.inputs["Normal"].links):
        material.node_tree.links.remove(link)
    stage.sun((0, -1, 2))
    pictures["height_up"] = stage.render(folder / "height_up.png")
    assert wall.material_slots[0].material == material
    return pictures


def scale(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """How often a tile repeats on surfaces of known size, and what is said about a surface without UVs."""
    result = stage.delivery(inputs, "material")
    seen: dict[str, Any] = {}
    for side in (1.0, 6.0):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        stage.plane(side_m=side)
        material = bpy.data.materials[place(result).datablocks[0][1]]
        values = {
            node.label: node.outputs[0].default_value for node in material.node_tree.nodes if node.type == "VALUE"
        }
        seen[f"{side:g}"] = values
    bpy.ops.wm.read_factory_settings(use_empty=True)
    wall = stage.plane()
    wall.data.uv_layers.remove(wall.data.uv_layers[0])
    placed = place(result)
    textures = [n for n in bpy.data.materials[0].node_tree.nodes if n.type == "TEX_IMAGE"]
    seen["boxed"] = [placed.notes, sorted({node.projection for node in textures})]
    bpy.ops.object.camera_add()
    seen["camera"] = stage.refusal(lambda: place(result, Target("active_slot")))
    seen["auto_camera"] = place(result).target
    seen["gone"] = stage.refusal(lambda: place(result, Target("active_slot", object_name="Nobody")))
    seen["wrong_place"] = stage.refusal(lambda: place(result, Target("speaker")))
    return seen
