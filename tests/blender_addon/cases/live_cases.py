"""Cases about the live preview, with a viewport that is played: Blender's module has no window."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy
import mathutils
import numpy as np

from tests.blender_addon.cases import installed
from tests.blender_addon.cases.fake_layout import drawn
from tests.blender_addon.cases.installed import connected, generate, panel, placed, pump, session, until
from tests.blender_addon.cases.serving import Serving

LIVE = "SCENECAST_PT_live_view3d"


class PlayedArea:
    """As much of a 3D viewport as the preview asks for."""

    type = "VIEW_3D"
    width, height = 128, 64

    def __init__(self) -> None:
        self.redraws = 0
        self.turn = 0.0
        self.open = True

    def as_pointer(self) -> int:
        return 7

    def tag_redraw(self) -> None:
        self.redraws += 1


class PlayedReader:
    """Shows a plain colour; the camera turns with the area's `turn`."""

    def __init__(self) -> None:
        self.reads, self.freed = 0, False
        self.colour = (200, 100, 50, 255)

    def view(self, area: Any) -> Any:
        live_view = installed.part("capture.live_view")
        pose = mathutils.Matrix.Translation((0, 0, 3)) @ mathutils.Matrix.Rotation(area.turn, 4, "Y")
        wide = 1 / math.tan(0.4)
        projection = mathutils.Matrix(((wide, 0, 0, 0), (0, 2 * wide, 0, 0), (0, 0, -1.002, -0.2), (0, 0, -1, 0)))
        corners = live_view._corners(projection @ pose.inverted(), mathutils.Vector((0, 0, 0)))
        return live_view.View(pose, projection, corners, (area.turn,))

    def read(self, area: Any, channels: Any, size_px: int) -> Any:
        live_view = installed.part("capture.live_view")
        self.reads += bool(channels)
        width, height = size_px, size_px // 2
        pictures: dict[str, Any] = {}
        if "colour" in channels:
            pictures["colour"] = np.full((height, width, 4), self.colour, np.uint8)
        if "depth" in channels:
            pictures["depth"] = np.full((height, width), 0.5, np.float32)
            pictures["depth"][height // 2 :] = 1.0
        if "normal" in channels:
            pictures["normal"] = live_view.normals(pictures["depth"], self.view(area))
        return live_view.Reading(self.view(area), width, height, pictures)

    def free(self) -> None:
        self.freed = True


def play() -> PlayedArea:
    """Let the preview see a viewport that there is not."""
    area = PlayedArea()
    preview = installed.part("ui.live_preview")
    preview.ViewportReader = PlayedReader
    preview.LivePreview.area = lambda self: area if area.open else None
    installed.part("ui.live_operators").viewport_area = lambda: area
    return area


def corner(picture: Any) -> list[int]:
    return list(picture.data[:4])


def whole(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """Started, moved, changed, stopped; stopped by a file, by the add-on's end; the bridge lost and found."""
    seen: dict[str, Any] = {}
    serving = Serving(inputs["python"], folder)
    serving.start()
    installed.install(inputs["archive"])
    connected()
    area = play()
    seen["catalog"] = ["fake.invert" in [row.id for row in session().hub.generators]]
    assert bpy.ops.scenecast.live_pick(generator="fake.invert") == {"FINISHED"}
    pump(0.05)
    panel().live_size_px = 64
    journal = str(folder / "journal")
    panel().live_controls["journal"]["value"] = journal
    seen["idle"] = drawn(LIVE).operators
    assert bpy.ops.scenecast.live_start() == {"FINISHED"}
    live = session().live
    until(lambda: live.lane.picture is not None, "the first picture")
    picture = live.lane.picture
    seen["first"] = [picture.width_px, picture.height_px, corner(picture), list(picture.data[-4:])]
    seen["shows"] = live.overlay._picture is picture
    seen["on"] = [drawn(LIVE).operators, Path(journal).exists()]
    until(lambda: _settled(live), "nothing more to be sent")
    reads = live.reader.reads
    pump(0.3)
    seen["rests"] = [live.reader.reads == reads, "nothing has changed, so nothing is read"]
    seen["moved"] = _moved(live, area)
    panel().live_controls["amount"]["value"] = 0.0
    until(lambda: list(live.lane.picture.data[-4:]) == [200, 100, 50, 255], "the parameter's picture")
    seen["parameter"] = live.reader.reads - reads
    panel().live_controls["refuses"]["value"] = True
    until(lambda: installed.part("ui.live_preview").row(session()).tone == "bad", "the refusal")
    seen["refused"] = [text for text in drawn(LIVE).texts if "refuse" in text]
    panel().live_controls["refuses"]["value"] = False
    until(lambda: installed.part("ui.live_preview").row(session()).tone == "good", "a picture again")
    seen["speed"] = drawn(LIVE).texts[-1]
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.ed.undo_push(message="something")
    bpy.ops.ed.undo()
    until(lambda: _settled(live), "the picture after the undo")
    seen["undone"] = [session().live is live, live.lane.session.state]
    assert bpy.ops.scenecast.live_stop() == {"FINISHED"}
    seen["stopping"] = [session().live is None, live.overlay._handler is None, live.reader.freed]
    until(lambda: not session().live_closing, "the bridge's word that nothing runs")
    seen["stopped"] = [live.lane.session.state, installed.part("ui.live_preview").row(session()) is None]
    seen["others"] = _others(folder, serving, area)
    return seen


def _settled(live: Any) -> bool:
    """Whether all that has changed is answered, and the next change would be sent at once."""
    changed = installed.part("ui.live_preview")._changed
    return live.lane.due() and live.lane.session.state == "ready" and not changed


def _moved(live: Any, area: PlayedArea) -> list[Any]:
    before = live.lane.view
    area.turn, live.reader.colour = 0.2, (0, 0, 0, 255)
    until(lambda: list(live.lane.picture.data[-4:]) == [255, 255, 255, 255], "the picture of the other view")
    apart = [(a - b).length for a, b in zip(before.corners, live.lane.view.corners, strict=True)]
    live.reader.colour, area.turn = (200, 100, 50, 255), 0.3
    return [area.redraws > 0, min(apart) > 0.1]


def _others(folder: Path, serving: Serving, area: PlayedArea) -> dict[str, Any]:
    """Ends that nobody asked for."""
    seen: dict[str, Any] = {}

    def fresh() -> Any:
        area.open = True
        assert bpy.ops.scenecast.live_start() == {"FINISHED"}
        live = session().live
        until(lambda: live.lane.picture is not None, "a picture")
        return live

    live = fresh()
    area.open = False
    until(lambda: live.lane.over, "the end with the viewport")
    seen["viewport closed"] = installed.part("ui.live_preview").row(session()).cause
    live = fresh()
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(folder / "scene.blend"))
    until(lambda: live.lane.over, "the end with the file")
    seen["file"] = [session().live is None, live.overlay._handler is None]
    live = fresh()
    job = generate("image.noise", size_px=64)
    seen["beside a job"] = [placed(job)]
    until(lambda: _settled(live), "the picture beside the job")
    seen["beside a job"].append(live.lane.session.state)
    serving.kill()
    until(lambda: live.lane.session.state == "lost", "noticing that the bridge is gone")
    pump(0.1)
    seen["lost"] = [live.overlay._picture is None, installed.part("ui.live_preview").row(session()).title]
    serving.start()
    until(lambda: live.lane.session.state == "ready" and live.overlay._picture is not None, "the way back")
    bpy.ops.preferences.addon_disable(module=installed.NAME)
    seen["disabled"] = [live.overlay._handler is None, live.reader.freed, hasattr(bpy.types, LIVE)]
    serving.stop()
    return seen


def normals(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """A tilted plane before a camera: depth to normals, against the plane's own."""
    from blender_addon.capture import live_view

    pose = mathutils.Matrix.Translation((1, -4, 2)) @ mathutils.Matrix.Rotation(math.radians(75), 4, "X")
    near, far, focal, size = 0.1, 100.0, 1.8, 48
    clip = mathutils.Matrix(
        ((focal, 0, 0, 0), (0, focal, 0, 0),
         (0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)), (0, 0, -1, 0))
    )  # fmt: skip
    normal, through = mathutils.Vector((0.2, -0.5, 0.9)).normalized(), mathutils.Vector((1, 0, 0.5))
    depth = np.ones((size, size), np.float32)
    for row in range(size):
        for column in range(size):
            ray = mathutils.Vector(((column + 0.5) / size * 2 - 1, (row + 0.5) / size * 2 - 1, 0))
            direction = pose.to_3x3() @ mathutils.Vector((ray.x / focal, ray.y / focal, -1.0))
            towards = normal.dot(direction)
            distance = normal.dot(through - pose.translation) / towards if abs(towards) > 1e-9 else -1
            if near < distance < far:
                depth[row, column] = (far - near * far / distance) / (far - near)
    view = live_view.View(pose, clip, (), ())
    flat = mathutils.Matrix(((0.5, 0, 0, 0), (0, 0.8, 0, 0), (0, 0, -1 / 50, 0), (0, 0, 0, 1)))  # sees 50 m both ways
    item = bpy.data.objects.new("Cloud", None)
    item.matrix_world = mathutils.Matrix.LocRotScale((3, 2, 1), mathutils.Euler((0.3, 0.2, 0.1)), (2, 2, 2))
    bpy.context.scene.collection.objects.link(item)
    bpy.context.view_layer.update()
    from blender_addon.ui.live_preview import camera_of

    cameras = [camera_of(live_view.View(pose, one, (), ()), from_) for one in (clip, flat) for from_ in (None, item)]
    found = live_view.normals(depth, view)[depth < 1].astype(np.float64) / 127.5 - 1
    corners = live_view._corners(clip @ pose.inverted(), through)
    seen_at = [(clip @ pose.inverted() @ mathutils.Vector((*corner, 1.0))) for corner in corners]
    return {
        "cameras": cameras, "item": [list(row) for row in item.matrix_world], "pose": [list(row) for row in pose],
        "hit": float((depth < 1).mean()),
        "off": float(np.degrees(np.arccos(np.clip(found @ np.array((normal.x, normal.z, -normal.y)), -1, 1))).max()),
        "corners": [[round(at.x / at.w, 4), round(at.y / at.w, 4)] for at in seen_at],
        "away": [round((pose.inverted() @ corner).z, 4) for corner in corners] + [
            round((pose.inverted() @ through).z, 4)],
    }  # fmt: skip
