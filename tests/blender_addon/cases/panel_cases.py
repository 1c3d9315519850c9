"""Cases about the installed extension with a real bridge, run inside Blender."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import installed
from installed import choose, connected, generate, panel, placed, pump, row, session, until
from serving import Serving


def everything(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """One thing of each kind, placed; then undo, redo, save, load."""
    seen: dict[str, Any] = {}
    with Serving(inputs["python"], folder):
        installed.install(inputs["archive"])
        connected()
        bpy.ops.mesh.primitive_cube_add()
        cube = bpy.context.object.name
        bpy.ops.ed.undo_push(message="a cube")
        material = generate("material.procedural", prompt="wet mossy red bricks", size_px=256)
        seen["material"] = [
            placed(material),
            bpy.data.objects[cube].active_material.name,
            panel().seed == str(material.seed),
        ]
        clip = generate("clip.loop", kind="fire", size_px=64, frames=8)
        bpy.context.view_layer.objects.active = None
        seen["clip"] = placed(clip)
        seen["movies"] = [image.name for image in bpy.data.images if image.source in ("MOVIE", "SEQUENCE")]
        mesh = generate("mesh.rock", triangles=500, texture_px=256)
        before = set(bpy.data.objects.keys())
        seen["mesh"] = placed(mesh)
        rock = sorted(set(bpy.data.objects.keys()) - before)
        seen["rock"] = [len(rock), len(bpy.data.objects[rock[0]].data.vertices)]
        choose("splats.from_mesh", count=1000)
        panel().inputs["mesh"].source = "result"
        assert bpy.ops.scenecast.pick_result(port="mesh", digest=mesh.assets[0].digest) == {"FINISHED"}
        assert bpy.ops.scenecast.generate() == {"FINISHED"}
        splats = session().hub.runs[0]
        before = set(bpy.data.objects.keys())
        seen["splats"] = placed(splats)
        cloud = sorted(set(bpy.data.objects.keys()) - before)
        seen["cloud"] = [len(cloud), len(bpy.data.objects[cloud[0]].data.vertices)]
        bpy.ops.ed.undo()
        seen["undone"] = cloud[0] in bpy.data.objects
        pump(0.1)
        bpy.ops.ed.redo()
        seen["redone"] = cloud[0] in bpy.data.objects
        pump(0.1)
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
        seen["asked in"] = sorted({run.order.file for run in session().hub.runs})
        bpy.ops.wm.open_mainfile(filepath=str(folder / "scene.blend"))
        pump(0.2)
        seen["loaded"] = [cloud[0] in bpy.data.objects, rock[0] in bpy.data.objects,
                          bpy.data.objects[cube].active_material.name, len(panel().controls) > 0]  # fmt: skip
        seen["list"] = [(one.order.generator, row(one).tone) for one in session().hub.runs]
        bpy.ops.preferences.addon_disable(module=installed.NAME)
        seen["gone"] = [hasattr(bpy.types.WindowManager, "scenecast"), hasattr(bpy.types, "SCENECAST_PT_make_view3d")]
    return seen


_ = until
