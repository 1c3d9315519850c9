"""What a parameter may be, in words, for those whose request did not fit: read off the generator's schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from generators.spec import GeneratorSpec, params_schema

COLOUR = "write the colour as # and six digits 0-9 or a-f: red, green and blue, such as #cc3322 for a red"
_TOP_LEVEL = re.compile(r"\$\.([A-Za-z_][A-Za-z0-9_]*)")


def choices(spec: GeneratorSpec, path: str) -> list[str]:
    """The values that the parameter at `path` (as `$.kind`) may have; empty where it is no choice."""
    return [str(value) for schema in _schemas(spec, path) for value in schema.get("enum", ()) if value is not None]


def pattern_hint(spec: GeneratorSpec, path: str) -> str:
    """What a text with a pattern should look like: the parameter's own description; empty without a pattern."""
    found = list(_schemas(spec, path))
    if any(schema.get("ui") == "colour" for schema in found):
        return COLOUR
    described = next((str(schema["description"]) for schema in found if schema.get("description")), "")
    return described if any("pattern" in schema for schema in found) else ""


def limits(spec: GeneratorSpec, path: str) -> str:
    """The range of the parameter at `path` as something to do; empty when it has none."""
    for schema in _schemas(spec, path):
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        if low is not None and high is not None:
            kind = "a whole number" if schema.get("type") == "integer" else "a number"
            step = f", a multiple of {schema['multipleOf']:g}" if schema.get("multipleOf", 1) != 1 else ""
            return f"give {kind} from {low:g} to {high:g}{step}"
        if "maxLength" in schema:
            return f"give at most {schema['maxLength']} characters"
    return ""


def _schemas(spec: GeneratorSpec, path: str) -> Iterator[Mapping[str, Any]]:
    """The schema of a parameter and, of an optional one, its choices; nothing for what lies deeper."""
    named = _TOP_LEVEL.fullmatch(path)
    schema = params_schema(spec).get("properties", {}).get(named[1], {}) if named else {}
    yield schema
    yield from schema.get("anyOf", ())
