"""High dynamic range against the reference levels of ITU-R BT.2408: where a white sheet and a grey card come out."""

from __future__ import annotations

import numpy as np
import pytest

from generators.radiance.film_light import HLG, PQ, ordinary


def grey(signal: float, transfer: int) -> list[int]:
    shown = ordinary(np.full((1, 1, 3), round(signal * 65535), np.uint16), transfer)
    return [int(value) for value in shown[0, 0]]


@pytest.mark.parametrize(("transfer", "white", "card"), [(PQ, 0.58, 0.38), (HLG, 0.75, 0.38)])
def test_white_is_nearly_white_and_a_grey_card_grey(transfer: int, white: float, card: float) -> None:
    """BT.2408, table 1: 100 % reflectance at 203 cd/m², an 18 % card at 26 cd/m²."""
    assert len(set(grey(white, transfer))) == 1 and 235 < grey(white, transfer)[0] < 250
    assert grey(card, transfer)[0] == pytest.approx(101, abs=4)  # 26 / 203 in sRGB
    assert grey(0, transfer) == [0, 0, 0] and grey(1, transfer)[0] > 253


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_brighter_stays_brighter_and_hues_stay(transfer: int) -> None:
    ramp = np.linspace(0, 65535, 200).astype(np.uint16)
    shown = ordinary(np.repeat(ramp[None, :, None], 3, 2), transfer)[0].astype(int)
    assert (np.diff(shown, axis=0) >= 0).all() and shown.std(1).max() <= 1
    orange = ordinary(np.array([[[40000, 34000, 26000]]], np.uint16), transfer)[0, 0]
    assert orange[0] > orange[1] > orange[2]


def test_bt2020_colours_are_paler_numbers_for_the_same_colour() -> None:
    muted = np.array([[[30000, 26000, 22000]]], np.uint16)
    r, g, b = ordinary(muted, HLG)[0, 0].astype(int)
    bright, dim = (int(ordinary(np.full_like(muted, level), HLG)[0, 0, 0]) for level in (30000, 22000))
    assert r > g > b and r - b > bright - dim
