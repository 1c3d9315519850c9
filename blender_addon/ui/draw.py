# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws what `core.panel_model` says; decides nothing and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy

from ..capture import why_no_viewport
from ..core.controls import Control, colour_parts
from ..core.form import Form
from ..core.panel_model import (
    ConnectionRow,
    JobRow,
    categories,
    job_row,
    kinds_in_words,
    port_rows,
    sentence,
    shown_ports,
    wrapped,
)
from ..core.runs import Run
from ..placement import where_it_fits
from ..provenance import Synthetic
from . import inputs, live_preview, session, solid_operator, thumbnails
from .properties import KIND_ICONS

BUTTONS = {
    "cancel": ("scenecast.cancel", "X", "Cancel"),
    "pause": ("scenecast.pause", "PAUSE", "Pause"),
    "resume": ("scenecast.resume", "PLAY", "Resume"),
    "finish": ("scenecast.finish", "CHECKMARK", "Good enough"),
    "here": ("scenecast.here", "IMPORT", "Into this file"),
    "further": ("scenecast.further", "FORWARD", "Further"),
    "view": ("scenecast.view_field", "CAMERA_DATA", "From the camera"),
    "retry": ("scenecast.again", "FILE_REFRESH", "Retry"),
    "new_seed": ("scenecast.again_new_seed", "FILE_REFRESH", "New seed"),
    "parameters": ("scenecast.parameters", "OPTIONS", "Parameters"),
    "copy_error": ("scenecast.copy_error", "COPYDOWN", "Copy"),
    "dismiss": ("scenecast.dismiss", "X", "Remove"),
}
"""Operator, icon, and text of the buttons of a job; `place` is a menu and drawn by itself."""
IN_BOX = 3
"""Characters of a line that a box's rim takes."""
TONE_ICONS = {"good": "CHECKMARK", "busy": "SORTTIME", "bad": "ERROR", "still": "X"}


def connection(layout: Any) -> None:
    """The line about the bridge, and what to do when it is not there."""
    row = session.connection()
    if row.tone == "good":
        line = layout.row()
        line.active = False
        line.label(text=row.title, icon="LINKED")
        return
    if row.tone == "busy":
        layout.label(text=row.title, icon="SORTTIME")
        return
    _trouble(layout, row)


def form(layout: Any, context: Any) -> None:
    """What to make, with which parameters, and the button."""
    one, panel = session.current(), context.window_manager.scenecast
    if not one.form.generator:
        if one.hub.state.status == "connected":
            _text(
                layout,
                "This bridge has no generators. Run scenecast doctor beside it, which says why.",
                context,
                icon="INFO",
            )
        return
    across = 3 if columns(context) >= 30 else 2
    kinds = layout.grid_flow(row_major=True, columns=across, even_columns=True, align=True)
    for row in categories(one.hub.generators):
        kinds.prop_enum(panel, "kind", row.kind)
    _generator(layout, one, context)
    generator = one.form.row
    if generator is None or panel.generator != one.form.generator:
        return  # the rows follow with the next tick
    column = layout.column()
    column.enabled = generator.available
    filled = inputs.chosen()
    for port in shown_ports(port_rows(generator.takes), filled):
        _input(column, panel.inputs.get(port.name), port)
    _controls(column, one.form, panel.controls, panel)
    _seed(column, panel)
    column.use_property_split, column.use_property_decorate = True, False
    column.prop(panel, "target", text="Place")
    if one.form.target == "auto":
        _where_it_fits(column, one.form.kind)
    _button(layout, one, context)


def live(layout: Any, context: Any) -> None:
    """The live preview: which, of what, how it stands, and the button."""
    one, panel = session.current(), context.window_manager.scenecast
    if not one.hub.live_generators:
        _text(layout, "This bridge has no generators that work live.", context)
        return
    generator = one.live_form.row
    if generator is None or panel.live_generator != one.live_form.generator:
        return  # the rows follow with the next tick
    runs = one.live is not None
    head = layout.column()
    head.enabled = not runs
    head.operator_menu_enum("scenecast.live_pick", "generator", text=generator.title)
    if not generator.available:
        _text(layout, f"Cannot run here. {sentence(generator.reason)}", context, icon="ERROR")
        return
    note = layout.column(align=True)
    note.active = False
    _text(note, generator.promise, context)
    for port in port_rows(generator.takes):
        _input(head, panel.live_inputs.get(port.name), port)
    _controls(layout, one.live_form, panel.live_controls, panel)
    column = layout.column()
    column.use_property_split, column.use_property_decorate = True, False
    size = column.column()
    size.enabled = not runs
    size.prop(panel, "live_size_px")
    column.prop(panel, "live_strength", slider=True)
    if generator.live is not None and {"colour", "depth", "normal"} & {*generator.live.wants, *generator.live.optional}:
        column.prop(panel, "live_background", slider=True)
    column.prop(panel, "live_split", slider=True)
    _live_button(layout, one, context)


def _live_button(layout: Any, one: session.Session, context: Any) -> None:
    big = layout.row()
    big.scale_y = 1.5
    hindrances = one.live_form.hindrances(inputs.live()[0])
    if one.live is not None:
        big.operator("scenecast.live_stop", text="Stop", icon="SNAP_FACE")
    else:
        connected = one.hub.state.status == "connected"
        big.enabled = not hindrances and connected
        big.operator("scenecast.live_start", text="Start", icon="PLAY")
        if not connected:
            layout.label(text="Waiting for the bridge: see above", icon="INFO")
        for text in hindrances[:3]:
            _text(layout, sentence(text), context, icon="INFO")
    row = live_preview.row(one)
    if row is not None:
        layout.label(text=row.title, icon=TONE_ICONS[row.tone])
        for text in (row.cause, row.remedy):
            if text:
                _text(layout, text, context)


def jobs(layout: Any, context: Any) -> None:
    """The list of what was asked for."""
    one = session.current()
    _solid(layout, context)
    if not one.hub.runs:
        _text(layout, "Nothing yet. What you make appears here and stays at hand.", context)
        return
    connected = one.hub.state.status == "connected"
    for run in one.hub.runs[:12]:
        row = job_row(run, connected=connected, waits_for=_waits_for(one, run), steers=one.hub.steers(run),
                      elsewhere=session.other_file(run))  # fmt: skip
        _job(layout.box(), row, context)
    more = len(one.hub.runs) - 12
    if more > 0:
        layout.label(text=f"and {more} more")
    if sum(run.over for run in one.hub.runs) > 1:
        layout.operator("scenecast.clear", text="Clear finished", icon="TRASH")


def _where_it_fits(layout: Any, kind: str) -> None:
    """What will be done where nothing was chosen."""
    text = where_it_fits(kind)
    if text:
        line = layout.row()
        line.active, line.alignment = False, "RIGHT"
        line.label(text=text)


def _solid(layout: Any, context: Any) -> None:
    """A way to see a cloud's colours where Solid mode shows it grey, and back."""
    if not solid_operator.shows_cloud(context):
        return
    if solid_operator.is_coloured(context):
        layout.operator("scenecast.solid_colours", text="Solid mode as it was", icon="SHADING_SOLID")
        return
    column = layout.column(align=True)
    _text(column, "Solid mode shows splats grey and larger than they are.", context, icon="INFO")
    column.operator("scenecast.solid_colours", text="Show their colours", icon="COLOR")


def _waits_for(one: session.Session, run: Run) -> str:
    """Why a finished run is not placed by itself."""
    if run.order.file != one.file:
        return f"made for {session.other_file(run)}"
    return "place it when you like" if session.settings().placing == "wait" else ""


def preferences(layout: Any, settings: Any) -> None:
    """The page in Blender's preferences."""
    layout.use_property_split = True
    layout.prop(settings, "placing")
    layout.prop(settings, "budget_ms")
    column = layout.column(heading="This computer")
    column.prop(settings, "share_disk")
    layout.separator()
    layout.prop(settings, "url")
    column = layout.column()
    column.active = bool(settings.url)
    column.prop(settings, "token")
    column.prop(settings, "fingerprint")
    row = session.connection()
    layout.separator()
    layout.label(text=row.title, icon="LINKED" if row.tone == "good" else TONE_ICONS[row.tone])
    for text in (row.cause, row.remedy):
        if text:
            layout.label(text=text)
    if row.can_retry:
        layout.operator("scenecast.reconnect", icon="FILE_REFRESH")


def synthetic(layout: Any, found: Sequence[Synthetic]) -> None:
    """Everything generated in the open file, as it was found."""
    if not found:
        layout.label(text="Nothing in this file was generated with Scenecast.", icon="INFO")
        return
    layout.label(text=f"{len(found)} generated datablocks in this file")
    grid = layout.column(align=True)
    for item in found[:60]:
        row = grid.row()
        row.label(text=item.name, icon=KIND_ICONS.get(item.record.kind, "DOT"))
        row.label(text=item.record.generator)
        row.label(text="" if item.record.seed is None else f"seed {item.record.seed}")
    if len(found) > 60:
        layout.label(text=f"and {len(found) - 60} more")


def _trouble(layout: Any, row: ConnectionRow) -> None:
    box = layout.box()
    box.label(text=row.title, icon="UNLINKED")
    for text in (row.cause, row.remedy):
        if text:
            _text(box, text, bpy.context, taken=IN_BOX)
    if row.can_retry:
        box.operator("scenecast.reconnect", text="Try now", icon="FILE_REFRESH")


def _generator(layout: Any, one: session.Session, context: Any) -> None:
    generator = one.form.row
    if generator is None:
        return
    row = layout.row(align=True)
    row.menu("SCENECAST_MT_generators", text=generator.title)
    row.menu("SCENECAST_MT_presets", text="", icon="PRESET")
    row.menu("SCENECAST_MT_past", text="", icon="RECOVER_LAST")
    if not generator.available:
        box = layout.box()
        box.label(text="Cannot run here", icon="ERROR")
        _text(box, sentence(generator.reason), context, taken=IN_BOX)
        return
    note = layout.column(align=True)
    note.active = False
    _text(note, generator.promise, context)


def _input(layout: Any, row: Any, port: Any) -> None:
    if row is None:
        return
    box = layout.box()
    line = box.row()
    line.use_property_split, line.use_property_decorate = True, False
    line.prop(row, "source", text=port.title + (" (optional)" if port.optional else ""))
    if row.source == "object":
        box.prop_search(row, "object_name", bpy.data, "objects", text="")
    elif row.source == "collection":
        box.prop_search(row, "collection_name", bpy.data, "collections", text="")
    elif row.source == "image":
        box.prop_search(row, "image_name", bpy.data, "images", text="")
    elif row.source == "file":
        box.prop(row, "path", text="")
    elif row.source == "folder":
        box.prop(row, "folder", text="")
    elif row.source == "around":
        _around(box, row)
    elif row.source in ("result", "watched"):
        picker = box.operator_menu_enum("scenecast.pick_result" if row.source == "result" else "scenecast.pick_watched",
                                        "digest", text=row.title or "Choose …")  # fmt: skip
        picker.port = row.name
        if row.source == "result":
            picker.lane = row.lane
    elif row.source == "shown":
        line = box.row()
        line.active = False
        line.label(
            text=inputs.title_of(row) or f"Select {kinds_in_words(port.kinds).lower()} made here", icon="OBJECT_DATA"
        )
    elif row.source == "active":
        line = box.row()
        line.active = False
        line.label(text=inputs.title_of(row) or "Select an object", icon="OBJECT_DATA")
    elif not inputs.title_of(row):
        reason = "The scene has no camera" if row.source.startswith("camera_") else why_no_viewport()
        box.label(text=sentence(reason), icon="INFO")


def _around(box: Any, row: Any) -> None:
    line = box.row()
    line.active = False
    line.label(text=inputs.title_of(row) or "Select an object", icon="OBJECT_DATA")
    column = box.column(align=True)
    column.use_property_split, column.use_property_decorate = True, False
    column.prop(row, "views")
    column.prop(row, "size_px")
    column.prop(row, "look")


def _controls(layout: Any, form: Form, controls: Any, panel: Any) -> None:
    rows = {row.name: row for row in controls}
    usual = [control for control in form.controls if not control.advanced]
    finer = [control for control in form.controls if control.advanced]
    column = layout.column()
    for control in usual:
        _control(column, control, rows[control.name])
    if not finer:
        return
    used = sum(rows[control.name].used for control in finer if control.nullable)
    fold = layout.row()
    fold.alignment = "LEFT"
    arrow = "DOWNARROW_HLT" if panel.advanced else "RIGHTARROW"
    fold.prop(panel, "advanced", text=f"More ({used} set)" if used else "More", icon=arrow, emboss=False)
    if panel.advanced:
        column = layout.column()
        for control in finer:
            _control(column, control, rows[control.name])


def _control(layout: Any, control: Control, row: Any) -> None:
    if control.kind == "text" and not control.nullable:
        column = layout.column(align=True)
        column.label(text=control.label)
        hint = next((text for text in control.suggestions if isinstance(text, str)), "")
        column.prop(row, "words", text="", placeholder=hint)
        return
    line = layout.row(align=True)
    line.use_property_split, line.use_property_decorate = True, False
    if control.kind == "colour":
        _colour(line, control, row)
    elif control.nullable:
        heading = line.row(heading=control.label, align=True)
        heading.prop(row, "used", text="")
        _value(heading.row(align=True), control, row, '["value"]')
    elif control.kind in ("text", "json", "seed"):
        line.prop(row, '["value"]', text=control.label)
    else:
        line.prop(row, '["value"]', text=control.label, slider=control.slider)


def _colour(line: Any, control: Control, row: Any) -> None:
    text = row.get("value", "")
    named = text and colour_parts(text) is None
    if not control.may_be_empty:
        line.prop(row, '["value"]' if named else "colour", text=control.label)
        return
    heading = line.row(heading=control.label, align=True)
    heading.prop(row, "used", text="")
    _value(heading.row(align=True), control, row, '["value"]' if named else "colour")


def _value(line: Any, control: Control, row: Any, path: str) -> None:
    """The value, or in its place a word that the generator decides."""
    if row.used or not (control.nullable or control.may_be_empty):
        line.prop(row, path, text="", slider=control.slider)
    else:
        line.active = False
        line.label(text="auto")


def _seed(layout: Any, panel: Any) -> None:
    row = layout.row(align=True)
    row.use_property_split, row.use_property_decorate = True, False
    row.prop(panel, "seed", text="Seed")
    row.operator("scenecast.reroll", text="", icon="FILE_REFRESH")
    row.prop(panel, "seed_fixed", text="", icon="LOCKED" if panel.seed_fixed else "UNLOCKED")


def _button(layout: Any, one: session.Session, context: Any) -> None:
    hindrances = one.form.hindrances(inputs.chosen())
    row = layout.row()
    row.scale_y = 1.5
    row.enabled = not hindrances
    row.operator("scenecast.generate", text="Generate", icon="SHADERFX")
    for text in hindrances[:3] if one.form.row is not None and one.form.row.available else ():
        _text(layout, sentence(text), context, icon="INFO")


def _job(box: Any, row: JobRow, context: Any) -> None:
    split = box.row()
    number = thumbnails.icon(row.key)
    if number:
        picture = split.row()
        picture.ui_units_x = 2.4
        picture.template_icon(icon_value=number, scale=2.4)
    else:
        split.label(text="", icon=KIND_ICONS.get(row.kind, "DOT"))
    words = split.column(align=True)
    words.label(text=row.title)
    if row.fraction is not None:
        words.progress(factor=row.fraction, text=row.line)
    else:
        line = words.column(align=True)
        line.alert = row.tone == "bad"
        _text(line, row.line, context, icon=TONE_ICONS[row.tone], taken=14)
    if "cancel" in row.buttons:
        operator = split.operator("scenecast.cancel", text="", icon="X")
        operator.key = row.key
    for text in row.detail:
        _text(box, text, context, taken=IN_BOX)
    _job_buttons(box, row)


def _job_buttons(box: Any, row: JobRow) -> None:
    named = [button for button in row.buttons if button not in ("cancel", "dismiss")]
    if not named:
        return
    line = box.row(align=True)
    for button in named:
        if button == "place":
            line.operator_menu_enum("scenecast.place", "target", text="Place", icon="PIVOT_CURSOR").key = row.key
            continue
        operator, icon, text = BUTTONS[button]
        crowded = button == "new_seed" and ("further" in row.buttons or "view" in row.buttons)
        wide = not crowded and button in (
            "retry",
            "new_seed",
            "copy_error",
            "pause",
            "resume",
            "finish",
            "here",
            "further",
            "view",
        )
        line.operator(operator, text=text if wide else "", icon=icon).key = row.key
    if "dismiss" in row.buttons:
        line.operator("scenecast.dismiss", text="", icon="X").key = row.key


def _text(layout: Any, text: str, context: Any, *, icon: str = "NONE", taken: int = 0) -> None:
    """A sentence in as many lines as the region's width asks for; so many characters of that are `taken`."""
    column = layout.column(align=True)
    column.scale_y = 0.85
    beside = taken or (4 if icon != "NONE" else 0)
    for number, line in enumerate(wrapped(text, max(12, columns(context) - beside))):
        column.label(text=line, icon=icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE")


def columns(context: Any) -> int:
    """Characters that fit into one line of the region."""
    width = context.region.width if context.region is not None else 280
    scale = context.preferences.system.ui_scale or 1.0  # 0 without a window
    return max(14, int((width / scale - 44) / 6.2))
