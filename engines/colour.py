"""The only place that knows sRGB, and how real numbers become code values and back.

Transfer functions are the piecewise ones of IEC 61966-2-1, primaries are Rec.709 throughout. Alpha is never
converted. NaN becomes 0 wherever a value is quantised, so no generator's slip turns into a random code.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engines.assets import Array, FloatArray, Image
from engines.errors import UnsuitableAsset
from engines.kinds import ColourSpace

_BITS_SHIFT = 12
_LOWEST_BITS = int(np.float32(2.0**-13).view(np.uint32)) >> _BITS_SHIFT
_HIGHEST_BITS = int(np.float32(1.0).view(np.uint32)) >> _BITS_SHIFT


def linear_from_srgb(values: Array) -> FloatArray:
    """Scene-linear light of display-encoded `values`, any float shape; 0..1 stays in 0..1 (IEC 61966-2-1)."""
    v = np.asarray(values, np.float32)
    low = v / np.float32(12.92)
    high = ((np.maximum(v, np.float32(0.04045)) + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(v <= np.float32(0.04045), low, high).astype(np.float32, copy=False)


def srgb_from_linear(values: Array) -> FloatArray:
    """Display-encoded value of scene-linear `values`, any float shape (IEC 61966-2-1)."""
    v = np.asarray(values, np.float32)
    low = v * np.float32(12.92)
    high = np.float32(1.055) * np.maximum(v, np.float32(0.0031308)) ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(v <= np.float32(0.0031308), low, high).astype(np.float32, copy=False)


def linear_from_srgb_codes(codes: NDArray[np.uint8] | NDArray[np.uint16]) -> FloatArray:
    """Scene-linear light of 8- or 16-bit sRGB codes, by table; equal to the slow way to the last bit."""
    return _linear_table(codes.dtype.itemsize)[codes]


def srgb_u8_from_linear(values: FloatArray) -> NDArray[np.uint8]:
    """8-bit sRGB codes of scene-linear float32 `values`, by a table over the float's leading bits.

    Off by at most 0.53 code values where exact rounding is off by 0.5, and some ten times as fast.
    """
    v = np.ascontiguousarray(values, np.float32)
    v = np.fmin(np.fmax(v, np.float32(2.0**-13)), np.float32(1.0))
    index = v.view(np.uint32)
    np.right_shift(index, _BITS_SHIFT, out=index)
    np.subtract(index, np.uint32(_LOWEST_BITS), out=index)
    return _srgb_u8_table()[index]


def as_float(pixels: Array) -> FloatArray:
    """float32 values of uint8, uint16, float16 or float32 pixels; integers span 0..1."""
    if pixels.dtype == np.uint8:
        return np.multiply(pixels, np.float32(1 / 255), dtype=np.float32)
    if pixels.dtype == np.uint16:
        return np.multiply(pixels, np.float32(1 / 65535), dtype=np.float32)
    return pixels.astype(np.float32, copy=False)


def as_u8(pixels: Array) -> NDArray[np.uint8]:
    """The nearest 8-bit codes; floats are clipped to 0..1 first."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return _quantised(pixels, 255).astype(np.uint8)


def as_u16(pixels: Array) -> NDArray[np.uint16]:
    """The nearest 16-bit codes; floats are clipped to 0..1 first."""
    if pixels.dtype == np.uint16:
        return pixels
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * np.uint16(257)
    return _quantised(pixels, 65535).astype(np.uint16)


def as_codes(pixels: Array, depth: Literal[8, 16]) -> Array:
    """The nearest codes of that many bits."""
    return as_u8(pixels) if depth == 8 else as_u16(pixels)


def srgb_codes(image: Image, depth: Literal[8, 16]) -> Array:
    """The codes a display-encoded file of that depth holds: colour as sRGB, data and alpha as they are."""
    if image.colour_space is not ColourSpace.LINEAR:
        return as_codes(image.pixels, depth)
    alpha = image.pixels.shape[2] in (2, 4)
    colour = as_float(image.pixels[..., :-1] if alpha else image.pixels)
    codes: Array = srgb_u8_from_linear(colour) if depth == 8 else as_u16(srgb_from_linear(colour))
    if alpha:
        codes = np.concatenate([codes, as_codes(image.pixels[..., -1:], depth)], axis=2)
    return codes


def linear_pixels(image: Image) -> FloatArray:
    """float32 pixels of a colour image as scene-linear light, alpha as it is; data is returned unchanged."""
    pixels = image.pixels
    if image.colour_space is not ColourSpace.SRGB:
        return as_float(pixels)
    if pixels.dtype in (np.uint8, np.uint16):
        out = linear_from_srgb_codes(pixels)
    else:
        out = linear_from_srgb(pixels)
    if pixels.shape[2] in (2, 4):
        out[..., -1] = as_float(pixels[..., -1])
    return out


def converted(image: Image, colour_space: ColourSpace) -> Image:
    """The same picture in another colour space, as float32; data cannot become colour or the reverse."""
    if image.colour_space is colour_space:
        return image
    if ColourSpace.DATA in (image.colour_space, colour_space):
        raise UnsuitableAsset(
            f"image {image.name!r} is {image.colour_space}, which has no meaning as {colour_space}",
            remedy="ask for the map that holds colour",
        )
    if colour_space is ColourSpace.LINEAR:
        return Image(linear_pixels(image), colour_space, image.name)
    pixels = as_float(image.pixels)
    out = srgb_from_linear(pixels)
    if pixels.shape[2] in (2, 4):
        out[..., -1] = pixels[..., -1]
    return Image(out, colour_space, image.name)


def _quantised(values: Array, highest: int) -> FloatArray:
    scaled = np.multiply(values, np.float32(highest), dtype=np.float32)
    np.fmin(np.fmax(scaled, 0, out=scaled), np.float32(highest), out=scaled)
    scaled += np.float32(0.5)
    return scaled


@cache
def _linear_table(code_bytes: int) -> FloatArray:
    highest = 256**code_bytes - 1
    codes = np.arange(highest + 1, dtype=np.uint16 if code_bytes == 2 else np.uint8)
    table = linear_from_srgb(as_float(codes))
    table.setflags(write=False)
    return table


@cache
def _srgb_u8_table() -> NDArray[np.uint8]:
    edges = np.arange(_LOWEST_BITS, _HIGHEST_BITS + 2, dtype=np.uint32) << np.uint32(_BITS_SHIFT)
    middles = (edges[:-1].view(np.float32) + edges[1:].view(np.float32)) / 2
    middles[0] = 0.0
    table = as_u8(srgb_from_linear(np.minimum(middles, 1)))
    table.setflags(write=False)
    return table
