"""Controls made from JSON Schemas, held against the bridge's own check of the same parameters."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from blender_addon.core import controls
from blender_addon.core.controls import Control, Value
from generators.catalog import Catalog, load
from generators.errors import BadParameter
from generators.spec import GeneratorSpec, params_schema
from tests import fakes

CATALOG = load()
SPECS: list[GeneratorSpec] = [*CATALOG.specs.values(), *fakes.SPECS]
BOTH = Catalog.from_specs(*SPECS)
ROWS = {spec.id: controls.controls(params_schema(spec)) for spec in SPECS}
EVERY = [(spec.id, row) for spec in SPECS for row in ROWS[spec.id]]


def name(case: tuple[str, Control]) -> str:
    return f"{case[0]}.{case[1].name}"


def typed(row: Control) -> st.SearchStrategy[Value]:
    """What somebody may type or drag, and more."""
    low = -10.0 if row.minimum is None else row.minimum
    high = 10.0 if row.maximum is None else row.maximum
    near = st.floats(low - 2, high + 2, allow_nan=False)
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "whole": st.one_of(st.integers(int(low) - 3, int(high) + 3), st.sampled_from([0, 1, int(low), int(high)])),
        "number": st.one_of(near, st.sampled_from([low, high])),
        "switch": st.booleans(),
        "choice": st.one_of(st.sampled_from([one.identifier for one in row.choices] or [""]), st.just("no such")),
        "text": st.text(max_size=40),
        "colour": st.one_of(st.sampled_from(["", "#8a3b22", "red", "#12", "#12345678"]), st.text(max_size=8)),
        "seed": st.integers(-1, 2**32),
        "json": st.sampled_from(["null", "[1]", "{"]),
    }
    return st.one_of(st.none(), kinds[row.kind])


def accepted(generator: str, params: dict[str, Any]) -> bool:
    try:
        BOTH.check(generator, params)
    except BadParameter:
        return False
    return True


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_untouched_controls_send_the_defaults(spec: GeneratorSpec) -> None:
    rows = ROWS[spec.id]
    assert [row.name for row in rows] == [field.name for field in msgspec.structs.fields(spec.params)]
    params = controls.params(rows, controls.defaults(rows))
    assert BOTH.check(spec.id, params) == spec.params()
    assert controls.faults(rows, {}) == []


@pytest.mark.parametrize("case", EVERY, ids=name)
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_a_value_is_at_fault_exactly_when_the_bridge_refuses_it(case: tuple[str, Control], data: st.DataObject) -> None:
    generator, row = case
    value = data.draw(typed(row))
    fault = controls.fault(row, value)
    fits = accepted(generator, controls.params([row], {row.name: value})) if row.kind != "json" or not fault else False
    assert (fault == "") == fits, (row, value, fault)
    if fault:
        assert row.title in fault


@pytest.mark.parametrize("case", EVERY, ids=name)
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_what_was_fitted_goes_out_and_comes_back(case: tuple[str, Control], data: st.DataObject) -> None:
    generator, row = case
    value = controls.fitted(row, data.draw(typed(row)))
    if row.kind not in ("text", "colour", "json"):  # words are told what is wrong, never changed
        assert controls.fault(row, value) == ""
        assert accepted(generator, controls.params([row], {row.name: value}))
    assert controls.fitted(row, value) == value
    if controls.fault(row, value) == "":
        assert controls.values_of([row], controls.params([row], {row.name: value})) == {row.name: value}


@settings(deadline=None, max_examples=300)
@given(
    low=st.one_of(st.none(), st.integers(-1000, 1000)),
    span=st.integers(10, 5000),
    multiple=st.one_of(st.none(), st.integers(1, 4)),
    exclusive=st.tuples(st.booleans(), st.booleans()),
    value=st.floats(-1e4, 1e4, allow_nan=False),
    whole=st.booleans(),
)
def test_a_fitted_number_is_the_nearest_that_is_allowed(
    low: int | None, span: int, multiple: int | None, exclusive: tuple[bool, bool], value: float, whole: bool
) -> None:
    assume(value == 0 or abs(value) > 1e-6)  # so near to a multiple that it counts as one, and yet beyond a limit
    schema: dict[str, Any] = {"type": "integer" if whole else "number", "default": 0}
    if low is not None:
        schema["exclusiveMinimum" if exclusive[0] else "minimum"] = low
        schema["exclusiveMaximum" if exclusive[1] else "maximum"] = low + span
    if multiple is not None:
        schema["multipleOf"] = multiple
    (row,) = controls.controls({"properties": {"x": schema}})
    fitted = controls.fitted(row, value)
    assert isinstance(fitted, int if whole else float)
    assert controls.fault(row, fitted) == "", (schema, value, fitted)
    if controls.fault(row, value) == "":
        assert fitted == pytest.approx(value, abs=1e-7)
    elif whole or multiple:
        unit = multiple or 1
        middle = round(value / unit)
        bound = [] if low is None else [round(low / unit), round((low + span) / unit)]
        around = {(at + by) * unit for at in (middle, *bound) for by in range(-2, 3)}
        allowed = [one for one in around if controls.fault(row, one) == ""]
        assert abs(fitted - value) <= min(abs(one - value) for one in allowed)


def test_every_kind_of_control_is_recognised() -> None:
    rows = controls.controls(
        {
            "properties": {
                "size_px": {"type": "integer", "minimum": 64, "maximum": 4096, "default": 512, "unit": "px",
                            "suggestions": [128, 2048]},
                "amount": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1, "ui": "slider", "title": "Amount",
                                      "step": 0.05, "advanced": True}, {"type": "null"}], "default": None},
                "on": {"type": "boolean", "default": True},
                "kind": {"enum": ["a", "auto", "b_c"], "default": "b_c", "titles": {"b_c": "See", "a": "Ay"}},
                "depth": {"enum": ["16", "8", "float"], "default": "8"},
                "prompt": {"type": "string", "maxLength": 5, "default": ""},
                "tint": {"type": "string", "ui": "colour", "pattern": "^(#[0-9a-fA-F]{6})?$", "default": ""},
                "seed": {"type": "integer", "default": 1},
                "points": {"type": "array", "default": [1, 2]},
                "either": {"anyOf": [{"type": "integer"}, {"type": "string"}], "default": 3},
            }
        }
    )  # fmt: skip
    found = {row.name: row for row in rows}
    assert {row.name: row.kind for row in rows} == {
        "size_px": "whole", "amount": "number", "on": "switch", "kind": "choice", "depth": "choice", "prompt": "text",
        "tint": "colour", "seed": "seed", "points": "json", "either": "json",
    }  # fmt: skip
    size, amount = found["size_px"], found["amount"]
    assert (size.label, size.soft_minimum, size.soft_maximum, size.slider) == ("Size px", 128, 2048, False)
    assert (amount.nullable, amount.slider, amount.advanced, amount.title, amount.digits) == (True,) * 3 + ("Amount", 2)
    assert [(one.identifier, one.title) for one in found["kind"].choices] == [
        ("auto", "Auto"), ("b_c", "See"), ("a", "Ay"),
    ]  # fmt: skip
    assert [one.value for one in found["depth"].choices] == ["8", "16", "float"]
    assert found["tint"].may_be_empty and found["points"].default == "[1, 2]"
    assert controls.params(rows, {"points": "[3]", "either": '"x"'})["points"] == [3]
    assert controls.fault(found["prompt"], "too long") == "Prompt has 8 characters, expected at most 5"
    assert controls.fault(found["tint"], "pink") == "Tint is 'pink', expected a colour such as #8a3b22"
    assert controls.fault(size, 32) == "Size px is 32 px, expected at least 64"
    assert controls.fault(found["points"], "[") == "Points is no JSON"
    assert controls.fault(found["on"], None) == "On is empty"
    assert controls.fault(amount, math.nan) == "Amount is no number"


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_colours_survive_text(parts: tuple[int, int, int]) -> None:
    text = controls.colour_text(*(one / 255 for one in parts))
    assert text == "#{:02x}{:02x}{:02x}".format(*parts)
    back = controls.colour_parts(text)
    assert back is not None and [round(255 * one) for one in back] == list(parts)


def test_what_is_no_colour_has_no_parts() -> None:
    assert [controls.colour_parts(text) for text in ("red", "#12345", "#1234567", "")] == [None] * 4
    assert controls.colour_text(-1, 0.5, 7) == "#0080ff"


def test_old_parameters_of_another_version_are_taken_as_far_as_they_fit() -> None:
    rows = ROWS["material.procedural"]
    values = controls.values_of(rows, {"prompt": "oak", "size_px": 100_000, "gone": 1, "family": "no such"})
    assert values["prompt"] == "oak"
    assert values["size_px"] == 8192
    assert values["family"] == "auto"
    assert "gone" not in values
    json.dumps(values)
