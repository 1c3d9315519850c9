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
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import bpy
from mathutils import Quaternion

NAME = "bl_ext.user_default.scenecast"
FOLDER = Path(sys.argv[sys.argv.index("--") + 1])
INPUTS = json.loads((FOLDER / "inputs.json").read_text("utf-8"))
PATIENCE_SECS = 200.0
seen: dict[str, Any] = {}


def session() -> Any:
    return importlib.import_module(f"{NAME}.ui.session").current()


def shown(area: Any, name: str) -> Iterator[float]:
    """A picture of the window after the area was drawn anew, twice: the first drawing may have been on its way."""
    draws = [0]

    def count() -> None:
        draws[0] += 1

    handler = type(area.spaces[0]).draw_handler_add(count, (), "WINDOW", "POST_PIXEL")
    for _ in range(2):
        before = draws[0]
        area.tag_redraw()
        yield from until(partial(lambda least: draws[0] > least, before))
    type(area.spaces[0]).draw_handler_remove(handler, "WINDOW")
    yield 0.3  # the window's own buffers are swapped
    picture(name)


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
    if INPUTS["part"] in PARTS:
        yield from PARTS[INPUTS["part"]](area)
        return
    bpy.data.objects["Cube"].select_set(True)
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    yield 1.5
    yield from shown(area, "idle")
    controls = bpy.context.window_manager.scenecast.controls
    controls["prompt"]["value"], controls["size_px"]["value"] = "wet mossy red bricks", 4096
    bpy.ops.scenecast.generate()
    run = session().hub.runs[0]
    yield from until(lambda: run.over or (run.fraction > 0.3 and run.key in session().hub.previews))
    seen["caught at work"] = run.state
    yield 0.3
    yield from shown(area, "generating")
    yield from until(lambda: run.landed or run.misplaced)
    seen["landed"] = list(run.landed.values())
    seen["worn"] = bpy.data.objects["Cube"].active_material.name
    area.spaces[0].shading.color_type = "TEXTURE"
    yield 2.0
    yield from shown(area, "done")
    bpy.ops.scenecast.pick_generator(generator="fake.script")
    bpy.context.window_manager.scenecast.controls["raises"]["value"] = "told"
    bpy.ops.scenecast.generate()
    bpy.ops.scenecast.pick_generator(generator="material.procedural")
    failed = session().hub.runs[0]
    yield from until(lambda: failed.over)
    seen["failed"] = failed.error
    yield 2.0
    yield from shown(area, "failed")
    bpy.ops.ed.undo()
    yield 0.5
    seen["after undo"] = bpy.data.objects["Cube"].active_material.name
    bpy.ops.ed.redo()
    yield from viewport(area)
    yield from live(area)
    yield from shader_editor(area)


def allow(count: int) -> None:
    """Let so many versions of the cloud come."""
    written = FOLDER / "versions_allowed.new"
    written.write_text(str(count), "utf-8")
    written.replace(FOLDER / "versions_allowed")


def growing(area: Any) -> Iterator[float]:
    """A cloud in the scene while its job is at it, moved meanwhile; then finished, and looked at as it truly is."""
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    view = area.spaces[0].region_3d
    view.view_location, view.view_distance = (0.2, 0, 0.5), 4.0
    view.view_rotation = Quaternion((1, 0, 0), 1.35)
    bpy.ops.scenecast.pick_generator(generator="fake.cloud")
    yield 0.5
    controls = bpy.context.window_manager.scenecast.controls
    controls["versions"]["value"], controls["step_secs"]["value"] = 400, 0.0
    controls["allowed"]["value"] = str(FOLDER / "versions_allowed")
    allow(1)
    bpy.ops.scenecast.generate()
    run = session().hub.runs[0]
    for count in (1, 2, 3):
        yield from until(partial(lambda least: session().growing.versions(run.key) >= least, count))
        allow(count + 1)
    cloud = bpy.context.view_layer.objects["Fake cloud"]
    cloud.rotation_euler[2] = 0.35
    for _ in range(3):
        next(one for one in area.regions if one.type == "UI").active_panel_category = "Scenecast"
        yield 0.5
    yield from shown(area, "growing")
    bpy.ops.scenecast.finish(key=run.key)
    yield from until(lambda: run.landed or run.misplaced)
    seen["grown"] = [list(run.landed.values()), round(cloud.rotation_euler[2], 2), cloud.name]
    for item in bpy.context.view_layer.objects:
        item.select_set(item == cloud)
    bpy.context.view_layer.objects.active = cloud
    yield 2.0
    yield from shown(area, "grown")
    shading = area.spaces[0].shading
    seen["solid"] = []
    for name in ("grown_coloured", ""):
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):
            bpy.ops.scenecast.solid_colours()
        seen["solid"].append([shading.light, shading.color_type])
        yield 1.5
        if name:
            yield from shown(area, name)
    running = yield from started(area, "view.splats")
    yield 3.0
    yield from shown(area, "live_splats")
    seen["view.splats"] = [running.lane.session.answered, running.overlay.fault, running.object_name]
    bpy.ops.scenecast.live_stop()
    yield from until(lambda: not session().live_closing)


def overlay(area: Any) -> Iterator[float]:
    """What stays to be seen and used under a live picture: what is made since, gizmos, the background, a half."""
    manager = bpy.context.window_manager
    view = area.spaces[0].region_3d
    view.view_location, view.view_distance, view.view_rotation = (0, 0, 0), 9.0, Quaternion((1, 0, 0), 1.2)
    manager.scenecast.live_background = 1.0
    running = yield from started(area, "fake.invert")
    yield 1.5
    running.lane.due = lambda: False  # the picture stays: as with a generator that takes long
    with bpy.context.temp_override(area=area, window=manager.windows[0]):
        bpy.ops.wm.tool_set_by_id(name="builtin.move")
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.6, location=(1.6, -2.5, 0))
    yield 1.0
    yield from shown(area, "over_newcomer")
    manager.scenecast.live_background = 0.0
    yield 1.0
    yield from shown(area, "over_surfaces")
    manager.scenecast.live_split, manager.scenecast.live_background = 0.5, 1.0
    yield 1.0
    yield from shown(area, "over_split")
    manager.scenecast.live_split = 0.0
    bpy.ops.object.mode_set(mode="EDIT")
    yield 1.0
    yield from shown(area, "over_edited")
    bpy.ops.object.mode_set(mode="OBJECT")
    manager.scenecast.live_strength = 0.0
    yield 1.0
    yield from shown(area, "over_plain")
    seen["overlay"] = [running.overlay.fault, running.overlay.drawn]
    for item in bpy.data.objects:
        item.select_set(item.name == "Cube")
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    bpy.ops.scenecast.live_stop()
    yield from until(lambda: not session().live_closing)
    manager.scenecast.live_strength, manager.scenecast.live_background = 1.0, 0.5
    running = yield from started(area, "live.retexture")
    yield 2.0
    yield from shown(area, "over_retexture")
    running.lane.due = lambda: False
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.5, location=(-1.4, -3.0, 0.2))
    manager.scenecast.live_split = 0.35
    yield 1.5
    yield from shown(area, "over_retexture_split")
    manager.scenecast.live_split = 0.0
    bpy.ops.scenecast.live_stop()
    yield from until(lambda: not session().live_closing)


def viewport(area: Any) -> Iterator[float]:
    """What the viewport shows becomes a picture file, at once and at a size of its own."""
    capture = importlib.import_module(f"{NAME}.capture")
    taken = capture.viewport_picture(FOLDER / "taken", size_px=640)
    seen["viewport"] = [taken.path, taken.meta, capture.why_no_viewport()]
    yield 0.1


def live(area: Any) -> Iterator[float]:
    """The live preview over the viewport, while the view turns; then stopped."""
    panels = importlib.import_module(f"{NAME}.ui.panels")
    for kind in (panels.SCENECAST_PT_make_view3d, panels.SCENECAST_PT_jobs_view3d, panels.SCENECAST_PT_live_view3d):
        bpy.utils.unregister_class(kind)
    opened = type("SCENECAST_PT_live_opened", (panels.SCENECAST_PT_live_view3d,), {"bl_options": set()})
    bpy.utils.register_class(opened)
    ids = [row.id for row in session().hub.live_generators]
    seen["live generators"] = ids
    view = area.spaces[0].region_3d
    view.view_distance = 7.0
    bpy.context.window_manager.scenecast.live_background = 1.0
    for generator in ("live.retexture", "live.painterly"):
        running = yield from started(area, generator)
        yield 2.0
        yield from shown(area, generator.replace(".", "_"))
        seen[generator] = [running.lane.session.answered, running.overlay.fault, running.lane.row().title]
        bpy.ops.scenecast.live_stop()
        yield from until(lambda: not session().live_closing)
    running = yield from started(area, "fake.invert")
    yield 1.0
    yield from shown(area, "live")
    began, before = time.perf_counter(), running.lane.session.answered
    for _ in range(40):
        view.view_rotation = Quaternion((0, 0, 1), 0.03) @ view.view_rotation
        yield 0.05
    yield from until(lambda: running.lane.session.answered > before)
    took = time.perf_counter() - began
    seen["live"] = {
        "generator": running.lane.session.generator, "fault": running.overlay.fault, "drawn": running.overlay.drawn,
        "held_ms": running.lane.held_ms,
        "per_sec": (running.lane.session.answered - before) / took, "latency_ms": running.lane.speed().latency_ms,
    }  # fmt: skip
    yield 1.0
    yield from shown(area, "live_turned")
    view.view_rotation = Quaternion((0, 0, 1), 0.25) @ view.view_rotation
    running.lane.due = lambda: False  # no further view is sent: what is seen now is the old picture, turned
    yield 1.0
    yield from shown(area, "live_waiting")
    bpy.ops.scenecast.live_stop()
    yield from until(lambda: not session().live_closing)
    seen["live stopped"] = [running.lane.session.state, session().live is None, running.reader._offscreen is None]
    yield 0.5
    yield from shown(area, "live_stopped")
    bpy.utils.unregister_class(opened)
    for kind in (panels.SCENECAST_PT_make_view3d, panels.SCENECAST_PT_jobs_view3d):
        bpy.utils.register_class(kind)


def started(area: Any, generator: str) -> Generator[float, None, Any]:
    """Start that live generator on the viewport, and wait for its first picture; returns the preview."""
    bpy.ops.scenecast.live_pick(generator=generator)
    yield 0.3
    with bpy.context.temp_override(area=area, window=bpy.context.window_manager.windows[0]):
        bpy.ops.scenecast.live_start()
    running = session().live
    yield from until(lambda: running.overlay.drawn > 0 and running.lane.session.answered > 0)
    return running


def shader_editor(area: Any) -> Iterator[float]:
    """The panel beside the material's nodes."""
    area.ui_type = "ShaderNodeTree"
    area.spaces[0].show_region_ui = True
    yield 1.0
    for _ in range(3):
        next(one for one in area.regions if one.type == "UI").active_panel_category = "Scenecast"
        area.tag_redraw()
        yield 0.5
    window = bpy.context.window_manager.windows[0]
    region = next(one for one in area.regions if one.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.node.view_all()
    yield 1.5
    yield from shown(area, "shader_editor")


PARTS: dict[str, Callable[[Any], Iterator[float]]] = {"cloud": growing, "overlay": overlay}
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
