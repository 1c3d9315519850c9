"""What a subject stands before when that is nothing: one even colour all around it is cut away from every photograph.

Left in, it would have to be made of splats: fog and walls around the subject, which are seen from everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from generators.radiance.photographs import Photograph
from generators.radiance.shelf import Shelf

BORDER = 0.03
"""Width of the frame that is looked at, as a share of the picture's shorter side."""
ALIKE, SURE = 8, 4
"""Grey levels by which a backdrop may stray from its colour; inside a subject's outline it may stray less."""
SHARE_OF_BORDER, SHARE_OF_PHOTOGRAPHS = 0.85, 0.9
DARKEST = 60
"""A backdrop darker than this is kept: the shadows on the subject would be cut with it."""
HOLE = 0.015
"""Half the width, as a share of the shorter side, that a hole in the subject must have to count as one."""
UNKNOWN_PX = 2
"""Pixels around the outline in which subject and backdrop are mixed; they count for nothing."""
Mask = NDArray[np.bool_]


def colour_behind(photographs: Sequence[Photograph]) -> NDArray[np.uint8] | None:
    """The one colour [3] that frames nearly all of the photographs; None where something else is seen there."""
    frames = [_border(photograph.pixels) for photograph in photographs]
    colour = np.median([np.median(frame, axis=1) for frame in frames], axis=0).astype(np.uint8)
    if colour.max() < DARKEST:
        return None
    even = [_near(frame, colour, ALIKE).mean() >= SHARE_OF_BORDER for frame in frames]
    return colour if np.mean(even) >= SHARE_OF_PHOTOGRAPHS else None


def cut_out(
    photographs: Sequence[Photograph], colour: NDArray[np.uint8], check: Callable[[], None], shelf: Shelf
) -> list[Photograph]:
    """The photographs with that colour behind their subject made transparent; `check` is called before each."""
    result = []
    for photograph in photographs:
        check()
        behind = behind_subject(photograph.pixels, colour)
        known = ~_grown(behind, UNKNOWN_PX) | behind
        if photograph.mask is not None:
            known &= photograph.mask
        alpha = np.where(behind, np.uint8(0), np.uint8(255))
        result.append(replace(photograph, alpha=shelf.array(alpha), mask=shelf.array(known), masked=True))
    return result


def behind_subject(pixels: NDArray[np.uint8], colour: NDArray[np.uint8]) -> Mask:
    """Where a picture [3, H, W] shows the backdrop: what hangs together with its edge, and wide holes."""
    like = _near(pixels, colour, ALIKE)
    edge = np.zeros_like(like)
    edge[[0, -1]], edge[:, [0, -1]] = True, True
    reached = _flooded(like & edge, like)
    inner = _near(pixels, colour, SURE) & ~reached
    reach = max(2, round(HOLE * min(like.shape)))
    wide = _grown(~_grown(~inner, reach), 1) & inner
    return reached | _flooded(wide, inner)


def _border(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pixels [3, N] of a frame along the edges."""
    wide = max(1, round(BORDER * min(pixels.shape[1:])))
    parts = (pixels[:, :wide], pixels[:, -wide:], pixels[:, wide:-wide, :wide], pixels[:, wide:-wide, -wide:])
    return np.concatenate([part.reshape(3, -1) for part in parts], axis=1)


def _near(pixels: NDArray[np.uint8], colour: NDArray[np.uint8], levels: int) -> Mask:
    away = np.abs(pixels.astype(np.int16) - colour.astype(np.int16).reshape(3, *[1] * (pixels.ndim - 1)))
    return np.asarray(away.max(0) <= levels)


def _flooded(start: Mask, allowed: Mask) -> Mask:
    """All of `allowed` that hangs together with `start`, spread along whole rows and columns in turn."""
    reached = start
    while True:
        further = _along_rows(_along_rows(reached, allowed).T, allowed.T).T
        if np.array_equal(further, reached):
            return reached
        reached = further


def _along_rows(reached: Mask, allowed: Mask) -> Mask:
    runs = np.cumsum(~allowed, axis=1) + np.arange(len(allowed))[:, None] * (allowed.shape[1] + 1)
    hit = np.zeros(allowed.shape[0] * (allowed.shape[1] + 1), np.bool_)
    hit[runs[reached]] = True
    return np.asarray(allowed & hit[runs])


def _grown(mask: Mask, by: int) -> Mask:
    """The mask and all within `by` pixels of it, along rows, columns or both."""
    for axis in (0, 1):
        wide = np.pad(mask, [(by, by) if one == axis else (0, 0) for one in (0, 1)])
        shifted = [np.take(wide, range(at, at + mask.shape[axis]), axis) for at in range(2 * by + 1)]
        mask = np.logical_or.reduce(shifted)
    return mask
