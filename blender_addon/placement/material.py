# SPDX-License-Identifier: GPL-3.0-or-later
"""A delivered material as a Principled node tree, on an object or by itself, with a preview for the Asset Browser."""

from __future__ import annotations

import json
from typing import Any

import bpy

from .. import provenance
from ..core.delivered import Delivered, DeliveredFile
from ..core.targets import Placed, PlacementError, Target
from . import images, places, previews, surface_scale
from .material_tree import MaterialTree, Surface, set_relief
from .node_sheet import of_material

MAPS = ("base_color", "normal", "height", "roughness", "metallic", "occlusion", "emission", "opacity")


def place(delivered: Delivered, target: Target) -> Placed:
    """Make the material, or find it where it was made before, and give it to the object that the target names.

    Raises `PlacementError`.
    """
    item = places.chosen_object(target) if target.kind == "active_slot" else None
    if item is not None:
        places.need_wearer(item)
    material = provenance.matching(bpy.data.materials, delivered, "material")
    changed = material is None
    notes: tuple[str, ...] = ()
    if material is None:
        surface = _surface(delivered, item)
        material = _made(delivered, surface)
        if surface.boxed and item is not None:
            notes = (f"{item.name} has no UV map: the texture is projected along its axes, at its true size.",)
        if target.mark_asset:
            _mark(material, delivered)
        previews.draw(material, delivered, later=target.preview == "later")
    changed |= set_relief(material, target.relief)
    if target.relief == "displacement" and "height" in {file.role for file in delivered.files}:
        notes = (*notes, "Displacement needs geometry: give the object a Subdivision Surface modifier.")
    where = ""
    if item is not None:
        changed |= places.give_material(item, material, target.slot)
        where = f" on {item.name}"
        notes = (*notes, *places.shared_note(item, material))
    made = (("materials", material.name), *_images_of(material))
    return Placed("material", target.kind, made, changed, f"Material {material.name}{where}", notes)


def _made(delivered: Delivered, surface: Surface) -> Any:
    loaded = {
        role: images.packed(file, delivered, f"{delivered.name} {role.replace('_', ' ')}")
        for role in MAPS
        if (file := delivered.of_role(role)) is not None
    }
    if not loaded:
        raise PlacementError(f"{delivered.name} came without a single map that Blender can use")
    material, sheet = of_material(delivered.name)
    MaterialTree(sheet, surface, loaded).draw()
    material.displacement_method = "BUMP"
    provenance.write(material, delivered, "material")
    return material


def _surface(delivered: Delivered, item: Any) -> Surface:
    """What the sidecar says, and failing that the asset itself; the size of the object's UVs decides the tiling."""
    said: dict[str, Any] = dict(delivered.meta)
    sidecar = delivered.of_role("description")
    if sidecar is not None:
        said |= _described(sidecar)
    tileable = bool(said.get("tileable", True))
    boxed = tileable and not surface_scale.has_uvs(item)
    span = 1.0 if boxed else surface_scale.metres_per_uv(item)
    axes = surface_scale.metres_per_axis(item) if boxed else (1.0, 1.0, 1.0)
    return Surface(
        tile_m=float(said.get("tile_m", 1.0)),
        height_m=float(said.get("height_m", 0.02)),
        height_middle=float(said.get("height_middle", 0.5)),
        tileable=tileable,
        ior=float(said.get("ior", 1.5)),
        span_m=span,
        boxed=boxed,
        axes_m=axes,
    )


def _described(sidecar: DeliveredFile) -> dict[str, Any]:
    try:
        tree = json.loads(sidecar.read())
    except ValueError as error:
        raise PlacementError(f"{sidecar.name} cannot be read: {error}", "Make it again") from error
    return tree if isinstance(tree, dict) else {}


def _mark(material: Any, delivered: Delivered) -> None:
    """Show it in the Asset Browser, with tags and a description."""
    material.asset_mark()
    data = material.asset_data
    record = provenance.read(material)
    prompt = str(record.params.get("prompt", "")) if record else ""
    title = str(delivered.provenance.get("title", "")) or (record.generator if record else "")
    seed = f"seed {record.seed}" if record and record.seed is not None else ""
    data.description = " · ".join(part for part in (prompt, title, seed) if part)
    data.author = "Scenecast"
    for tag in ("Scenecast", record.generator if record else ""):
        if tag:
            data.tags.new(tag, skip_if_exists=True)


def _images_of(material: Any) -> list[tuple[str, str]]:
    nodes = material.node_tree.nodes
    return [("images", node.image.name) for node in nodes if node.type == "TEX_IMAGE" and node.image]
