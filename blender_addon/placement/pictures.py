# SPDX-License-Identifier: GPL-3.0-or-later
"""Showing an image datablock, still or moving: texture node, plain material, camera background."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy

from .. import provenance
from ..core.delivered import Delivered
from ..core.targets import CAMERA_MATRIX, Placed, PlacementError, Target
from . import images, places
from .node_sheet import of_material

LOOK = "Look through the camera (Numpad 0) to see it"


def show(image: Any, delivered: Delivered, target: Target, *, made: bool, glows: bool) -> Placed:
    """Show the image where the target says; `made` tells that it is new. Raises `PlacementError`."""
    block = ("images", image.name)
    if _beside_a_view(image, delivered):
        target = replace(target, kind="image")
    if target.kind == "texture_node":
        changed, where = _in_node(image, delivered, target)
        return _placed(delivered, target, (block,), made or changed, where)
    if target.kind == "active_slot":
        item = places.chosen_object(target)
        material = provenance.matching(bpy.data.materials, delivered, "material")
        new = material is None
        if new:
            material = _material(image, delivered, glows=glows)
        changed = places.give_material(item, material, target.slot)
        blocks = (("materials", material.name), block)
        placed = _placed(delivered, target, blocks, made or new or changed, f" on {item.name}")
        return replace(placed, notes=places.shared_note(item, material))
    if target.kind == "camera_background":
        changed, where = _behind_camera(image, delivered, target)
        return replace(_placed(delivered, target, (block,), made or changed, where), notes=(LOOK,))
    image.use_fake_user = True  # nothing uses it yet, and saving must not drop it
    return _placed(delivered, target, (block,), made, "")


def _placed(
    delivered: Delivered, target: Target, blocks: tuple[tuple[str, str], ...], changed: bool, where: str
) -> Placed:
    title = "Clip" if delivered.kind == "clip" else "Image"
    return Placed(delivered.kind, target.kind, blocks, changed, f"{title} {delivered.name}{where}")


def _in_node(image: Any, delivered: Delivered, target: Target) -> tuple[bool, str]:
    node = places.texture_node(target)
    if node is None:
        raise PlacementError(
            "No image texture node is selected", "Click one in the Shader Editor, or choose another place"
        )
    where = f" in {node.label or node.name}"
    if node.image == image:
        return False, where
    if not node.id_data.is_editable:
        raise PlacementError("The material of that texture node is linked from another file", "Make it local first")
    data = node.image is not None and node.image.colorspace_settings.name == "Non-Color"
    node.image = image
    if image.source in ("MOVIE", "SEQUENCE"):
        images.play(node.image_user, image, delivered)
    elif data and image.colorspace_settings.name == "sRGB" and image.users <= 1:
        # What stood there was data, and nothing else shows the new image: it is meant as data too.
        images.set_colour_space(image, "data")
    return True, where


def _material(image: Any, delivered: Delivered, *, glows: bool) -> Any:
    """Image to colour, or to light; alpha cuts it out."""
    material, sheet = of_material(delivered.name)
    output = sheet.add("ShaderNodeOutputMaterial", 320, 300)
    shader = sheet.add("ShaderNodeBsdfPrincipled", -20, 300)
    texture = sheet.add("ShaderNodeTexImage", -340, 300, label=delivered.name[:60])
    source = sheet.add("ShaderNodeTexCoord", -560, 300)
    texture.image, texture.extension = image, "REPEAT"
    sheet.link(source.outputs["UV"], texture.inputs["Vector"])
    sheet.link(shader.outputs["BSDF"], output.inputs["Surface"])
    if image.source in ("MOVIE", "SEQUENCE"):
        images.play(texture.image_user, image, delivered)
    if glows:
        shader.inputs["Base Color"].default_value = (0.0, 0.0, 0.0, 1.0)
        shader.inputs["Specular IOR Level"].default_value = 0.0
        shader.inputs["Emission Strength"].default_value = 1.0
        sheet.link(texture.outputs["Color"], shader.inputs["Emission Color"])
    else:
        shader.inputs["Roughness"].default_value = 0.8
        sheet.link(texture.outputs["Color"], shader.inputs["Base Color"])
    if image.depth in (32, 64, 128):
        sheet.link(texture.outputs["Alpha"], shader.inputs["Alpha"])
    provenance.write(material, delivered, "material")
    return material


def _beside_a_view(image: Any, delivered: Delivered) -> bool:
    """Whether it is what comes with a view through a camera, its depth: kept, and never shown in the view's place."""
    return CAMERA_MATRIX in delivered.params and image.colorspace_settings.name == "Non-Color"


def _earlier_view(camera: Any, delivered: Delivered) -> Any:
    """The background that shows another view through a camera by the same generator: the new one takes its place."""
    if CAMERA_MATRIX not in delivered.params:
        return None
    for background in camera.data.background_images:
        record = provenance.read(background.image) if background.image is not None else None
        if record is not None and record.generator == delivered.generator and CAMERA_MATRIX in record.params:
            return background
    return None


def _behind_camera(image: Any, delivered: Delivered, target: Target) -> tuple[bool, str]:
    named = bpy.data.objects.get(target.object_name) if target.object_name else None
    camera = named or places.chosen_scene(target).camera
    if camera is None or camera.type != "CAMERA":
        raise PlacementError("The scene has no camera", "Add one, and make it the scene's active camera")
    if not camera.data.is_editable:
        raise PlacementError(f"{camera.name} is linked from another file", "Make it and its data local first")
    where = f" behind {camera.name}"
    if any(shown.image == image for shown in camera.data.background_images):
        changed = not camera.data.show_background_images
        camera.data.show_background_images = True
        return changed, where
    background = _earlier_view(camera, delivered) or camera.data.background_images.new()
    background.image = image
    background.alpha = 1.0
    background.frame_method = "FIT"
    background.display_depth = "BACK"
    camera.data.show_background_images = True
    if image.source in ("MOVIE", "SEQUENCE"):
        images.play(background.image_user, image, delivered)
    return True, where
