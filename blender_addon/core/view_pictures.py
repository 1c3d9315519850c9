# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth and normals of a view as pictures that image models read; numpy alone.

Depth is disparity, near white and far black, in 16 bits; normals are in the camera's space, red to the right, green
up, blue towards the viewer: the customs of the depth and normal conditionings of diffusion models (MiDaS, Ranftl et
al. 2020; ControlNet, Zhang et al. 2023).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_NOTHING_M = 1e9
"""Farther than this is where nothing was hit: Blender writes 1e10 or infinity there."""


def depth_picture(depth_m: NDArray[Any]) -> tuple[NDArray[np.uint16], float, float]:
    """uint16 [H, W, 1] of disparity from float [H, W] metres, and the nearest and farthest distance in metres.

    1 is the nearest, 0 the farthest point and the background. A view of one distance is all white; an empty one all
    black, with both distances 0.
    """
    hit = np.isfinite(depth_m) & (depth_m > 0) & (depth_m < _NOTHING_M)
    picture = np.zeros((*depth_m.shape, 1), np.uint16)
    if not hit.any():
        return picture, 0.0, 0.0
    near, far = float(depth_m[hit].min()), float(depth_m[hit].max())
    span = 1 / near - 1 / far
    share = (1 / depth_m[hit].astype(np.float64) - 1 / far) / span if span > 1e-12 else np.ones(int(hit.sum()))
    picture[hit, 0] = np.round(np.clip(share, 0, 1) * 65535)
    return picture, near, far


def normal_picture(normals: NDArray[Any], camera_from_world: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] from world-space normals float [H, W, 3]; where nothing was hit it faces the viewer.

    `camera_from_world` is the rotation float [3, 3] into camera axes: x right, y up, z towards the viewer.
    """
    turned = np.asarray(normals, np.float64) @ np.asarray(camera_from_world, np.float64).T
    length = np.linalg.norm(turned, axis=-1, keepdims=True)
    unit = np.where(length > 0.5, turned / np.maximum(length, 1e-9), (0.0, 0.0, 1.0))
    return np.round((unit * 0.5 + 0.5) * 255).astype(np.uint8)
