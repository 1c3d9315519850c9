"""Cases about radiance fields that are really trained, with a real bridge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import mathutils

from tests.blender_addon.cases import installed
from tests.blender_addon.cases.fake_layout import drawn
from tests.blender_addon.cases.growing_cases import JOBS, steered_row
from tests.blender_addon.cases.installed import choose, connected, panel, placed, session, until
from tests.blender_addon.cases.serving import Serving


def trained(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """Photographs from a folder become a field, and that is seen through cameras where photographs were taken."""
    seen: dict[str, Any] = {}
    with Serving(inputs["python"], folder):
        installed.install(inputs["archive"])
        connected()
        choose("field.from_photos", **inputs["params"])
        panel().seed = "1"
        panel().inputs["photos"].source = "folder"
        panel().inputs["photos"].folder = inputs["photos"]
        assert bpy.ops.scenecast.generate() == {"FINISHED"}
        field = session().hub.runs[0]
        until(lambda: field.over, "the field", 400.0)
        assert field.state == "done", (field.error, field.remedy)
        shown = steered_row(field)
        seen["row"] = [shown.line, list(shown.buttons), shown.detail]
        seen["drawn"] = drawn(JOBS).operators
        camera = bpy.data.objects.new("Eye", bpy.data.cameras.new("Eye"))
        bpy.context.scene.collection.objects.link(camera)
        bpy.context.scene.camera = camera
        render = bpy.context.scene.render
        render.resolution_x, render.resolution_y = inputs["size"]
        camera.data.sensor_fit, camera.data.angle = "VERTICAL", inputs["fov_y"]
        seen["views"] = [_look(field, camera, matrix, folder / f"view_{number}.png")
                         for number, matrix in enumerate(inputs["cameras"])]  # fmt: skip
    return seen


def _look(field: Any, camera: Any, matrix: Any, path: Path) -> list[Any]:
    camera.matrix_world = mathutils.Matrix(matrix)
    bpy.context.view_layer.update()
    assert bpy.ops.scenecast.view_field(key=field.key) == {"FINISHED"}
    said = placed(session().hub.runs[0], 200.0)
    image = camera.data.background_images[len(camera.data.background_images) - 1].image
    path.write_bytes(image.packed_file.data)
    return [said, list(image.size), len(camera.data.background_images), camera.data.show_background_images]
