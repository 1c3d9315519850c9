"""`image.noise`: seamless noise maps of ten kinds; a small one costs a fraction of a millisecond."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from engines.assets import Array, FloatArray, Image
from engines.kinds import ColourSpace
from generators.events import Context, Event, Note, Preview, Produced, Progress, Request
from generators.procedural.lattice_noise import Check, billow, blue, cells, fbm, ridge, sample_periodic
from generators.procedural.small_specs import NoiseParams
from generators.procedural.water import WaveField, blur_periodic, focus, resized_periodic

BLUE_TILE_PX = 1024
PREVIEW_PX = 128
STRIP_PX = 1 << 18
CAUSTICS_PX = 2048
WORLEY_OCTAVES = 3
"""Further ones add grain, not cells, and each costs as much as the first."""


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield one image, uint8, uint16 or float32 [size, size, 1 or 3], marked as data, wrapping both ways."""
    params = request.params
    if not isinstance(params, NoiseParams):
        raise TypeError(f"image.noise wants NoiseParams, got {type(params).__name__}")
    if params.kind == "blue" and params.size_px > BLUE_TILE_PX:
        yield Note(f"Blue noise is made at {BLUE_TILE_PX} px or less and repeated to fill {params.size_px} px.")
    if context.wants_previews and params.size_px >= 1024 and params.kind not in ("blue", "white"):
        small = np.stack(
            [_plane(params, PREVIEW_PX, request.seed, c, context.check) for c in range(_count(params))], -1
        )
        yield Preview(np.broadcast_to(_stored(small, "8"), (PREVIEW_PX, PREVIEW_PX, 3)))
    planes = []
    for channel in range(_count(params)):
        context.check()
        planes.append(_plane(params, params.size_px, request.seed, channel, context.check))
        yield Progress((channel + 1) / (_count(params) + 1), params.kind)
    pixels = planes[0][..., None] if len(planes) == 1 else np.stack(planes, -1)
    yield Produced(Image(_stored(pixels, params.depth), ColourSpace.DATA, name=f"{params.kind} noise"))


def _count(params: NoiseParams) -> int:
    return 3 if params.channels == "rgb" else 1


def _plane(params: NoiseParams, size: int, seed: int, channel: int, check: Check) -> FloatArray:
    """One plane, float32 [size, size] in 0..1, after warp, contrast, brightness and inversion."""
    rng = np.random.default_rng((seed, channel) if channel else seed)
    values = _KINDS[params.kind](params, size, rng, check)
    if params.warp:
        values = _warped(values, params, rng, check)
    scale, offset = 1.0, 0.0
    if params.kind not in ("blue", "white", "gradient"):
        low, high = float(values.min()), float(values.max())
        scale = 1 / max(high - low, 1e-9)
        offset = -low * scale
    scale, offset = scale * params.contrast, (offset - 0.5) * params.contrast + 0.5 + params.brightness
    if params.invert:
        scale, offset = -scale, 1 - offset
    rows = max(1, STRIP_PX // size)
    for top in range(0, size, rows):
        check()
        strip = values[top : top + rows]
        strip *= np.float32(scale)
        strip += np.float32(offset)
        np.clip(strip, 0, 1, out=strip)
    return values


def _warped(values: FloatArray, params: NoiseParams, rng: np.random.Generator, check: Check) -> FloatArray:
    """The map looked up at places moved by up to half a coarse cell, in row strips."""
    size = len(values)
    frequency = max(1, params.frequency // 2)
    reach = np.float32(params.warp * size / params.frequency)
    dy = fbm(size, frequency, 3, 0.5, rng, check=check) * reach
    dx = fbm(size, frequency, 3, 0.5, rng, check=check) * reach
    out = np.empty_like(values)
    at = np.arange(size, dtype=np.float32)
    rows = max(1, STRIP_PX // size)
    for top in range(0, size, rows):
        check()
        part = slice(top, top + rows)
        out[part] = sample_periodic(values, at[part, None] + dy[part], at[None] + dx[part])
    return out


def _perlin(params: NoiseParams, size: int, rng: np.random.Generator, check: Check) -> FloatArray:
    return fbm(size, params.frequency, params.octaves, params.gain, rng, check=check)


def _ridged(params: NoiseParams, size: int, rng: np.random.Generator, check: Check) -> FloatArray:
    return fbm(size, params.frequency, params.octaves, params.gain, rng, ridge, check)


def _billow(params: NoiseParams, size: int, rng: np.random.Generator, check: Check) -> FloatArray:
    return fbm(size, params.frequency, params.octaves, params.gain, rng, billow, check)


def _worley(params: NoiseParams, size: int, rng: np.random.Generator, check: Check) -> FloatArray:
    """Distance to the nearest point, summed over octaves."""
    total = np.zeros((size, size), np.float32)
    weight, frequency = 1.0, params.frequency
    for octave in range(min(params.octaves, WORLEY_OCTAVES)):
        if octave and 4 * frequency > size:
            break
        total += cells(size, frequency, rng, check).nearest * np.float32(weight)
        weight *= params.gain * 0.7
        frequency *= 2
    return total


def _cells(params: NoiseParams, size: int, rng: np.random.Generator, check: Check) -> FloatArray:
    """Flat cells (a Voronoi diagram), each with its own grey."""
    owner = cells(size, params.frequency, rng, check).owner
    greys: FloatArray = rng.permutation(params.frequency**2).astype(np.float32)
    chosen: FloatArray = greys.take(owner)
    return chosen


def _cracks(params: NoiseParams, size: int, rng: np.random.Generator, check: Check) -> FloatArray:
    """Dark borders between light cells."""
    found = cells(size, params.frequency, rng, check)
    return np.asarray(np.minimum(found.second - found.nearest, 0.35), np.float32)


def _blue(params: NoiseParams, size: int, rng: np.random.Generator, check: Check) -> FloatArray:
    if size <= BLUE_TILE_PX:
        return blue(size, rng, check=check)
    # A tile that divides the size evenly, or else the repeats would not meet at the border.
    repeats = next(r for r in range(-(-size // BLUE_TILE_PX), size + 1) if size % r == 0)
    return np.tile(blue(size // repeats, rng, check=check), (repeats, repeats))


def _white(params: NoiseParams, size: int, rng: np.random.Generator, check: Check) -> FloatArray:
    return rng.random((size, size), np.float32)


def _gradient(params: NoiseParams, size: int, rng: np.random.Generator, check: Check) -> FloatArray:
    """A cosine ramp from left to right, `frequency` times."""
    wave = 0.5 - 0.5 * np.cos(np.arange(size) * (2 * np.pi * params.frequency / size))
    return np.tile(wave.astype(np.float32), (size, 1))


def _caustics(params: NoiseParams, size: int, rng: np.random.Generator, check: Check) -> FloatArray:
    """Light focused by rippled water, computed at no more than 2048 px."""
    fine = min(size, CAUSTICS_PX)
    water = WaveField(min(size, 256), params.frequency * 0.8, 4, rng)
    check()
    dy, dx = (resized_periodic(plane, fine) for plane in water.slopes(0.0))
    light = focus(dy, dx, fine * 0.05 / params.frequency**0.9, 2 if fine < CAUSTICS_PX else 1, check)
    check()
    lit = np.log1p(blur_periodic(light, max(0.7, fine / 700)))
    check()
    return resized_periodic(lit, size)


_KINDS: dict[str, Callable[[NoiseParams, int, np.random.Generator, Check], FloatArray]] = {
    "perlin": _perlin,
    "ridged": _ridged,
    "billow": _billow,
    "worley": _worley,
    "cells": _cells,
    "cracks": _cracks,
    "blue": _blue,
    "white": _white,
    "caustics": _caustics,
    "gradient": _gradient,
}


def _stored(values: FloatArray, depth: str) -> Array:
    """Values 0..1 at the wanted bit depth, rounded to nearest."""
    if depth == "float":
        return np.ascontiguousarray(values, np.float32)
    top, dtype = (65535, np.uint16) if depth == "16" else (255, np.uint8)
    return (values * np.float32(top) + np.float32(0.5)).astype(dtype)
