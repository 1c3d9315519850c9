"""Cases about a Blender that takes up what an earlier one left growing, with a bridge that outlives both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from tests.blender_addon.cases import installed
from tests.blender_addon.cases.fake_layout import drawn
from tests.blender_addon.cases.growing_cases import JOBS, Versions, cloud_of, growing, row_buttons, visible
from tests.blender_addon.cases.installed import connected, placed, pump, session, until
from tests.blender_addon.cases.splat_cases import save_arrays

MOVED = ((0.25, 0.0, 0.0), (0.0, 0.0, 0.5))


def first(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """Two versions of a cloud, moved by the artist; then the end without a word."""
    installed.install(inputs["archive"])
    connected()
    if inputs["saved"]:
        bpy.ops.wm.save_as_mainfile(filepath=inputs["scene"])
        pump()
    versions = Versions(folder)
    run = growing(versions, inputs.get("most", 200))
    item = cloud_of(run)
    item.location, item.rotation_euler = MOVED
    before = visible(item)
    versions.more()
    until(lambda: visible(cloud_of(run)) > before, "the second version")
    if inputs["saved"]:
        item.name = "My cloud"
        bpy.ops.wm.save_mainfile()
    elsewhere = _elsewhere_and_back(run, versions, inputs) if inputs["saved"] else []
    until(lambda: run.job_id in session().slot.path.read_text("utf-8"), "the writing down")
    return {"job": run.job_id, "count": visible(cloud_of(run)), "versions": versions.count, "elsewhere": elsewhere}


def _elsewhere_and_back(run: Any, versions: Versions, inputs: dict[str, Any]) -> list[Any]:
    """Another file is opened meanwhile: nothing is put into that one, and the first one's cloud goes on later."""
    bpy.ops.wm.read_homefile(app_template="", use_empty=True)
    versions.more()
    cloud = session().hub.growing[0][1].cloud
    until(lambda: cloud.count >= 200 * versions.count, "the next version in this Blender's memory")
    pump(0.1)
    told = [len(bpy.data.objects), "here" in _row(run).buttons, _row(run).detail[-1]]
    bpy.ops.wm.open_mainfile(filepath=inputs["scene"])
    before = visible(cloud_of(run))
    until(lambda: visible(cloud_of(run)) > before, "the version that came meanwhile")
    bpy.ops.wm.save_mainfile()
    return [*told, _objects(), "here" in _row(run).buttons]


def _row(run: Any) -> Any:
    elsewhere = installed.part("ui.session").other_file(run)
    return installed.part("core.panel_model").job_row(run, connected=True, elsewhere=elsewhere)


def _objects() -> list[str]:
    return sorted(item.name for item in bpy.data.objects if item.type == "MESH")


def second(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """The cloud stands where it stood and grows on, or, when its file is lost, is asked into this one."""
    bpy.ops.preferences.addon_enable(module=installed.NAME)
    connected()
    (run,) = session().hub.runs
    versions = Versions(folder, inputs["versions"])
    until(lambda: run.state == "running" and session().hub.growing and session().hub.growing[0][1].cloud.count,
          "the cloud in this Blender's memory")  # fmt: skip
    pump(0.1)
    seen: dict[str, Any] = {"job": run.job_id, "before": [_objects(), "here" in _row(run).buttons]}
    if inputs["saved"]:
        bpy.ops.wm.open_mainfile(filepath=inputs["scene"])
    else:
        drawn(JOBS)
        assert bpy.ops.scenecast.here(key=run.key) == {"FINISHED"}
        until(lambda: cloud_of(run) is not None, "the cloud in this file")
    count = seen["count"] = visible(cloud_of(run))
    versions.more()
    until(lambda: visible(cloud_of(run)) > count, "a version in this Blender")
    item = cloud_of(run)
    seen["kept"] = [item.location[:], item.rotation_euler[:], len(item.modifiers), _objects()]
    seen["steers"] = list(row_buttons(run))
    assert bpy.ops.scenecast.finish(key=run.key) == {"FINISHED"}
    seen["said"] = placed(run)

    (name,) = _objects()
    seen["name"] = name
    save_arrays(bpy.data.objects[name].data, folder / "cloud.npz")
    return seen


def ended_meanwhile(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """The job came to its end while no Blender ran; the file is opened before the add-on is there."""
    bpy.ops.wm.open_mainfile(filepath=inputs["scene"])
    bpy.ops.preferences.addon_enable(module=installed.NAME)
    connected()
    (run,) = session().hub.runs
    seen = {"said": placed(run), "objects": _objects(), "stands": bpy.data.objects["My cloud"].location[:]}
    save_arrays(bpy.data.objects["My cloud"].data, folder / "cloud.npz")
    return seen
