from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from generators.procedural.small_specs import SPECS
from generators.spec import GeneratorSpec, params_schema


def fields(spec: GeneratorSpec) -> dict[str, dict[str, Any]]:
    """What is declared of every field; of one that may be empty, what it is when it is not."""
    declared = params_schema(spec)["properties"]
    return {
        name: {**next((one for one in field.get("anyOf", ()) if one.get("type") != "null"), {}), **field}
        for name, field in declared.items()
    }


HEAVY = ("numpy", "torch", "av", "PIL", "trimesh")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_every_field_has_words_hints_and_a_default_within_its_bounds(spec: GeneratorSpec) -> None:
    schema = params_schema(spec)
    assert schema.get("required", []) == []
    for name, field in fields(spec).items():
        assert field.get("title"), name
        assert field.get("description"), name
        assert field.get("ui"), name
        assert "default" in field, name
    defaults = spec.params()
    assert msgspec.convert(msgspec.to_builtins(defaults), spec.params) == defaults


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_numbers_are_bounded_and_refused_beyond(spec: GeneratorSpec) -> None:
    for name, field in fields(spec).items():
        if field.get("type") in ("integer", "number"):
            assert "minimum" in field and "maximum" in field, name
            with pytest.raises(msgspec.ValidationError, match=name):
                msgspec.convert({name: field["maximum"] + 1}, spec.params)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_every_run_exists(spec: GeneratorSpec) -> None:
    module, function = spec.run.split(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_declaring_loads_nothing_heavy() -> None:
    code = f"import sys, generators.procedural.small_specs; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
