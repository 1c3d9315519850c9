"""Chains and graphs of generators as data, checked whole before any of it runs."""

from __future__ import annotations

from typing import Any

import msgspec

from engines.kinds import Kind
from generators.catalog import Catalog
from generators.errors import BadRecipe, CatalogError
from generators.spec import GeneratorSpec, Port


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One generator of a recipe."""

    name: str
    """Unique in the recipe; how later steps refer to its result."""
    generator: str
    params: dict[str, Any] = {}
    inputs: dict[str, str] = {}
    """By port: the name of an earlier step, or `$` and the name of an input of the whole recipe."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Steps in the order in which they run; the last one's result is the recipe's."""

    title: str
    steps: tuple[Step, ...]
    takes: tuple[Port, ...] = ()
    """Inputs of the whole recipe."""


def check(recipe: Recipe, catalog: Catalog) -> tuple[GeneratorSpec, ...]:
    """The declarations of all steps, in order.

    Raises `BadRecipe` with the step's path when a step is unknown or named twice, refers to a step that does not come
    before it, gets a kind it does not take, or has parameters its generator refuses. A graph that passes has no
    cycle, since every reference points back.
    """
    if not recipe.steps:
        raise BadRecipe("the recipe has no steps", path="$.steps")
    gives: dict[str, tuple[Kind, ...]] = {}
    for port in recipe.takes:
        gives[f"${port.name}"] = port.kinds
    specs: list[GeneratorSpec] = []
    for index, step in enumerate(recipe.steps):
        path = f"$.steps[{index}]"
        if step.name in gives or not step.name.isidentifier():
            raise BadRecipe(f"step name {step.name!r} is taken or is no plain word", path=f"{path}.name")
        try:
            spec = catalog.job_spec(step.generator)
            catalog.check(step.generator, step.params)
            catalog.check_inputs(step.generator, _kinds(step, spec, gives, path))
        except BadRecipe:
            raise
        except CatalogError as error:
            where = path + error.path.removeprefix("$")
            raise BadRecipe(f"step {step.name!r}: {error.message}", path=where, remedy=error.remedy) from error
        gives[step.name] = spec.gives[:1]
        specs.append(spec)
    return tuple(specs)


def _kinds(step: Step, spec: GeneratorSpec, gives: dict[str, tuple[Kind, ...]], path: str) -> dict[str, Kind]:
    ports = {port.name: port for port in spec.takes}
    kinds: dict[str, Kind] = {}
    for port, source in step.inputs.items():
        if source not in gives:
            known = ", ".join(gives) or "none"
            raise BadRecipe(
                f"step {step.name!r} takes {source!r}, which no earlier step makes; there are: {known}",
                path=f"{path}.inputs.{port}",
            )
        # an input of the recipe may allow several kinds; all of them have to suit
        wanted = ports[port].kinds if port in ports else ()
        unsuited = [kind for kind in gives[source] if kind not in wanted]
        kinds[port] = (unsuited or gives[source])[0]
    return kinds
