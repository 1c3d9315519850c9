# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators of the form: generate, seed, generator, inputs, earlier parameters, reconnect."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from ..core.captured import CaptureError
from ..core.panel_model import generator_rows
from ..core.runs import Source
from ..core.targets import Target
from . import inputs, rows, session

_listed: list[tuple[str, str, str]] = []


class SCENECAST_OT_generate(bpy.types.Operator):
    """Ask the bridge for it; you can go on working while it is made"""

    bl_idname = "scenecast.generate"
    bl_label = "Generate"

    def execute(self, _context: Any) -> set[str]:
        """Take the inputs out of the scene and ask."""
        one = session.current()
        rows.pull(one.form)
        hindrances = one.form.hindrances(inputs.chosen())
        if hindrances:
            self.report({"ERROR"}, "; ".join(hindrances))
            return {"CANCELLED"}
        try:
            sources, views = inputs.gather(), inputs.to_take()
        except CaptureError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        for port, around in views.items():
            sources[port] = Source(f"{around.name} from all around", kind="capture", path=str(around.folder))
        run = one.hub.submit(one.form.order(sources, _target(one), one.file), later=bool(views))
        if views:
            one.taking[run.key] = views
        return {"FINISHED"}


class SCENECAST_OT_reroll(bpy.types.Operator):
    """Take another seed, and keep it"""

    bl_idname = "scenecast.reroll"
    bl_label = "Another seed"

    def execute(self, _context: Any) -> set[str]:
        """Roll the dice."""
        form = session.current().form
        form.reroll()
        form.seed_fixed = True
        return {"FINISHED"}


class SCENECAST_OT_pick_generator(bpy.types.Operator):
    """Choose how it is made"""

    bl_idname = "scenecast.pick_generator"
    bl_label = "Choose generator"
    generator: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def description(cls, _context: Any, properties: Any) -> str:
        """The generator's promise, or why it cannot run here."""
        one = session.current()
        found = [row for row in generator_rows(one.hub.generators, one.form.kind) if row.id == properties.generator]
        return (found[0].reason or found[0].tip) if found else "Choose how it is made"

    def execute(self, _context: Any) -> set[str]:
        """Show its parameters."""
        one = session.current()
        rows.pull(one.form)
        if not one.form.choose_generator(self.generator):
            self.report({"ERROR"}, f"The bridge has no generator {self.generator}")
            return {"CANCELLED"}
        rows.show(one.form)
        return {"FINISHED"}


class SCENECAST_OT_past_parameters(bpy.types.Operator):
    """Open the parameters of this result, with its seed"""

    bl_idname = "scenecast.past_parameters"
    bl_label = "Open parameters"
    number: IntProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, _context: Any) -> set[str]:
        """Show them in the form."""
        one = session.current()
        if not 0 <= self.number < len(one.history.results):
            return {"CANCELLED"}
        past = one.history.results[self.number]
        return {"FINISHED"} if open_parameters(self, past.generator, past.params, past.seed) else {"CANCELLED"}


class SCENECAST_OT_reset(bpy.types.Operator):
    """Put all parameters of this generator back to their defaults"""

    bl_idname = "scenecast.reset"
    bl_label = "Defaults"

    def execute(self, _context: Any) -> set[str]:
        """Forget what was typed."""
        form = session.current().form
        form.reset()
        rows.show(form)
        return {"FINISHED"}


def _results(self: Any, _context: Any) -> list[tuple[str, str, str]]:
    one = session.current()
    row = rows.inputs_of(self.lane).get(self.port)
    _listed[:] = rows.earlier_results(row, one.history) if row is not None else []
    return _listed


def _watched(self: Any, _context: Any) -> list[tuple[str, str, str]]:
    one = session.current()
    port = next((port for port in one.form.row.takes if port.name == self.port), None) if one.form.row else None
    kinds = port.kinds if port is not None else []
    _listed[:] = [(file.digest, file.name, file.folder) for file in one.hub.watched if file.kind in kinds]
    return _listed


class _Pick:
    """Gives an input something that the bridge knows by its digest."""

    def execute(self, _context: Any) -> set[str]:
        """Put it into the row."""
        row = rows.inputs_of(getattr(self, "lane", "")).get(self.port)  # type: ignore[attr-defined]
        title = next((item[1] for item in _listed if item[0] == self.digest), "")  # type: ignore[attr-defined]
        if row is None or not title:
            return {"CANCELLED"}
        row.digest, row.title = self.digest, title  # type: ignore[attr-defined]
        return {"FINISHED"}


class SCENECAST_OT_pick_result(_Pick, bpy.types.Operator):
    """Use something that was made before"""

    bl_idname = "scenecast.pick_result"
    bl_label = "Choose an earlier result"
    port: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]
    lane: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]
    digest: EnumProperty(name="Result", items=_results, options={"SKIP_SAVE"})  # type: ignore[valid-type]


class SCENECAST_OT_pick_watched(_Pick, bpy.types.Operator):
    """Use a file from one of the bridge's watched folders"""

    bl_idname = "scenecast.pick_watched"
    bl_label = "Choose a watched file"
    port: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]
    digest: EnumProperty(name="File", items=_watched, options={"SKIP_SAVE"})  # type: ignore[valid-type]


class SCENECAST_OT_reconnect(bpy.types.Operator):
    """Try to reach the bridge now"""

    bl_idname = "scenecast.reconnect"
    bl_label = "Try now"

    def execute(self, _context: Any) -> set[str]:
        """Stop waiting."""
        one = session.current()
        one.defect = ""
        one.hub.reconnect()
        return {"FINISHED"}


def open_parameters(operator: Any, generator: str, params: dict[str, Any], seed: int | None) -> bool:
    """Show the parameters of an earlier request in the form, its seed kept."""
    one = session.current()
    rows.pull(one.form)
    if not one.form.choose_generator(generator):
        operator.report({"ERROR"}, f"The bridge has no generator {generator} now")
        return False
    one.form.take_params(params)
    if seed is not None:
        one.form.seed, one.form.seed_fixed = seed, True
    rows.show(one.form)
    return True


def _target(one: session.Session) -> Target:
    """Where the result goes: decided now, in names, so that a later click elsewhere does not move it."""
    active = bpy.context.view_layer.objects.active
    return Target(
        kind=one.form.target,
        object_name=active.name if active is not None and active.select_get() else "",
        slot=active.active_material_index if active is not None and active.select_get() else None,
        scene_name=bpy.context.scene.name,
        preview="later",
    )


CLASSES = (
    SCENECAST_OT_generate,
    SCENECAST_OT_reroll,
    SCENECAST_OT_pick_generator,
    SCENECAST_OT_past_parameters,
    SCENECAST_OT_reset,
    SCENECAST_OT_pick_result,
    SCENECAST_OT_pick_watched,
    SCENECAST_OT_reconnect,
)
