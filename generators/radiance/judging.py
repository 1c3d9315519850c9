"""Which photographs of a set are of no use: blurred beside their neighbours, blind, or the same as another.

Judged is the small picture in which the work will be done: what is sharp there is sharp enough. No threshold on the
sharpness itself would do, since a white wall has none; held against each other are two neighbouring octaves of detail
of the same picture, and these ratios against those of the whole set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray

SIDE_PX = 640
BLURRED_SHARE = 0.5
"""A photograph whose ratio is below this share of the set's median is blurred: by a pixel and more, or shaken by four.
The softest of 50 good hand-held photographs has 0.77 of their median."""
DROPPED_SHARE_MAX = 0.2
"""No more of a set than this is left out as blurred; beyond it, blur is how the set is."""
BLIND_SPREAD, DARK, BRIGHT = 2.5, 10.0, 245.0
"""Standard deviation and mean grey (of 255) of a picture that shows nothing: a lens cap, a pocket, the sun."""
BLOCK_PX = 48
CRISP_SHARE, CRISP_PERCENTILE, CRISP_DETAIL = 0.62, 80, 1.0
"""A photograph whose best parts have this share of what the set's best parts have is not blurred, plain as it may be.
The best are those at that percentile, of the blocks with so much coarse detail."""
FEATURELESS = 0.05
"""Coarse detail (variance of grey levels) below which nothing can be said about blur."""
THUMBNAIL_PX = 32
SAME_DIFFERENCE = 0.9
"""Mean difference in grey levels of two thumbnails, brightness evened out, below which they show the same."""


def grey_of(pixels: NDArray[np.uint8]) -> FloatArray:
    """Grey float32 [H, W] of pixels uint8 [H, W, 3]."""
    return np.asarray(pixels[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def sharpness(grey: FloatArray) -> float:
    """Fine against coarse detail across the direction that has less of it; 0 where there is no coarse detail either.

    About 0.25 to 0.6 for a sharp photograph, whatever it shows: natural pictures lose energy evenly with each octave
    (Field 1987). Motion blur takes the detail of one direction only, hence the minimum of both.
    """
    worst = np.inf
    coarse = _halved(grey)
    for axis in (0, 1):
        fine_energy, coarse_energy = _second_difference(grey, axis), _second_difference(coarse, axis)
        if coarse_energy < FEATURELESS:
            return 0.0
        worst = min(worst, fine_energy / coarse_energy)
    return float(worst)


def crispness(grey: FloatArray) -> float:
    """`sharpness` of the best parts of a picture alone; 0 where there are too few parts with detail to tell.

    A sharp picture of a plain wall has soft shadows nearly everywhere, and crisp edges somewhere; a blurred one none.
    """
    coarse, found = _halved(grey), []
    half = BLOCK_PX // 2
    for y in range(0, len(coarse) - half + 1, half):
        for x in range(0, coarse.shape[1] - half + 1, half):
            fine_block = grey[2 * y : 2 * y + BLOCK_PX, 2 * x : 2 * x + BLOCK_PX]
            coarse_block = coarse[y : y + half, x : x + half]
            detail = [_second_difference(coarse_block, axis) for axis in (0, 1)]
            if min(detail) >= CRISP_DETAIL:
                found.append(min(_second_difference(fine_block, axis) / detail[axis] for axis in (0, 1)))
    return float(np.percentile(found, CRISP_PERCENTILE)) if len(found) >= 4 else 0.0


def _second_difference(grey: FloatArray, axis: int) -> float:
    difference = np.diff(grey, n=2, axis=axis)
    return float(np.mean(difference * difference))


def _halved(grey: FloatArray) -> FloatArray:
    height, width = grey.shape[0] // 2 * 2, grey.shape[1] // 2 * 2
    cut = grey[:height, :width]
    return np.asarray(cut.reshape(height // 2, 2, width // 2, 2).mean((1, 3)), np.float32)


def blind(grey: FloatArray) -> str:
    """Why nothing can be seen in a picture, or an empty string."""
    mean, spread = float(grey.mean()), float(grey.std())
    if spread > BLIND_SPREAD:
        return ""
    if mean < DARK:
        return "is black; the lens may have been covered"
    if mean > BRIGHT:
        return "is white; it was exposed far too long"
    return "shows one even colour and nothing else"


def blurred(values: Sequence[float], crisp: Sequence[float] = ()) -> list[int]:
    """Indices of the photographs that are blurred beside the others, by their `sharpness`; at least five are compared.

    Those whose `crispness`, where it is given, is like the others' are kept as plain. Those without any detail (0) are
    not judged. At most `DROPPED_SHARE_MAX` of the set are named, the worst first.
    """
    known = np.array([value for value in values if value > 0])
    if len(known) < 5:
        return []
    least = BLURRED_SHARE * float(np.median(known))
    told = [value for value in crisp if value > 0]
    enough = CRISP_SHARE * float(np.median(told)) if len(told) >= 5 else np.inf
    plain = {index for index, value in enumerate(crisp) if value >= enough}
    worst = sorted((value, index) for index, value in enumerate(values) if 0 < value < least and index not in plain)
    return sorted(index for _, index in worst[: int(DROPPED_SHARE_MAX * len(values))])


def thumbnail(grey: FloatArray) -> FloatArray:
    """A tiny picture float32 [32, 32] with its brightness and contrast evened out."""
    rows = np.linspace(0, grey.shape[0], THUMBNAIL_PX + 1).astype(int)
    columns = np.linspace(0, grey.shape[1], THUMBNAIL_PX + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(grey.astype(np.float64), rows[:-1], 0), columns[:-1], 1)
    tiny = sums / (np.maximum(np.diff(rows), 1)[:, None] * np.maximum(np.diff(columns), 1))
    spread = max(float(tiny.std()), 1.0)
    return np.asarray((tiny - tiny.mean()) / spread * 50, np.float32)


def twins(thumbnails: NDArray[Any]) -> dict[int, int]:
    """For each picture that shows the same as an earlier one, that one's index; `thumbnails` is [N, 32, 32]."""
    flat = thumbnails.reshape(len(thumbnails), -1)
    found: dict[int, int] = {}
    for index in range(1, len(flat)):
        earlier = [other for other in range(index) if other not in found]
        difference = np.abs(flat[earlier] - flat[index]).mean(1)
        nearest = int(difference.argmin())
        if difference[nearest] < SAME_DIFFERENCE:
            found[index] = earlier[nearest]
    return found
