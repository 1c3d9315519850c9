"""Text from the command line becomes what the generators' own schemas say."""

from __future__ import annotations

import math

import pytest

from bridge.cli import values
from bridge.cli.console import UsageError, parsed_size, size
from generators.procedural import SPECS
from generators.spec import params_schema

SCHEMAS = {spec.id: params_schema(spec) for spec in SPECS}


@pytest.mark.parametrize(
    ("generator", "name", "text", "value"),
    [
        ("material.procedural", "prompt", "wet mossy red bricks", "wet mossy red bricks"),
        ("material.procedural", "prompt", "7", "7"),
        ("material.procedural", "size_px", "1024", 1024),
        ("material.procedural", "size_px", "1024.5", 1024.5),
        ("material.procedural", "size_px", "large", "large"),
        ("material.procedural", "wetness", "0.5", 0.5),
        ("material.procedural", "wetness", "none", None),
        ("material.procedural", "unknown", "5", 5),
        ("image.noise", "kind", "cells", "cells"),
        ("image.noise", "depth", "16", "16"),
        ("image.noise", "invert", "yes", True),
        ("image.noise", "invert", "false", False),
        ("clip.loop", "fps", "24", 24),
    ],
)
def test_the_schema_decides(generator: str, name: str, text: str, value: object) -> None:
    found = values.typed({name: text}, SCHEMAS[generator])[name]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-Infinity"])
def test_what_is_no_finite_number_is_passed_on_as_the_number_it_is(text: str) -> None:
    for name in ("wetness", "size_px"):
        value = values.typed({name: text}, SCHEMAS["material.procedural"])[name]
        assert isinstance(value, float) and not math.isfinite(value)
    assert values.typed({"prompt": text}, SCHEMAS["material.procedural"]) == {"prompt": text}


@pytest.mark.parametrize("generator", SCHEMAS)
def test_every_default_survives_being_written_as_text(generator: str) -> None:
    for name, schema in SCHEMAS[generator]["properties"].items():
        default = schema["default"]
        text = "none" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
        assert values.typed({name: text}, SCHEMAS[generator]) == {name: default}
        assert values.types_of(schema), f"{name} has no type a person could be told"


def test_bounds_and_hints_in_words() -> None:
    noise, material = SCHEMAS["image.noise"]["properties"], SCHEMAS["material.procedural"]["properties"]
    assert values.bounds_of(noise["size_px"]) == "64 … 4096" and values.hint(noise["size_px"], "unit") == "px"
    assert "cells | " in values.bounds_of(noise["kind"])
    assert values.bounds_of(material["wetness"]) == "0 … 1"
    assert values.hint(material["tile_m"], "unit") == "m"


@pytest.mark.parametrize("texts", [["a"], ["=b"], ["a=1", "a=2"]])
def test_pairs_are_refused_in_words(texts: list[str]) -> None:
    with pytest.raises(UsageError):
        values.pairs(texts, "NAME=VALUE")


def test_pairs_keep_further_equals_signs() -> None:
    assert values.pairs(["a=b=c", "d="], "NAME=VALUE") == {"a": "b=c", "d": ""}


@pytest.mark.parametrize(
    ("text", "bytes_"), [("2GB", 2 * 10**9), ("1.5 MB", 1_500_000), ("1GiB", 2**30), ("17", 17), ("0", 0), ("3k", 3000)]
)
def test_sizes(text: str, bytes_: int) -> None:
    assert parsed_size(text) == bytes_


@pytest.mark.parametrize("text", ["", "GB", "2 XB", "-1", "1e40", "nan"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="is no size"):
        parsed_size(text)


def test_sizes_are_read_back_about_as_written() -> None:
    for number in (0, 1, 999, 1000, 123_456, 10**7, 5 * 10**9):
        assert abs(parsed_size(size(number)) - number) <= max(1, number * 0.05)
