"""Cases about taking things from the scene, run inside Blender."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from blender_addon import capture
from blender_addon.core.captured import CaptureError
from blender_addon.placement import place
from tests.blender_addon.cases import stage


def refused(act: Any) -> str:
    try:
        act()
    except CaptureError as error:
        return str(error)
    raise AssertionError("it was not refused")


def render_settings() -> dict[str, str]:
    """Every setting of the scene's render, its Cycles, its output, its view layer and its camera."""
    scene = bpy.context.scene
    held = {
        "": scene.render,
        "cycles": scene.cycles,
        "image": scene.render.image_settings,
        "layer": bpy.context.view_layer,
    }
    values = {
        f"{name}.{row.identifier}": repr(getattr(thing, row.identifier))
        for name, thing in held.items()
        for row in thing.bl_rna.properties
        if row.type not in ("POINTER", "COLLECTION")
    }
    return {**values, "camera": scene.camera.name}


def everything(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """The letter F seen and exported; nothing in the file changes by it."""
    name = place(stage.delivery(inputs, "mesh")).datablocks[0][1]
    item = bpy.data.objects[name]
    item.location = (3, 0, 0)
    seen: dict[str, Any] = {"no_camera": refused(lambda: capture.camera_pictures(folder))}
    stage.camera((3.1, 0, 0.5), 1.4)
    stage.sky(1.0)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 200, 100
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.view_settings.view_transform = "Standard"
    eye = scene.camera.data
    eye.type, eye.angle = "PERSP", 0.6
    bpy.context.view_layer.update()
    empty = bpy.data.objects.new("Empty", None)
    scene.collection.objects.link(empty)
    before, settings = stage.state(), render_settings()
    taken = capture.camera_pictures(folder / "camera", size_px=160, samples=8)
    seen["camera"] = [asdict(one) for one in taken]
    seen["engine"] = [scene.render.engine, scene.render.resolution_x, len(bpy.data.scenes)]
    seen["object"] = asdict(capture.object_glb(folder / "glb", name))
    seen["stays"] = [bpy.data.objects[name].location[:], bpy.data.objects[name].select_get()]
    seen["changed"] = stage.difference(before, stage.state())
    seen["settings"] = render_settings() == settings
    collection = bpy.data.collections.new("Set")
    scene.collection.children.link(collection)
    collection.objects.link(bpy.data.objects[name])
    seen["collection"] = asdict(capture.collection_glb(folder / "set", "Set"))
    packed = next(image.name for image in bpy.data.images if image.name.endswith("base color"))
    seen["packed"] = asdict(capture.image_file(folder / "images", packed))
    seen["packed_same"] = Path(seen["packed"]["path"]).read_bytes() == bytes(bpy.data.images[packed].packed_file.data)
    painted = bpy.data.images.new("Painted / one", 8, 4)
    values = np.zeros((4, 8, 4), np.float32)
    values[..., 3], values[0, :, 0], values[3, :, 2] = 1, 1, 0.5  # bottom row red, top row half blue
    painted.pixels.foreach_set(values.ravel())
    seen["painted"] = asdict(capture.image_file(folder / "images", painted.name))
    seen["viewport"] = [capture.why_no_viewport(), refused(lambda: capture.viewport_picture(folder))]
    seen["refused"] = [
        refused(lambda: capture.object_glb(folder, "Empty")),
        refused(lambda: capture.object_glb(folder, "Nobody")),
        refused(lambda: capture.collection_glb(folder, "Nothing")),
        refused(lambda: capture.image_file(folder, "None")),
        refused(lambda: capture.camera_pictures(folder, roles=("smell",))),
    ]
    bpy.data.objects[name].hide_set(True)
    seen["hidden"] = refused(lambda: capture.object_glb(folder, name))
    seen["files"] = sorted(os.listdir(folder / "camera"))
    return seen


def around(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """The letter F photographed from all around, one picture for each step, in both looks."""
    name = place(stage.delivery(inputs, "mesh")).datablocks[0][1]
    item = bpy.data.objects[name]
    item.location = (3, 1, 2)
    stage.camera((0, 0, 0), 1.0)
    stage.sky(1.0)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 4
    scene.view_settings.view_transform, scene.view_settings.look = "AgX", "AgX - Punchy"
    bpy.context.view_layer.update()
    before, settings = stage.state(), render_settings()
    taken = capture.Around(folder / "scene", [name], count=8, size_px=96)
    steps: list[bool] = []
    while not steps or not steps[-1]:
        steps.append(taken.step())
    seen: dict[str, Any] = {"steps": steps, "files": sorted(os.listdir(folder / "scene"))}
    seen["captured"] = asdict(taken.captured())
    quick = capture.Around(folder / "quick", [name], count=8, size_px=96, look="quick")
    for _ in range(3):
        quick.step()
    seen["changed"] = stage.difference(before, stage.state())
    seen["settings"] = render_settings() == settings
    seen["look"] = [scene.view_settings.view_transform, scene.view_settings.look, scene.display.shading.light]
    empty = bpy.data.objects.new("Empty", None)
    scene.collection.objects.link(empty)
    seen["refused"] = [
        refused(lambda: capture.Around(folder / "none", [], count=8, size_px=96)),
        refused(lambda: capture.Around(folder / "empty", ["Empty"], count=8, size_px=96)),
    ]
    return seen
