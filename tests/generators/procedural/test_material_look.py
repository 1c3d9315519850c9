"""What can be measured of the look: seams, structure, differences between families, and what adjectives do."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.kinds import MapName
from generators.procedural.canvas import Canvas
from generators.procedural.family_table import FAMILIES
from generators.procedural.fields import blur, fbm, spectral
from generators.procedural.lexicon import EFFECTS, SIGNED
from generators.procedural.material import _maps, build, plan
from generators.procedural.material_spec import ProceduralMaterialParams
from generators.procedural.surface import Surface, normals

ALL = [family.name for family in FAMILIES]
BLUE = (0.023, 0.093, 0.352)
"""The colour of every coat of paint here, linear: no family has it of its own."""


def surface_of(family: str, size_px: int, effects: dict[str, float] | None = None, seed: int = 1) -> Surface:
    settled = plan(ProceduralMaterialParams(prompt=family.replace("_", " ")))
    assert settled.family == family
    settled.effects.update(effects or {})
    settled = replace(settled, look=replace(settled.look, coat=BLUE))
    with torch.inference_mode():
        return build(settled, size_px, seed, "cpu", lambda: None)


@cache
def plain(family: str, size_px: int = 128) -> Surface:
    return surface_of(family, size_px)


def border_ratio(pixels: NDArray[np.float32], axis: int) -> float:
    """Mean step over the border, as a part of the largest mean step between neighbouring rows inside.

    The largest, since a border may fall on a joint, and joints are the largest steps a layout has; where nothing is
    torn the border is one row among equals and can hardly exceed it. A crop that does not wrap exceeds it widely.
    Normals get more room: a joint whose middle falls exactly between two pixels turns them most sharply.
    """
    steps = np.abs(np.roll(pixels, -1, axis) - pixels).mean(axis=(1 - axis, 2))
    return float(steps[-1] / max(steps[:-1].max(), 1e-9))


def encoded(surface: Surface) -> dict[MapName, NDArray[np.float32]]:
    with torch.inference_mode():
        return {name: image.pixels.astype(np.float32) for name, image in _maps(surface)}


LIMIT = {MapName.NORMAL: 1.25}


def test_the_border_is_a_row_like_any_other() -> None:
    """Over all families and maps the step over the border is as large as the mean step inside, neither way more."""
    shares = []
    for family in ALL:
        for pixels in encoded(plain(family, 512)).values():
            for axis in (0, 1):
                steps = np.abs(np.roll(pixels, -1, axis) - pixels).mean(axis=(1 - axis, 2))
                if steps.mean() > 0.02:
                    shares.append(float(steps[-1] / steps[:-1].mean()))
    assert len(shares) > 5 * len(ALL)
    assert 0.85 < float(np.median(shares)) < 1.1


@pytest.mark.parametrize("family", ALL)
def test_no_map_of_any_family_has_a_seam(family: str) -> None:
    for name, pixels in encoded(plain(family, 512)).items():
        if pixels.min() == pixels.max():
            continue
        for axis in (0, 1):
            assert border_ratio(pixels, axis) <= LIMIT.get(name, 1.07), (name, axis)


def test_the_seam_measure_sees_seams() -> None:
    """The same maps cropped by a tenth no longer wrap, and the measure says so in nearly every family."""
    caught = 0
    for family in ALL:
        colour = encoded(plain(family, 512))[MapName.HEIGHT][:460, :460]
        caught += max(border_ratio(colour, 0), border_ratio(colour, 1)) > 1.05
    assert caught >= 0.9 * len(ALL)


def test_everything_at_once_still_wraps() -> None:
    everything = dict.fromkeys(EFFECTS, 0.5)
    for family in ("bricks", "planks", "grass", "diamond_plate"):
        for name, pixels in encoded(surface_of(family, 512, everything)).items():
            for axis in (0, 1):
                assert border_ratio(pixels, axis) <= LIMIT.get(name, 1.07), (family, name, axis)


def descriptor(surface: Surface) -> NDArray[np.float64]:
    """How a family looks in 21 numbers: colour, its spread, finish, and slopes by scale and direction."""
    canvas = surface.canvas
    luma = (surface.colour * torch.tensor((0.2126, 0.7152, 0.0722))[:, None, None]).sum(0).clamp(min=1e-4).pow(1 / 2.4)
    tone = surface.colour.clamp(min=0.0).pow(1 / 2.4)
    metal = surface.metallic if surface.metallic is not None else torch.zeros_like(luma)
    glow = float(surface.emission.mean()) if surface.emission is not None else 0.0
    parts = [float(v) * 4.0 for v in tone.mean((1, 2))] + [float(v) * 4.0 for v in tone.std((1, 2))]
    parts += [
        float(surface.roughness.mean()) * 2.0,
        float(surface.roughness.std()) * 4.0,
        float(metal.mean()),
        glow * 10.0,
    ]
    normal = normals(surface)
    parts += [float(normal[0].std()) * 2.0, float(normal[1].std()) * 2.0]
    for field in (luma, normal[0] + normal[1]):
        bands, before = [], field
        for radius in (0.004, 0.012, 0.04, 0.12):
            after = blur(canvas, field, radius * canvas.density)
            bands.append(float((before - after).std()))
            before = after
        total = sum(bands) + 1e-6
        parts += [band / total * 3.0 for band in bands]
    parts.append(
        np.log(
            float((luma.roll(1, 0) - luma).abs().mean() + 1e-5) / float((luma.roll(1, 1) - luma).abs().mean() + 1e-5)
        )
    )
    return np.array(parts)


def test_no_two_families_look_alike() -> None:
    table = np.stack([descriptor(plain(family, 512)) for family in ALL])
    apart = np.linalg.norm(table[:, None] - table[None], axis=-1) + np.eye(len(ALL)) * 99.0
    worst = np.unravel_index(np.argmin(apart), apart.shape)
    assert apart.min() > DISTINCT, (ALL[worst[0]], ALL[worst[1]], float(apart.min()))
    again = np.stack([descriptor(surface_of(family, 512, seed=9)) for family in ALL[::6]])
    own = np.linalg.norm(again - table[::6], axis=-1)
    assert np.median(own) < 0.5 * np.median(apart.min(axis=1)), "a family is nearer to itself than to any other"


DISTINCT = 0.4
"""Least distance of two families' descriptors; two seeds of one family differ by about a fifth of this."""


def structure(field: Tensor) -> float:
    """How far a field is from Gaussian noise of any spectrum: the largest excess kurtosis or skewness of its bands."""
    canvas = Canvas(field.shape[-1])
    best, before = 0.0, field
    for radius in (0.003, 0.008, 0.02, 0.05):
        after = blur(canvas, before, radius)
        band = (before - after).double()
        before = after
        band = (band - band.mean()) / (band.std() + 1e-9)
        best = max(best, abs(float(band.pow(4).mean()) - 3.0), 2.0 * abs(float(band.pow(3).mean())))
    return best


def test_the_structure_measure_calls_noise_noise() -> None:
    canvas = Canvas(512)
    for slope in (0.2, 0.5, 1.0, 1.6):
        assert structure(spectral(canvas, f"noise{slope}", 2, 200, slope)) < 0.7
    assert structure(fbm(canvas, "d", 4, 7)) < 0.7


@pytest.mark.parametrize("family", ALL)
def test_no_family_is_bare_noise(family: str) -> None:
    surface = plain(family, 512)
    luma = (surface.colour * torch.tensor((0.2126, 0.7152, 0.0722))[:, None, None]).sum(0)
    assert max(structure(luma), structure(surface.height)) > 0.8


def luminance(surface: Surface) -> float:
    return float((surface.colour * torch.tensor((0.2126, 0.7152, 0.0722))[:, None, None]).sum(0).mean())


def warmth(surface: Surface) -> float:
    red, _, blue = (float(channel.mean()) for channel in surface.colour)
    return red / (blue + 1e-6)


def chroma(surface: Surface) -> float:
    return float((surface.colour.amax(0) - surface.colour.amin(0)).mean()) / luminance(surface)


def near(surface: Surface, colour: tuple[float, float, float]) -> float:
    away = surface.colour - torch.tensor(colour)[:, None, None]
    return -float(away.square().sum(0).sqrt().mean())


def roughness(surface: Surface) -> float:
    return float(surface.roughness.mean())


def relief(surface: Surface) -> float:
    down = surface.height.roll(-1, 0) - surface.height
    return float(down.abs().mean())


EXPECTED: dict[tuple[str, float], tuple[Callable[[Surface], float], int]] = {
    ("wetness", 0.8): (roughness, -1),
    ("brightness", -0.6): (luminance, -1),
    ("brightness", 0.6): (luminance, 1),
    ("warmth", 0.6): (warmth, 1),
    ("warmth", -0.6): (warmth, -1),
    ("vividness", 0.5): (chroma, 1),
    ("vividness", -0.5): (chroma, -1),
    ("roughness", 0.6): (roughness, 1),
    ("roughness", -0.6): (roughness, -1),
    ("polish", 0.9): (roughness, -1),
    ("moss", 0.7): (lambda s: near(s, (0.09, 0.13, 0.03)), 1),
    ("rust", 0.7): (lambda s: near(s, (0.28, 0.1, 0.03)), 1),
    ("dust", 0.8): (lambda s: near(s, (0.39, 0.33, 0.24)), 1),
    ("snow", 0.8): (lambda s: near(s, (0.78, 0.82, 0.86)), 1),
    ("sand", 0.8): (lambda s: near(s, (0.55, 0.36, 0.18)), 1),
    ("burn", 0.8): (lambda s: near(s, (0.02, 0.02, 0.02)), 1),
    ("dirt", 0.8): (lambda s: near(s, (0.05, 0.04, 0.025)), 1),
    ("paint", 1.0): (lambda s: near(s, BLUE), 1),
    ("cracks", 0.8): (luminance, -1),
}
OWN_MATTER = {
    ("moss", "moss"),
    ("moss", "scales"),
    ("rust", "rust"),
    ("snow", "snow"),
    ("sand", "sand"),
    ("sand", "hammered_metal"),
    ("dust", "cardboard"),
}
"""Where the effect brings what is there already, or its colour, only a change is asked for."""


@pytest.mark.parametrize(("effect", "amount"), EXPECTED, ids=lambda value: str(value))
def test_every_adjective_moves_every_family_its_way(effect: str, amount: float) -> None:
    measure, sign = EXPECTED[effect, amount]
    for family in ALL:
        before, after = plain(family), surface_of(family, 128, {effect: amount})
        if effect == "paint" and family == "painted_metal":
            continue
        assert not torch.equal(before.colour, after.colour) or not torch.equal(before.roughness, after.roughness)
        if (effect, family) not in OWN_MATTER:
            assert sign * (measure(after) - measure(before)) > 0.0, (family, measure(before), measure(after))


@pytest.mark.parametrize("effect", ["wear", "scratches", "leaves"])
def test_use_leaves_marks_on_every_family(effect: str) -> None:
    for family in ALL:
        before, after = plain(family), surface_of(family, 128, {effect: 0.8})
        changed = (before.colour - after.colour).abs().sum(0) > 0.004
        assert float(changed.float().mean()) > 0.01, family


def test_stronger_is_more() -> None:
    for effect in sorted(set(EFFECTS) - SIGNED):
        reach = []
        for amount in (0.25, 0.6, 1.0):
            after = surface_of("bricks", 128, {effect: amount})
            reach.append(
                float(
                    (after.colour - plain("bricks").colour).abs().mean()
                    + (after.roughness - plain("bricks").roughness).abs().mean()
                )
            )
        assert reach == sorted(reach), effect


def test_every_effect_leaves_finite_bounded_maps() -> None:
    for effect in EFFECTS:
        for family in ("lava", "water", "brushed_metal", "linen"):
            surface = surface_of(family, 128, {effect: -1.0 if effect in SIGNED else 1.0})
            for field in (surface.colour, surface.height, surface.roughness):
                assert bool(torch.isfinite(field).all()), (effect, family)
            assert float(surface.roughness.min()) > 0.0 and float(surface.roughness.max()) <= 1.0
            assert relief(surface) >= 0.0


BARE = (
    "brushed_metal",
    "diamond_plate",
    "rust",
    "copper_patina",
    "gold",
    "painted_metal",
    "corrugated_metal",
    "scifi_panels",
)


@pytest.mark.parametrize("family", BARE)
@pytest.mark.parametrize("effect", ["", "rust", "dirt", "paint"])
def test_nothing_is_half_a_metal(family: str, effect: str) -> None:
    metallic = surface_of(family, 256, {effect: 0.6} if effect else {}).metallic
    assert metallic is not None
    between = (metallic > 0.1) & (metallic < 0.9)
    assert float(between.float().mean()) < 0.06


def test_patina_is_none_and_the_copper_beside_it_is_a_metal() -> None:
    surface = plain("copper_patina")
    assert surface.metallic is not None
    red, green, _ = surface.colour
    assert float(surface.metallic[green > 1.3 * red].mean()) < 0.1
    assert float(surface.metallic[red > 1.6 * green].mean()) > 0.9


def test_subway_tiles_are_twice_as_wide_as_high_and_lie_in_running_bond() -> None:
    """A joint runs through whole rows; those across meet the middle of the tiles above and below."""
    height = plain("subway_tiles", 512).height
    low = height < height.mean() - height.std()
    rows = low.float().mean(1) > 0.9
    assert int((rows & ~rows.roll(1)).sum()) == 8
    # The middle of each course: where its joints are, the next one has none, and the next but one has them again.
    first, second, third = (low[32 + 64 * course] for course in range(3))
    assert int((first & ~first.roll(1)).sum()) == 4
    near = first | first.roll(2) | first.roll(-2)
    assert not (near & second).any()
    assert float((third & (near | first.roll(4) | first.roll(-4))).sum() / third.sum()) > 0.8
