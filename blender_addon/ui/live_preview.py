# SPDX-License-Identifier: GPL-3.0-or-later
"""The live preview in a 3D viewport: started, moved on by the timer, and stopped without leaving anything behind."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import bpy
import mathutils
from bpy.app.handlers import persistent

from ..capture import CaptureError
from ..capture.live_view import ViewportReader
from ..core.client_core import LiveSession, live_camera
from ..core.live_lane import LiveLane
from ..core.panel_model import ConnectionRow, sentence
from . import rows, session
from .live_overlay import Overlay

LEAST_NEAR_M = 0.1
CHANNELS = ("colour", "depth", "normal")
_changed = False
"""Something in the scene has changed since the last view was sent."""


class LivePreview:
    """One running preview. Made by `start`; `step` is its whole life; `stop` its end."""

    def __init__(self, lane: LiveLane, area: Any, channels: tuple[str, ...], size_px: int, object_name: str) -> None:
        self.lane = lane
        self.size_px = size_px
        self.object_name = object_name
        """The object that an input came from: the camera is told as seen from it."""
        self.overlay = Overlay(area.as_pointer())
        self.reader = ViewportReader()
        self._pointer = area.as_pointer()
        self._channels = channels
        self._sent_key: tuple[Any, ...] = ()
        self._sent_params: dict[str, Any] = {}
        self._depth: Any = None
        """Of the view that was drawn last."""

    def step(self, one: session.Session) -> None:
        """Show what has come, send what has changed."""
        area = self.area()
        if area is None:
            self.stop(one, "The viewport was closed")
            return
        if self.lane.lost:
            self.overlay.hide()
        elif self.lane.take() and self.lane.picture is not None:
            self.overlay.show(self.lane.picture, self.lane.view)
            _redraw(area)
        if self.overlay.fault:
            self.stop(one, f"The picture cannot be drawn: {self.overlay.fault}")
        elif self.lane.due():
            self._send(one, area)

    def _send(self, one: session.Session, area: Any) -> None:
        global _changed
        params = self._params(one)
        began = time.perf_counter()
        view = self.reader.view(area)
        if not _changed and view.key == self._sent_key and params == self._sent_params:
            return
        wanted = self._channels if _changed or view.key != self._sent_key else ()
        self.overlay.resting = True
        try:
            reading = self.reader.read(area, wanted, self.size_px)
        except CaptureError as error:
            self.stop(one, str(error))
            return
        finally:
            self.overlay.resting = False
        _changed = False
        self._depth = reading.view.depth if wanted else self._depth
        pictures: dict[str, Any] = {name: picture.data for name, picture in reading.pictures.items()}
        number = self.lane.session.push(
            **pictures,
            camera=self._camera(reading.view),
            params=params,
            width_px=reading.width_px,
            height_px=reading.height_px,
            depth_space="window",
            bottom_up=True,
        )
        self.lane.sent(number, replace(reading.view, depth=self._depth), time.perf_counter() - began)
        self._sent_key, self._sent_params = view.key, params

    def _params(self, one: session.Session) -> dict[str, Any]:
        rows.pull_live(one.live_form)
        if one.live_form.hindrances({port.name: True for port in one.live_form.row.takes} if one.live_form.row else {}):
            return self._sent_params  # something half typed
        return one.live_form.params()

    def _camera(self, view: Any) -> dict[str, Any]:
        item = bpy.data.objects.get(self.object_name) if self.object_name else None
        return camera_of(view, item)

    def area(self) -> Any:
        """The viewport, looked up anew; None when it has been closed or shows something else."""
        for window in bpy.context.window_manager.windows:
            for area in window.screen.areas:
                if area.as_pointer() == self._pointer and area.type == "VIEW_3D":
                    return area
        return None

    def stop(self, one: session.Session, why: str = "") -> None:
        """Leave the viewport alone at once, and ask the bridge to end it."""
        self.lane.session.close()
        self.overlay.remove()
        self.reader.free()
        if self in one.live_closing or one.live is not self:
            return
        one.live, one.live_fault = None, why
        one.live_closing.append(self)
        one.hub.changes += 1
        area = self.area()
        if area is not None:
            _redraw(area)


def camera_of(view: Any, item: Any = None) -> dict[str, Any]:
    """The camera of a view for the bridge, as seen from an object where one is given.

    Blender's orthographic views see behind themselves; they are moved back until all they see is before them.
    """
    pose, clip = view.world_from_camera, view.clip_from_camera
    if item is not None:
        seen = item.matrix_world.inverted_safe() @ pose
        turn = seen.to_quaternion().to_matrix().to_4x4()
        pose = mathutils.Matrix.Translation(seen.translation) @ turn
        scale = item.matrix_world.median_scale
        if clip[3][3] and scale > 0:
            clip = clip @ mathutils.Matrix.Scale(scale, 4)
            clip[3][3] = 1.0
    if clip[3][3]:
        near_m = (clip[2][3] + 1) / clip[2][2]
        back = mathutils.Matrix.Translation((0, 0, max(0.0, LEAST_NEAR_M - near_m)))
        pose, clip = pose @ back, clip @ back
    return live_camera(pose, clip, z_up=True)


def start(one: session.Session, area: Any, inputs: dict[str, str], object_name: str, size_px: int) -> LivePreview:
    """Open the chosen live generator on a viewport; `inputs` by digest."""
    stop(one)
    row = one.live_form.row
    if row is None or row.live is None:
        raise ValueError("no live generator is chosen")
    channels = tuple(name for name in CHANNELS if name in (*row.live.wants, *row.live.optional))
    opened: LiveSession = one.hub.client.live(
        row.id, one.live_form.params(), inputs=inputs, width_px=size_px, height_px=size_px, seed=one.live_form.seed,
        reply="image/raw", alpha=True, bottom_up=True,
    )  # fmt: skip
    one.live_fault = ""
    preview = LivePreview(LiveLane(opened), area, channels, size_px, object_name)
    one.live = preview
    one.hub.changes += 1
    return preview


def stop(one: session.Session, why: str = "") -> None:
    """End the running preview, if there is one."""
    if one.live is not None:
        one.live.stop(one, why)


def step(one: session.Session) -> None:
    """Move it on; what has ended is forgotten once the bridge has said so."""
    one.live_closing = [each for each in one.live_closing if not each.lane.over]
    if one.live is None:
        return
    if one.live.lane.over:
        error = one.live.lane.session.error
        one.live.stop(
            one,
            f"{sentence(error.message)} {sentence(error.remedy)}".strip()
            if error
            else "The bridge ended it; Start begins anew",
        )
        return
    one.live.step(one)


def row(one: session.Session) -> ConnectionRow | None:
    """How it stands; None when there is nothing to say."""
    if one.live is not None:
        found: ConnectionRow = one.live.lane.row()
        return found
    if one.live_closing:
        return ConnectionRow("busy", "Stopping …")
    return ConnectionRow("bad", "Stopped", sentence(one.live_fault)) if one.live_fault else None


@persistent
def scene_changed(*_: Any) -> None:
    """The view is to be sent again."""
    global _changed
    _changed = True


def _redraw(area: Any) -> None:
    area.tag_redraw()
