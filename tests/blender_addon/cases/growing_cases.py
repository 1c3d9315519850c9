"""Cases about clouds that grow in the scene, with a real bridge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from tests.blender_addon.cases import installed, stage
from tests.blender_addon.cases.fake_layout import drawn
from tests.blender_addon.cases.installed import connected, generate, placed, pump, row, session, until
from tests.blender_addon.cases.serving import Serving
from tests.blender_addon.cases.splat_cases import save_arrays

JOBS = "SCENECAST_PT_jobs_view3d"


def whole(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """Three versions and the finished one in the same object, moved meanwhile; one step back; paused; good enough."""
    seen: dict[str, Any] = {}
    with Serving(inputs["python"], folder):
        installed.install(inputs["archive"])
        connected()
        bpy.ops.mesh.primitive_cube_add(location=(9, 9, 9))
        bpy.context.scene.cursor.location = (1, 2, 3)
        bpy.ops.ed.undo_push(message="before")
        bpy.ops.ed.undo_push(message="before, once more")
        seen["grown"] = _grown(folder, seen)
        seen["steered"] = _steered()
        seen["cancelled"] = _cancelled()
        seen["deleted"] = _deleted()
    return seen


def _cloud(run: Any) -> Any:
    mesh = installed.part("placement.growing").mesh_of(run.job_id)
    return next((item for item in bpy.data.objects if mesh is not None and item.data == mesh), None)


def _visible(item: Any) -> int:
    return sum(each.value > 0 for each in item.data.attributes["splat_opacity"].data)


def _grown(folder: Path, seen: dict[str, Any]) -> dict[str, Any]:
    run = generate("fake.cloud", versions=200, step_secs=0.6)
    until(lambda: _cloud(run) is not None, "the first version")
    item = _cloud(run)
    name, found = item.name, {"name": item.name, "stood": item.location[:], "counts": [_visible(item)]}
    item.location, item.rotation_euler, item.scale = (0.25, 0, 0), (0, 0, 0.5), (2, 2, 2)
    item.modifiers[0].name = "My splats"
    counts: list[int] = found["counts"]

    def another() -> bool:
        growing = _cloud(run)
        if growing is not None and _visible(growing) != counts[-1]:
            counts.append(_visible(growing))
            stage.camera((0.35, 0, 1.0), 3)
            stage.render(folder / f"version_{len(counts)}.png", samples=8)
        return len(counts) == 4

    until(another, "four versions")
    assert bpy.ops.scenecast.finish(key=run.key) == {"FINISHED"}
    until(lambda: run.over, "the end")
    found["versions"] = session().growing.versions(run.key)
    found["said"] = placed(run)
    item = next(each for each in bpy.data.objects if each.type == "MESH" and each.location[:] == (0.25, 0, 0))
    found["kept"] = [item.rotation_euler[2], item.scale[:], item.modifiers[0].name, len(item.modifiers)]
    found["named"] = [item.name, item.data.name, sorted(each.name for each in bpy.data.objects if each.type == "MESH")]
    save_arrays(item.data, folder / "cloud.npz")
    found["digest"] = stage.record(item.data).digest == run.assets[0].digest
    again = item.name
    bpy.ops.ed.undo()
    found["undone"] = [again in bpy.data.objects, name in bpy.data.objects]
    bpy.ops.ed.redo()
    found["redone"] = again in bpy.data.objects
    pump(0.3)
    found["further"] = [list(row_buttons(run)), "scenecast.further" in drawn(JOBS).operators]
    assert bpy.ops.scenecast.further(key=run.key) == {"FINISHED"}
    more = session().hub.runs[0]
    found["further order"] = [more.order.inputs["start"].digest == run.assets[0].digest, more.order.target.object_name]
    until(lambda: more.state == "running" and more.fraction > 0, "the start")
    assert bpy.ops.scenecast.finish(key=more.key) == {"FINISHED"}
    placed(more)
    found["further kept"] = [bpy.data.objects[again].location[:], len([each for each in bpy.data.objects
                             if each.type == "MESH"])]  # fmt: skip
    return found


def row_buttons(run: Any) -> Any:
    hub = session().hub
    return installed.part("core.panel_model").job_row(run, connected=True, steers=hub.steers(run)).buttons


def _steered() -> dict[str, Any]:
    run = generate("fake.cloud", versions=200, step_secs=0.2)
    until(lambda: _cloud(run) is not None, "the first version")
    found: dict[str, Any] = {"buttons": [list(row_buttons(run))]}
    assert bpy.ops.scenecast.pause(key=run.key) == {"FINISHED"}
    until(lambda: run.steered == "paused", "the pause")
    found["buttons"].append(list(row_buttons(run)))
    found["line"] = row(run).line.split(" ")[0]
    drawn(JOBS)
    assert bpy.ops.scenecast.resume(key=run.key) == {"FINISHED"}
    until(lambda: run.steered == "", "going on")
    assert bpy.ops.scenecast.finish(key=run.key) == {"FINISHED"}
    found["said"] = placed(run)
    return found


def _cancelled() -> dict[str, Any]:
    before = {item.name for item in bpy.data.objects}
    run = generate("fake.cloud", versions=200, step_secs=0.2)
    until(lambda: _cloud(run) is not None, "the first version")
    assert bpy.ops.scenecast.cancel(key=run.key) == {"FINISHED"}
    until(lambda: run.over, "the end")
    pump(0.3)
    left = sorted({item.name for item in bpy.data.objects} - before)
    bpy.ops.ed.undo()
    return {"left": left, "notes": run.notes, "line": row(run).line,
            "undone": sorted({item.name for item in bpy.data.objects} - before)}  # fmt: skip


def _deleted() -> list[Any]:
    run = generate("fake.cloud", versions=6, step_secs=0.5)
    until(lambda: _cloud(run) is not None, "the first version")
    bpy.data.objects.remove(_cloud(run))
    until(lambda: session().growing._shown[run.key].gone, "the next version")
    during = _cloud(run) is None
    return [during, placed(run)]
