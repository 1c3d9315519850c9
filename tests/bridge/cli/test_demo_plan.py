"""The demo's plan: every kind once before anything twice, inputs chained, honest about the rest."""

from __future__ import annotations

from bridge.cli.demo_plan import KNOWN, plan
from generators.procedural import SPECS
from generators.spec import params_schema
from python_client.messages import Generator, Port


def row(spec_id: str, gives: str, *takes: Port, available: bool = True) -> Generator:
    return Generator(
        spec_id, spec_id, "", [gives], list(takes), {}, available=available, reason="" if available else "no"
    )


def test_all_that_come_with_the_bridge_are_planned() -> None:
    rows = [
        Generator(
            spec.id,
            spec.title,
            spec.promise,
            [kind.value for kind in spec.gives],
            [Port(port.name, [kind.value for kind in port.kinds], port.optional) for port in spec.takes],
            params_schema(spec),
        )
        for spec in SPECS
    ]
    wishes, skipped = plan(rows)
    assert not skipped
    first = wishes[: len(rows)]
    assert {wish.generator for wish in first} == {spec.id for spec in SPECS}
    assert {wish.gives for wish in first} == {spec.gives[0].value for spec in SPECS}
    assert sum(wish.generator == "material.procedural" for wish in wishes) > 3
    inputs = {wish.generator: wish.inputs for wish in first}
    assert inputs["material.from_exemplar"] == {"exemplar": "material"} and inputs["splats.from_mesh"] == {
        "mesh": "mesh"
    }
    for wish in wishes:
        wanted = next(params for title, params in KNOWN[wish.generator] if title == wish.title)
        assert wish.params == wanted, "a parameter of the demo is no longer known to its generator"


def test_the_demos_values_are_within_bounds() -> None:
    from generators.catalog import Catalog

    catalog = Catalog.from_specs(*SPECS)
    for generator, wishes in KNOWN.items():
        for _, params in wishes:
            catalog.check(generator, params)


def test_chains_skips_and_strangers() -> None:
    mesh = Port("mesh", ["mesh"])
    wishes, skipped = plan(
        [row("c.d", "splats", mesh), row("a.b", "mesh"), row("e.f", "clip", Port("photo", ["image"])),
         row("g.h", "field", available=False), row("i.j", "mesh", Port("x", ["image"], optional=True)),
         row("k.l", "scene", Port("photos", ["capture", "mesh"]))]
    )  # fmt: skip
    assert [wish.generator for wish in wishes] == ["a.b", "c.d"], "one of each kind is enough"
    assert wishes[1].inputs == {"mesh": "mesh"} and wishes[0].inputs == {}
    photos = "needs a file of yours: photos (capture or mesh)"
    assert dict(skipped) == {"g.h": "no", "e.f": "needs a file of yours: photo (image)", "k.l": photos}


def test_what_is_shown_already_is_not_made_by_others_too() -> None:
    wishes, skipped = plan([row("image.other", "image"), row("image.noise", "image"), row("image.off", "image",
                                                                                         available=False)])  # fmt: skip
    assert [wish.generator for wish in wishes] == ["image.noise"] and not skipped


def test_what_only_works_live_is_left_out() -> None:
    live = Generator("live.painterly", "Painterly", "", [], [], {}, jobs=False)
    wishes, skipped = plan([live, row("image.noise", "image")])
    assert [wish.generator for wish in wishes] == ["image.noise"] * len(wishes) and wishes and not skipped
