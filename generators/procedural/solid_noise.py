"""Gradient noise in three dimensions at scattered points."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engines.assets import Array
from generators.procedural.lattice_noise import Check, nothing

_TABLE = 256
_BATCH = 1 << 14


class SolidNoise:
    """Gradient noise (Perlin 2002) over space with period 256; values lie about within -1..1."""

    def __init__(self, rng: np.random.Generator) -> None:
        """All randomness comes from `rng`, once."""
        self.order = np.concatenate([rng.permutation(_TABLE)] * 3)
        gradient = rng.standard_normal((_TABLE, 3))
        self.gradient = gradient / np.linalg.norm(gradient, axis=1, keepdims=True) * 1.4

    def __call__(self, points: Array) -> Array:
        """Noise at points [N, 3], float64 [N]."""
        cell = np.floor(points).astype(np.intp)
        offset = points - cell
        fade = offset**3 * (offset * (offset * 6 - 15) + 10)
        cell %= _TABLE
        total: Array = np.zeros(len(points))
        for corner in np.ndindex(2, 2, 2):
            step = np.array(corner)
            x, y, z = ((cell + step) % _TABLE).T
            gradient = self.gradient[self.order[self.order[self.order[x] + y] + z]]
            weight = np.where(step, fade, 1 - fade).prod(1)
            total += weight * (gradient * (offset - step)).sum(1)
        return total

    def fbm(
        self,
        points: Array,
        octaves: int,
        gain: float = 0.5,
        shape: Callable[[Array], Array] | None = None,
        check: Check = nothing,
    ) -> Array:
        """Sum of `octaves` octaves at points [N, 3], each twice as fine and `gain` as strong, float64 [N]."""
        total: Array = np.zeros(len(points))
        for octave in range(octaves):
            for first in range(0, len(points), _BATCH):
                check()
                part = slice(first, first + _BATCH)
                layer = self(points[part] * 2**octave + octave * 17.31)
                total[part] += gain**octave * (layer if shape is None else shape(layer))
        return total
