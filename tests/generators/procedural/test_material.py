"""The generator as a client sees it: events, maps, bytes, notes, cancelling."""

import importlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest
import torch

from engines.assets import Material
from engines.kinds import ColourSpace, MapName
from generators.events import (
    Cancelled,
    Event,
    GeneratorError,
    Note,
    Preview,
    Produced,
    Progress,
    Request,
)
from generators.procedural.family_table import BY_NAME, FAMILIES
from generators.procedural.material import plan, run
from generators.procedural.material_spec import SPECS, FamilyName, ProceduralMaterialParams
from generators.spec import params_schema

ALL = [family.name for family in FAMILIES]
DATA_MAPS = (MapName.ROUGHNESS, MapName.METALLIC, MapName.OCCLUSION)


class Desk:
    """A context that counts checks and can cancel at one of them."""

    device = "cpu"
    scratch = Path()

    def __init__(self, wants_previews: bool = False, cancel_at: int | None = None) -> None:
        self.wants_previews, self.cancel_at, self.checks = wants_previews, cancel_at, 0

    def check(self) -> None:
        self.checks += 1
        if self.cancel_at is not None and self.checks >= self.cancel_at:
            raise Cancelled


def make(params: ProceduralMaterialParams, seed: int = 1) -> Material:
    *_, last = run(Request(params, seed), Desk())
    assert isinstance(last, Produced) and isinstance(last.asset, Material)
    return last.asset


@pytest.fixture(scope="module")
def materials() -> dict[str, Material]:
    return {name: make(ProceduralMaterialParams(family=msgspec.convert(name, FamilyName), size_px=256)) for name in ALL}


@pytest.mark.parametrize("name", ALL)
def test_maps_have_the_shapes_types_and_ranges_promised(name: str, materials: dict[str, Material]) -> None:
    material = materials[name]
    needed = {MapName.BASE_COLOR, MapName.NORMAL, MapName.HEIGHT, *DATA_MAPS}
    assert needed <= set(material.maps)
    for key, image in material.maps.items():
        channels = 3 if key in (MapName.BASE_COLOR, MapName.NORMAL, MapName.EMISSION) else 1
        assert image.pixels.shape == (256, 256, channels)
        assert image.pixels.dtype == (np.uint16 if key is MapName.HEIGHT else np.uint8)
        assert image.pixels.flags["C_CONTIGUOUS"]
        colour = key in (MapName.BASE_COLOR, MapName.EMISSION)
        assert image.colour_space is (ColourSpace.SRGB if colour else ColourSpace.DATA)
    height = material.maps[MapName.HEIGHT].pixels
    assert height.min() == 0 and height.max() == 65535
    normal = material.maps[MapName.NORMAL].pixels.astype(np.float64) / 127.5 - 1.0
    assert np.abs(np.linalg.norm(normal, axis=-1) - 1.0).max() < 0.02
    assert normal[..., 2].min() > 0.0
    steep = normal[..., 2:] < 0.1
    slope = np.where(steep, 0.0, normal[..., :2] / normal[..., 2:].clip(0.1))
    assert np.abs(slope.mean(axis=(0, 1))).max() < 0.02 + 0.1 * np.abs(slope).mean(), "what wraps leans nowhere"
    assert material.tileable and 1e-6 < material.height_m < 2.0 and material.tile_m == BY_NAME[name].tile_m


@pytest.mark.parametrize("name", ALL)
def test_base_colours_are_those_of_real_matter(name: str, materials: dict[str, Material]) -> None:
    """Non-metals reflect 2 to 90 percent, and pure metals at least 15 percent in the mean."""
    material = materials[name]
    encoded = material.maps[MapName.BASE_COLOR].pixels / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    metallic = material.maps[MapName.METALLIC].pixels[..., 0]
    plain = metallic == 0
    if plain.any():
        assert linear[plain].min() >= 0.016 and linear[plain].max() <= 0.9
    bare = metallic > 250
    if bare.mean() > 0.3:
        assert linear[bare].mean() > 0.15


def test_the_normal_map_is_the_slope_of_the_height_with_green_up(materials: dict[str, Material]) -> None:
    """Recomputed from the uint16 height in metres, by the definition."""
    for name in ("bricks", "cobblestone", "planks"):
        material = materials[name]
        height = material.maps[MapName.HEIGHT].pixels[..., 0] / 65535.0 * material.height_m
        run_m = 2.0 * material.tile_m / 256
        across = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / run_m
        up = (np.roll(height, 1, 0) - np.roll(height, -1, 0)) / run_m
        expected = np.stack([-across, -up, np.ones_like(up)], -1)
        expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
        got = material.maps[MapName.NORMAL].pixels / 127.5 - 1.0
        assert np.abs(got - expected).max() < 0.02, name


def test_the_same_request_gives_the_same_bytes_and_another_seed_others() -> None:
    for name in ("bricks", "grass", "forest_floor", "ice"):
        params = ProceduralMaterialParams(family=msgspec.convert(name, FamilyName), prompt="wet mossy", size_px=256)
        first, second, other = make(params), make(params), make(params, seed=2)
        for key, image in first.maps.items():
            assert np.array_equal(image.pixels, second.maps[key].pixels), (name, key)
        assert not np.array_equal(first.maps[MapName.HEIGHT].pixels, other.maps[MapName.HEIGHT].pixels)


@pytest.mark.parametrize("name", ALL)
def test_the_bytes_do_not_depend_on_the_thread_count(name: str) -> None:
    params = ProceduralMaterialParams(family=msgspec.convert(name, FamilyName), size_px=256)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = make(params)
        torch.set_num_threads(3)
        three = make(params)
    finally:
        torch.set_num_threads(threads)
    for key, image in one.maps.items():
        assert np.array_equal(image.pixels, three.maps[key].pixels), key


def test_events_come_in_order_with_an_early_lit_draft() -> None:
    events = list(run(Request(ProceduralMaterialParams(prompt="wet bricks"), 5), Desk(wants_previews=True)))
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions) and len(fractions) >= 6 and 0.0 <= fractions[0] <= fractions[-1] <= 1.0
    previews = [event for event in events if isinstance(event, Preview)]
    assert len(previews) == 1 and previews[0].pixels.shape == (256, 256, 3) and previews[0].pixels.dtype == np.uint8
    assert previews[0].pixels.std() > 5
    assert events.index(previews[0]) <= 2
    assert isinstance(events[-1], Produced)


def test_no_draft_is_made_when_nobody_wants_one() -> None:
    events = list(run(Request(ProceduralMaterialParams(prompt="bricks", size_px=256), 5), Desk()))
    assert not any(isinstance(event, Preview) for event in events)


def notes(prompt: str, **more: object) -> list[str]:
    params = msgspec.convert({"prompt": prompt, "size_px": 256, **more}, ProceduralMaterialParams)
    return [event.text for event in run(Request(params, 1), Desk()) if isinstance(event, Note)]


def test_notes_answer_honestly() -> None:
    assert notes("flurbish") == ["I do not know “flurbish”; made plaster, the nearest I know."]
    assert notes("wet bricks") == []
    assert any("brikcs" in note for note in notes("brikcs"))
    assert notes("", family="bricks") == []


@pytest.mark.parametrize("at", [1, 2, 5, 9])
def test_cancelling_ends_the_run_at_the_next_check(at: int) -> None:
    desk = Desk(cancel_at=at)
    with pytest.raises(Cancelled):
        list(run(Request(ProceduralMaterialParams(prompt="snowy cobblestone", size_px=512), 1), desk))
    assert desk.checks == at


def test_checks_come_often() -> None:
    """No two checks are far apart: the longest silence as a share of a run at 1024 px, the best of three."""

    class Clock(Desk):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.longest = time.thread_time(), 0.0

        def check(self) -> None:
            now = time.thread_time()
            self.longest, self.last = max(self.longest, now - self.last), now

    longest = []
    for _ in range(3):
        clock, began = Clock(), time.thread_time()
        events: Iterator[Event] = run(Request(ProceduralMaterialParams(prompt="wet mossy cobblestone"), 1), clock)
        assert threading.current_thread() is threading.main_thread()
        for _event in events:
            clock.last = time.thread_time()
        longest.append(clock.longest / (time.thread_time() - began))
    assert min(longest) < 0.25, "of the work of a run of half a second to a second"


def test_explicit_numbers_win_over_the_prompt() -> None:
    settled = plan(ProceduralMaterialParams(prompt="wet mossy large bricks", wetness=0.1, feature_scale=1.0))
    assert (settled.effects["wetness"], settled.effects["moss"], settled.scale) == (0.1, 0.6, 1.0)
    assert plan(ProceduralMaterialParams(prompt="bricks", family="marble")).family == "marble"
    assert plan(ProceduralMaterialParams(prompt="matte bricks", roughness=-0.6)).effects["roughness"] == pytest.approx(
        0.0
    )


def test_an_unknown_colour_is_refused_in_words() -> None:
    with pytest.raises(GeneratorError, match="flurple"):
        plan(ProceduralMaterialParams(prompt="bricks", colour="flurple"))


def test_params_are_bounded_and_described() -> None:
    schema = params_schema(SPECS[0])
    for name, field in schema["properties"].items():
        options = [field, *field.get("anyOf", [])]
        assert any("title" in option and "description" in option for option in options), name
    for wrong in (
        {"size_px": 100},
        {"size_px": 8448},
        {"wetness": 1.5},
        {"family": "cheese"},
        {"colour": "#12"},
        {"cheese": 1},
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, ProceduralMaterialParams)


def test_the_family_choice_lists_every_family_and_each_is_drawn_somewhere() -> None:
    assert set(get_args(FamilyName)) == {"auto", *ALL}
    assert len(ALL) == len(set(ALL)) >= 36
    for family in FAMILIES:
        module, function = family.function.split(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_declaring_loads_nothing_heavy() -> None:
    code = "import sys, generators.procedural; sys.exit(bool({'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_larger_tile_holds_more_of_the_same_bricks() -> None:
    def joints(material: Material) -> float:
        height = material.maps[MapName.HEIGHT].pixels[..., 0].astype(np.float32).mean(axis=1)
        spectrum = np.abs(np.fft.rfft(height - height.mean()))
        return float(np.argmax(spectrum[1:]) + 1)

    natural = joints(make(ProceduralMaterialParams(family="bricks", size_px=512)))
    assert natural == 12
    assert joints(make(ProceduralMaterialParams(family="bricks", size_px=512, tile_m=2.0))) == 24
    assert joints(make(ProceduralMaterialParams(family="bricks", size_px=512, feature_scale=2.0))) == 6


def test_features_keep_their_slope_when_they_grow() -> None:
    small, large = (
        make(ProceduralMaterialParams(family="cobblestone", size_px=512, feature_scale=s)) for s in (1.0, 2.0)
    )
    assert large.height_m == pytest.approx(2.0 * small.height_m, rel=0.25)
