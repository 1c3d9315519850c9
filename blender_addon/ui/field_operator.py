# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows a radiance field, which Blender cannot draw, as the scene's camera sees it: rendered by the bridge."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import StringProperty

from ..capture.camera import field_of_view
from ..core.runs import Order, Source
from ..core.targets import CAMERA_MATRIX, Target
from . import session

LONGEST_PX = 2048


class SCENECAST_OT_view_field(bpy.types.Operator):
    """Render the field from the scene's camera, and show it behind the scene in the camera's view"""

    bl_idname = "scenecast.view_field"
    bl_label = "View from camera"
    key: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, _context: Any) -> set[str]:
        """Ask the bridge for the view."""
        one = session.current()
        run = next((run for run in one.hub.runs if run.key == self.key), None)
        viewer = one.hub.viewer
        camera = bpy.context.scene.camera
        if run is None or viewer is None:
            return {"CANCELLED"}
        if camera is None or camera.type != "CAMERA" or camera.data.type != "PERSP":
            self.report({"ERROR"}, "The scene has no perspective camera: add one, and make it the active camera")
            return {"CANCELLED"}
        made = run.assets[0]
        order = Order(
            viewer.id,
            params=view_params(bpy.context.scene),
            inputs={viewer.takes[0].name: Source(made.name or run.title, kind=made.kind, digest=made.digest)},
            seed=run.seed,
            target=Target("camera_background", object_name=camera.name, scene_name=bpy.context.scene.name),
            title=viewer.title,
            hint=f"{made.name or run.title} from {camera.name}",
            kind="image",
            file=one.file,
        )
        one.hub.submit(order)
        return {"FINISHED"}


def view_params(scene: Any) -> dict[str, Any]:
    """What the scene's camera sees, as parameters of a rendering generator; a field stands at the world's origin."""
    render = scene.render
    scale = render.resolution_percentage / 100
    width, height = render.resolution_x * scale, render.resolution_y * scale
    fit = min(1.0, LONGEST_PX / max(width, height))
    x, y, z, last = scene.camera.matrix_world.normalized()
    return {
        "width_px": max(32, round(width * fit)),
        "height_px": max(32, round(height * fit)),
        "fov_y_deg": field_of_view(scene)["fov_y_deg"],
        CAMERA_MATRIX: [float(value) for value in (*x, *z, *(-value for value in y), *last)],
    }


CLASSES = (SCENECAST_OT_view_field,)
