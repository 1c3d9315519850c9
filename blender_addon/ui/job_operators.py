# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators of the job list."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from ..core.panel_model import error_text
from ..core.runs import Run
from ..core.targets import Target, choices
from ..provenance import shown_by
from . import session
from .form_operators import open_parameters

_places: list[tuple[str, str, str]] = []


class _OfRun:
    """An operator on one run of the list."""

    def run(self) -> Run | None:
        """The run it is about, or None when it has left the list meanwhile."""
        hub = session.current().hub
        return next((run for run in hub.runs if run.key == self.key), None)  # type: ignore[attr-defined]

    def execute(self, _context: Any) -> set[str]:
        """Do it, when the run is still there."""
        run = self.run()
        if run is None:
            return {"CANCELLED"}
        return {"FINISHED"} if self.act(run) else {"CANCELLED"}

    def act(self, run: Run) -> bool:
        """What the operator does."""
        raise NotImplementedError


class SCENECAST_OT_cancel(_OfRun, bpy.types.Operator):
    """Stop making it"""

    bl_idname = "scenecast.cancel"
    bl_label = "Cancel"
    key: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, run: Run) -> bool:
        """Tell the bridge."""
        session.current().hub.cancel(run.key)
        return True


class SCENECAST_OT_pause(_OfRun, bpy.types.Operator):
    """Let it stand still; what it has done stays, and other jobs have the machine"""

    bl_idname = "scenecast.pause"
    bl_label = "Pause"
    key: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, run: Run) -> bool:
        """Tell the bridge."""
        session.current().hub.steer(run.key, "pause")
        return True


class SCENECAST_OT_resume(_OfRun, bpy.types.Operator):
    """Let it go on where it stood"""

    bl_idname = "scenecast.resume"
    bl_label = "Resume"
    key: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, run: Run) -> bool:
        """Tell the bridge."""
        session.current().hub.steer(run.key, "resume")
        return True


class SCENECAST_OT_finish(_OfRun, bpy.types.Operator):
    """Good enough: stop here, and keep it as the result"""

    bl_idname = "scenecast.finish"
    bl_label = "Good enough"
    key: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, run: Run) -> bool:
        """Tell the bridge."""
        session.current().hub.steer(run.key, "finish")
        return True


class SCENECAST_OT_further(_OfRun, bpy.types.Operator):
    """Go on from this result with the same inputs; the better one takes its place in the scene"""

    bl_idname = "scenecast.further"
    bl_label = "Train further"
    key: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, run: Run) -> bool:
        """A new run that begins where this one ended."""
        shown = shown_by(run.assets[0].digest)
        target = Target(kind="replace_selected", object_name=shown.name) if shown is not None else Target(kind="cursor")
        session.current().hub.further(run.key, target)
        return True


class SCENECAST_OT_here(_OfRun, bpy.types.Operator):
    """Put the result into the file that is open, not into the one it was asked for in"""

    bl_idname = "scenecast.here"
    bl_label = "Into this file"
    key: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, run: Run) -> bool:
        """It belongs here from now on."""
        one = session.current()
        one.hub.bring_here(run.key, one.file)
        return True


class SCENECAST_OT_again(_OfRun, bpy.types.Operator):
    """Ask for the same again"""

    bl_idname = "scenecast.again"
    bl_label = "Retry"
    key: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, run: Run) -> bool:
        """A new run with the old parameters."""
        session.current().hub.again(run.key)
        return True


class SCENECAST_OT_again_new_seed(_OfRun, bpy.types.Operator):
    """Ask for the same again with another seed"""

    bl_idname = "scenecast.again_new_seed"
    bl_label = "New seed"
    key: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, run: Run) -> bool:
        """A new run with another seed."""
        session.current().hub.again(run.key, new_seed=True)
        return True


class SCENECAST_OT_parameters(_OfRun, bpy.types.Operator):
    """Open the parameters of this result, with its seed"""

    bl_idname = "scenecast.parameters"
    bl_label = "Open parameters"
    key: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, run: Run) -> bool:
        """Show them in the form."""
        return open_parameters(self, run.order.generator, run.order.params, run.seed)


class SCENECAST_OT_copy_error(_OfRun, bpy.types.Operator):
    """Copy everything about this failure to the clipboard"""

    bl_idname = "scenecast.copy_error"
    bl_label = "Copy error"
    key: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, run: Run) -> bool:
        """Put it on the clipboard."""
        bpy.context.window_manager.clipboard = error_text(run)
        self.report({"INFO"}, "Copied")
        return True


class SCENECAST_OT_dismiss(_OfRun, bpy.types.Operator):
    """Take it off the list; what was made stays in the scene and in the history"""

    bl_idname = "scenecast.dismiss"
    bl_label = "Remove from list"
    key: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, run: Run) -> bool:
        """Forget it."""
        session.current().hub.dismiss(run.key)
        return True


class SCENECAST_OT_clear(bpy.types.Operator):
    """Take everything that is over off the list; the history keeps it"""

    bl_idname = "scenecast.clear"
    bl_label = "Clear finished"

    def execute(self, _context: Any) -> set[str]:
        """Forget all that are over."""
        hub = session.current().hub
        for run in [run for run in hub.runs if run.over]:
            hub.dismiss(run.key)
        return {"FINISHED"}


def _targets(self: Any, _context: Any) -> list[tuple[str, str, str]]:
    run = next((run for run in session.current().hub.runs if run.key == self.key), None)
    kind = run.assets[0].kind if run is not None and run.assets else ""
    _places[:] = [("auto", "Where it fits", "What is selected decides"), *choices(kind)]
    return _places


class SCENECAST_OT_place(_OfRun, bpy.types.Operator):
    """Put the result into the scene, there"""

    bl_idname = "scenecast.place"
    bl_label = "Place"
    key: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]
    target: EnumProperty(name="Place", items=_targets, options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, run: Run) -> bool:
        """Queue it; the next tick places it."""
        session.current().hub.place_again(run.key, Target(kind=self.target, preview="later"))
        return True


CLASSES = (
    SCENECAST_OT_cancel,
    SCENECAST_OT_pause,
    SCENECAST_OT_resume,
    SCENECAST_OT_finish,
    SCENECAST_OT_further,
    SCENECAST_OT_here,
    SCENECAST_OT_again,
    SCENECAST_OT_again_new_seed,
    SCENECAST_OT_parameters,
    SCENECAST_OT_copy_error,
    SCENECAST_OT_dismiss,
    SCENECAST_OT_clear,
    SCENECAST_OT_place,
)
