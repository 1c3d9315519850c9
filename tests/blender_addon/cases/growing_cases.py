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
        seen["steered"] = _steered(folder)
        seen["cancelled"] = _cancelled(folder)
        seen["deleted"] = _deleted(folder)
    return seen


def cloud_of(run: Any) -> Any:
    mesh = installed.part("placement.growing").mesh_of(run.job_id)
    return next((item for item in bpy.data.objects if mesh is not None and item.data == mesh), None)


class Versions:
    """How many versions of a cloud may come: all of its job's further ones wait for `more`."""

    def __init__(self, folder: Path, count: int = 0) -> None:
        self.path = folder / "versions_allowed"
        self.count = count
        if not count:
            self.more()

    def more(self, count: int = 1) -> None:
        """Let so many more come."""
        self.count += count
        written = self.path.with_suffix(".new")
        written.write_text(str(self.count), "utf-8")
        written.replace(self.path)


def growing(versions: Versions, most: int = 200) -> Any:
    """A cloud on its way, its first version in the scene; the run."""
    run = generate("fake.cloud", versions=most, step_secs=0.0, allowed=str(versions.path))
    until(lambda: cloud_of(run) is not None, "the first version")
    return run


def visible(item: Any) -> int:
    return sum(each.value > 0 for each in item.data.attributes["splat_opacity"].data)


def _grown(folder: Path, seen: dict[str, Any]) -> dict[str, Any]:
    versions = Versions(folder)
    run = growing(versions)
    item = cloud_of(run)
    name, found = item.name, {"name": item.name, "stood": item.location[:], "counts": [visible(item)]}
    item.location, item.rotation_euler, item.scale = (0.25, 0, 0), (0, 0, 0.5), (2, 2, 2)
    item.modifiers[0].name = "My splats"
    counts: list[int] = found["counts"]

    while len(counts) < 4:
        versions.more()
        until(lambda: visible(cloud_of(run)) != counts[-1], "another version")
        counts.append(visible(cloud_of(run)))
        stage.camera((0.35, 0, 1.0), 3)
        stage.render(folder / f"version_{len(counts)}.png", samples=8)
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
    return steered_row(run).buttons


def steered_row(run: Any) -> Any:
    """What the list says about a run, with all that may be asked of it."""
    steers = session().hub.steers(run)
    return installed.part("core.panel_model").job_row(run, connected=True, steers=steers)


def _steered(folder: Path) -> dict[str, Any]:
    run = growing(Versions(folder))
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


def _cancelled(folder: Path) -> dict[str, Any]:
    before = {item.name for item in bpy.data.objects}
    run = growing(Versions(folder))
    assert bpy.ops.scenecast.cancel(key=run.key) == {"FINISHED"}
    until(lambda: run.over and run.notes, "the end, and what is said of what stays")
    left = sorted({item.name for item in bpy.data.objects} - before)
    bpy.ops.ed.undo()
    return {"left": left, "notes": run.notes, "line": row(run).line,
            "undone": sorted({item.name for item in bpy.data.objects} - before)}  # fmt: skip


def _deleted(folder: Path) -> list[Any]:
    versions = Versions(folder)
    run = growing(versions)
    bpy.data.objects.remove(cloud_of(run))
    versions.more()
    until(lambda: session().growing._shown[run.key].gone, "the next version")
    during = cloud_of(run) is None
    assert bpy.ops.scenecast.finish(key=run.key) == {"FINISHED"}
    return [during, placed(run)]
