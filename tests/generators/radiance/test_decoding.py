"""Pictures of every depth come out as eight bits, and what is no picture is refused in words."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

from generators.radiance import decoding
from generators.radiance.archive import CaptureError
from generators.radiance.decoding import decoded, decoded_depth, open_picture

RAMP = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)


def opened(image: Image.Image, name: str = "a.png", form: str = "PNG") -> Image.Image:
    file = io.BytesIO()
    image.save(file, form)
    return open_picture(file.getvalue(), name)


def test_sixteen_grey_bits_are_scaled_not_clipped() -> None:
    pixels = decoded(opened(Image.fromarray(RAMP)), 1, (8, 8))
    assert pixels.shape == (3, 8, 8)
    assert np.abs(pixels[0].astype(float) - RAMP / 257).max() <= 0.51


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "RGBA", "CMYK"])
def test_every_usual_mode_becomes_colour(mode: str) -> None:
    form = "TIFF" if mode == "CMYK" else "PNG"
    image = Image.new("RGB", (6, 4), (255, 255, 255)).convert(mode)
    pixels = decoded(opened(image, form=form), 1, (6, 4))
    assert pixels.shape == (4 if mode in ("LA", "RGBA") else 3, 4, 6) and pixels.min() == 255


def test_floating_point_pictures_are_refused() -> None:
    with pytest.raises(CaptureError, match="expected 8 or 16 bits"):
        decoded(opened(Image.fromarray(np.zeros((4, 4), np.float32)), form="TIFF"), 1, (4, 4))


@pytest.mark.parametrize("content", [b"", b"\0\0\0\x18ftypheic" + bytes(40), b"\0\0\0\x18ftypmif1"])
def test_heic_is_refused_with_what_to_do(content: bytes) -> None:
    with pytest.raises(CaptureError, match="export JPEG"):
        open_picture(content, "IMG_1.HEIC" if not content else "renamed.jpg")


def test_large_pictures_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "LARGE_PIXELS", 10)
    at_work, most, lock = 0, 0, threading.Lock()
    plain = decoding._eight_bits

    def watched(image: Image.Image) -> Image.Image:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        threading.Event().wait(0.01)
        result = plain(image)
        with lock:
            at_work -= 1
        return result

    monkeypatch.setattr(decoding, "_eight_bits", watched)
    pictures = [opened(Image.new("RGB", (40, 30))) for _ in range(4)]
    threads = [threading.Thread(target=decoded, args=(picture, 1, (20, 15))) for picture in pictures]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_depth_is_taken_by_the_nearest_and_colour_is_no_depth() -> None:
    steps = np.repeat(np.array([[0, 1000], [2000, 3000]], np.uint16), 2, 0).repeat(2, 1)
    image = opened(Image.fromarray(steps))
    assert np.array_equal(decoded_depth(image, 1, (2, 2)), [[0, 1000], [2000, 3000]])
    assert np.array_equal(decoded_depth(image, 6, (2, 2)), [[2000, 0], [3000, 1000]])
    with pytest.raises(CaptureError, match="3 channels, expected one"):
        decoded_depth(opened(Image.new("RGB", (4, 4))), 1, (4, 4))
