"""The broad shading of a photograph, lightness and hue, told from what is painted on it and divided out."""

from __future__ import annotations

import numpy as np

from engines.assets import Array, FloatArray
from generators.procedural.lattice_noise import Check, nothing
from generators.procedural.water import blur_periodic

JUDGED_PX = 40
"""About the longest side on which shading is looked for: pebbles and the dark between them are one tone there."""
BREADTH = 1 / 7
"""Standard deviation of what counts as broad, in longest sides of the picture."""
ROUNDS = 8
APART = 3.0
"""What differs from the shading by more than so many medians is painted, not lit."""
LEAST_APART = 0.06
LEAST_WEIGHT = 1e-3
"""Where all is painted, the shading around it goes on."""
DARKEST = 1e-3
DARK = 0.5
"""Of the lightness around: what is as dark counts half."""


def flattened(colour: FloatArray, amount: float, check: Check = nothing) -> FloatArray:
    """Linear colour [H, W, 3] with its broad shading and colour casts divided out, by `amount` 0..1.

    The shading is a local mean of the logarithms that what differs strongly hardly enters (iterated weights of Geman
    and McClure 1985), so that a rose on a wall neither lightens the wall around it nor loses its red. The colour of
    most of the picture is kept.
    """
    high, wide = colour.shape[:2]
    small = reduced(colour, max(1, max(high, wide) // JUDGED_PX))
    logs = np.log(np.maximum(small, DARKEST))
    sigma = max(small.shape[:2]) * BREADTH
    light = small.mean(-1, keepdims=True)
    # What is nearly black says little about the light that falls on it.
    told = light / (light + DARK * _blurred(light, sigma) + DARKEST)
    weight, broad = told, logs
    for _ in range(ROUNDS):
        check()
        broad = _blurred(logs * weight, sigma) / np.maximum(_blurred(weight, sigma), LEAST_WEIGHT / 10)
        apart = np.sqrt(((logs - broad) ** 2).sum(-1, keepdims=True))
        scale = max(APART * float(np.median(apart)), LEAST_APART)
        weight = np.asarray(told * (1 / (1 + (apart / scale) ** 2) ** 2 + LEAST_WEIGHT), np.float32)
    kept = (broad * weight).sum((0, 1)) / weight.sum()
    gain = np.exp((kept - broad) * amount)
    for axis, size in enumerate((high, wide)):
        check()
        gain = np.moveaxis(np.tensordot(triangle_filter(gain.shape[axis], size), gain, (1, axis)), 0, axis)
    return np.asarray(colour * gain, np.float32)


def reduced(plane: FloatArray, factor: int) -> FloatArray:
    """Mean over blocks of factor², float32; what does not fill a block is left out."""
    high, wide = (n // factor * factor for n in plane.shape[:2])
    blocks = plane[:high, :wide].reshape(high // factor, factor, wide // factor, factor, -1)
    return np.asarray(blocks.mean((1, 3)), np.float32)


def triangle_filter(old: int, new: int) -> FloatArray:
    """Triangle filter that resizes `old` samples to `new`, float32 [new, old], rows of sum 1."""
    width = max(1.0, old / new)
    at = (np.arange(new) + 0.5) * old / new - 0.5
    weights = np.maximum(1 - np.abs(np.arange(old)[None] - at[:, None]) / width, 0)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def _blurred(planes: Array, sigma: float) -> FloatArray:
    """Each plane of [H, W, C] blurred; mirrored on all sides, so that nothing leaks from the far border."""
    high, wide = planes.shape[:2]
    mirrored = np.concatenate((planes, planes[::-1]))
    mirrored = np.concatenate((mirrored, mirrored[:, ::-1]), 1)
    blurred = [blur_periodic(mirrored[..., plane], sigma)[:high, :wide] for plane in range(planes.shape[2])]
    return np.asarray(np.stack(blurred, -1), np.float32)
