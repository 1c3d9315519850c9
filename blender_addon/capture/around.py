# SPDX-License-Identifier: GPL-3.0-or-later
"""Posed pictures of the scene from all around what is selected: a capture, as if it had been photographed.

Each picture is a render, which holds Blender until it is done; so one is made at a time, and Blender has its turn
in between.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bpy
import mathutils
import numpy as np

from ..core.captured import CapturedFile, CaptureError
from ..core.orbit import FOV_DEG, transforms_json, viewpoints
from .borrowed import Change, as_png, borrowed

LOOKS = ("scene", "quick")
SAMPLES = 24
_NAME = "Scenecast capture"


class Around:
    """Pictures of the scene from `count` cameras around these objects, one for each `step`.

    `look` is `scene` (the scene's engine, with few samples) or `quick` (Workbench: colours and textures in even
    light). Square PNGs without the sky, in `folder`, with a transforms.json. Raises `CaptureError`.
    """

    def __init__(self, folder: Path, objects: Sequence[str], *, count: int, size_px: int, look: str = "scene") -> None:
        found = [bpy.data.objects[name] for name in objects if name in bpy.data.objects]
        if not found:
            raise CaptureError("Nothing is selected to look at", "Select an object")
        centre, radius_m = sphere_around(found)
        if radius_m <= 0:
            raise CaptureError(f"{found[0].name} has no size", "Select a mesh, a curve or a text")
        self.folder, self.name = folder, found[0].name
        self.done = 0
        """Pictures taken."""
        self.secs_each = 0.0
        """What the last one held Blender for."""
        self._poses = viewpoints(count, centre, radius_m)
        self._names = [f"view_{number:03d}.png" for number in range(count)]
        self._distance_m = float(np.linalg.norm(self._poses[0][:3, 3] - np.array(centre)))
        self._size_px, self._look = size_px, look
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def count(self) -> int:
        """Pictures to be taken in all."""
        return len(self._poses)

    def step(self) -> bool:
        """Take the next picture; True when all are there. Holds Blender for one render. Raises `CaptureError`."""
        if bpy.app.is_job_running("RENDER"):
            raise CaptureError("Blender is rendering", "Wait until it is done")
        began = time.perf_counter()
        data = bpy.data.cameras.new(_NAME)
        camera = bpy.data.objects.new(_NAME, data)
        scene = bpy.context.scene
        scene.collection.objects.link(camera)
        try:
            data.sensor_fit, data.angle = "HORIZONTAL", np.radians(FOV_DEG)
            data.clip_start, data.clip_end = self._distance_m / 1000, self._distance_m * 1000
            camera.matrix_world = mathutils.Matrix(self._poses[self.done].tolist())
            with borrowed(scene.render) as change:
                self._set(scene, camera, change)
                bpy.ops.render.render(scene=scene.name, write_still=True)
        except (RuntimeError, OSError) as error:
            raise CaptureError(f"The view could not be rendered: {error}") from error
        finally:
            bpy.data.objects.remove(camera)
            bpy.data.cameras.remove(data)
        self.done += 1
        self.secs_each = time.perf_counter() - began
        if self.done < self.count:
            return False
        listed = transforms_json(self._poses, self._names, self._size_px)
        (self.folder / "transforms.json").write_text(listed, "utf-8")
        return True

    def captured(self) -> CapturedFile:
        """The folder, once `step` said True."""
        return CapturedFile(str(self.folder), "capture", "photos", "", f"{self.name} from all around")

    def _set(self, scene: Any, camera: Any, change: Change) -> None:
        render = scene.render
        change(scene, "camera", camera)
        for off in ("use_compositing", "use_sequencer", "use_border", "use_multiview"):
            change(render, off, False)
        change(render, "film_transparent", True)
        change(render, "resolution_percentage", 100)
        for side in ("resolution_x", "resolution_y"):
            change(render, side, self._size_px)
        for side in ("pixel_aspect_x", "pixel_aspect_y"):
            change(render, side, 1.0)
        change(render, "filepath", str(self.folder / self._names[self.done]))
        change(render, "use_file_extension", False)
        # Splats are shown with the view transform Standard; a bent colour would be bent twice.
        change(scene.view_settings, "look", "None")  # first, so that it comes back last: it depends on the other
        change(scene.view_settings, "view_transform", "Standard")
        as_png(render.image_settings, "RGBA")
        if self._look == "quick":
            change(render, "engine", "BLENDER_WORKBENCH")
            shading = scene.display.shading
            change(shading, "light", "STUDIO")
            change(shading, "use_world_space_lighting", True)  # the light must not turn with the camera
            change(shading, "color_type", "TEXTURE")
            for nodes, node in _colours():
                change(nodes, "active", node)
            for off in ("show_cavity", "show_shadows", "show_xray", "show_object_outline", "show_specular_highlight"):
                change(shading, off, False)
        elif render.engine == "CYCLES":
            change(scene.cycles, "samples", min(scene.cycles.samples, SAMPLES))
        elif "EEVEE" in render.engine:
            change(scene.eevee, "taa_render_samples", min(scene.eevee.taa_render_samples, SAMPLES))


def _colours() -> Iterator[tuple[Any, Any]]:
    """The nodes of each material with the texture that feeds its colour, which is what Workbench should show."""
    for material in bpy.data.materials:
        tree = material.node_tree
        shaders = [node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"] if tree is not None else []
        socket = shaders[0].inputs["Base Color"] if shaders else None
        for _ in range(4):
            if socket is None or not socket.is_linked:
                break
            node = socket.links[0].from_node
            if node.type == "TEX_IMAGE":
                yield tree.nodes, node
                break
            socket = next((one for one in node.inputs if one.is_linked), None)


def sphere_around(items: Sequence[Any]) -> tuple[tuple[float, float, float], float]:
    """Centre and radius in metres of a sphere that holds these objects as they are drawn, modifiers applied."""
    graph = bpy.context.evaluated_depsgraph_get()
    corners = []
    for item in items:
        evaluated = item.evaluated_get(graph)
        box = np.array([corner[:] for corner in evaluated.bound_box], np.float64)
        if item.type == "MESH" and not np.ptp(box, axis=0).any():  # its modifiers leave instances alone, like ours
            box = np.array([vertex.co[:] for vertex in item.data.vertices], np.float64).reshape(-1, 3)
        turn = np.array(evaluated.matrix_world, np.float64)
        corners.append(box @ turn[:3, :3].T + turn[:3, 3])
    points = np.concatenate(corners)
    if not len(points):
        return (0.0, 0.0, 0.0), 0.0
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    x, y, z = (float(value) for value in centre)
    return (x, y, z), float(np.linalg.norm(points - centre, axis=1).max())
