"""Parameters from the command line: text becomes what the generator's JSON Schema says it is."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from bridge.cli.console import UsageError


def pairs(texts: Iterable[str], what: str) -> dict[str, str]:
    """NAME=VALUE texts as a mapping. Raises `UsageError`."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"expected {what}, got {text!r}")
        if name in found:
            raise UsageError(f"{name!r} is given twice")
        found[name] = value
    return found


def typed(texts: Mapping[str, str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the schema types them; what does not fit is passed on for the bridge to refuse in its words."""
    properties = schema.get("properties", {})
    return {name: _typed(text, properties.get(name, {})) for name, text in texts.items()}


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    kinds = types_of(schema)
    if "null" in kinds and text.lower() in ("", "null", "none"):
        return None
    if "boolean" in kinds and text.lower() in ("yes", "on", "true", "no", "off", "false"):
        return text.lower() in ("yes", "on", "true")
    if "string" in kinds and not kinds & {"integer", "number", "object", "array"}:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return _not_finite(text) if kinds & {"integer", "number"} else text


def _not_finite(text: str) -> Any:
    """`nan` and `inf` in any spelling as the numbers they are, which the bridge refuses as such; else the text."""
    try:
        value = float(text)
    except ValueError:
        return text
    return text if math.isfinite(value) else value


def types_of(schema: Mapping[str, Any]) -> set[str]:
    """The JSON types a schema allows."""
    kinds: set[str] = set()
    for choice in (schema, *schema.get("anyOf", ())):
        given = choice.get("type", ())
        kinds |= {given} if isinstance(given, str) else set(given)
        for value in choice.get("enum", ()):
            kinds.add("string" if isinstance(value, str) else "null" if value is None else "number")
    return kinds


def bounds_of(schema: Mapping[str, Any]) -> str:
    """The limits of a parameter in words: its choices, its range, or its length."""
    for choice in (schema, *schema.get("anyOf", ())):
        if "enum" in choice:
            return " | ".join(str(value) for value in choice["enum"])
        low = choice.get("minimum", choice.get("exclusiveMinimum"))
        high = choice.get("maximum", choice.get("exclusiveMaximum"))
        if low is not None or high is not None:
            return f"{_number(low)} … {_number(high)}"
        if "maxLength" in choice:
            return f"up to {choice['maxLength']} characters"
    return ""


def hint(schema: Mapping[str, Any], name: str) -> str:
    """A hint such as `unit` or `title`, also where it stands inside an optional's choices."""
    for choice in (schema, *schema.get("anyOf", ())):
        if choice.get(name):
            return str(choice[name])
    return ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"
