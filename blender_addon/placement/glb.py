# SPDX-License-Identifier: GPL-3.0-or-later
"""A GLB through Blender's own importer, and what it leaves behind put in order."""

from __future__ import annotations

import logging
from typing import Any

import bpy

from .. import provenance
from ..core.delivered import Delivered
from ..core.targets import PlacementError
from .transaction import newer_than, uids

_MADE = ("objects", "meshes", "materials", "images", "collections")


def mesh_from(path: str, delivered: Delivered) -> Any:
    """The one mesh of the file, named after the asset, its materials and packed images too; no object is left.

    Raises `PlacementError` when the importer is switched off, fails, or finds no single mesh.
    """
    before = {name: uids(name) for name in _MADE}
    selected = [item.name for item in bpy.context.view_layer.objects if item.select_get()]
    active = bpy.context.view_layer.objects.active
    active_name = active.name if active is not None else ""
    _import(path)
    objects = newer_than("objects", before["objects"])
    with_mesh = [item for item in objects if item.type == "MESH"]
    if len(with_mesh) != 1:
        raise PlacementError(f"{delivered.name} holds {len(with_mesh)} meshes where one was expected")
    mesh = with_mesh[0].data
    mesh.transform(with_mesh[0].matrix_world)
    mesh.name = delivered.name
    _dress(newer_than("materials", before["materials"]), delivered)
    bpy.data.batch_remove([*objects, *newer_than("collections", before["collections"])])
    _select_again(selected, active_name)
    return mesh


def _import(path: str) -> None:
    with open(path, "rb"):
        pass  # a file that is gone is better told by its own error than by the importer's
    try:
        bpy.ops.import_scene.gltf(filepath=path, merge_vertices=True, import_pack_images=True, loglevel=logging.ERROR)
    except AttributeError as error:
        raise PlacementError(
            "Blender's glTF add-on is switched off", "Switch on glTF 2.0 format under Preferences › Add-ons"
        ) from error
    except RuntimeError as error:
        raise PlacementError(
            f"Blender's glTF importer failed: {str(error).strip()}", "Fetch the result again"
        ) from error


def _dress(materials: list[Any], delivered: Delivered) -> None:
    """Name what came with the mesh after it, and say that it was generated."""
    for material in materials:
        material.name = delivered.name
        provenance.write(material, delivered, "mesh_material")
        for node in material.node_tree.nodes:
            if node.type == "TEX_IMAGE" and node.image is not None and provenance.read(node.image) is None:
                node.image.name = f"{delivered.name} {_role(node)}"
                provenance.write(node.image, delivered, _role(node).replace(" ", "_"))
        show_colour(material)


def show_colour(material: Any) -> None:
    """Make the texture of its colour the active node: a viewport in Solid mode shows that one."""
    nodes = material.node_tree.nodes
    shown = next((node for node in nodes if node.type == "TEX_IMAGE" and _role(node) == "base color"), None)
    if shown is not None:
        nodes.active = shown


def _role(node: Any) -> str:
    """What an image texture is for, by the socket it leads to."""
    ends = set()
    reached = [node]
    for _ in range(4):
        links = [link for one in reached for socket in one.outputs for link in socket.links]
        ends |= {link.to_socket.name for link in links}
        reached = [link.to_node for link in links]
    if "Normal" in ends:
        return "normal"
    for sockets, role in (
        ({"Roughness", "Metallic"}, "occlusion roughness metallic"),
        ({"Base Color"}, "base color"),
        ({"Emission Color"}, "emission"),
    ):
        if ends & sockets:
            return role
    return "texture"


def _select_again(names: list[str], active_name: str) -> None:
    objects = bpy.context.view_layer.objects
    for name in names:
        if name in objects:
            objects[name].select_set(True)
    objects.active = objects.get(active_name)
