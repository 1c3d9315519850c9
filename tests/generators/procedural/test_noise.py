from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from engines.assets import Array, Image
from engines.kinds import ColourSpace
from generators.events import Note, Preview, Produced, Request
from generators.procedural import lattice_noise
from generators.procedural.noise import run
from generators.procedural.small_specs import NoiseKind, NoiseParams
from generators.procedural.water import WaveField, blur_periodic, focus, resized_periodic

KINDS = get_args(NoiseKind)


class Quiet:
    device = "cpu"
    scratch = Path()
    wants_previews = False

    def check(self) -> None:
        pass


def made(seed: int = 1, **params: object) -> Image:
    events = list(run(Request(NoiseParams(**params), seed), Quiet()))  # type: ignore[arg-type]
    assets = [event.asset for event in events if isinstance(event, Produced)]
    assert len(assets) == 1
    assert isinstance(assets[0], Image)
    return assets[0]


def seam_ratio(plane: Array) -> float:
    plane = plane.astype(np.float64)
    inside = np.abs(np.diff(plane, axis=0)).mean() + np.abs(np.diff(plane, axis=1)).mean()
    return float((np.abs(plane[0] - plane[-1]).mean() + np.abs(plane[:, 0] - plane[:, -1]).mean()) / inside)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_seamless_full_range_repeatable_map(kind: str) -> None:
    image = made(kind=kind, size_px=128, depth="float")
    assert image.colour_space is ColourSpace.DATA
    assert image.pixels.shape == (128, 128, 1)
    assert image.pixels.dtype == np.float32
    assert 0 <= image.pixels.min() < 0.02
    assert 0.98 < image.pixels.max() <= 1
    assert seam_ratio(image.pixels[..., 0]) < 1.35
    np.testing.assert_array_equal(image.pixels, made(kind=kind, size_px=128, depth="float").pixels)
    if kind != "gradient":
        assert not np.array_equal(image.pixels, made(seed=2, kind=kind, size_px=128, depth="float").pixels)


@pytest.mark.parametrize(("size", "frequency", "shift"), [(64, 4, 0.0), (48, 7, 0.4), (33, 1, 0.9)])
def test_gradient_noise_by_matrices_equals_the_textbook(size: int, frequency: int, shift: float) -> None:
    layer = lattice_noise.GradientNoise(size, frequency, np.random.default_rng(3), (shift, shift / 2))
    angle = np.random.default_rng(3).random((frequency, frequency), np.float32) * 2 * np.pi
    want = np.zeros((size, size))
    for row, column in product(range(size), repeat=2):
        y, x = row * frequency / size + shift, column * frequency / size + shift / 2
        j, i = int(np.floor(y)), int(np.floor(x))
        v, u = y - j, x - i
        for dj, di in product((0, 1), repeat=2):
            a = angle[(j + dj) % frequency, (i + di) % frequency]
            dot = np.cos(a) * (u - di) + np.sin(a) * (v - dj)
            fade = [t * t * t * (t * (t * 6 - 15) + 10) for t in (v, u)]
            weight = (fade[0] if dj else 1 - fade[0]) * (fade[1] if di else 1 - fade[1])
            want[row, column] += np.sqrt(2) * weight * dot
    np.testing.assert_allclose(layer.rows(slice(None)), want, atol=2e-5)
    assert np.abs(want).max() <= 1


@pytest.mark.parametrize(("size", "frequency"), [(40, 3), (64, 9), (30, 1), (31, 2)])
def test_cells_equal_brute_force(size: int, frequency: int) -> None:
    found = lattice_noise.cells(size, frequency, np.random.default_rng(5))
    points = np.random.default_rng(5).random((frequency, frequency, 2), np.float32).astype(np.float64)
    index = np.stack(np.meshgrid(np.arange(frequency), np.arange(frequency), indexing="ij"), -1)
    place = (points + index).reshape(-1, 2)
    steps = frequency * np.stack(np.meshgrid(np.arange(-2, 3), np.arange(-2, 3)), -1).reshape(-1, 1, 2)
    copies = (place + steps).reshape(-1, 2)
    at = np.arange(size) * frequency / size
    pixels = np.stack(np.meshgrid(at, at, indexing="ij"), -1).reshape(-1, 1, 2)
    distance = np.sqrt(((pixels - copies) ** 2).sum(-1))
    nearest = np.sort(distance, axis=1)
    np.testing.assert_allclose(found.nearest.ravel(), nearest[:, 0], atol=1e-5)
    np.testing.assert_allclose(found.second.ravel(), nearest[:, 1], atol=1e-5)
    clear = nearest[:, 1] - nearest[:, 0] > 1e-4
    owner = distance.argmin(1) % frequency**2
    np.testing.assert_array_equal(found.owner.ravel()[clear], owner[clear])


def test_noise_looks_the_same_at_every_size() -> None:
    small, large = (made(size_px=n, octaves=3, frequency=4, depth="float").pixels[..., 0] for n in (64, 128))
    assert np.corrcoef(small.ravel(), large[::2, ::2].ravel())[0, 1] > 0.999


def test_blue_noise_is_blue_and_uniform() -> None:
    values = lattice_noise.blue(128, np.random.default_rng(0))
    np.testing.assert_allclose(np.sort(values.ravel()), (np.arange(128**2) + 0.5) / 128**2, atol=1e-4)
    power = np.abs(np.fft.fft2(values - values.mean())) ** 2
    wave = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)[None])
    assert power[wave < 0.1].mean() < 0.02 * power[wave > 0.3].mean()


def test_large_blue_noise_says_that_it_repeats() -> None:
    events = list(run(Request(NoiseParams(kind="blue", size_px=1500), 1), Quiet()))
    assert any(isinstance(event, Note) and "repeated" in event.text for event in events)
    pixels = next(event.asset for event in events if isinstance(event, Produced)).pixels  # type: ignore[union-attr]
    np.testing.assert_array_equal(pixels[:750, :750], pixels[750:, 750:])


@pytest.mark.parametrize(("depth", "dtype"), [("8", np.uint8), ("16", np.uint16), ("float", np.float32)])
def test_depths_hold_the_same_values(depth: str, dtype: type) -> None:
    pixels = made(depth=depth, size_px=64).pixels
    assert pixels.dtype == dtype
    exact = made(depth="float", size_px=64).pixels
    scale = {"8": 255, "16": 65535, "float": 1}[depth]
    assert np.abs(pixels.astype(np.float64) - exact * scale).max() <= (0.5001 if scale > 1 else 0)


def test_rgb_channels_are_independent_and_the_first_is_the_grey_one() -> None:
    colour = made(channels="rgb", size_px=128, depth="float", octaves=3).pixels
    assert colour.shape == (128, 128, 3)
    np.testing.assert_array_equal(colour[..., 0], made(size_px=128, depth="float", octaves=3).pixels[..., 0])
    assert abs(np.corrcoef(colour[..., 0].ravel(), colour[..., 1].ravel())[0, 1]) < 0.5


def test_contrast_brightness_and_invert_do_what_they_say() -> None:
    plain = made(size_px=64, depth="float").pixels.astype(np.float64)
    changed = made(size_px=64, depth="float", contrast=2.0, brightness=0.1, invert=True).pixels
    np.testing.assert_allclose(changed, 1 - np.clip((plain - 0.5) * 2 + 0.6, 0, 1), atol=1e-5)


def test_warp_keeps_the_seam() -> None:
    warped = made(warp=1.0, size_px=128, depth="float").pixels[..., 0]
    assert seam_ratio(warped) < 1.35
    assert not np.array_equal(warped, made(size_px=128, depth="float").pixels[..., 0])


def test_large_maps_send_a_preview_of_the_same_noise() -> None:
    context = Quiet()
    context.wants_previews = True
    events = list(run(Request(NoiseParams(size_px=1024, octaves=3), 4), context))
    preview = next(event.pixels for event in events if isinstance(event, Preview))
    final = next(event.asset for event in events if isinstance(event, Produced)).pixels  # type: ignore[union-attr]
    assert np.corrcoef(preview[..., 0].ravel(), final[::8, ::8, 0].ravel())[0, 1] > 0.99


def test_light_is_conserved_by_refraction_and_enlargement_passes_through_the_samples() -> None:
    water = WaveField(32, 4.0, 2.0, np.random.default_rng(1))
    dy, dx = water.slopes(0.0)
    assert focus(dy, dx, 1.7).mean() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(focus(0 * dy, 0 * dx, 1.0, finer=1), 1, atol=1e-6)
    np.testing.assert_allclose(resized_periodic(dy, 128)[::4, ::4], dy, atol=1e-4)
    np.testing.assert_allclose(water.slopes(1.0)[0], dy, atol=1e-4)


def test_blur_on_the_torus_commutes_with_rolling() -> None:
    picture = np.random.default_rng(0).random((20, 31, 3)).astype(np.float32)
    rolled = blur_periodic(np.roll(picture, (3, 7), (0, 1)), 2.0)
    np.testing.assert_allclose(rolled, np.roll(blur_periodic(picture, 2.0), (3, 7), (0, 1)), atol=1e-6)
    np.testing.assert_allclose(blur_periodic(picture, 2.0).mean((0, 1)), picture.mean((0, 1)), atol=1e-6)
