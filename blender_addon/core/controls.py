# SPDX-License-Identifier: GPL-3.0-or-later
"""A generator's parameters as controls: read from its JSON Schema, checked, and turned back into parameters.

The hints beside JSON Schema's own words are `unit`, `ui`, `step`, `suggestions`, `titles` and `advanced`. A type that
no control fits is edited as JSON text, so that no parameter is out of reach.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .json_shape import unfit

ControlKind = Literal["whole", "number", "switch", "choice", "text", "colour", "seed", "json"]
Value = int | float | bool | str | None
HEX_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
SEED_MAX = 2**32 - 1


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    identifier: str
    title: str
    value: Any


@dataclass(frozen=True)
class Control:
    """One parameter as a panel shows it."""

    name: str
    kind: ControlKind
    title: str
    tip: str = ""
    default: Value = None
    nullable: bool = False
    """Empty (None) is a value too: the generator decides."""
    minimum: float | None = None
    maximum: float | None = None
    above: bool = False
    """The minimum itself is not allowed."""
    below: bool = False
    """The maximum itself is not allowed."""
    soft_minimum: float | None = None
    soft_maximum: float | None = None
    """How far a slider goes when dragged; typing goes to the hard limit."""
    step: float | None = None
    multiple_of: float | None = None
    unit: str = ""
    slider: bool = False
    choices: tuple[Choice, ...] = ()
    suggestions: tuple[Value, ...] = ()
    advanced: bool = False
    max_length: int | None = None
    pattern: str = ""
    shape: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """Of JSON text: the schema of what it says."""

    @property
    def label(self) -> str:
        """Title with the unit, as `Tile size (m)`; pixels stand beside the number itself."""
        if self.unit == "px" and self.kind in ("whole", "number"):
            return self.title
        return f"{self.title} ({'°' if self.unit == 'deg' else self.unit})" if self.unit else self.title

    @property
    def digits(self) -> int:
        """Decimal places that a change of one step can be seen in."""
        if not self.step or self.step >= 1:
            return 2 if not self.step else 0 if float(self.step).is_integer() else 2
        return max(2, min(6, math.ceil(-math.log10(self.step))))

    @property
    def may_be_empty(self) -> bool:
        """For colours and words: whether the empty text is allowed."""
        return not self.pattern or re.search(self.pattern, "") is not None


def controls(schema: Mapping[str, Any]) -> tuple[Control, ...]:
    """One control for each property of an object's JSON Schema, in order."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    return tuple(_control(name, row) for name, row in properties.items())


def defaults(rows: Iterable[Control]) -> dict[str, Value]:
    """Every control's value before anybody has touched it."""
    return {row.name: row.default for row in rows}


def fitted(control: Control, value: Any) -> Value:
    """The nearest value that the control can hold; its default for what is no value of it at all."""
    if value is None:
        return None if control.nullable else control.default
    if control.kind in ("whole", "number"):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return control.default
        return _limited(control, value)
    if control.kind == "switch":
        return value if isinstance(value, bool) else control.default
    if control.kind == "choice":
        return next((one.identifier for one in control.choices if value in (one.identifier, one.value)),
                    control.default)  # fmt: skip
    if control.kind == "seed":
        whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= SEED_MAX
        return value if whole else control.default
    if control.kind == "json" and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return value[: control.max_length] if isinstance(value, str) else control.default


def fault(control: Control, value: Value) -> str:
    """What is wrong with a value, as one sentence for the artist; empty when nothing is."""
    if value is None:
        return "" if control.nullable else f"{control.title} is empty"
    if control.kind in ("whole", "number", "seed"):
        return _number_fault(control, value)
    if control.kind == "switch":
        return "" if isinstance(value, bool) else f"{control.title} is neither on nor off"
    if control.kind == "choice":
        known = [one.title for one in control.choices]
        fits = any(value == one.identifier for one in control.choices)
        return "" if fits else f"{control.title} is {value!r}, expected one of {', '.join(known)}"
    if not isinstance(value, str):
        return f"{control.title} is no text"
    return _text_fault(control, value)


def faults(rows: Iterable[Control], values: Mapping[str, Value]) -> list[str]:
    """All that keeps these values from being sent."""
    said = (fault(row, values.get(row.name, row.default)) for row in rows)
    return [one for one in said if one]


def params(rows: Iterable[Control], values: Mapping[str, Value]) -> dict[str, Any]:
    """The values as the bridge takes them. Raises ValueError for JSON text that is none; see `faults`."""
    return {row.name: _param(row, values.get(row.name, row.default)) for row in rows}


def values_of(rows: Iterable[Control], given: Mapping[str, Any]) -> dict[str, Value]:
    """The inverse of `params`: an earlier request's parameters as values; what is missing or unknown is default."""
    return {row.name: fitted(row, given[row.name]) if row.name in given else row.default for row in rows}


def colour_text(red: float, green: float, blue: float) -> str:
    """`#rrggbb` of three display values, 0..1."""
    return "#" + "".join(f"{round(255 * min(1.0, max(0.0, one))):02x}" for one in (red, green, blue))


def colour_parts(text: str) -> tuple[float, float, float] | None:
    """The inverse of `colour_text`; None for what is no colour code."""
    if not HEX_COLOUR.fullmatch(text):
        return None
    return int(text[1:3], 16) / 255, int(text[3:5], 16) / 255, int(text[5:7], 16) / 255


def _param(control: Control, value: Value) -> Any:
    if value is None:
        return None
    if control.kind == "choice":
        return next((one.value for one in control.choices if one.identifier == value), value)
    return json.loads(str(value)) if control.kind == "json" else value


def _control(name: str, row: Mapping[str, Any]) -> Control:
    inner, nullable = _without_null(row)
    kind = _kind(name, inner)
    choices = _choices(inner) if kind == "choice" else ()
    default = row.get("default", inner.get("default"))
    suggestions = tuple(inner.get("suggestions", ()))
    numbers = [one for one in suggestions if isinstance(one, (int, float)) and not isinstance(one, bool)]
    low = inner.get("minimum", inner.get("exclusiveMinimum"))
    high = inner.get("maximum", inner.get("exclusiveMaximum"))
    if kind == "choice":
        default = next((one.identifier for one in choices if one.value == default), choices[0].identifier)
    elif kind == "json" and default is not None:
        default = json.dumps(default, ensure_ascii=False)
    elif default is None and not nullable:
        empty: dict[ControlKind, Value] = {"whole": 0, "number": 0.0, "switch": False, "seed": 0, "json": "null"}
        default = max(empty[kind], low or 0) if kind in ("whole", "number") else empty.get(kind, "")  # type: ignore[type-var]
    return Control(
        name=name,
        kind=kind,
        title=inner.get("title") or row.get("title") or name.replace("_", " ").capitalize(),
        tip=inner.get("description") or row.get("description") or "",
        default=default,
        nullable=nullable,
        minimum=low,
        maximum=high,
        above="exclusiveMinimum" in inner and "minimum" not in inner,
        below="exclusiveMaximum" in inner and "maximum" not in inner,
        soft_minimum=inner.get("soft_minimum", min(numbers, default=low)),
        soft_maximum=inner.get("soft_maximum", max(numbers, default=high)),
        step=inner.get("step", inner.get("multipleOf")),
        multiple_of=inner.get("multipleOf"),
        unit=inner.get("unit", ""),
        slider=inner.get("ui") == "slider" and low is not None and high is not None,
        choices=choices,
        suggestions=suggestions,
        advanced=bool(inner.get("advanced", row.get("advanced", False))),
        max_length=inner.get("maxLength"),
        pattern=inner.get("pattern", ""),
        shape=inner if kind == "json" else {},
    )


def _without_null(row: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """The schema of what is not null, and whether null is allowed too."""
    several: Sequence[Mapping[str, Any]] = row.get("anyOf", ())
    real = [one for one in several if one.get("type") != "null"]
    if len(several) == len(real) + 1 and len(real) == 1:
        outside = {key: value for key, value in row.items() if key not in ("anyOf", "default")}
        return {**outside, **real[0]}, True
    if isinstance(row.get("type"), list) and "null" in row["type"]:
        left = [one for one in row["type"] if one != "null"]
        return {**row, "type": left[0] if len(left) == 1 else left}, True
    if None in row.get("enum", ()):
        return {**row, "enum": [one for one in row["enum"] if one is not None]}, True
    return row, False


def _kind(name: str, row: Mapping[str, Any]) -> ControlKind:
    if row.get("enum"):
        return "choice"
    wanted, hint = row.get("type"), row.get("ui")
    if wanted == "integer":
        return "seed" if hint == "seed" or name == "seed" else "whole"
    if wanted == "string":
        return "colour" if hint == "colour" else "text"
    plain: dict[object, ControlKind] = {"number": "number", "boolean": "switch"}
    return plain.get(wanted, "json") if isinstance(wanted, str) else "json"


def _choices(row: Mapping[str, Any]) -> tuple[Choice, ...]:
    """In the order of `titles` where given; else numbers by size, and `auto` first."""
    titles: Mapping[str, str] = row.get("titles", {})
    order = {name: place for place, name in enumerate(titles)}

    def rank(value: Any) -> tuple[object, ...]:
        text = str(value)
        number = float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else math.inf
        return text != "auto", order.get(text, len(order)), number

    values = sorted(row["enum"], key=rank)
    named = (Choice(str(one), titles.get(str(one)) or _titled(str(one)), one) for one in values)
    return tuple(named)


def _titled(identifier: str) -> str:
    words = identifier.replace("_", " ")
    return words[:1].upper() + words[1:]


def _limited(control: Control, value: float) -> int | float:
    """Inside the hard limits and on the grid of multiples, as near as may be."""
    low, high = control.minimum, control.maximum
    unit = control.multiple_of or (1 if control.kind == "whole" else None)
    if unit is None:
        number = float(value)
        if low is not None:
            number = max(number, math.nextafter(low, math.inf) if control.above else low)
        if high is not None:
            number = min(number, math.nextafter(high, -math.inf) if control.below else high)
        return float(number)
    steps = round(value / unit)
    if low is not None:
        steps = max(steps, math.floor(low / unit) + 1 if control.above else math.ceil(low / unit))
    if high is not None:
        steps = min(steps, math.ceil(high / unit) - 1 if control.below else math.floor(high / unit))
    return int(steps * unit) if control.kind == "whole" else float(steps * unit)


def _number_fault(control: Control, value: Value) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return f"{control.title} is no number"
    if control.kind in ("whole", "seed") and not float(value).is_integer():
        return f"{control.title} is {value:g}, expected a whole number"
    low = 0 if control.kind == "seed" and control.minimum is None else control.minimum
    high = SEED_MAX if control.kind == "seed" and control.maximum is None else control.maximum
    unit = f" {control.unit}" if control.unit else ""
    if low is not None and (value < low or (control.above and value == low)):
        return f"{control.title} is {value:g}{unit}, expected {'more than' if control.above else 'at least'} {low:g}"
    if high is not None and (value > high or (control.below and value == high)):
        return f"{control.title} is {value:g}{unit}, expected {'less than' if control.below else 'at most'} {high:g}"
    grid = control.multiple_of
    if grid and abs(value / grid - round(value / grid)) > 1e-9:
        return f"{control.title} is {value:g}{unit}, expected a multiple of {grid:g}"
    return ""


def _text_fault(control: Control, value: str) -> str:
    if control.max_length is not None and len(value) > control.max_length:
        return f"{control.title} has {len(value)} characters, expected at most {control.max_length}"
    if control.kind == "json":
        try:
            tree = json.loads(value)
        except ValueError:
            return f"{control.title} is no JSON"
        problem = unfit(control.shape, tree)
        return f"{control.title} {problem}" if problem else ""
    if control.pattern and not re.search(control.pattern, value):
        wanted = "a colour such as #8a3b22" if control.kind == "colour" else f"text like {control.pattern}"
        return f"{control.title} is {value!r}, expected {wanted}"
    return ""
