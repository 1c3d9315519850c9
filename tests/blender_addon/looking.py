"""Reading renders: values at places given from the lower left, as in UV."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def picture(path: Any) -> FloatArray:
    """float64 [H, W, 3] in 0..1, top row first."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float64) / 255


def patch(pixels: FloatArray, u: float, v: float, radius_px: int = 2) -> FloatArray:
    """Mean colour [3] around a place."""
    row, column = int((1 - v) * pixels.shape[0]), int(u * pixels.shape[1])
    part = pixels[max(0, row - radius_px) : row + radius_px + 1, max(0, column - radius_px) : column + radius_px + 1]
    mean: FloatArray = part.reshape(-1, 3).mean(axis=0)
    return mean


def brightness(pixels: FloatArray, u: float, v: float) -> float:
    return float(patch(pixels, u, v).mean())
