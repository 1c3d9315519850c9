"""The form: what is chosen, typed and asked for, through catalog changes and Blender's restarts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.core.form import Form, hint, words
from blender_addon.core.runs import Source
from blender_addon.core.targets import Target
from generators.catalog import load
from generators.spec import params_schema
from python_client.messages import Generator, Port

SPECS = load().specs.values()


def row(spec: Any) -> Generator:
    return Generator(
        id=spec.id, title=spec.title, promise=spec.promise, gives=[str(kind) for kind in spec.gives],
        takes=[Port(port.name, [str(kind) for kind in port.kinds], port.optional, port.help) for port in spec.takes],
        params=dict(params_schema(spec)),
    )  # fmt: skip


CATALOG = [row(spec) for spec in SPECS]


@pytest.fixture
def form(tmp_path: Path) -> Form:
    one = Form(tmp_path / "form.json")
    assert one.follow(CATALOG)
    return one


def test_it_begins_with_the_first_kind_and_its_defaults(form: Form) -> None:
    assert (form.kind, form.generator, form.target) == ("material", "material.procedural", "auto")
    assert form.values["size_px"] == 1024
    assert not form.follow(list(CATALOG)), "the same catalog changes nothing"
    assert form.hindrances({}) == []


def test_every_kind_keeps_its_own_choice_values_and_target(form: Form) -> None:
    form.take({"prompt": "old oak", "unknown": 3})
    form.target = "new_material"
    form.choose_kind("mesh")
    assert form.choose_generator("mesh.terrain") and form.target == "auto"
    form.take({"grid": 64})
    form.choose_kind("material")
    assert form.values["prompt"] == "old oak" and "unknown" not in form.values and form.target == "new_material"
    form.choose_kind("mesh")
    assert (form.generator, form.values["grid"]) == ("mesh.terrain", 64)
    assert not form.choose_generator("no.such")
    form.reset()
    assert form.values["grid"] == 256


def test_nothing_typed_is_lost_when_the_catalog_changes(form: Form, tmp_path: Path) -> None:
    form.take({"prompt": "old oak", "size_px": 512})
    form.follow([one for one in CATALOG if one.gives[:1] != ["material"]])
    assert form.kind != "material" and form.generator
    form.follow(CATALOG)
    form.choose_kind("material")
    assert (form.values["prompt"], form.values["size_px"]) == ("old oak", 512)
    assert not form.follow([]), "while nothing is known, what is shown stays"
    form.seed, form.seed_fixed = 2**32 - 1, True
    form.save()
    again = Form(tmp_path / "form.json")
    again.follow(CATALOG)
    assert (again.kind, again.values["prompt"], again.seed, again.seed_fixed) == (
        "material",
        "old oak",
        2**32 - 1,
        True,
    )


def test_a_narrower_parameter_takes_the_nearest_old_value(form: Form) -> None:
    form.take({"size_px": 8192})
    changed = [one if one.id != "material.procedural" else
               Generator(one.id, one.title, one.promise, one.gives,
                         params=json.loads(json.dumps(one.params).replace('"maximum": 8192', '"maximum": 2048')))
               for one in CATALOG]  # fmt: skip
    assert form.follow(changed)
    assert form.values["size_px"] == 2048


@pytest.mark.parametrize("tree", ["[]", "{}", '{"version": 1, "seed": "x", "chosen": 3}', "{ broken"])
def test_a_damaged_file_is_no_obstacle(tmp_path: Path, tree: str) -> None:
    (tmp_path / "form.json").write_text(tree)
    form = Form(tmp_path / "form.json")
    form.follow(CATALOG)
    assert form.generator and form.seed == 0


def test_what_hinders_is_said(form: Form) -> None:
    form.take({"size_px": 7, "prompt": "x" * 100_000})
    assert len(form.hindrances({})) == 2
    assert form.choose_generator("splats.from_mesh")
    assert form.hindrances({}) == ["Choose the mesh it is made from"]
    assert form.hindrances({"mesh": "Cube"}) == []
    poor = Generator("a.b", "Poor", "Wants more.", ["image"], available=False, reason="it needs 6 GB")
    form.follow([poor])
    assert form.hindrances({}) == ["it needs 6 GB"]
    with pytest.raises(ValueError, match="nothing"):
        Form(Path("/nowhere/form.json")).order({}, Target(), "")


def test_an_order_holds_all_that_is_needed(form: Form) -> None:
    form.take({"prompt": "  wet   mossy bricks "})
    first = form.order({}, Target(kind="new_material"), "a.blend")
    second = form.order({}, Target(), "a.blend")
    assert first.seed != second.seed == form.seed
    assert (first.label, first.title, first.kind, first.file) == (
        "wet mossy bricks", "Procedural material", "material", "a.blend",
    )  # fmt: skip
    form.seed, form.seed_fixed = 11, True
    assert form.order({}, Target(), "").seed == form.order({}, Target(), "").seed == 11
    assert form.reroll() == form.seed != 11


@given(st.text(max_size=200))
@settings(deadline=None)
def test_words_become_one_short_line(text: str) -> None:
    line = words({"prompt": text})
    assert len(line) <= 60 and "\n" not in line and line == line.strip()
    assert bool(line) == bool(text.strip())


def test_what_to_call_it_without_words() -> None:
    assert hint("Rock", {"stone": "mossy"}, {}) == "Rock: mossy"
    assert hint("Sound", {"kind": "auto"}, {}) == "Sound"
    assert hint("Splats", {}, {"mesh": Source("Cube")}) == "Splats: Cube"
