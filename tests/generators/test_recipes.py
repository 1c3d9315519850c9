"""Recipes are checked whole before anything runs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engines.kinds import Kind
from generators.catalog import Catalog
from generators.errors import BadRecipe
from generators.recipes import Recipe, Step, check
from generators.spec import GeneratorSpec, Params, Port


def spec(name: str, gives: Kind, *takes: Kind) -> GeneratorSpec:
    ports = tuple(Port(name=f"in{index}", kinds=(kind,)) for index, kind in enumerate(takes))
    return GeneratorSpec(
        id=name, title="t", promise="p", gives=(gives,), params=Params, run="somewhere:run", takes=ports
    )


CATALOG = Catalog.from_specs(
    spec("text.image", Kind.IMAGE), spec("image.clip", Kind.CLIP, Kind.IMAGE), spec("clip.mesh", Kind.MESH, Kind.CLIP)
)
PICTURE = Step(name="picture", generator="text.image")
MOVE = Step(name="move", generator="image.clip", inputs={"in0": "picture"})
SOLID = Step(name="solid", generator="clip.mesh", inputs={"in0": "move"})


def test_a_chain_that_fits_gives_its_declarations() -> None:
    recipe = Recipe(title="image to 3D", steps=(PICTURE, MOVE, SOLID))
    assert [spec.id for spec in check(recipe, CATALOG)] == ["text.image", "image.clip", "clip.mesh"]
    again = msgspec.json.decode(msgspec.json.encode(recipe), type=Recipe)
    assert again == recipe


def test_the_recipe_may_take_inputs_of_its_own() -> None:
    step = Step(name="move", generator="image.clip", inputs={"in0": "$photo"})
    takes = (Port(name="photo", kinds=(Kind.IMAGE,)),)
    assert len(check(Recipe(title="t", steps=(step,), takes=takes), CATALOG)) == 1
    loose = (Port(name="photo", kinds=(Kind.IMAGE, Kind.MESH)),)
    with pytest.raises(BadRecipe, match="got mesh"):
        check(Recipe(title="t", steps=(step,), takes=loose), CATALOG)


@pytest.mark.parametrize(
    ("steps", "path", "words"),
    [
        ((), "$.steps", "no steps"),
        ((PICTURE, PICTURE), "$.steps[1].name", "'picture' is taken"),
        ((Step(name="$x", generator="text.image"),), "$.steps[0].name", "no plain word"),
        ((Step(name="a", generator="text.imag"),), "$.steps[0].generator", "no generator is called"),
        ((MOVE,), "$.steps[0].inputs.in0", "no earlier step makes"),
        ((SOLID, MOVE, PICTURE), "$.steps[0].inputs.in0", "no earlier step makes"),
        ((PICTURE, Step(name="m", generator="image.clip")), "$.steps[1].inputs.in0", "is missing"),
        ((PICTURE, Step(name="s", generator="clip.mesh", inputs={"in0": "picture"})), "$.steps[1].inputs.in0", "image"),
        ((Step(name="a", generator="text.image", params={"x": 1}),), "$.steps[0].params.x", "no parameter 'x'"),
        ((PICTURE, Step(name="m", generator="text.image", inputs={"z": "picture"})), "$.steps[1].inputs.z", "no input"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(steps: tuple[Step, ...], path: str, words: str) -> None:
    with pytest.raises(BadRecipe) as caught:
        check(Recipe(title="t", steps=steps), CATALOG)
    problem: Any = caught.value
    assert problem.path == path and words in problem.message
