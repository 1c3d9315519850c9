# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer that moves everything on, for a few milliseconds at a time, in Blender's main thread.

No thread is started: Blender's own data may only be touched here, and its manual warns of threads that outlive a
script. `pump` is the whole of a turn, so that a Blender without a window, where timers do not run, can call it.
"""

from __future__ import annotations

import time
import traceback

import bpy

from ..core.panel_model import INPUTS_ALONE, placed_line
from ..core.targets import PlacementError
from ..placement import draw_next_preview, place
from . import growing_clouds, live_preview, rows, session, taking, thumbnails

IDLE_SECS, BUSY_SECS, LIVE_SECS, AFTER_DEFECT_SECS = 0.1, 0.02, 0.005, 1.0
REDRAW_SECS = 0.1
SAVE_FORM_SECS = 2.0
WORKING = (
    "TRANSFORM_",
    "SCULPT_",
    "PAINT_",
    "MESH_",
    "VIEW3D_",
    "NODE_",
    "SEQUENCER_",
    "GPENCIL_",
    "CURVE_",
    "OBJECT_",
)
"""Modal operators with which the artist is in the middle of something; placing waits for their end."""
_drawn = (-1, "", 0, "")
_drawn_at = 0.0
_form_saved_at = 0.0


def register() -> None:
    """Start the timer; it goes on when another file is opened."""
    bpy.app.timers.register(_turn, first_interval=0.1, persistent=True)


def unregister() -> None:
    """Stop the timer."""
    if bpy.app.timers.is_registered(_turn):
        bpy.app.timers.unregister(_turn)


def _turn() -> float | None:
    one = session.maybe()
    if one is None:
        return None
    try:
        more = pump()
    except Exception as error:  # an exception would end the timer, and with it the add-on
        traceback.print_exc()
        one.defect = f"{type(error).__name__}: {error}"
        _redraw(force=True)
        return AFTER_DEFECT_SECS
    if more:
        return 0.0
    if one.live is not None:
        return LIVE_SECS
    return BUSY_SECS if any(not run.over for run in one.hub.runs) else IDLE_SECS


def pump(budget_secs: float | None = None) -> bool:
    """One turn: hear and say what is waiting, place at most one result; True when more is waiting."""
    one = session.current()
    if session.blocked():
        return False
    budget = budget_secs if budget_secs is not None else session.settings().budget_ms / 1000
    more = one.hub.tick(budget)
    if one.form.follow(one.hub.generators) or rows.state().generator != one.form.generator:
        rows.show(one.form)
    if one.live_form.follow(one.hub.live_generators) or rows.state().live_generator != one.live_form.generator:
        rows.show_live(one.live_form)
    rows.pull(one.form)
    _save_form(one)
    if not one.loading:
        live_preview.step(one)
    thumbnails.refresh(one.hub)
    _redraw()
    if one.loading or _artist_is_busy():
        return more
    if taking.step(one):
        return more  # Blender has its turn between two renders
    return _place_next(one) or growing_clouds.step(one) or (not more and draw_next_preview()) or more


def _place_next(one: session.Session) -> bool:
    placement = one.hub.next_placement(one.file, only_wanted=session.settings().placing == "wait")
    if placement is None:
        return False
    if placement.delivered.kind in INPUTS_ALONE:
        one.hub.placed(placement, "Ready, an input for others")
        return True
    try:
        placed = place(placement.delivered, placement.target)
    except PlacementError as error:
        one.hub.not_placed(placement, error.message, error.remedy)
    except Exception as error:  # whatever it is, the result stays at hand and the artist is told
        traceback.print_exc()
        one.hub.not_placed(placement, f"a defect of the add-on: {type(error).__name__}: {error}", "See the console.")
    else:
        delivered = placement.delivered
        one.hub.placed(placement, placed_line(delivered.kind, delivered.name, placed.message))
        for note in placed.notes:
            one.hub.note(placement.key, note)
    return True


def _artist_is_busy() -> bool:
    """In the middle of a drag or a stroke, or rendering: placing now would be in the way."""
    if bpy.app.is_job_running("RENDER"):
        return True
    windows = bpy.context.window_manager.windows
    return any(modal.bl_idname.startswith(WORKING) for window in windows for modal in window.modal_operators)


def _save_form(one: session.Session) -> None:
    global _form_saved_at
    if time.monotonic() - _form_saved_at < SAVE_FORM_SECS:
        return
    _form_saved_at = time.monotonic()
    try:
        one.form.save()
        one.live_form.save()
    except OSError as error:
        one.hub.trouble = f"What you typed cannot be kept: {error.strerror} ({one.folder})"


def _redraw(*, force: bool = False) -> None:
    """Have our panels drawn again when they would say something else, at most ten times a second."""
    global _drawn, _drawn_at
    one = session.current()
    live = live_preview.row(one)
    shown = (one.hub.changes, one.defect, round(one.hub.state.retry_in_secs), live.title if live is not None else "")
    if not force and (shown == _drawn or time.monotonic() - _drawn_at < REDRAW_SECS):
        return
    _drawn, _drawn_at = shown, time.monotonic()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "NODE_EDITOR"):
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
