"""How far away each pixel of one picture is: read from a depth picture, or guessed by a plain rule."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Image
from engines.colour import as_float
from generators.events import GeneratorError
from generators.splats.params import FromImageParams

LEAST_SPREAD = 1e-6
GUESSES = {
    "ground": "a floor below the horizon and a flat backdrop above it",
    "gradient": "lower in the picture taken for nearer",
    "focus": "sharp taken for near, blurred for far",
    "centre": "the middle taken for near, the rim for far",
}
GUIDE_RADIUS = 1 / 24
"""Radius of the edge-aware filter in widths of the picture."""
GUIDE_FLATNESS = 2e-3


def disparity_of(picture: FloatArray, depth: Image | None, params: FromImageParams) -> FloatArray:
    """One over metres, float32 [H, W], within 1/far … 1/near; `picture` is display-referred [H, W, 3].

    Raises `GeneratorError` for a range or a depth picture that cannot be used.
    """
    if params.near_m >= params.far_m:
        raise GeneratorError(
            f"nearest is {params.near_m:g} m and farthest {params.far_m:g} m: expected nearest < farthest"
        )
    far, near = 1 / params.far_m, 1 / params.near_m
    if depth is not None:
        return np.clip(_read(depth, picture.shape[0], picture.shape[1], params), far, near).astype(np.float32)
    share = _guessed(picture, params)
    return np.asarray(far + (near - far) * np.clip(share, 0, 1), np.float32)


def resized(values: FloatArray, height: int, width: int) -> FloatArray:
    """A map float32 [h, w] at another size: averaged going down, linear going up."""
    from PIL import Image as Pictures

    shrinking = height < values.shape[0]
    how = Pictures.Resampling.BOX if shrinking else Pictures.Resampling.BILINEAR
    return np.asarray(Pictures.fromarray(np.ascontiguousarray(values, np.float32)).resize((width, height), how))


def _read(depth: Image, height: int, width: int, params: FromImageParams) -> FloatArray:
    values = as_float(depth.pixels)[..., 0].astype(np.float32)
    known = np.isfinite(values)
    if params.depth_is == "metres":
        known &= values > 0
        if not known.any():
            raise GeneratorError("the depth picture holds no distance above 0; expected metres in a float picture")
        inverse = np.where(known, 1 / np.where(known, values, 1), 1 / params.far_m).astype(np.float32)
        return resized(inverse, height, width)
    if not known.any():
        raise GeneratorError("the depth picture holds no numbers at all")
    low, high = (float(v) for v in np.percentile(values[known], (0.2, 99.8)))
    if high - low < LEAST_SPREAD:
        raise GeneratorError(f"the depth picture is {low:.3g} everywhere; expected a picture with near and far in it")
    share = np.clip((np.where(known, values, low) - low) / (high - low), 0, 1).astype(np.float32)
    share = resized(share, height, width)
    if params.depth_is == "near_bright":  # inverse depth, as the usual depth networks give it
        return np.asarray(1 / params.far_m + share * (1 / params.near_m - 1 / params.far_m), np.float32)
    return np.asarray(1 / (params.near_m + share * (params.far_m - params.near_m)), np.float32)


def _guessed(picture: FloatArray, params: FromImageParams) -> FloatArray:
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = (y + 0.5) / height, (x + 0.5) / width
    grey = picture.mean(axis=2)
    if params.guess == "ground":
        # On a plane inverse distance grows straight downwards from the horizon, where it is 0.
        return np.asarray(np.clip((y - params.horizon) / (1 - params.horizon), 0, 1), np.float32)
    if params.guess == "gradient":
        return np.asarray(y, np.float32)
    if params.guess == "centre":
        middle = np.exp(-(((x - 0.5) / 0.26) ** 2) - ((y - 0.52) / 0.36) ** 2)
        return _ranks(guided(middle.astype(np.float32), grey))
    # Sharpness is a weak hint and a noisy one: broad, and over half of the range only.
    broad = blurred(_sharpness(grey), max(3, width // 12))
    return np.asarray(0.25 + 0.5 * _ranks(guided(broad, grey)), np.float32)


def _sharpness(grey: FloatArray) -> FloatArray:
    """How much fine detail there is around each pixel, against how much coarse detail, 0..1 about."""
    width = grey.shape[1]
    fine = np.abs(grey - blurred(grey, 1))
    coarse = np.abs(blurred(grey, 2) - blurred(grey, max(4, width // 48)))
    radius = max(3, width // 24)
    return np.asarray(blurred(fine, radius) / (blurred(coarse, radius) + 0.01), np.float32)


def _ranks(values: FloatArray) -> FloatArray:
    """Values spread evenly enough over 0..1: halfway between their ranks and their own scale."""
    flat = values.ravel()
    order = np.argsort(flat, kind="stable")
    ranks = np.empty(len(flat), np.float32)
    ranks[order] = np.linspace(0, 1, len(flat), dtype=np.float32)
    low, high = np.percentile(flat, (1, 99))
    scaled = np.clip((flat - low) / max(float(high - low), 1e-9), 0, 1)
    return np.asarray((0.5 * ranks + 0.5 * scaled).reshape(values.shape), np.float32)


def guided(values: FloatArray, guide: FloatArray) -> FloatArray:
    """Values [H, W] smoothed within what looks alike in the guide [H, W] (He et al. 2010)."""
    radius = max(2, round(GUIDE_RADIUS * guide.shape[1]))
    mean_guide, mean_values = blurred(guide, radius), blurred(values, radius)
    together = blurred(guide * values, radius) - mean_guide * mean_values
    spread = blurred(guide * guide, radius) - mean_guide * mean_guide
    slope = together / (spread + GUIDE_FLATNESS)
    rest = mean_values - slope * mean_guide
    return np.asarray(blurred(slope, radius) * guide + blurred(rest, radius), np.float32)


def blurred(values: NDArray[np.floating], radius: int) -> FloatArray:
    """Mean over a square of 2·radius + 1, edges repeated, by running sums."""
    out = values.astype(np.float64)
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (radius + 1, radius)
        sums = np.cumsum(np.pad(out, pad, mode="edge"), axis=axis)
        size = 2 * radius + 1
        if axis == 0:
            out = (sums[size:] - sums[:-size]) / size
        else:
            out = (sums[:, size:] - sums[:, :-size]) / size
    return out.astype(np.float32)
