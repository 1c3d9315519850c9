"""Relief, normals, occlusion and roughness guessed from a picture by classical means; everything wraps."""

from __future__ import annotations

import numpy as np

from engines.assets import Array, FloatArray
from generators.procedural.lattice_noise import Check, nothing
from generators.procedural.water import blur_periodic

BANDS = ((1.0, 0.5), (2.0, 0.7), (4.0, 0.9), (8.0, 1.0), (18.0, 0.8))
"""Widths of the band-pass filters in pixels of a 1024 px picture, and their weights."""


def height_from_colour(colour: FloatArray, invert: bool, check: Check = nothing) -> FloatArray:
    """Height 0..1 about 0.5, float32 [N, N], from display-referred colour [N, N, 3]: light is high, or low if inverted.

    Every band of the lightness is compressed, so that strong contrast of paint does not become a cliff.
    """
    lightness = colour @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    size = len(lightness)
    total = np.zeros_like(lightness)
    finer = lightness
    for sigma, weight in BANDS:
        check()
        coarser = blur_periodic(lightness, sigma * size / 1024)
        band = finer - coarser
        spread = float(band.std())
        if spread > 1e-6:
            total += weight * spread**0.5 * np.tanh(band / (2 * spread))
        finer = coarser
    low, high = np.quantile(total[::4, ::4], (0.005, 0.995))
    half = max(abs(float(low)), abs(float(high)), 1e-6)
    signed = np.clip(total / (2 * half), -0.5, 0.5)
    return np.asarray(0.5 - signed if invert else 0.5 + signed, np.float32)


def normals_from_height(height: FloatArray, height_m: float, tile_m: float) -> FloatArray:
    """Tangent-space normals as colours 0..1, +Y up, float32 [N, N, 3]; slopes by central differences on the torus."""
    slope = height_m * len(height) / tile_m / 2
    across = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) * slope
    # Rows run downwards, +Y upwards.
    up = (np.roll(height, 1, 0) - np.roll(height, -1, 0)) * slope
    length = np.sqrt(1 + across**2 + up**2)
    return np.asarray(np.stack((-across / length, -up / length, 1 / length), -1) * 0.5 + 0.5, np.float32)


def occlusion_from_height(height: FloatArray, height_m: float, tile_m: float, check: Check = nothing) -> FloatArray:
    """Ambient occlusion 0..1, float32 [N, N]: how far each point lies under its surroundings at three widths."""
    pixel_m = tile_m / len(height)
    depth: Array = np.zeros_like(height)
    for sigma in (3.0, 9.0, 24.0):
        check()
        wide = sigma * len(height) / 1024
        depth = depth + np.maximum(blur_periodic(height, wide) - height, 0) * height_m / (wide * pixel_m)
    return np.asarray(1 / (1 + 1.2 * depth), np.float32)


def roughness_from_colour(colour: FloatArray, mean: float) -> FloatArray:
    """Roughness 0.04..1 about `mean`, float32 [N, N]: a little lower where the picture is lighter and more vivid."""
    lightness = colour @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    vivid = colour.max(-1) - colour.min(-1)
    varied = 0.25 * (lightness - lightness.mean()) + 0.1 * (vivid - vivid.mean())
    return np.asarray(np.clip(mean - varied, 0.04, 1), np.float32)
