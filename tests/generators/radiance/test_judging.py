"""Blur is told from a lack of detail, twins from neighbours, and a covered lens from a dark room."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from generators.radiance import judging
from generators.radiance.judging import blind, blurred, crispness, grey_of, sharpness, thumbnail, twins
from tests.generators.radiance.known_scene import views
from tests.generators.radiance.scenes import SHARED

VIEWS = [view.pixels for view in views(6, width=240, height=180)]
SHARP = [sharpness(grey_of(pixels)) for pixels in VIEWS]


def smeared(pixels: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def shaken(pixels: np.ndarray, length: int, axis: int) -> np.ndarray:
    moved = [np.roll(pixels, step, axis).astype(np.float32) for step in range(length)]
    return np.asarray(sum(moved) / length, np.uint8)


@pytest.mark.parametrize("index", range(6))
def test_the_blurred_one_is_found_whatever_it_shows(index: int) -> None:
    for spoilt in (smeared(VIEWS[index], 1.5), shaken(VIEWS[index], 6, 0), shaken(VIEWS[index], 6, 1)):
        values = [*SHARP[:index], sharpness(grey_of(spoilt)), *SHARP[index + 1 :]]
        assert blurred(values) == [index]
    assert blurred(SHARP) == []


def test_noise_and_exposure_do_not_count_as_blur() -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(VIEWS[0] + rng.normal(0, 8, VIEWS[0].shape), 0, 255).astype(np.uint8)
    dark = (VIEWS[1] * 0.3).astype(np.uint8)
    assert blurred([sharpness(grey_of(noisy)), sharpness(grey_of(dark)), *SHARP[2:]]) == []


def room(plain: bool, seed: int) -> np.ndarray:
    """A wall of blotchy plaster with a faint picture on it, or one papered all over; drawn sharply."""
    rng = np.random.default_rng(seed)
    plaster = Image.fromarray(rng.integers(0, 256, (300, 400), np.uint8)).filter(ImageFilter.GaussianBlur(2))
    pattern = rng.normal(0, 1, (100, 134)).repeat(3, 0).repeat(3, 1)[:300, :400]
    y, x = np.mgrid[:300, :400]
    hung = 3.0 * ((np.abs(x - 200) < 110) & (np.abs(y - 150) < 110)) if plain else 30.0
    flat = (np.abs(x - 200) < 110) & (np.abs(y - 150) < 110)
    wall = np.where(flat, 128, np.asarray(plaster, np.float32)) if plain else np.full((300, 400), 128.0)
    grey = wall + hung * pattern
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_a_sharp_plain_wall_stays_and_a_blurred_pattern_does_not() -> None:
    pictures = [room(False, seed) for seed in range(10)]
    told = [(sharpness(grey_of(one)), crispness(grey_of(one))) for one in pictures]
    plain = room(True, 20)
    for spoilt, wanted in ((plain, []), (smeared(plain, 1.5), [4]), (smeared(pictures[4], 1.5), [4])):
        values = [*told[:4], (sharpness(grey_of(spoilt)), crispness(grey_of(spoilt))), *told[5:]]
        assert blurred([value for value, _ in values], [value for _, value in values]) == wanted
    assert sharpness(grey_of(plain)) < judging.BLURRED_SHARE * np.median([value for value, _ in told])


def test_crispness_needs_parts_with_detail() -> None:
    assert crispness(np.full((300, 400), 128, np.float32)) == 0
    assert crispness(grey_of(VIEWS[0])[:60, :60]) == 0


def test_a_set_that_is_blurred_throughout_keeps_its_photographs() -> None:
    soft = [sharpness(grey_of(smeared(pixels, 1.5))) for pixels in VIEWS]
    assert blurred(soft) == []
    half = [*SHARP * 3, *soft * 2]
    assert len(blurred(half)) == int(judging.DROPPED_SHARE_MAX * len(half))


def test_few_or_featureless_pictures_are_not_judged() -> None:
    assert blurred([0.5, 0.5, 0.5, 0.01]) == []
    assert sharpness(np.full((40, 40), 128, np.float32)) == 0
    assert blurred([0.0, *SHARP]) == []


@pytest.mark.parametrize(("level", "word"), [(2, "black"), (252, "white"), (120, "even colour")])
def test_blind_pictures_are_named(level: int, word: str) -> None:
    rng = np.random.default_rng(1)
    noise = np.clip(level + rng.normal(0, 1, (60, 80)), 0, 255).astype(np.float32)
    assert word in blind(noise)


def test_a_dark_room_is_not_blind() -> None:
    assert blind(grey_of(VIEWS[0]) * np.float32(0.12)) == ""


def test_twins_are_found_through_compression_and_exposure_and_neighbours_are_none() -> None:
    file = io.BytesIO()
    Image.fromarray(VIEWS[2]).save(file, "JPEG", quality=70)
    again = grey_of(np.asarray(Image.open(file)))
    thumbnails = np.stack([thumbnail(grey_of(pixels)) for pixels in VIEWS] + [thumbnail(again), thumbnail(again * 1.1)])
    assert twins(thumbnails) == {6: 2, 7: 2}


@pytest.mark.skipif(not (SHARED / "fox").exists(), reason="the fox photographs are not beside the checkout")
def test_no_photograph_of_a_good_set_is_dropped() -> None:
    files = sorted((SHARED / "fox" / "images").iterdir())[::2]
    greys = []
    for file in files:
        with Image.open(file) as image:
            image.draft("RGB", (270, 480))
            greys.append(grey_of(np.asarray(image.convert("RGB").resize((360, 640)))))
    assert blurred([sharpness(grey) for grey in greys]) == []
    assert twins(np.stack([thumbnail(grey) for grey in greys])) == {}
    assert not any(blind(grey) for grey in greys)
