# SPDX-License-Identifier: GPL-3.0-or-later
"""Live pictures as the graphics card takes them: textures in Blender are filled from floats alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .client_core import LivePicture
from .lit_sphere import linear

_LINEAR = linear(np.arange(256) / 255).astype(np.float32)


def live_floats(picture: LivePicture) -> NDArray[np.float32]:
    """float32 [height * width * 4], scene-linear, of a raw picture of four sRGB-encoded bytes a pixel."""
    floats: NDArray[np.float32] = _LINEAR[np.frombuffer(picture.data, np.uint8)]
    return floats
