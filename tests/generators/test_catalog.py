"""Declarations, needs, and what a wrong request is told."""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from engines.kinds import Kind
from generators import catalog
from generators.catalog import Catalog, missing_need, params_type_name
from generators.errors import BadInput, BadParameter, Unavailable, UnknownGenerator, WrongLane
from generators.pipe import DeviceRow
from generators.spec import GeneratorSpec, Live, Needs, Params, Port, Weights

CPU = DeviceRow(name="cpu", memory_bytes=8 << 30)
GPU = DeviceRow(name="cuda:1", memory_bytes=6_000_000_000)


class Nested(msgspec.Struct, forbid_unknown_fields=True):
    depth: Annotated[int, Meta(ge=0, le=3)] = 0


class PaintParams(Params):
    size_px: Annotated[int, Meta(ge=16, le=4096)] = 512
    strength: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.5
    prompt: Annotated[str, Meta(max_length=10)] = ""
    layers: list[Nested] = []


class Required(Params):
    size_px: int


def spec(name: str = "image.paint", **changes: Any) -> GeneratorSpec:
    values: dict[str, Any] = {
        "id": name,
        "title": "Paint",
        "promise": "Paints.",
        "gives": (Kind.IMAGE,),
        "params": PaintParams,
        "run": "somewhere.paint:run",
        "takes": (
            Port(name="photo", kinds=(Kind.IMAGE, Kind.CLIP)),
            Port(name="mask", kinds=(Kind.IMAGE,), optional=True),
        ),
        **changes,
    }
    return GeneratorSpec(**values)


PAINT = Catalog.from_specs(spec())


def test_defaults_are_filled_in() -> None:
    params = PAINT.check("image.paint", {"size_px": 64})
    assert msgspec.to_builtins(params) == {"size_px": 64, "strength": 0.5, "prompt": "", "layers": []}


@pytest.mark.parametrize(
    ("values", "path", "words"),
    [
        ({"size_px": 8}, "$.params.size_px", "size_px: expected int >= 16, got 8"),
        ({"size_px": 9999}, "$.params.size_px", "size_px: expected int <= 4096, got 9999"),
        ({"size_px": "64"}, "$.params.size_px", "size_px: expected int, got str"),
        ({"size_px": 64.5}, "$.params.size_px", "size_px: expected int, got float"),
        ({"size_px": True}, "$.params.size_px", "size_px: expected int, got bool"),
        ({"strength": 1.5}, "$.params.strength", "strength: expected float <= 1.0, got 1.5"),
        ({"strength": float("nan")}, "$.params.strength", "expected a finite number, got nan"),
        ({"layers": [{"depth": float("inf")}]}, "$.params.layers[0].depth", "expected a finite number, got inf"),
        ({"prompt": "x" * 200}, "$.params.prompt", "prompt: expected str of length <= 10, got 'xxxx"),
        ({"layers": [{}, {"depth": 7}]}, "$.params.layers[1].depth", "expected int <= 3, got 7"),
        ({"sise_px": 64}, "$.params.sise_px", "image.paint has no parameter 'sise_px'"),
    ],
)
def test_a_wrong_parameter_is_refused_with_path_limit_and_value(values: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(BadParameter) as caught:
        PAINT.check("image.paint", values)
    assert caught.value.path == path and words in caught.value.message
    assert len(caught.value.message) < 160


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(BadParameter) as caught:
        PAINT.check("image.paint", {"sise_px": 64})
    assert caught.value.remedy == "did you mean size_px?"
    with pytest.raises(UnknownGenerator) as unknown:
        PAINT.spec("image.pant")
    assert unknown.value.remedy == "did you mean image.paint?"
    with pytest.raises(UnknownGenerator, match=r"sculpt\.marble"):
        PAINT.spec("sculpt.marble")


def test_inputs_are_checked_by_name_and_kind() -> None:
    PAINT.check_inputs("image.paint", {"photo": Kind.CLIP})
    PAINT.check_inputs("image.paint", {"photo": Kind.IMAGE, "mask": Kind.IMAGE})
    for kinds, path, words in (
        ({}, "$.inputs.photo", "'photo' (image or clip) is missing"),
        ({"photo": Kind.MESH}, "$.inputs.photo", "takes image or clip, got mesh"),
        ({"photo": Kind.IMAGE, "foto": Kind.IMAGE}, "$.inputs.foto", "no input 'foto'"),
    ):
        with pytest.raises(BadInput) as caught:
            PAINT.check_inputs("image.paint", kinds)
        assert caught.value.path == path and words in caught.value.message


def test_a_wrong_choice_is_answered_with_the_nearest() -> None:
    class Choice(Params):
        kind: Literal["fire", "smoke"] = "fire"

    chosen = Catalog(())
    chosen.specs["clip.loop"] = spec("clip.loop", params=Choice)
    both = "use one of fire, smoke"
    for value, remedy in (("fir", "did you mean fire?"), ("qq", both), (3, both)):
        with pytest.raises(BadParameter) as wrong:
            chosen.check("clip.loop", {"kind": value})
        assert wrong.value.remedy == remedy and wrong.value.path == "$.params.kind"
        assert repr(value) in wrong.value.message


def test_a_missing_need_is_a_reason() -> None:
    big = Weights(name="maker/model", licence="Apache-2.0", size_bytes=6_900_000_000)
    assert missing_need(spec(), [CPU]) == ""
    assert "no_such_package_here" in missing_need(spec(needs=Needs(modules=("no_such_package_here.part",))), [CPU])
    assert missing_need(spec(needs=Needs(modules=("msgspec",))), [CPU]) == ""
    greedy = spec(needs=Needs(gpu_memory_gb=8.0))
    assert missing_need(greedy, []) == "", "not judged while devices are unknown"
    assert missing_need(greedy, [CPU]) == "it needs 8 GB of GPU memory; this machine has no GPU that torch can use"
    assert missing_need(greedy, [GPU, CPU]) == "it needs 8 GB of GPU memory; the largest here has 6.0 GB"
    assert missing_need(spec(needs=Needs(gpu_memory_gb=6.0)), [GPU]) == ""
    heavy = spec(needs=Needs(weights=(big,)))
    assert "maker/model (6.9 GB, licence Apache-2.0)" in missing_need(heavy, [CPU], lambda weights: False)
    assert missing_need(heavy, [CPU], lambda weights: True) == ""
    with pytest.raises(Unavailable, match="cannot run here: it needs 8 GB"):
        Catalog.from_specs(greedy).check_available("image.paint", [CPU])
    (row,) = Catalog.from_specs(greedy).rows([CPU])
    assert row.reason and row.schema["properties"]["size_px"]["maximum"] == 4096


def test_a_generator_is_asked_for_what_it_can() -> None:
    values: dict[str, Any] = {"title": "", "promise": "", "params": Params}
    live = Live(start="a.b:start", wants=("colour",))
    mirror = GeneratorSpec(id="live.mirror", gives=(), live=live, **values)
    both = GeneratorSpec(id="both.ways", gives=(Kind.IMAGE,), run="a.b:run", live=live, **values)
    known = Catalog.from_specs(mirror, both, GeneratorSpec(id="only.job", gives=(Kind.IMAGE,), run="a.b:run", **values))
    assert known.live_spec("live.mirror") == (mirror, live) and known.job_spec("both.ways") is both
    with pytest.raises(WrongLane, match=r"live\.mirror only works live") as refused:
        known.job_spec("live.mirror")
    assert "live.open" in refused.value.remedy
    with pytest.raises(WrongLane, match=r"only\.job does not work live") as refused:
        known.live_spec("only.job")
    assert refused.value.remedy == "these do: both.ways, live.mirror"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "expected `run`, `live` or both"),
        ({"run": "no colon"}, "run is 'no colon'"),
        ({"live": Live(start="a.b", wants=())}, r"live\.start is 'a\.b'"),
        ({"run": "a.b:run"}, "expected the kinds of asset"),
    ],
)
def test_a_declaration_says_how_it_works(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GeneratorSpec(id="a.b", title="", promise="", gives=(), params=Params, **changes)


def test_broken_declarations_are_rows_not_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hidden(Params):
        pass

    built = Catalog([spec(), spec(), spec("image.hidden", params=Hidden), spec("image.bare", params=Required)])
    assert set(built.specs) == {"image.paint"}
    assert "declared twice" in built.broken["image.paint"]
    assert "cannot be imported by a worker" in built.broken["image.hidden"]
    assert "has no default" in built.broken["image.bare"]
    with pytest.raises(UnknownGenerator, match="has no default"):
        built.spec("image.bare")
    entries = [
        EntryPoint("gone", "no_such_module:SPECS", catalog.GROUP),
        EntryPoint("wrong", "json:dumps", catalog.GROUP),
        EntryPoint("good", "tests.fakes:SPECS", catalog.GROUP),
    ]
    monkeypatch.setattr(catalog, "entry_points", lambda group: entries)
    loaded = catalog.load()
    assert "fake.script" in loaded.specs
    assert "ModuleNotFoundError" in loaded.broken["gone"] and "expected a tuple" in loaded.broken["wrong"]


class Package(Distribution):
    """An installed package that is nothing but its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read_text(self, filename: str) -> str | None:
        return f"Metadata-Version: 2.1\nName: {self._name}\nVersion: 1\n" if filename == "METADATA" else None

    def locate_file(self, path: object) -> Path:
        return Path(str(path))


def test_the_second_of_two_with_one_id_is_refused_and_both_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = ModuleType("foreign_generators")
    foreign.SPECS = (spec("fake.script", run="foreign_generators:run"), spec("fake.other"))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "foreign_generators", foreign)
    theirs = EntryPoint("aardvark", "foreign_generators:SPECS", catalog.GROUP)._for(Package("aardvark"))  # type: ignore[attr-defined]
    ours = EntryPoint("script", "tests.fakes:SPECS", catalog.GROUP)._for(Package("scenecast"))  # type: ignore[attr-defined]
    monkeypatch.setattr(catalog, "entry_points", lambda group: [theirs, ours])
    loaded = catalog.load()
    assert loaded.specs["fake.script"].run == "tests.fakes:run", "our own first, whatever the others are called"
    assert "fake.other" in loaded.specs
    said = "it is declared twice: tests.fakes:run of scenecast counts, foreign_generators:run of aardvark does not"
    assert loaded.broken == {"fake.script": said}


def test_everything_that_is_installed_is_sound() -> None:
    loaded = catalog.load()
    assert not loaded.broken and "material.procedural" in loaded.specs
    for found in loaded.specs.values():
        assert loaded.check(found.id, {}) == found.params()
        assert ":" in params_type_name(found)
