"""Holding a cloud's rendered depth to known depth: the capture's own pictures of it, or else the plane sweep's.

The depth of a pixel is the mean of its splats' depths, weighted as their colours are. It is compared as inverse
depth, in which the sweep is equally sure near and far, and which is linear across a flat surface. The difference
counts squared while it is small and linearly beyond (Huber 1964), so that a wrong depth pulls no harder than many
right ones hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.colmap import Points
from generators.radiance.photographs import Photograph
from generators.radiance.seeding import STEREO_SIDE_PX, small_pictures, swept_maps
from generators.radiance.shelf import Shelf, let_go

OPAQUE_FROM = 0.5
"""Where less of a pixel is covered its depth is nobody's."""
SMALL = 0.01
"""Differences of inverse depth up to this count squared; cameras stand about 1 from what they look at."""
EDGE = 0.1
"""Neighbouring inverse depths that differ by more than this share lie on two surfaces, and nothing is known between."""


@dataclass(frozen=True, eq=False)
class KnownDepth:
    """For each view 1 / depth, float32 [H, W] with 0 for not known, or None; `source` says where from."""

    inverse: list[FloatArray | None]
    source: str

    @property
    def share(self) -> float:
        """Mean share of the pictures in which depth is known, 0..1."""
        shares = []
        for one in self.inverse:
            shares.append(0.0 if one is None else float((one > 0).mean()))
            if one is not None:
                let_go(one)
        return float(np.mean(shares))


def known_depth(photographs: Sequence[Photograph], points: Points | None, shelf: Shelf | None = None) -> KnownDepth:
    """The depth pictures of those that have one; when none has, what a plane sweep finds and neighbours confirm.

    With a `shelf` what is too much for memory lies there.
    """

    def kept(inverse: FloatArray) -> FloatArray:
        return inverse if shelf is None else shelf.array(inverse)

    if any(photograph.depth is not None for photograph in photographs):
        own = [None if p.depth is None else kept(inverted(p.depth)) for p in photographs]
        return KnownDepth(own, "the capture's depth pictures")
    shape = photographs[0].pixels.shape
    alike = [photograph for photograph in photographs if photograph.pixels.shape == shape]
    pictures, cameras = small_pictures(alike, STEREO_SIDE_PX)
    maps = iter(swept_maps(pictures, cameras, points))
    rows, columns = shape[1:]
    found = [
        kept(enlarged(inverted(next(maps).depth), rows, columns)) if p.pixels.shape == shape else None
        for p in photographs
    ]
    return KnownDepth(found, "depth found between the photographs")


def inverted(depth: FloatArray) -> FloatArray:
    """1 / depth where there is any, else 0."""
    known = np.isfinite(depth) & (depth > 0)
    return np.where(known, 1 / np.where(known, depth, 1), 0).astype(np.float32)


def enlarged(inverse: FloatArray, rows: int, columns: int) -> FloatArray:
    """A small inverse depth [h, w] at a picture's size [rows, columns], in which its pixels are whole blocks.

    Interpolated within a surface, 0 beside edges and unknown pixels.
    """
    block = max(1, round(rows / inverse.shape[0]))

    def between(count: int, small: int) -> tuple[NDArray[np.int64], FloatArray, NDArray[np.bool_]]:
        at = (np.arange(count) + 0.5) / block - 0.5
        first = np.floor(at).astype(np.int64)
        inside = (first >= 0) & (first + 1 < small)
        return np.clip(first, 0, max(small - 2, 0)), (at - first).astype(np.float32), inside

    top, down, in_rows = between(rows, inverse.shape[0])
    left, across, in_columns = between(columns, inverse.shape[1])
    low, right = np.minimum(top + 1, inverse.shape[0] - 1), np.minimum(left + 1, inverse.shape[1] - 1)
    corners = np.stack([inverse[np.ix_(v, u)] for v, u in ((top, left), (top, right), (low, left), (low, right))])
    upper = corners[0] * (1 - across) + corners[1] * across
    lower = corners[2] * (1 - across) + corners[3] * across
    mean = upper * (1 - down[:, None]) + lower * down[:, None]
    known = one_surface(corners) & in_rows[:, None] & in_columns
    return np.where(known, mean, 0).astype(np.float32)


def halved(inverse: FloatArray) -> FloatArray:
    """An inverse depth [H, W] at half its size, an odd last row or column cut off."""
    rows, columns = inverse.shape[0] // 2, inverse.shape[1] // 2
    cut = inverse[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)
    corners = cut.transpose(1, 3, 0, 2).reshape(4, rows, columns)
    return np.where(one_surface(corners), corners.mean(0), 0).astype(np.float32)


def one_surface(corners: FloatArray) -> NDArray[np.bool_]:
    """Where the inverse depths [4, H, W] are all known and near to one another."""
    least, most = corners.min(0), corners.max(0)
    together: NDArray[np.bool_] = (least > 0) & (most - least <= EDGE * most)
    return together


@dataclass(frozen=True, eq=False)
class DepthDifference:
    """A loss and its gradients [H, W] by the accumulated depth and by the transmittance."""

    loss: float
    by_depth: FloatArray
    by_transmittance: FloatArray


def inverse_depth_loss(
    depth: FloatArray,
    transmittance: FloatArray,
    inverse: FloatArray,
    *,
    weight: float = 1.0,
    mask: NDArray[np.bool_] | None = None,
) -> DepthDifference:
    """`weight` times the mean Huber difference of (1 - transmittance) / depth and `inverse`, all [H, W].

    `depth` is the sum over the splats, not yet divided by the opacity. Pixels that are half transparent, unknown
    (`inverse` 0) or outside `mask` count nothing.
    """
    alpha = 1 - transmittance
    counts = (inverse > 0) & (alpha > OPAQUE_FROM) & (depth > 0)
    if mask is not None:
        counts &= mask
    under = np.where(counts, depth, 1)
    seen = alpha / under
    away = np.where(counts, seen - inverse, 0)
    size = np.abs(away)
    loss = np.where(size <= SMALL, away * away / (2 * SMALL), size - SMALL / 2)
    slope = np.where(counts, np.clip(away / SMALL, -1, 1), 0) * np.float32(weight / depth.size)
    return DepthDifference(
        loss=weight * float(loss.sum(dtype=np.float64)) / depth.size,
        by_depth=(-slope * seen / under).astype(np.float32),
        by_transmittance=(-slope / under).astype(np.float32),
    )
