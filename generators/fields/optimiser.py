"""Adam on the vertices that rays have touched, after a pull towards smoothness; one pass over memory each.

Which they are is kept as one bit a vertex for each lane, so that what no ray has touched is not even looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from generators.fields.training import LANES
from generators.radiance.rasterizer.kernels import parallel_kernel, prange
from generators.radiance.rasterizer.lanes import load, spread, store

ZERO, ONE = np.float32(0), np.float32(1)
_SIDES = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]], np.int64)


@parallel_kernel
def smooth(
    values: Any, around: Any, active: Any, touched: Any, gradients: Any, pulls: Any, turn: Any, turns: Any,
) -> None:  # fmt: skip
    """Add the gradient of the squared differences between neighbouring vertices, weighed by channel in `pulls` [16].

    Only every `turns`-th touched brick has its turn, `turn` says which; `pulls` is to be as much larger. All of its
    vertices are then touched.
    """
    bricks = len(around)
    for brick in prange(bricks):
        if (brick + turn) % turns:
            continue
        seen = np.int64(0)
        for lane in range(LANES):
            seen |= touched[lane, brick]
        if seen == 0:
            continue
        low_pull, high_pull = load(pulls, 0), load(pulls, 8)
        for vertex in range(64):
            if active[brick, vertex] == 0:
                continue
            touched[0, brick] |= np.int64(1) << vertex
            row = (brick * 64 + vertex) * 16
            low, high = load(values, row), load(values, row + 8)
            low_sum, high_sum = spread(ZERO), spread(ZERO)
            for side in range(6):
                x = vertex // 16 + _SIDES[side, 0]
                y = vertex // 4 % 4 + _SIDES[side, 1]
                z = vertex % 4 + _SIDES[side, 2]
                home = np.int64(brick)
                if x < 0 or y < 0 or z < 0 or x > 3 or y > 3 or z > 3:
                    home = np.int64(around[brick, side])
                    if home < 0:
                        continue
                other = (x & 3) * 16 + (y & 3) * 4 + (z & 3)
                if active[home, other] == 0:
                    continue
                at = (home * 64 + other) * 16
                low_sum = low_sum + (low - load(values, at))
                high_sum = high_sum + (high - load(values, at + 8))
            store(gradients[0], row, load(gradients[0], row) + low_pull * low_sum)
            store(gradients[0], row + 8, load(gradients[0], row + 8) + high_pull * high_sum)


@parallel_kernel
def adam(
    values: Any, first: Any, second: Any, gradients: Any, touched: Any, rates: Any,
    decay_first: Any, decay_second: Any, epsilon: Any,
) -> None:  # fmt: skip
    """One step on every vertex with a gradient, with a learning rate per channel in `rates` [16]; clears gradients.

    Others keep their moments as they are, so a vertex that is rarely seen is not moved by old news.
    """
    for brick in prange(touched.shape[1]):
        seen = np.int64(0)
        for lane in range(LANES):
            seen |= touched[lane, brick]
        if seen == 0:
            continue
        sums = np.zeros(16, np.float32)
        for vertex in range(64):
            if (seen >> vertex) & 1 == 0:
                continue
            row = (brick * 64 + vertex) * 16
            low, high = spread(ZERO), spread(ZERO)
            for lane in range(LANES):
                if (touched[lane, brick] >> vertex) & 1:
                    low = low + load(gradients[lane], row)
                    high = high + load(gradients[lane], row + 8)
                    store(gradients[lane], row, spread(ZERO))
                    store(gradients[lane], row + 8, spread(ZERO))
            store(sums, 0, low)
            store(sums, 8, high)
            moved = False
            for channel in range(16):
                moved |= sums[channel] != ZERO
            if not moved:
                continue
            for channel in range(16):
                at, g = row + channel, sums[channel]
                m = decay_first * first[at] + (ONE - decay_first) * g
                v = decay_second * second[at] + (ONE - decay_second) * g * g
                first[at], second[at] = m, v
                values[at] -= rates[channel] * m / (np.sqrt(v) + epsilon)
        for lane in range(LANES):
            touched[lane, brick] = 0
