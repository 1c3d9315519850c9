"""What a parameter may be, in words."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from msgspec import Meta

from engines.kinds import Kind
from generators.limits import choices, limits, pattern_hint
from generators.spec import GeneratorSpec, Params


class ShapeParams(Params):
    size_px: Annotated[int, Meta(ge=64, le=4096, multiple_of=64)] = 512
    amount: Annotated[float, Meta(ge=0.0, le=1.0)] | None = None
    kind: Literal["round", "square"] = "round"
    colour: Annotated[str, Meta(pattern="^[a-z]*$", description="A colour's name.")] = ""
    tint: Annotated[str, Meta(pattern="^(#[0-9a-f]{6})?$", description="Tint.", extra_json_schema={"ui": "colour"})] = (
        ""
    )
    prompt: Annotated[str, Meta(max_length=40)] = ""
    free: bool = False


SPEC = GeneratorSpec(
    id="image.shape", title="Shape", promise="Draws.", gives=(Kind.IMAGE,), params=ShapeParams, run="somewhere:run"
)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("$.size_px", "give a whole number from 64 to 4096, a multiple of 64"),
        ("$.amount", "give a number from 0 to 1"),
        ("$.prompt", "give at most 40 characters"),
        ("$.free", ""),
        ("$.kind", ""),
        ("$.nothing[3].deep", ""),
        ("$", ""),
    ],
)
def test_ranges(path: str, words: str) -> None:
    assert limits(SPEC, path) == words


def test_choices_and_patterns() -> None:
    assert set(choices(SPEC, "$.kind")) == {"round", "square"}
    assert choices(SPEC, "$.size_px") == []
    assert pattern_hint(SPEC, "$.colour") == "A colour's name."
    assert "such as #cc3322" in pattern_hint(SPEC, "$.tint")
    assert pattern_hint(SPEC, "$.prompt") == ""
