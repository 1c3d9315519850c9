"""A ring before one even colour, before a room and before a gradient: what is cut away, and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from generators.radiance.backdrop import behind_subject, colour_behind, cut_out
from generators.radiance.photographs import Photograph
from generators.radiance.shelf import Shelf
from tests.generators.radiance.known_scene import around, photographs, render
from tests.generators.radiance.known_scene import views as room_views

CAMERA = around(1, width=120, height=90)[0]
Y, X = np.mgrid[0:90, 0:120]
OUTER = np.hypot(X - 60, Y - 45)


def ball(colour: tuple[int, int, int], shift: int = 0) -> np.ndarray:
    """A striped ring with a highlight of the backdrop's own colour, uint8 [3, 90, 120], its outline softened."""
    away = np.hypot(X - 60 - shift, Y - 45)
    inside = np.clip(30.5 - away, 0, 1) * np.clip(away - 11.5, 0, 1)
    stripes = np.stack([90 + 60 * np.sin(X / 3), 60 + 20 * np.cos(Y / 4), np.full(X.shape, 30.0)])
    stripes[:, np.hypot(X - 60 - shift, Y - 25) < 2] = np.array(colour)[:, None]
    pixels = inside * stripes + (1 - inside) * np.array(colour, float).reshape(3, 1, 1)
    return np.asarray(pixels + 0.5, np.uint8)


def views(pixels: list[np.ndarray]) -> list[Photograph]:
    return [Photograph(f"{index}.png", CAMERA, one) for index, one in enumerate(pixels)]


@pytest.mark.parametrize("colour", [(255, 255, 255), (20, 200, 60), (128, 128, 128)])
def test_one_even_colour_is_cut_away_with_the_hole_and_not_the_highlight(
    tmp_path: Path, colour: tuple[int, int, int]
) -> None:
    pictures = [ball(colour, shift) for shift in (0, 3, -5)]
    found = colour_behind(views(pictures))
    assert found is not None and found.tolist() == list(colour)
    [first, *_] = cut_out(views(pictures), found, lambda: None, Shelf(tmp_path))
    assert first.alpha is not None and first.mask is not None
    alpha, sure = first.alpha == 255, first.mask
    assert not alpha[OUTER > 32].any() and not alpha[OUTER < 9].any()
    assert alpha[(OUTER > 13) & (OUTER < 29)].all()  # the highlight too
    assert not sure[(OUTER > 29.6) & (OUTER < 30.4)].any() and sure[OUTER > 32].all()
    assert sure[(OUTER > 16) & (OUTER < 26)].all() and np.array_equal(first.pixels, pictures[0])


def test_a_mask_of_its_own_still_counts(tmp_path: Path) -> None:
    mask = np.ones((90, 120), np.bool_)
    mask[:, :40] = False
    view = Photograph("a.png", CAMERA, ball((255, 255, 255)), None, mask)
    [cut] = cut_out([view], np.full(3, 255, np.uint8), lambda: None, Shelf(tmp_path))
    assert cut.mask is not None and not cut.mask[:, :40].any() and cut.mask[:, 100:].all()


def test_what_is_no_backdrop_is_kept() -> None:
    assert colour_behind(photographs(room_views(4, width=96, height=72))) is None
    sweep = np.repeat(np.linspace(150, 250, 90)[:, None], 120, 1).astype(np.uint8)
    assert colour_behind(views([np.stack([sweep] * 3)] * 3)) is None
    assert colour_behind(views([ball((0, 0, 0))] * 3)) is None  # shadows would go with it
    room = render(CAMERA).pixels.transpose(2, 0, 1)
    assert colour_behind(views([ball((255, 255, 255)), ball((255, 255, 255)), room])) is None


def test_a_colour_that_does_not_reach_the_edge_is_the_subject() -> None:
    pixels = np.full((3, 90, 120), 250, np.uint8)
    pixels[:, 20:70, 30:90] = 100
    pixels[:, 40:43, 40:43] = 250
    behind = behind_subject(pixels, np.full(3, 250, np.uint8))
    assert behind[:20].all() and not behind[20:70, 30:90].any()


def test_crooked_ways_are_followed() -> None:
    pixels = np.full((3, 60, 60), 250, np.uint8)
    pixels[:, 10:50, 10:50] = 40
    for step in range(5):  # a snake of the backdrop's colour into the subject
        row = 14 + 6 * step
        pixels[:, row : row + 2, 14:46] = 250
        end = 14 if step % 2 else 44
        pixels[:, row : row + 8, end : end + 2] = 250
    pixels[:, 14:16, 5:20] = 250
    behind = behind_subject(pixels, np.full(3, 250, np.uint8))
    assert np.array_equal(behind, pixels[0] == 250)
