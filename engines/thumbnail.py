"""A small picture of any asset, in plain numpy: what a panel shows in its list and a contact sheet in its cells."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.assets import (
    Array,
    Asset,
    Capture,
    Clip,
    Field,
    FloatArray,
    Image,
    Material,
    Mesh,
    ScenePlan,
    Sound,
    Splats,
)
from engines.colour import as_float, linear_pixels, srgb_u8_from_linear
from engines.errors import DamagedFile, TooLarge
from engines.field_lattice import field_picture
from engines.formats.capture_zip import first_photographs
from engines.formats.registry import Limits, decoder
from engines.kinds import ColourSpace
from engines.material_view import lit_ball, lit_tile
from engines.mesh_view import mesh_picture, splats_picture
from engines.sniffing import sniffed

__all__ = ["lit_tile", "thumbnail"]

_DARK = np.array([24, 26, 30], np.uint8)


def thumbnail(asset: Asset, size_px: int = 256) -> NDArray[np.uint8]:
    """sRGB uint8 [size, size, 3] for an asset of any kind, the same for the same asset.

    A material is a lit ball, an image is fitted on a checkerboard, a clip is four of its frames in reading order,
    meshes and splats are seen from a three-quarter view, a sound is its waveform above its spectrogram, a
    field is marched through, a scene is a map from above, a capture is a sheet of nine of its photographs.
    """
    match asset:
        case Material():
            return lit_ball(asset, size_px)
        case Mesh():
            return mesh_picture(asset, size_px)
        case Splats():
            return splats_picture(asset, size_px)
        case Image():
            return _picture(asset, size_px)
        case Clip():
            return _frames(asset, size_px)
        case Sound():
            return _sound(asset, size_px)
        case Field():
            return field_picture(asset, size_px)
        case ScenePlan():
            return _plan(asset, size_px)
        case Capture():
            return _sheet(asset, size_px)


def _canvas(size_px: int) -> NDArray[np.uint8]:
    return np.tile(_DARK, (size_px, size_px, 1))


def _fitted(pixels: Array, width: int, height: int) -> Array:
    """The picture scaled to fit, aspect kept: averaged going down, nearest going up."""
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    shape = max(1, round(pixels.shape[0] * scale)), max(1, round(pixels.shape[1] * scale))
    for axis, target in enumerate(shape):
        source = pixels.shape[axis]
        if source > target:
            edges = np.arange(target) * source // target
            counts = np.diff(np.append(edges, source)).reshape([-1 if a == axis else 1 for a in range(pixels.ndim)])
            pixels = np.add.reduceat(pixels, edges, axis=axis, dtype=np.float32) / counts.astype(np.float32)
        else:
            pixels = np.take(pixels, np.arange(target) * source // target, axis=axis)
    return pixels


def _picture(image: Image, size_px: int) -> NDArray[np.uint8]:
    stride = max(1, max(image.pixels.shape[:2]) // (size_px * 4))
    small = Image(image.pixels[::stride, ::stride], image.colour_space)
    data = image.colour_space is ColourSpace.DATA
    fitted = _fitted(as_float(small.pixels) if data else linear_pixels(small), size_px, size_px)
    channels = fitted.shape[2]
    colour = fitted[..., :3] if channels >= 3 else np.repeat(fitted[..., :1], 3, axis=2)
    height, width = colour.shape[:2]
    alpha = np.clip(fitted[..., 3:4], 0, 1) if channels == 4 else np.ones((height, width, 1), np.float32)
    check = ((np.mgrid[0:height, 0:width] // max(4, size_px // 16)).sum(axis=0) % 2)[..., None]
    mixed = (colour * alpha + np.where(check == 0, 0.32, 0.18) * (1 - alpha)).astype(np.float32)
    codes = np.round(np.clip(np.nan_to_num(mixed), 0, 1) * 255).astype(np.uint8) if data else srgb_u8_from_linear(mixed)
    result = _canvas(size_px)
    top, left = (size_px - height) // 2, (size_px - width) // 2
    result[top : top + height, left : left + width] = codes
    return result


def _frames(clip: Clip, size_px: int) -> NDArray[np.uint8]:
    result = _canvas(size_px)
    gap = max(1, size_px // 64)
    cell = (size_px - gap) // 2
    for place in range(min(4, len(clip.frames))):
        at = place * (len(clip.frames) - 1) // 3
        picture = _picture(Image(clip.frames[at]), cell)
        top, left = (place // 2) * (cell + gap), (place % 2) * (cell + gap)
        result[top : top + cell, left : left + cell] = picture
    return result


def _sound(sound: Sound, size_px: int) -> NDArray[np.uint8]:
    result = _canvas(size_px)
    samples = np.asarray(sound.samples, np.float32)
    mono = np.nan_to_num(samples.mean(axis=1) if samples.ndim == 2 else samples)
    half = size_px // 2
    if len(mono) == 0:
        return result
    edges = np.arange(size_px) * len(mono) // size_px
    loudest = max(float(np.abs(mono).max()), 1e-6)
    low, high = (op.reduceat(mono, edges) / loudest for op in (np.minimum, np.maximum))
    y = 1 - 2 * (np.arange(half)[:, None] + 0.5) / half
    line = 1.2 / half
    body = (y * 1.08 <= high + line) & (y * 1.08 >= low - line)
    shade = (1 - 0.45 * np.abs(y)) * np.ones(size_px)
    result[:half] = np.where(body[..., None], (shade[..., None] * [96, 200, 235]).astype(np.uint8), result[:half])
    result[half:] = _spectrogram(mono, size_px, size_px - half)
    return result


def _spectrogram(mono: FloatArray, width: int, height: int) -> NDArray[np.uint8]:
    """Loudness over time and frequency (low at the bottom, logarithmic), 70 dB deep."""
    window = min(1024, max(16, len(mono)))
    padded = np.pad(mono, (window // 2, window))
    starts = np.arange(width) * max(len(mono) - 1, 1) // width
    pieces = padded[starts[:, None] + np.arange(window)] * np.hanning(window).astype(np.float32)
    power = np.abs(np.fft.rfft(pieces, axis=1)) ** 2
    bins = np.geomspace(1, power.shape[1] - 1, height).astype(np.int64)[::-1]
    level = 10 * np.log10(power[:, bins].T + 1e-12)
    depth = np.clip((level - level.max()) / 70 + 1, 0, 1)[..., None]
    stops = np.array([[24, 26, 30], [52, 40, 110], [190, 60, 110], [250, 160, 70], [255, 245, 200]], np.float32)
    place = depth * (len(stops) - 1)
    lower = np.minimum(place.astype(np.int64), len(stops) - 2)
    mix = stops[lower[..., 0]] * (1 - (place - lower)) + stops[lower[..., 0] + 1] * (place - lower)
    return np.asarray(mix).astype(np.uint8)


def _sheet(capture: Capture, size_px: int) -> NDArray[np.uint8]:
    """Nine photographs in reading order, each cut to a square; what is neither PNG nor JPEG leaves its place dark."""
    result = _canvas(size_px)
    gap = max(1, size_px // 64)
    cell = (size_px - 2 * gap) // 3
    with tempfile.TemporaryDirectory(prefix="scenecast-") as folder:
        for place, (_, content) in enumerate(first_photographs(capture.path, Limits(), 9)):
            path = Path(folder) / str(place)
            path.write_bytes(content)
            try:
                row, _kind = sniffed(path)
                picture = decoder(row)(path, Limits())
            except (DamagedFile, TooLarge):
                continue
            if isinstance(picture, Image):
                top, left = (place // 3) * (cell + gap), (place % 3) * (cell + gap)
                result[top : top + cell, left : left + cell] = _picture(_square(picture), cell)
    return result


def _square(image: Image) -> Image:
    height, width = image.pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return Image(image.pixels[top : top + side, left : left + side], image.colour_space)


def _plan(plan: ScenePlan, size_px: int) -> NDArray[np.uint8]:
    """A map from above: north is away from the viewer; each asset has one colour, its size by its scale."""
    result = _canvas(size_px)
    result[:: max(1, size_px // 8)] = result[:, :: max(1, size_px // 8)] = (38, 41, 47)
    if not plan.placements:
        return result
    places = np.array([placement.position_m for placement in plan.placements], np.float64)[:, [0, 2]]
    sizes = np.array([max(abs(placement.scale[0]), abs(placement.scale[2])) for placement in plan.placements])
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    extent = float(np.ptp(places, axis=0).max() + sizes.max() * 2)
    y, x = np.mgrid[0:size_px, 0:size_px]
    for placement, place, size in zip(plan.placements, places, sizes, strict=True):
        at = (place - middle) / max(extent, 1e-9) * size_px * 0.9 + size_px / 2
        reach = np.clip(size / max(extent, 1e-9) * size_px * 0.45, 2, size_px / 6)
        disc = np.hypot(x + 0.5 - at[0], y + 0.5 - at[1]) < reach
        hue = sum(placement.asset.encode()) * 0.61803 % 1
        colour = 150 + 90 * np.cos(2 * np.pi * (hue + np.array([0, 1 / 3, 2 / 3])))
        result[disc] = colour.astype(np.uint8)
    return result
