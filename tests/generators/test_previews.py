"""Previews are small, truthful in colour and aspect, and never too large for a frame."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as Picture

from engines.colour import srgb_from_linear
from generators.events import GeneratorError, Preview
from generators.pipe import MAX_PREVIEW_BYTES, PreviewOrder
from generators.previews import PreviewPress, display_codes, fitted


def press(size_px: int = 256, media_type: str = "image/jpeg", per_sec: float = 60.0) -> PreviewPress:
    return PreviewPress(1, PreviewOrder(size_px=size_px, per_sec=per_sec, media_type=media_type))


def test_linear_light_is_shown_as_srgb() -> None:
    linear = np.linspace(0, 1, 48, dtype=np.float32).reshape(4, 4, 3)
    assert np.abs(display_codes(linear) - srgb_from_linear(linear) * 255).max() <= 0.6
    codes = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    np.testing.assert_array_equal(display_codes(codes), codes)


@pytest.mark.parametrize(("height", "width"), [(300, 1000), (1000, 300), (64, 64), (1, 5000)])
def test_the_longer_side_fits_and_the_aspect_is_kept(height: int, width: int) -> None:
    small = fitted(np.zeros((height, width, 3), np.uint8), 100)
    assert max(small.shape[:2]) == min(100, max(height, width))
    expected = max(1, min(height, width) * max(small.shape[:2]) / max(height, width))
    assert abs(min(small.shape[:2]) - expected) <= 1


def test_a_jpeg_looks_like_its_pixels() -> None:
    ramp = np.tile(np.linspace(0, 255, 400).astype(np.uint8)[None, :, None], (200, 1, 3))
    message = press(200).press(Preview(ramp))
    assert message is not None and (message.width_px, message.height_px) == (200, 100)
    seen = np.asarray(Picture.open(io.BytesIO(message.data)))
    assert seen.shape == (100, 200, 3)
    assert np.abs(seen.astype(int) - fitted(ramp, 200).astype(int)).mean() < 2


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/raw"])
def test_noise_at_full_size_still_fits_a_frame(media_type: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (2048, 2048, 3), np.uint8)
    message = press(2048, media_type).press(Preview(noise))
    assert message is not None and len(message.data) <= MAX_PREVIEW_BYTES
    assert message.media_type == media_type and message.width_px == message.height_px > 300


def test_oftener_than_wished_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([5.0, 5.09, 5.11])
    monkeypatch.setattr("generators.previews.time", SimpleNamespace(monotonic=lambda: next(times)))
    once = press(per_sec=10.0)
    pixels = np.zeros((8, 8, 3), np.uint8)
    assert once.press(Preview(pixels)) and once.press(Preview(pixels)) is None
    assert once.press(Preview(pixels))


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)],
)
def test_other_shapes_are_refused_in_words(pixels: np.ndarray) -> None:
    with pytest.raises(GeneratorError, match="a preview"):
        press().press(Preview(pixels))
