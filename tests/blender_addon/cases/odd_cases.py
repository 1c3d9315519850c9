"""Cases about scenes that are not plain: linked and shared data, overrides, hidden and foreign collections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from blender_addon.placement import Target, place, where_it_fits
from tests.blender_addon.cases import stage


def _library(folder: Path) -> str:
    """A file with a dressed cube in a collection, and a bare one."""
    bpy.ops.mesh.primitive_cube_add()
    dressed = bpy.context.object
    dressed.name = "Dressed"
    dressed.data.materials.append(bpy.data.materials.new("Theirs"))
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.object.name = "Bare"
    group = bpy.data.collections.new("Group")
    bpy.context.scene.collection.children.link(group)
    group.objects.link(dressed)
    path = str(folder / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return path


def _linked(path: str) -> None:
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.objects, wanted.collections = ["Dressed", "Bare"], ["Group"]
    for name in ("Dressed", "Bare"):
        bpy.context.scene.collection.objects.link(bpy.data.objects[name])


def _worn(item: Any) -> list[Any]:
    return [[slot.link, slot.material.name if slot.material else None] for slot in item.material_slots]


def _local(name: str, like: Any) -> Any:
    item = like.copy()
    item.name = name
    bpy.context.scene.collection.objects.link(item)
    return item


def linked(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """Materials and meshes on what comes from another file, and beside it."""
    material, mesh, cloud = (stage.delivery(inputs, name) for name in ("material", "mesh", "splats"))
    path = _library(folder)
    _linked(path)
    theirs = bpy.data.objects["Dressed"]

    def give(name: str) -> Any:
        return place(material, Target("active_slot", object_name=name))

    seen: dict[str, Any] = {"linked": stage.refusal(lambda: give("Dressed"))}
    seen["replaced"] = stage.refusal(lambda: place(mesh, Target("replace_selected", object_name="Dressed")))
    _local("Mine", theirs)
    seen["its own slot"] = [give("Mine").message, _worn(bpy.data.objects["Mine"]), _worn(theirs)]
    _local("Mine bare", bpy.data.objects["Bare"])
    seen["no slot"] = stage.refusal(lambda: give("Mine bare"))
    over = theirs.override_create(remap_local_usages=False)
    over.name = "Over"
    bpy.context.scene.collection.objects.link(over)
    seen["override"] = [give("Over").changed, _worn(over), give("Over").changed]
    bpy.context.scene.collection.children.link(bpy.data.collections["Group"])
    layer = bpy.context.view_layer
    layer.active_layer_collection = layer.layer_collection.children["Group"]
    bpy.ops.ed.undo_push(message="before")
    before = set(bpy.data.objects.keys())
    seen["beside"] = [place(mesh, Target("cursor")).changed, place(cloud, Target("cursor")).changed]
    seen["new in"] = sorted(
        bpy.data.objects[name].users_collection[0].name for name in set(bpy.data.objects.keys()) - before
    )
    seen["active still"] = layer.active_layer_collection.name
    seen["on a cloud"] = [where_it_fits("material"), stage.refusal(lambda: place(material, Target("active_slot")))]
    return seen


def shared(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """Objects that share a mesh, a collection that is hidden, an object stretched and without UVs."""
    material, mesh = stage.delivery(inputs, "material"), stage.delivery(inputs, "mesh")
    bpy.ops.mesh.primitive_cube_add()
    one = bpy.context.object
    one.name = "One"
    _local("Two", one)
    seen: dict[str, Any] = {"one other": place(material, Target("active_slot", object_name="One")).notes}
    _local("Three", one)
    seen["two others"] = place(material, Target("active_slot", object_name="One")).notes
    away = bpy.data.collections.new("Away")
    bpy.context.scene.collection.children.link(away)
    layer = bpy.context.view_layer
    layer.active_layer_collection = layer.layer_collection.children["Away"]
    layer.active_layer_collection.hide_viewport = True
    layer.update()
    made = bpy.data.objects[place(mesh, Target("cursor")).datablocks[0][1]]
    seen["hidden"] = [made.visible_get(), made.users_collection[0].name]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_cube_add(scale=(3.0, 0.5, 1.0))
    box = bpy.context.object
    box.data.uv_layers.remove(box.data.uv_layers[0])
    box.scale = (3.0, -0.5, 1.0)
    bpy.context.view_layer.update()
    place(material)
    tree = box.active_material.node_tree
    axes = next(node for node in tree.nodes if node.type == "COMBXYZ")
    seen["axes"] = [round(socket.default_value, 4) for socket in axes.inputs]
    seen["relief"] = [
        [link.from_node.type for link in box.active_material.node_tree.links if link.to_socket.name == "Normal"],
        next(node.space for node in tree.nodes if node.type == "DISPLACEMENT"),
    ]
    seen["overlapping"] = stage.overlapping(tree)
    seen["text"] = _text(material, mesh)
    return seen


def _text(material: Any, mesh: Any) -> list[str]:
    bpy.ops.object.text_add()
    name = bpy.context.object.name
    worn = place(material, Target("active_slot", object_name=name)).message
    return [worn, stage.refusal(lambda: place(mesh, Target("replace_selected", object_name=name)))]
