"""Pictures of every depth come out as eight bits, and what is no picture is refused in words."""

from __future__ import annotations

import io
import struct
import threading
from typing import Any

import numpy as np
import pytest
from PIL import Image

from generators.radiance import decoding
from generators.radiance.archive import CaptureError
from generators.radiance.decoding import decoded, decoded_depth, noted_orientation, open_picture

PICTURE = np.zeros((60, 80, 3), np.uint8)
PICTURE[..., 0], PICTURE[..., 1] = np.linspace(0, 255, 80)[None], np.linspace(0, 255, 60)[:, None]
PICTURE[20:40, 20:40] = (255, 0, 0)
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
def test_heic_without_its_package_is_refused_with_what_to_do(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_knows_heic", lambda: False)
    with pytest.raises(CaptureError, match=r"scenecast\[heic\].*export JPEG"):
        open_picture(content, "IMG_1.HEIC" if not content else "renamed.jpg")


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "renamed.jpg"])
def test_heic_of_a_telephone_held_upright(name: str) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs pillow-heif: pip install 'scenecast[heic]'")
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    pillow_heif.from_pillow(Image.fromarray(np.rot90(PICTURE, 1))).save(file, quality=95, exif=exif.tobytes())
    image = open_picture(file.getvalue(), name)
    assert image.size == (80, 60) and noted_orientation(image) == 1  # turned on opening
    pixels = decoded(image, noted_orientation(image), (80, 60))
    assert np.abs(pixels.transpose(1, 2, 0).astype(int) - PICTURE).mean() < 4


@pytest.mark.parametrize("name", ["a.dng", "b.CR3", "c.gif", "d.jxl", "e.exr"])
def test_what_is_not_read_is_named_with_what_to_do(name: str) -> None:
    with pytest.raises(CaptureError, match=r"develop all of them alike|export JPEG or PNG"):
        open_picture(b"", name)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_upright(orientation: int) -> None:
    lying = {
        1: PICTURE,
        2: PICTURE[:, ::-1],
        3: PICTURE[::-1, ::-1],
        4: PICTURE[::-1],
        5: PICTURE.transpose(1, 0, 2),
        6: np.rot90(PICTURE, 1),
        7: PICTURE[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(PICTURE, -1),
    }[orientation]
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(lying)).save(file, "PNG", exif=exif)
    image = open_picture(file.getvalue(), "a.png")
    pixels = decoded(image, noted_orientation(image), (80, 60))
    assert np.array_equal(pixels.transpose(1, 2, 0), PICTURE)


def saved(form: str, picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def wide(codec: str, pixel_format: str) -> bytes:
    """The picture with sixteen bits a channel, written by FFmpeg; Pillow cannot."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as container:
        stream: Any = container.add_stream(codec, rate=1)
        stream.width, stream.height, stream.pix_fmt = 80, 60, pixel_format
        frame = av.VideoFrame.from_ndarray(PICTURE.astype(np.uint16) * 257, format="rgb48le")
        container.mux(stream.encode(frame.reformat(format=pixel_format)))
        container.mux(stream.encode())
    return file.getvalue()


TURNED = Image.fromarray(PICTURE).rotate(180)
FILES = {
    "avif": lambda: saved("AVIF", Image.fromarray(PICTURE), quality=95),
    "webp": lambda: saved("WEBP", Image.fromarray(PICTURE), lossless=True),
    "two pictures of a stereo camera": lambda: saved(
        "MPO", Image.fromarray(PICTURE), save_all=True, append_images=[TURNED], quality=95, subsampling=0
    ),
    "animated webp": lambda: saved(
        "WEBP", Image.fromarray(PICTURE), save_all=True, append_images=[TURNED], lossless=True
    ),
    "animated png": lambda: saved("PNG", Image.fromarray(PICTURE), save_all=True, append_images=[TURNED]),
    "jpeg for printers": lambda: saved("JPEG", Image.fromarray(PICTURE).convert("CMYK"), quality=95),
    "png of 16 bits": lambda: wide("png", "rgb48be"),
    "tiff of 16 bits": lambda: wide("tiff", "rgb48le"),
}


@pytest.mark.parametrize("kind", FILES)
def test_what_cameras_and_editors_write(kind: str) -> None:
    pixels = decoded(open_picture(FILES[kind](), "a"), 1, (80, 60))
    assert np.abs(pixels[:3].transpose(1, 2, 0).astype(int) - PICTURE).mean() < 4


def wide_profile() -> bytes:
    """An ICC profile of three colours that is sRGB but for a purer green, so that sRGB has to show more of it."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for tag in (b"desc", b"gXYZ"):
        at = 132 + 12 * next(n for n in range(20) if profile[132 + 12 * n : 136 + 12 * n] == tag)
        offset = int.from_bytes(profile[at - 4 + 8 : at + 8], "big")
        if tag == b"gXYZ":
            profile[offset + 8 : offset + 20] = struct.pack(">3i", *(round(v * 65536) for v in (0.29, 0.692, 0.042)))
        else:
            spot = profile.find("sRGB".encode("utf-16-be"), offset)
            profile[spot : spot + 8] = "Wide".encode("utf-16-be")
    return bytes(profile)


def test_colours_of_a_wide_profile_are_brought_to_srgb() -> None:
    green = Image.new("RGBA", (8, 8), (90, 200, 90, 128))
    plain = decoded(open_picture(saved("PNG", green), "a.png"), 1, (8, 8))
    pure = decoded(open_picture(saved("PNG", green, icc_profile=wide_profile()), "a.png"), 1, (8, 8))
    assert plain[:, 0, 0].tolist() == [90, 200, 90, 128] and pure[3, 0, 0] == 128
    assert pure[0, 0, 0] < 85 and pure.shape == plain.shape
    damaged = decoded(open_picture(saved("PNG", green, icc_profile=b"no profile"), "a.png"), 1, (8, 8))
    assert np.array_equal(damaged, plain)


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
