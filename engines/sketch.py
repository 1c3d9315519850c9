"""A picture of a whole cloud in very few splats, to be drawn until the cloud itself has come.

Splats are cut into groups of equal opacity along a space-filling curve (Morton 1966), and each group becomes the one
splat that has its middle, its spread and its mean colour. A few milliseconds for each ten thousand splats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.importance import importance
from engines.splat_placing import quaternions_of
from engines.transforms import rotation_matrices

OPACITY_MAX = 0.95
WIDER = 1.15
"""Groups overlap, so that no gaps are left between them; chosen by PSNR, as are the others."""
STANDS_FOR = 0.2
"""A group's splat is left where it is until this share of the group, the most important first, has come."""
LOOKED_AT = 100_000
"""Of a larger cloud every n-th splat is looked at."""
BITS = 21
"""Of each coordinate in the curve."""
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sketch:
    """Few splats for many: `splats` with harmonics of degree 0; `rows` int64 [G] are the rows that each stands for.

    They are rows of the cloud, each once: when that row comes, the sketched splat is to give way to it.
    """

    splats: Splats
    rows: Index


def sketch_of(splats: Splats, count: int) -> Sketch:
    """About `count` splats, and never more, that look like the whole; `splats` lie in falling importance."""
    step = max(1, -(-len(splats.positions) // LOOKED_AT))
    chosen = np.arange(0, len(splats.positions), step)
    weights = importance(splats.opacities[chosen], splats.scales[chosen]) + 1e-30
    groups = _groups(splats.positions[chosen], splats.opacities[chosen], count)
    number = int(groups.max(initial=-1)) + 1

    def sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
        total: NDArray[np.float64] = np.bincount(groups, weights * values, number).astype(np.float64)
        return total

    totals = np.bincount(groups, weights, number)
    positions = splats.positions[chosen].astype(np.float64)
    middles = np.stack([sums(positions[:, axis]) for axis in range(3)], -1) / totals[:, None]
    axes = rotation_matrices(splats.rotations[chosen]) * splats.scales[chosen].astype(np.float64)[:, None, :]
    away = positions - middles[groups]
    spread = np.empty((number, 3, 3))
    for i in range(3):
        for j in range(i, 3):
            products = (axes[:, i] * axes[:, j]).sum(1) + away[:, i] * away[:, j]
            spread[:, i, j] = spread[:, j, i] = sums(products) / totals
    lengths, directions = np.linalg.eigh(spread)
    directions[:, :, 0] *= np.where(np.linalg.det(directions) < 0, -1.0, 1.0)[:, None]
    scales = WIDER * np.sqrt(np.maximum(lengths, 1e-18))
    areas = importance(np.ones(number, np.float32), scales)
    colours = np.stack([sums(splats.sh[chosen, 0, channel].astype(np.float64)) for channel in range(3)], -1)
    drawn = Splats(
        positions=middles.astype(np.float32),
        rotations=quaternions_of(directions),
        scales=scales.astype(np.float32),
        opacities=np.minimum(step * totals / np.maximum(areas, 1e-30), OPACITY_MAX).astype(np.float32),
        sh=(colours / totals[:, None])[:, None].astype(np.float32),
    )
    return Sketch(drawn, chosen[_standing_for(groups, number)])


def _groups(positions: FloatArray, opacities: FloatArray, count: int) -> Index:
    """Which of at most `count` groups each splat belongs to, int64 [N]; every group has a splat."""
    order = np.argsort(along_curve(positions), kind="stable")
    weights = np.maximum(opacities[order].astype(np.float64), 1e-9)
    steps = np.cumsum(weights)
    cut = np.minimum((steps - weights / 2) / steps[-1:] * count, count - 1).astype(np.int64)
    groups = np.empty(len(order), np.int64)
    groups[order] = np.unique(cut, return_inverse=True)[1]
    return groups


def _standing_for(groups: Index, number: int) -> Index:
    """Of each group the splat that comes when `STANDS_FOR` of it has come."""
    members = np.argsort(groups, kind="stable")  # within a group in falling importance
    sizes = np.bincount(groups, minlength=number)
    starts = np.cumsum(sizes) - sizes
    return np.asarray(members[starts + (STANDS_FOR * sizes).astype(np.int64)], np.int64)


def along_curve(positions: FloatArray) -> NDArray[np.uint64]:
    """A number for each place [N, 3] of which near ones are alike; what is far away is drawn in, so that it has few."""
    middle = np.median(positions, axis=0) if len(positions) else np.zeros(3)
    away = (positions - middle).astype(np.float64)
    distance = np.linalg.norm(away, axis=1, keepdims=True)
    unit = max(float(np.median(distance)) if len(positions) else 1.0, 1e-12)
    distance = np.maximum(distance / unit, 1e-12)
    inside = away / unit * np.where(distance > 1, (2 - 1 / distance) / distance, 1)  # of radius 2 (Barron et al. 2022)
    cells = np.clip((inside + 2) / 4 * (2**BITS - 1), 0, 2**BITS - 1).astype(np.uint64)
    x, y, z = (_every_third(cells[:, axis]) << np.uint64(axis) for axis in range(3))
    joined: NDArray[np.uint64] = x | y | z
    return joined


def _every_third(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The bits of numbers below 2^21, two zeros between any two."""
    for shift, mask in (
        (32, 0x1F00000000FFFF),
        (16, 0x1F0000FF0000FF),
        (8, 0x100F00F00F00F00F),
        (4, 0x10C30C30C30C30C3),
        (2, 0x1249249249249249),
    ):
        values = (values | (values << np.uint64(shift))) & np.uint64(mask)
    return values
