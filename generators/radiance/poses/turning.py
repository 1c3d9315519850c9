"""Telling a camera that only turned from one that moved: the one case in which a map is found and is a mere invention.

Pictures of a camera that turns are related by H = K·R·K⁻¹ whatever they show (Hartley and Zisserman 2004, 8.4), so that
K⁻¹·H·K is a rotation. With the focal length unknown such pictures are also explained, to a tenth of a pixel, by another
lens, a path and a bent wall, which is what a map then consists of.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FOCALS = np.geomspace(0.35, 5.0, 160)
"""Focal lengths to try, as shares of the longer side: 110° to 11°."""
SHARE = 0.9
"""So many of the verified pairs must be related by a homography at all."""
RESIDUAL = 0.05
"""Rendered turns give 0.02, a walk of 8° around a room 0.3, along a flat wall 0.6, around a real head 0.2."""
PAIRS_LEAST, PAIRS_MOST = 3, 300


def residual(homographies: Sequence[NDArray[np.float64]], width: int, height: int) -> float:
    """How far homographies [3, 3] in pixels are from rotations of one camera: 0 for turning on the spot.

    The Frobenius norm of GᵀG - I for three quarters of the pairs, at the focal length that makes it least.
    """
    stacked = np.stack(homographies[:: 1 + len(homographies) // PAIRS_MOST])
    best = np.inf
    for share in FOCALS:
        focal = share * max(width, height)
        inner = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        turns = np.linalg.inv(inner) @ stacked @ inner
        turns = turns / np.cbrt(np.linalg.det(turns))[:, None, None]
        off = np.linalg.norm(turns.transpose(0, 2, 1) @ turns - np.eye(3), axis=(1, 2))
        best = min(best, float(np.quantile(off, 0.75)))
    return best


def only_turned(homographies: Sequence[NDArray[np.float64]], pairs: int, width: int, height: int) -> bool:
    """Whether a camera of that picture size took `pairs` verified pairs from one place; these relate some of them."""
    sound = [one for one in homographies if np.isfinite(one).all() and abs(np.linalg.det(one)) > 1e-12]
    if len(sound) < max(PAIRS_LEAST, SHARE * pairs):
        return False
    return residual(sound, width, height) < RESIDUAL
