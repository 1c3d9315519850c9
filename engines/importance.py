"""How much each splat of a cloud matters to its picture, and clouds sorted by it.

A cloud that lies in falling importance can be drawn from its first rows alone, whatever reads them: the first
twentieth is a picture of the whole, a budget is a prefix, and a transfer that is cut short is still a cloud.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats


def importance(opacities: FloatArray, scales: FloatArray) -> NDArray[np.float64]:
    """Opacity [N] times the mean area of the ellipsoid's three sides, float64 [N]; `scales` [N, 3]."""
    s = scales.astype(np.float64)
    area = s[:, 0] * s[:, 1] + s[:, 1] * s[:, 2] + s[:, 2] * s[:, 0]
    weights: NDArray[np.float64] = opacities.astype(np.float64) * area
    return weights


def falling(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows by falling weight; equal ones keep their order, so that the same cloud is always sorted alike."""
    return np.argsort(-weights, kind="stable").astype(np.int64, copy=False)


def order_of(splats: Splats) -> NDArray[np.int64]:
    """The rows of a cloud, the most important first."""
    return falling(importance(splats.opacities, splats.scales))


def sorted_splats(splats: Splats, order: NDArray[np.int64] | None = None) -> Splats:
    """The same cloud in falling importance; the very same object when it lies so already."""
    rows = order_of(splats) if order is None else order
    if (rows == np.arange(len(rows))).all():
        return splats
    return replace(
        splats,
        positions=np.ascontiguousarray(splats.positions[rows]),
        rotations=np.ascontiguousarray(splats.rotations[rows]),
        scales=np.ascontiguousarray(splats.scales[rows]),
        opacities=np.ascontiguousarray(splats.opacities[rows]),
        sh=np.ascontiguousarray(splats.sh[rows]),
    )
