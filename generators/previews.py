"""A running generator's pictures, made small and encoded in the worker so that the bridge need not look at them."""

from __future__ import annotations

import io
import time

import numpy as np
from numpy.typing import NDArray

from engines.assets import Array
from engines.colour import srgb_u8_from_linear
from generators.events import GeneratorError, Preview
from generators.pipe import MAX_PREVIEW_BYTES, Previewed, PreviewOrder

_JPEG_QUALITIES = (85, 70, 50, 30)


class PreviewPress:
    """Turns previews into messages at the wished size, never oftener than wished."""

    def __init__(self, run: int, order: PreviewOrder) -> None:
        self._run = run
        self._order = order
        self._next_secs = 0.0

    def press(self, preview: Preview) -> Previewed | None:
        """The message for `preview`, or None when the last one was too short a time ago.

        Raises `GeneratorError` for pixels that are not uint8 or float32 [H, W, 3].
        """
        now = time.monotonic()
        if now < self._next_secs:
            return None
        self._next_secs = now + 1.0 / self._order.per_sec
        pixels = fitted(display_codes(preview.pixels), self._order.size_px)
        if self._order.media_type == "image/raw":
            while pixels.nbytes > MAX_PREVIEW_BYTES:
                pixels = fitted(pixels, max(pixels.shape[:2]) * 3 // 4)
            data = pixels.tobytes()
        else:
            data, pixels = _jpeg(pixels)
        height, width = pixels.shape[:2]
        return Previewed(run=self._run, width_px=width, height_px=height, media_type=self._order.media_type, data=data)


def display_codes(pixels: Array) -> NDArray[np.uint8]:
    """uint8 sRGB [H, W, 3] of uint8 sRGB or float32 linear pixels. Raises `GeneratorError`."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise GeneratorError(f"a preview has the shape {pixels.shape}, expected [height, width, 3]")
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    if pixels.dtype == np.float32:
        return srgb_u8_from_linear(pixels)
    raise GeneratorError(f"a preview is {pixels.dtype}, expected uint8 (sRGB) or float32 (linear)")


def fitted(pixels: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """`pixels` shrunk, never enlarged, so that the longer side is at most `size_px`; aspect kept."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if longest <= size_px:
        return pixels
    from PIL import Image

    size = (max(1, round(width * size_px / longest)), max(1, round(height * size_px / longest)))
    picture = Image.fromarray(pixels).resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(picture)


def _jpeg(pixels: NDArray[np.uint8]) -> tuple[bytes, NDArray[np.uint8]]:
    from PIL import Image

    while True:
        for quality in _JPEG_QUALITIES:
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
            if buffer.tell() <= MAX_PREVIEW_BYTES:
                return buffer.getvalue(), pixels
        pixels = fitted(pixels, max(pixels.shape[:2]) // 2)
