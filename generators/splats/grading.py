"""Colour changes for clouds, and how one reaches a splat's harmonics.

A change of colour is a function of display-referred colour. A splat's own colour is put through it; the harmonics
above, which are small changes with the direction of view, go through its slope there (exact where it is linear).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.colour import linear_from_srgb, srgb_from_linear
from engines.splat_values import colour_from_dc, dc_from_colour
from generators.splats.neighbours import Check, unchecked

Change = Callable[[FloatArray, slice], FloatArray]
"""Display-referred colours float32 [n, 3] of those rows of a cloud → what they become."""

CHUNK = 1 << 15
STEP = np.float32(1 / 128)
"""Half the width over which a slope is taken: about one code of an 8-bit picture on each side."""
MID_GREY = 0.5644
"""Lightness of 18 % grey in OKLab: the cube root of 0.18."""
NEUTRAL_K = 6500.0

# OKLab (Ottosson 2020): cone responses from linear Rec.709, and L, a, b from their cube roots.
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_LAB, _FROM_CONES = np.linalg.inv(_LAB), np.linalg.inv(_CONES)
_TOE = np.float32(6 / 29)
"""Below this root the cube is a straight line, as in CIELAB: at black a cube root has no slope."""
# XYZ of linear Rec.709, and the Bradford cones in which whites are adapted.
_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def oklab_from_display(colours: NDArray[np.floating]) -> FloatArray:
    """L, a, b float32 [..., 3] of display-referred colours; beyond 0..1 it goes on smoothly."""
    cones = linear_from_srgb(colours) @ _CONES.T.astype(np.float32)
    straight = cones / (3 * _TOE * _TOE) + 2 * _TOE / 3
    roots = np.where(cones > _TOE**3, np.cbrt(cones), straight)
    return np.asarray(roots @ _LAB.T.astype(np.float32), np.float32)


def display_from_oklab(lab: NDArray[np.floating]) -> FloatArray:
    """The way back."""
    roots = lab @ _FROM_LAB.T.astype(np.float32)
    cones = np.where(roots > _TOE, roots * roots * roots, (roots - 2 * _TOE / 3) * (3 * _TOE * _TOE))
    return srgb_from_linear(cones @ _FROM_CONES.T.astype(np.float32))


def recoloured(cloud: Splats, change: Change, check: Check = unchecked) -> Splats:
    """The cloud with its colours changed, its harmonics with them."""
    out = np.empty_like(cloud.sh)
    for first in range(0, len(out), CHUNK):
        check()
        rows = slice(first, min(first + CHUNK, len(out)))
        base = colour_from_dc(cloud.sh[rows, 0])
        out[rows, 0] = dc_from_colour(change(base, rows))
        if cloud.sh.shape[1] > 1:
            out[rows, 1:] = cloud.sh[rows, 1:] @ slope(change, base, rows)
    return replace(cloud, sh=out)


def slope(change: Change, base: FloatArray, rows: slice) -> FloatArray:
    """float32 [n, 3, 3]: by how much each channel of the result (last) grows with each of the colour (middle)."""
    result = np.empty((len(base), 3, 3), np.float32)
    for channel in range(3):
        step = np.zeros(3, np.float32)
        step[channel] = STEP
        result[:, channel] = (change(base + step, rows) - change(base - step, rows)) / (2 * STEP)
    return result


def white_xyz(temperature_k: float) -> NDArray[np.float64]:
    """White of a black body (Kim et al. 2002), XYZ with Y = 1; 1667 … 25 000 K."""
    t = 1000.0 / temperature_k
    if temperature_k < 4000:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if temperature_k < 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif temperature_k < 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    return np.array([x / y, 1.0, (1 - x - y) / y])


def white_balance(temperature_k: float, tint: float) -> NDArray[np.float64]:
    """The matrix [3, 3] on linear Rec.709 that gives a scene lit at 6500 K the cast of another white (Bradford)."""
    cones = _BRADFORD @ np.stack([white_xyz(NEUTRAL_K), white_xyz(temperature_k)], axis=-1)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(cones[:, 1] / cones[:, 0]) @ _BRADFORD
    matrix = np.linalg.inv(_XYZ) @ adapted @ _XYZ
    matrix = np.diag([1 + 0.15 * tint, 1 - 0.15 * tint, 1 + 0.15 * tint]) @ matrix
    luminance = _XYZ[1] @ matrix @ np.ones(3)  # a cast, not a change of brightness
    return np.asarray(matrix / luminance, np.float64)


def grade(
    *, exposure_stops: float, contrast: float, saturation: float, hue_deg: float, temperature_k: float, tint: float
) -> Change | None:
    """The function of a grade; None where every value is at rest."""
    light = white_balance(temperature_k, tint) if temperature_k != NEUTRAL_K or tint else np.eye(3)
    light = (light * 2.0**exposure_stops).T.astype(np.float32)
    angle = np.radians(hue_deg)
    turn = saturation * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    perceived = contrast != 1 or not np.allclose(turn, np.eye(2), atol=1e-12)
    if not perceived and np.array_equal(light, np.eye(3)):
        return None
    hues = turn.T.astype(np.float32)

    def change(colours: FloatArray, _rows: slice) -> FloatArray:
        lit = srgb_from_linear(linear_from_srgb(colours) @ light)
        if not perceived:
            return lit
        lab = oklab_from_display(lit)
        lab[:, 0] = (lab[:, 0] - np.float32(MID_GREY)) * np.float32(contrast) + np.float32(MID_GREY)
        lab[:, 1:] = lab[:, 1:] @ hues
        return display_from_oklab(lab)

    return change
