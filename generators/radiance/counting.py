"""Where photographs count: the first cloud is sought only there, and not where a photograph shows that nothing stands.

What is masked is not known; what is transparent is known to be empty. Bounds of a bent lens are neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.cameras import Camera
from generators.radiance.photographs import Photograph
from generators.radiance.shelf import let_go

LEAST = 0.6
"""Share of a small picture's pixel that must count."""
EMPTY_SHARE = 0.1
"""Share of the views before which a seed may stand where they are empty: outlines are cut out by a pixel too few or
too many."""


@dataclass(frozen=True, eq=False)
class Counted:
    """A small picture's pixels: `share` float32 [h, w] that counts, `empty` bool [h, w], and the mean `colour`
    float32 [3, h, w] of what counts.
    """

    share: FloatArray
    empty: NDArray[np.bool_]
    colour: FloatArray


def partial(photograph: Photograph) -> bool:
    """Whether there is anything that does not count."""
    return photograph.alpha is not None or photograph.masked


def weights(photograph: Photograph) -> FloatArray:
    """How much each pixel counts, float32 [H, W] in 0..1."""
    shape = photograph.pixels.shape[1:]
    weight = np.ones(shape, np.float32)
    if photograph.alpha is not None:
        weight *= photograph.alpha / np.float32(255)
    if photograph.mask is not None:
        weight *= photograph.mask
    return weight


def counted(photograph: Photograph, rows: int, columns: int, block: int) -> Counted:
    """A photograph in blocks of `block`×`block` pixels, `rows` by `columns` of them."""

    def blocks(values: FloatArray) -> FloatArray:
        cut = values[..., : rows * block, : columns * block]
        return np.asarray(cut.reshape(*values.shape[:-2], rows, block, columns, block).mean((-3, -1)), np.float32)

    weight = weights(photograph)
    share = blocks(weight)
    colour = blocks(np.asarray(photograph.pixels * weight, np.float32)) / np.maximum(255 * share, np.float32(1e-6))
    let_go(photograph.pixels)
    empty = np.zeros(share.shape, np.bool_)
    if photograph.alpha is not None:
        known = np.ones_like(weight) if photograph.mask is None else photograph.mask.astype(np.float32)
        empty = (blocks((photograph.alpha > 0).astype(np.float32)) == 0) & (blocks(known) == 1)
    return Counted(share, empty, np.asarray(colour, np.float32))


def standing(positions: FloatArray, views: Sequence[tuple[Camera, Counted]]) -> NDArray[np.bool_]:
    """Which points [P, 3] some view counts and hardly any shows as empty, bool [P]; cameras as large as the blocks."""
    seen, empty, counts = (np.zeros(len(positions), np.int32) for _ in range(3))
    for camera, one in views:
        rotation, shift = camera.camera_from_world[:3, :3], camera.camera_from_world[:3, 3]
        x, y, z = (positions @ rotation.T.astype(np.float32) + shift.astype(np.float32)).T
        depth = np.maximum(z, np.float32(1e-6))
        u, v = np.floor(x / depth * camera.fx + camera.cx), np.floor(y / depth * camera.fy + camera.cy)
        rows = np.nonzero((z > 0) & (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height))[0]
        at = v[rows].astype(np.int64), u[rows].astype(np.int64)
        seen[rows] += 1
        empty[rows] += one.empty[at]
        counts[rows] += one.share[at] >= LEAST
    return np.asarray((counts > 0) & (empty <= np.maximum(1, EMPTY_SHARE * seen)))
