"""Lenses as capture files describe them, and the way from a straight picture to the bent one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Lens:
    """Focal lengths and principal point in pixels of a picture `width` × `height`, and how the lens bends.

    `radial` are k1 … k6 of OpenCV's rational model, `tangential` p1 and p2; with `fisheye` the first four radial
    numbers belong to OpenCV's equidistant model instead.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    radial: tuple[float, ...] = ()
    tangential: tuple[float, float] = (0.0, 0.0)
    fisheye: bool = False

    @property
    def straight(self) -> bool:
        """Whether a pinhole describes it wholly."""
        return not self.fisheye and not any(self.radial) and not any(self.tangential)


def bend(lens: Lens, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the ray through (x, y, 1) really meets the picture plane, in the same normalised units.

    Source: OpenCV's camera models, "Camera Calibration and 3D Reconstruction" and "Fisheye camera model".
    """
    k = np.zeros(6)
    k[: len(lens.radial)] = lens.radial
    r2 = x * x + y * y
    if lens.fisheye:
        r = np.sqrt(r2)
        t = np.arctan(r)
        bent = t * (1 + t**2 * (k[0] + t**2 * (k[1] + t**2 * (k[2] + t**2 * k[3]))))
        scale = np.where(r > 1e-9, bent / np.maximum(r, 1e-9), 1.0)
        return x * scale, y * scale
    scale = (1 + r2 * (k[0] + r2 * (k[1] + r2 * k[2]))) / (1 + r2 * (k[3] + r2 * (k[4] + r2 * k[5])))
    p1, p2 = lens.tangential
    return (
        x * scale + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * scale + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    )


def source_pixels(lens: Lens, width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where a bent picture shows each pixel of a straight one of equal size: u, v float32 [height, width] in pixels.

    The straight picture keeps the lens's focal lengths and principal point, scaled to its size.
    """
    across, down = width / lens.width, height / lens.height
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    x, y = (u / across - lens.cx) / lens.fx, (v / down - lens.cy) / lens.fy
    bent_x, bent_y = bend(lens, x, y)
    return (
        ((bent_x * lens.fx + lens.cx) * across).astype(np.float32),
        ((bent_y * lens.fy + lens.cy) * down).astype(np.float32),
    )
