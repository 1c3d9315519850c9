# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a JSON value has the shape that a JSON Schema asks for: as much of it as parameters use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "object": (dict,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_WORDS = {"array": "a list", "object": "an object", "string": "text", "number": "a number", "integer": "a whole number",
          "boolean": "true or false", "null": "null"}  # fmt: skip


def unfit(schema: Mapping[str, Any], value: Any) -> str:
    """What is wrong with the value, as in `is no list`; empty when it fits."""
    several = schema.get("anyOf")
    if several:
        faults = [unfit(one, value) for one in several]
        return "" if "" in faults else faults[0]
    wanted = schema.get("type")
    if isinstance(wanted, str) and wanted in _TYPES:
        truth = isinstance(value, bool) and wanted != "boolean"
        if truth or not isinstance(value, _TYPES[wanted]):
            return f"is {value!r}, expected {_WORDS[wanted]}"
    if isinstance(value, list):
        return _unfit_list(schema, value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        if (low is not None and value < low) or (high is not None and value > high):
            return f"is {value:g}, expected {low if low is not None else '…'} to {high if high is not None else '…'}"
    if isinstance(value, dict) and isinstance(schema.get("additionalProperties"), Mapping):
        faults = [unfit(schema["additionalProperties"], one) for one in value.values()]
        return next((f"has a value that {fault}" for fault in faults if fault), "")
    return ""


def _unfit_list(schema: Mapping[str, Any], values: list[Any]) -> str:
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    if len(values) < least or (most is not None and len(values) > most):
        return f"has {len(values)} items, expected {least} to {most if most is not None else 'any number'}"
    items = schema.get("items")
    faults = [unfit(items, one) for one in values] if isinstance(items, Mapping) else []
    return next((f"has an item that {fault}" for fault in faults if fault), "")
