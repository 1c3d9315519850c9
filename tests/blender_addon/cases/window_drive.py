"""Run by a Blender with a window: `blender --factory-startup --python window_drive.py -- FOLDER`.

Nothing is pumped by hand here: the add-on's own timer does everything. Pictures are taken with ImageMagick's
`import`, as Blender's own screenshots of a software display are black in some versions.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy

NAME = "bl_ext.user_default.scenecast"
FOLDER = Path(sys.argv[sys.argv.index("--") + 1])
INPUTS = json.loads((FOLDER / "inputs.json").read_text("utf-8"))
PATIENCE_SECS = 60.0
seen: dict[str, Any] = {}


def session() -> Any:
    return importlib.import_module(f"{NAME}.ui.session").current()


def picture(name: str) -> None:
    subprocess.run(["import", "-window", "root", str(FOLDER / f"{name}.png")], check=True, timeout=30)


def until(condition: Callable[[], Any]) -> Iterator[float]:
    end = time.monotonic() + PATIENCE_SECS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain at {[(run.state, run.error) for run in session().hub.runs]}")
        yield 0.05


def script() -> Iterator[float]:
    bpy.context.preferences.view.show_splash = False
    bpy.context.preferences.view.smooth_view = 0
    window = bpy.context.window_manager.windows[0]
    area = next(one for one in window.screen.areas if one.type == "VIEW_3D")
    area.spaces[0].show_region_ui = True
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.extensions.package_install_files(
            filepath=INPUTS["archive"], repo="user_default", enable_on_install=True
        )
    subprocess.run(["xdotool", "mousemove", "200", "700", "click", "1"], check=True)  # the splash goes
    yield 1.5
    next(one for one in area.regions if one.type == "UI").active_panel_category = "Scenecast"
    yield from until(
        lambda: session().hub.state.status == "connected" and bpy.context.window_manager.scenecast.controls
    )
    bpy.data.objects["Cube"].select_set(True)
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    yield 1.5
    picture("idle")
    controls = bpy.context.window_manager.scenecast.controls
    controls["prompt"]["value"], controls["size_px"]["value"] = "wet mossy red bricks", 2048
    bpy.ops.scenecast.generate()
    run = session().hub.runs[0]
    yield from until(lambda: run.over or (run.fraction > 0.3 and run.key in session().hub.previews))
    seen["caught at work"] = run.state
    yield 0.3
    picture("generating")
    yield from until(lambda: run.landed or run.misplaced)
    seen["landed"] = list(run.landed.values())
    seen["worn"] = bpy.data.objects["Cube"].active_material.name
    area.spaces[0].shading.color_type = "TEXTURE"
    yield 2.0
    picture("done")
    bpy.ops.scenecast.pick_generator(generator="fake.script")
    bpy.context.window_manager.scenecast.controls["raises"]["value"] = "told"
    bpy.ops.scenecast.generate()
    bpy.ops.scenecast.pick_generator(generator="material.procedural")
    failed = session().hub.runs[0]
    yield from until(lambda: failed.over)
    seen["failed"] = failed.error
    yield 2.0
    picture("failed")
    bpy.ops.ed.undo()
    yield 0.5
    seen["after undo"] = bpy.data.objects["Cube"].active_material.name


steps = script()


def turn() -> float | None:
    try:
        return next(steps)
    except StopIteration:
        (FOLDER / "result.json").write_text(json.dumps(seen), "utf-8")
        code = 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


bpy.app.timers.register(turn, first_interval=3.0)
