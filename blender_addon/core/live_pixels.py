# SPDX-License-Identifier: GPL-3.0-or-later
"""Live pictures as the graphics card takes them: textures in Blender are filled from floats alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .client_core import LivePicture
from .lit_sphere import linear

_LINEAR = linear(np.arange(256) / 255).astype(np.float32)


def live_floats(
    picture: LivePicture, depth: NDArray[np.float32] | None = None, background: float = 1.0
) -> NDArray[np.float32]:
    """float32 [height * width * 4], scene-linear, of a raw picture of four sRGB-encoded bytes a pixel.

    `depth` float32 [H, W], window depth of the view it was made from: where nothing was hit, the picture covers by
    `background` only.
    """
    floats: NDArray[np.float32] = _LINEAR[np.frombuffer(picture.data, np.uint8)]
    if depth is not None and background < 1:
        rows = np.arange(picture.height_px) * depth.shape[0] // picture.height_px
        columns = np.arange(picture.width_px) * depth.shape[1] // picture.width_px
        empty = depth[rows[:, None], columns] >= 1
        floats.reshape(picture.height_px, picture.width_px, 4)[..., 3][empty] *= np.float32(background)
    return floats
