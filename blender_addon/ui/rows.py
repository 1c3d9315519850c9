# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the form into Blender's rows and back."""

from __future__ import annotations

from typing import Any

import bpy

from ..core.controls import Control, Value, fitted
from ..core.form import Form
from ..core.history import History
from . import session

INT_MAX = 2**31 - 1
"""Blender's own whole numbers are 32 bits with a sign."""
_SOURCES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "mesh": (
        ("active", "Active object", "The object that is active when you press the button"),
        ("object", "Object", "An object of this file"),
        ("collection", "Collection", "Everything solid in a collection"),
    ),
    "image": (
        ("image", "Image", "An image of this file"),
        ("camera_colour", "Camera view", "A quick render through the scene's camera"),
        ("camera_depth", "Camera depth", "Distance from the scene's camera, near is light"),
        ("camera_normal", "Camera normals", "Which way surfaces face, seen from the scene's camera"),
        ("viewport", "Viewport", "The largest 3D viewport as it looks now"),
    ),
    "splats": (("shown", "Active cloud", "The cloud that the active object shows, as it was made with Scenecast"),),
    "capture": (
        ("folder", "Folder of photographs", "A folder on this disk, with or without camera poses"),
        ("file", "Video or zip", "A video, or a zip of photographs, on this disk"),
        ("around", "This scene", "Renders of this scene from all around what is selected, with their exact poses"),
    ),
}
_LIVE = (
    ("shown", "Active object", "What the active object shows, when it was made with Scenecast"),
    ("result", "Earlier result", "Something made before"),
)
_EVERYWHERE = (
    ("result", "Earlier result", "Something made before"),
    ("watched", "Watched file", "A file in one of the bridge's watched folders"),
    ("file", "File", "A file on this disk"),
)
_KEPT_OF_INPUT = ("picked", "digest", "title", "path", "folder", "views", "size_px", "look")
"""What a generator's input takes over from an input of the same name of the generator before."""
_BY_ITSELF = ("active", "shown")
"""Sources that give something without being asked: right for one input, and for none that may stay empty."""
_kept: dict[tuple[str, ...], list[tuple[str, str, str]]] = {}


def state() -> Any:
    """Blender's side of the form."""
    return bpy.context.window_manager.scenecast


def form_of(lane: str) -> Form:
    """The form whose rows are of that lane: `live`, or the usual one."""
    one = session.current()
    return one.live_form if lane == "live" else one.form


def inputs_of(lane: str) -> Any:
    """The rows of inputs of that lane."""
    return state().live_inputs if lane == "live" else state().inputs


def show(form: Form) -> None:
    """Rebuild the rows for the generator that the form has chosen."""
    _show(form, state().controls, state().inputs, "")
    state().generator = form.generator


def show_live(form: Form) -> None:
    """The same for the live preview."""
    _show(form, state().live_controls, state().live_inputs, "live")
    state().live_generator = form.generator


def _show(form: Form, controls: Any, inputs: Any, lane: str) -> None:
    controls.clear()
    for control in form.controls:
        row = controls.add()
        row.lane = lane
        _fill(row, control, form.values[control.name])
    earlier = {row.name: {name: getattr(row, name) for name in _KEPT_OF_INPUT} for row in inputs}
    inputs.clear()
    for port in form.row.takes if form.row is not None else ():
        row = inputs.add()
        row.name, row.lane = port.name, lane
        if port.name in earlier and earlier[port.name]["picked"] in [item[0] for item in sources(row)]:
            for name, value in earlier[port.name].items():
                setattr(row, name, value)
        elif port.optional or any(other.name != row.name and other.source in _BY_ITSELF for other in inputs):
            row.picked = next((one for one, _, _ in sources(row) if one not in _BY_ITSELF), "")


def pull(form: Form) -> None:
    """Take into the form what has been typed and dragged."""
    if state().generator == form.generator:
        form.take(_read(form, state().controls))


def pull_live(form: Form) -> None:
    """The same for the live preview."""
    if state().live_generator == form.generator:
        form.take(_read(form, state().live_controls))


def _read(form: Form, controls: Any) -> dict[str, Value]:
    """The values of the rows."""
    known = {control.name: control for control in form.controls}
    return {row.name: _value(row, known[row.name]) for row in controls if row.name in known}


def sources(row: Any) -> list[tuple[str, str, str]]:
    """Where an input can come from, by the kinds of thing it takes."""
    generator = form_of(row.lane).row if session.maybe() is not None else None
    port = next((port for port in generator.takes if port.name == row.name), None) if generator else None
    if row.lane == "live":
        return list(_LIVE)
    kinds = tuple(port.kinds) if port is not None else ()
    if kinds not in _kept:
        own = [item for kind in kinds for item in _SOURCES.get(kind, ())]
        _kept[kinds] = own + [item for item in _EVERYWHERE if item[0] not in [name for name, _, _ in own]]
    return _kept[kinds]


def earlier_results(row: Any, history: History) -> list[tuple[str, str, str]]:
    """Digest, title and generator of what was made before and fits the input."""
    generator = form_of(row.lane).row
    port = next((port for port in generator.takes if port.name == row.name), None) if generator else None
    past = history.of_kinds(tuple(port.kinds)) if port is not None else []
    return [(each.digests[0], each.label or each.title, each.title) for each in past[:30]]


def _fill(row: Any, control: Control, value: Value) -> None:
    row.name = control.name
    row.used = bool(value) if control.kind == "colour" else value is not None
    row.kind = control.kind  # after `used`, whose update looks at it
    shown = fitted(control, value)
    tip = control.tip or control.title
    if control.kind in ("whole", "number"):
        _fill_number(row, control, shown, tip)
    elif control.kind == "switch":
        row["value"] = bool(shown)
        row.id_properties_ui("value").update(default=bool(control.default), description=tip)
    elif control.kind == "choice":
        names = [one.identifier for one in control.choices]
        row["value"] = names.index(shown) if shown in names else 0
        row.id_properties_ui("value").update(
            items=[(one.identifier, one.title, "") for one in control.choices], description=tip
        )
    else:
        row["value"] = "" if shown is None else str(shown)
        row.id_properties_ui("value").update(description=tip)


def _fill_number(row: Any, control: Control, value: Value, tip: str) -> None:
    low, high = control.minimum, control.maximum
    start = value if isinstance(value, (int, float)) else _start(control)
    if control.kind == "whole":
        bounds: dict[str, float] = {
            "min": int(max(-INT_MAX, -INT_MAX if low is None else low)),
            "max": int(min(INT_MAX, INT_MAX if high is None else high)),
        }
        row["value"] = int(min(INT_MAX, max(-INT_MAX, start)))
        step: Any = max(1, int(control.step or 1))
        more: dict[str, Any] = {}
    else:
        bounds = {"min": -1e30 if low is None else float(low), "max": 1e30 if high is None else float(high)}
        row["value"] = float(start)
        step = max(0.1, 100 * (control.step or 0.01))  # Blender counts a float's step in hundredths
        more = {"precision": control.digits}
    kind = type(row["value"])
    soft_low, soft_high = control.soft_minimum, control.soft_maximum
    row.id_properties_ui("value").update(
        **bounds,
        **more,
        soft_min=kind(bounds["min"] if soft_low is None else max(bounds["min"], soft_low)),
        soft_max=kind(bounds["max"] if soft_high is None else min(bounds["max"], soft_high)),
        step=step,
        description=tip,
    )
    if control.unit == "px":
        row.id_properties_ui("value").update(subtype="PIXEL")
    if isinstance(control.default, (int, float)):
        row.id_properties_ui("value").update(default=kind(control.default))


def _start(control: Control) -> float:
    """Where an empty number begins when it is set by hand."""
    low, high = control.minimum, control.maximum
    if low is not None and high is not None:
        return 1.0 if low < 1.0 < high else (low + high) / 2
    return low if low is not None else high if high is not None else 0.0


def _value(row: Any, control: Control) -> Value:
    value = row["value"]
    if control.nullable and not row.used:
        return None
    if control.kind == "choice":
        return control.choices[value].identifier if 0 <= value < len(control.choices) else control.default
    if control.kind in ("whole", "number"):
        return fitted(control, value)
    if control.kind == "switch":
        return bool(value)
    if control.kind == "seed":
        return int(value) if value.isdigit() else control.default
    return str(value)


def set_overlay(overlay: Any, panel: Any) -> None:
    """Draw the live picture as the panel says."""
    overlay.strength, overlay.background, overlay.split = panel.live_strength, panel.live_background, panel.live_split
