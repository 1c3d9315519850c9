"""JSON parameters are held to their schema before they are sent."""

from __future__ import annotations

from typing import Any

import pytest

from blender_addon.core.json_shape import unfit

NUMBERS = {"type": "array", "items": {"type": "number"}, "maxItems": 3}


@pytest.mark.parametrize(
    "schema, value, fault",
    [
        (NUMBERS, [1, 2.5], ""),
        (NUMBERS, [], ""),
        (NUMBERS, None, "is None, expected a list"),
        (NUMBERS, [1, "x"], "has an item that is 'x', expected a number"),
        (NUMBERS, [True], "has an item that is True, expected a number"),
        (NUMBERS, [1, 2, 3, 4], "has 4 items, expected 0 to 3"),
        ({"type": "array", "minItems": 2}, [1], "has 1 items, expected 2 to any number"),
        ({"type": "integer", "minimum": 0, "maximum": 9}, 12, "is 12, expected 0 to 9"),
        ({"type": "integer"}, 1.5, "is 1.5, expected a whole number"),
        ({"type": "boolean"}, True, ""),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, "words", ""),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, 3, "is 3, expected null"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, {"a": 1}, ""),
        ({"type": "object", "additionalProperties": {"type": "number"}}, {"a": "b"},
         "has a value that is 'b', expected a number"),
        ({}, object, ""),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(schema: dict[str, Any], value: Any, fault: str) -> None:
    assert unfit(schema, value) == fault
