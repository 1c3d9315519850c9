from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.assets import Array, Asset, Image, Material, Sound
from engines.kinds import ColourSpace, MapName
from generators.events import GeneratorError, Note, Preview, Produced, Request
from generators.procedural import quilting, surface_estimate
from generators.procedural.exemplar import run
from generators.procedural.lattice_noise import cells, fbm
from generators.procedural.shading import flattened
from generators.procedural.small_specs import ExemplarParams

PHOTOGRAPHS = Path(__file__).resolve().parents[4] / "shared" / "data" / "fox" / "images"


class Quiet:
    device = "cpu"
    scratch = Path()
    wants_previews = False

    def check(self) -> None:
        pass


def made(asset: Asset, seed: int = 1, **params: Any) -> tuple[Material, list[str]]:
    params.setdefault("size_px", 256)
    events = list(run(Request(ExemplarParams(**params), seed, {"exemplar": asset}), Quiet()))
    material = next(event.asset for event in events if isinstance(event, Produced))
    assert isinstance(material, Material)
    return material, [event.text for event in events if isinstance(event, Note)]


def pebbles(size: int = 160, light: bool = False) -> Image:
    """A picture that does not tile: a cut-out of cells with grain, lit from one side if wanted."""
    rng = np.random.default_rng(4)
    found = cells(256, 11, rng)
    grey = np.clip((found.second - found.nearest) * 1.6, 0, 1) * (0.55 + 0.35 * np.sin(found.owner * 2.4))
    grey = np.clip(grey + 0.1 * fbm(256, 16, 4, 0.6, rng), 0.02, 1)
    colour = (grey[..., None] * (0.9, 0.75, 0.6))[20 : 20 + size, 20 : 20 + size]
    if light:
        colour = colour * np.linspace(0.35, 1.0, size)[None, :, None]
    return Image((colour * 255).astype(np.uint8))


def seam_ratio(pixels: Array) -> float:
    values = pixels.astype(np.float64)
    inside = np.abs(np.diff(values, axis=0)).mean() + np.abs(np.diff(values, axis=1)).mean()
    return float((np.abs(values[0] - values[-1]).mean() + np.abs(values[:, 0] - values[:, -1]).mean()) / inside)


def mean_seams(asset: Asset, **params: Any) -> dict[MapName, float]:
    """Seam ratio of every map that is not flat, averaged over seeds."""
    grown = [made(asset, seed, **params)[0].maps for seed in range(3)]
    return {
        name: float(np.mean([seam_ratio(maps[name].pixels) for maps in grown]))
        for name in grown[0]
        if np.ptp(grown[0][name].pixels)
    }


def test_a_picture_becomes_seamless_in_every_map() -> None:
    picture = pebbles()
    assert seam_ratio(picture.pixels) > 1.3
    seams = mean_seams(picture)
    assert len(seams) == 5
    assert max(seams.values()) <= 1.05, seams


def test_a_picture_gives_a_full_tileable_material_and_the_truth_about_it() -> None:
    material, notes = made(pebbles(), size_px=256, tile_m=3.0)
    assert material.tileable
    assert material.tile_m == 3.0
    assert set(material.maps) == {
        MapName.BASE_COLOR,
        MapName.NORMAL,
        MapName.HEIGHT,
        MapName.ROUGHNESS,
        MapName.METALLIC,
        MapName.OCCLUSION,
    }
    assert all(image.pixels.shape[:2] == (256, 256) for image in material.maps.values())
    assert material.maps[MapName.BASE_COLOR].colour_space is ColourSpace.SRGB
    assert any("estimated" in note and "mortar" in note for note in notes)


def test_colours_of_the_exemplar_are_kept() -> None:
    picture = pebbles()
    grown = made(picture, flatten=0.0)[0].maps[MapName.BASE_COLOR].pixels
    for channel in range(3):
        old, new = (np.quantile(p[..., channel] / 255, np.linspace(0.05, 0.95, 10)) for p in (picture.pixels, grown))
        np.testing.assert_allclose(new, old, atol=0.12)


def test_all_maps_of_a_material_are_cut_together() -> None:
    """Maps that determine each other at the start do so at the end."""
    base = pebbles()
    grey = base.pixels[..., :1]
    exemplar = Material(
        {
            MapName.BASE_COLOR: base,
            MapName.HEIGHT: Image(grey.astype(np.uint16) * 257, ColourSpace.DATA),
            MapName.ROUGHNESS: Image(255 - grey, ColourSpace.DATA),
            MapName.NORMAL: Image(
                np.broadcast_to(np.array([128, 128, 255], np.uint8), (*grey.shape[:2], 3)), ColourSpace.DATA
            ),
            MapName.OPACITY: Image((grey / np.float32(255)).astype(np.float32), ColourSpace.DATA),
        },
        tile_m=0.5,
        height_m=0.03,
        ior=1.33,
    )
    grown, notes = made(exemplar, size_px=320, coverage=2.0)
    red = grown.maps[MapName.BASE_COLOR].pixels[..., 0] / 255
    np.testing.assert_allclose(grown.maps[MapName.HEIGHT].pixels[..., 0] / 65535, red, atol=0.004)
    np.testing.assert_allclose(grown.maps[MapName.ROUGHNESS].pixels[..., 0] / 255, 1 - red, atol=0.006)
    np.testing.assert_allclose(grown.maps[MapName.OPACITY].pixels[..., 0], red, atol=0.004)
    assert grown.maps[MapName.HEIGHT].pixels.dtype == np.uint16
    assert grown.maps[MapName.OPACITY].pixels.dtype == np.float32
    normal = grown.maps[MapName.NORMAL].pixels / 255 * 2 - 1
    np.testing.assert_allclose(np.linalg.norm(normal, axis=-1), 1, atol=0.02)
    assert (grown.tile_m, grown.height_m, grown.ior) == (1.0, 0.03, 1.33)
    assert notes == []


def test_flattening_removes_a_gradient_and_only_when_asked() -> None:
    lit = pebbles(light=True)

    def slope(amount: float) -> float:
        colour = flattened(((lit.pixels / 255) ** 2.2).astype(np.float32), amount)
        columns = np.log(colour.mean((0, 2)))
        return float(np.polyfit(np.linspace(0, 1, len(columns)), columns, 1)[0])

    assert abs(slope(1.0)) < 0.35 * abs(slope(0.0))
    np.testing.assert_allclose(flattened(lit.pixels.astype(np.float32), 0.0), lit.pixels, rtol=1e-5)


def rose_on_a_wall(cast: bool) -> tuple[Array, Array]:
    """A pale wall with a broad red disc in linear colour, warmly lit from the left if wanted; where the disc is."""
    y, x = np.mgrid[0:180, 0:240]
    disc = np.hypot(y - 80, x - 150) < 35
    colour = np.where(disc[..., None], (0.45, 0.05, 0.12), (0.7, 0.7, 0.68)).astype(np.float32)
    colour *= 1 + 0.05 * np.random.default_rng(3).standard_normal((180, 240, 1)).astype(np.float32)
    if cast:
        colour = colour * np.exp(np.linspace(0.5, -0.5, 240)[None, :, None] * (1.0, 0.4, -0.6)).astype(np.float32)
    return colour, disc


def test_flattening_evens_hues_too_and_leaves_what_is_painted() -> None:
    plain, disc = rose_on_a_wall(cast=False)
    for cast in (False, True):
        done = flattened(rose_on_a_wall(cast)[0], 1.0)
        hues = np.log(done[..., 0] / done[..., 2])
        wall = hues[np.hypot(*(np.mgrid[0:180, 0:240] - np.array([80, 150])[:, None, None])) > 40]
        assert np.ptp(np.quantile(wall, (0.02, 0.98))) < 0.5, "of 1.6 that were there"
        whole = np.log(plain[..., 0] / plain[..., 2])
        assert np.median(hues[disc]) - np.median(wall) > 0.9 * (np.median(whole[disc]) - np.median(whole[~disc]))
    np.testing.assert_allclose(flattened(plain, 1.0), plain, atol=0.03)


def test_light_is_high_unless_inverted() -> None:
    picture = pebbles()
    up, down = (made(picture, invert_height=flag)[0] for flag in (False, True))
    lightness = up.maps[MapName.BASE_COLOR].pixels.mean(-1).ravel()
    heights = [m.maps[MapName.HEIGHT].pixels[..., 0].astype(float).ravel() for m in (up, down)]
    assert np.corrcoef(lightness, heights[0])[0, 1] > 0.4
    np.testing.assert_allclose(heights[0] + heights[1], 65535, atol=2)


def test_normals_are_the_slopes_of_the_height() -> None:
    at = np.arange(64) / 64
    height = (0.5 + 0.2 * np.cos(2 * np.pi * at)[None] + 0.1 * np.sin(2 * np.pi * at)[:, None]).astype(np.float32)
    normal = surface_estimate.normals_from_height(height, 0.1, 2.0) * 2 - 1
    np.testing.assert_allclose(np.linalg.norm(normal, axis=-1), 1, atol=1e-5)
    along_x = -(0.1 * 0.2 * 2 * np.pi / 2.0) * np.sin(2 * np.pi * at)
    np.testing.assert_allclose(-normal[0, :, 0] / normal[0, :, 2], along_x, atol=2e-3)
    # Rows run down, so what rises with the row falls with +Y.
    along_y = -(0.1 * 0.1 * 2 * np.pi / 2.0) * np.cos(2 * np.pi * at)
    np.testing.assert_allclose(-normal[:, 0, 1] / normal[:, 0, 2], along_y, atol=2e-3)


def test_the_cheapest_path_equals_trying_all() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        cost = rng.random((6, 4))
        path = quilting.cheapest_path(cost)
        assert (np.abs(np.diff(path)) <= 1).all()

        def cheapest(row: int, column: int, cost: Array = cost) -> float:
            if row == 0:
                return float(cost[0, column])
            above = [cheapest(row - 1, c) for c in (column - 1, column, column + 1) if 0 <= c < 4]
            return float(cost[row, column]) + min(above)

        want = min(cheapest(5, column) for column in range(4))
        assert cost[np.arange(6), path].sum() == pytest.approx(want)


def test_correlation_by_fourier_equals_direct_differences() -> None:
    rng = np.random.default_rng(1)
    exemplar = rng.random((20, 17, 2)).astype(np.float32)
    old, have = rng.random((6, 6, 2)).astype(np.float32), rng.random((6, 6)) < 0.4
    spectra = [np.fft.rfft2(exemplar[..., band]) for band in range(2)]
    squares = np.fft.rfft2((exemplar**2).sum(-1))
    found = quilting._differences(spectra, squares, old, have, (20, 17), (15, 12))
    for y in range(15):
        for x in range(12):
            want = (((exemplar[y : y + 6, x : x + 6] - old) ** 2).sum(-1) * have).sum()
            assert found[y, x] == pytest.approx(want, abs=1e-4)


def test_a_plan_covers_the_torus_and_composing_at_scale_one_repeats_its_pieces() -> None:
    exemplar = np.random.default_rng(0).random((40, 48, 3)).astype(np.float32)
    plan = quilting.planned(exemplar, 64, 14, 0.3, np.random.default_rng(2))
    whole = quilting.composed(plan, exemplar, 1)
    assert whole.shape == (64, 64, 3)
    known = {tuple(pixel) for pixel in exemplar.reshape(-1, 3).tolist()}
    copied = np.mean([tuple(pixel) in known for pixel in whole.reshape(-1, 3).tolist()])
    assert copied > 0.999


def test_a_periodic_exemplar_is_continued_without_a_fault() -> None:
    """Where a perfect continuation exists it is found: the joints of a chequerboard do not show."""
    board = np.indices((48, 48)).sum(0) // 1 % 2
    exemplar = np.repeat(board[..., None].astype(np.float32), 3, axis=2)
    whole = quilting.composed(quilting.planned(exemplar, 64, 16, 0.0, np.random.default_rng(0)), exemplar, 1)
    np.testing.assert_array_equal(np.abs(np.diff(whole[..., 0], axis=1)), 1)
    np.testing.assert_array_equal(np.abs(np.diff(whole[..., 0], axis=0)), 1)


@pytest.mark.parametrize("size", [256, 300, 431])
def test_any_size_comes_out_exactly(size: int) -> None:
    material, _ = made(pebbles(), size_px=size, coverage=1.5)
    assert material.maps[MapName.HEIGHT].pixels.shape == (size, size, 1)


def test_enlarging_and_transparency_are_said_and_bad_inputs_refused() -> None:
    with_alpha = Image(np.dstack((pebbles().pixels, np.full((160, 160), 90, np.uint8))))
    _, notes = made(with_alpha, size_px=512, coverage=1.0)
    assert any("enlarged 3.2 times" in note for note in notes)
    assert any("transparency" in note for note in notes)
    with pytest.raises(GeneratorError, match="at least 32 px"):
        made(Image(np.zeros((20, 200, 3), np.uint8)))
    with pytest.raises(GeneratorError, match="got sound"):
        made(Sound(np.zeros((4, 1), np.float32)))


def test_grey_wide_linear_and_flat_pictures_work() -> None:
    wide = pebbles().pixels[:64]
    grey, _ = made(Image(wide[..., :1]))
    assert grey.maps[MapName.BASE_COLOR].pixels.shape == (256, 256, 3)
    linear, _ = made(Image((wide / np.float32(255)) ** np.float32(2.2), ColourSpace.LINEAR), flatten=0.0)
    coded, _ = made(Image(wide), flatten=0.0)
    means = [m.maps[MapName.BASE_COLOR].pixels.mean() for m in (linear, coded)]
    assert means[0] == pytest.approx(means[1], rel=0.1)
    flat, _ = made(Image(np.full((64, 64, 3), 77, np.uint8)))
    assert np.ptp(flat.maps[MapName.BASE_COLOR].pixels) <= 1


def test_seed_decides_everything_and_a_preview_comes() -> None:
    picture = pebbles()
    first, again, other = (made(picture, seed)[0].maps[MapName.BASE_COLOR].pixels for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    context = Quiet()
    context.wants_previews = True
    events = list(run(Request(ExemplarParams(size_px=256), 1, {"exemplar": picture}), context))
    assert sum(isinstance(event, Preview) for event in events) == 1


def test_a_photograph_becomes_seamless() -> None:
    from PIL import Image as Picture

    paths = sorted(PHOTOGRAPHS.glob("*"))
    if not paths:
        pytest.skip(f"no photographs in {PHOTOGRAPHS}")
    pixels = np.asarray(Picture.open(paths[0]).convert("RGB"))
    fur = Image(np.ascontiguousarray(pixels[950:1250, 330:630]))
    assert seam_ratio(fur.pixels) > 3
    seams = mean_seams(fur, size_px=512)
    assert max(seams.values()) <= 1.05, seams
