"""Our PNG files as Pillow reads them, and foreign ones as we do."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image as Pillow

from engines.assets import Array, Image
from engines.colour import srgb_codes
from engines.errors import DamagedFile, TooLarge
from engines.formats import png
from engines.formats.registry import Limits
from engines.hosts import host
from engines.kinds import ColourSpace
from tests.engines.neutral_assets import image, pixels

LIMITS = Limits()


def write(folder: Path, source: Image, **options: Any) -> Path:
    [file] = png.encode(source, folder, "picture", host=host("python"), **options)
    path = folder / file.file
    assert path.stat().st_size == file.bytes
    return path


def pillow_pixels(path: Path) -> Array:
    with Pillow.open(path) as picture:
        picture.load()
        array = np.asarray(picture)
    return array.reshape(*array.shape[:2], -1)


@pytest.mark.parametrize("effort", ["stored", "quick", "small"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pillow_reads_every_layout(channels: int, effort: png.Effort, tmp_path: Path) -> None:
    for height, width in ((1, 1), (1, 7), (9, 1), (33, 70)):
        source = Image(pixels(height, height, width, channels, np.uint8))
        path = write(tmp_path, source, effort=effort)
        np.testing.assert_array_equal(pillow_pixels(path), source.pixels)
        np.testing.assert_array_equal(png.decode(path, LIMITS).pixels, source.pixels)


def unfiltered(path: Path) -> tuple[bytes, Array]:
    """Header and codes by the letter of the specification, for files whose rows all have the Up filter."""
    data, at, packed, header = path.read_bytes(), 8, b"", b""
    while at < len(data):
        [size] = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert data[at + 8 + size : at + 12 + size] == struct.pack(">I", zlib.crc32(name + body))
        packed += body if name == b"IDAT" else b""
        header = body if name == b"IHDR" else header
        at += 12 + size
    width, height, depth, kind = struct.unpack(">IIBB", header[:10])
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, -1)
    assert (rows[:, 0] == 2).all()
    codes = np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8)
    return header, codes.view(">u2" if depth == 16 else np.uint8).reshape(height, width, channels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_depth_by_the_letter_of_the_specification(channels: int, dtype: Any, tmp_path: Path) -> None:
    source = Image(pixels(3, 20, 30, channels, dtype))
    header, codes = unfiltered(write(tmp_path, source))
    assert header[8] == np.dtype(dtype).itemsize * 8
    np.testing.assert_array_equal(codes, source.pixels)
    if (channels, dtype) != (2, np.uint16):
        np.testing.assert_array_equal(png.decode(tmp_path / "picture.png", LIMITS).pixels, source.pixels)


def test_strips_join_into_one_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = image(4, 64)
    whole = pillow_pixels(write(tmp_path, source))
    monkeypatch.setattr(png, "_STRIP_BYTES", 500)
    path = write(tmp_path, source)
    assert path.read_bytes().count(b"IDAT") > 20
    np.testing.assert_array_equal(pillow_pixels(path), whole)
    _, codes = unfiltered(path)
    np.testing.assert_array_equal(codes, whole)


def test_sixteen_bit_heights_survive_pillow(tmp_path: Path) -> None:
    heights = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8, 1)
    path = write(tmp_path, Image(heights, ColourSpace.DATA))
    np.testing.assert_allclose(pillow_pixels(path) / 65535, heights, atol=0.5 / 65535 + 1e-7)
    assert png.decode(path, LIMITS).pixels.dtype == np.uint16


@pytest.mark.parametrize("depth", [8, 16])
def test_light_is_encoded_and_data_is_not(depth: Literal[8, 16], tmp_path: Path) -> None:
    half = np.full((2, 2, 3), 0.5, np.float32)
    for space in ColourSpace:
        source = Image(half, space)
        _, codes = unfiltered(write(tmp_path, source, depth=depth))
        np.testing.assert_array_equal(codes, srgb_codes(source, depth))
        expected = 0.7353 if space is ColourSpace.LINEAR else 0.5
        np.testing.assert_allclose(codes / (2**depth - 1), expected, atol=0.003)


def test_colour_is_tagged_and_data_is_not(tmp_path: Path) -> None:
    with Pillow.open(write(tmp_path, image(1))) as picture:
        assert picture.info["srgb"] == 0
        assert picture.info["gamma"] == pytest.approx(0.45455)
    with Pillow.open(write(tmp_path, image(1, data=True))) as picture:
        assert "srgb" not in picture.info
        assert "gamma" not in picture.info


def test_provenance_is_readable_text_and_bytes_are_the_same_again(tmp_path: Path) -> None:
    note = '{"prompt": "nasse rote Ziegel, für Ada 🧱"}'
    path = write(tmp_path, image(1), provenance=note)
    first = path.read_bytes()
    with Pillow.open(path) as picture:
        assert picture.info["scenecast"] == note
    assert write(tmp_path, image(1), provenance=note).read_bytes() == first


def test_foreign_layouts_are_read(tmp_path: Path) -> None:
    path = tmp_path / "foreign.png"
    rgb = image(2, 12).pixels
    for mode, channels in (("1", 1), ("L", 1), ("LA", 2), ("P", 3), ("RGB", 3), ("RGBA", 4), ("I;16", 1)):
        Pillow.fromarray(rgb).convert("L" if mode == "I;16" else mode).convert(mode).save(path)
        assert png.decode(path, LIMITS).pixels.shape == (12, 12, channels)
    Pillow.fromarray(rgb).quantize(4).save(path, transparency=0)
    assert png.decode(path, LIMITS).pixels.shape == (12, 12, 4)


def test_damage_and_bombs_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, image(1, 32))
    whole = path.read_bytes()

    def with_size(width: int, height: int) -> bytes:
        header = b"IHDR" + struct.pack(">II", width, height) + whole[24:29]
        return whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]

    for data in (b"", whole[:20], whole[:60], b"GIF89a" + whole[6:], whole[:100] + b"\xff" * 40 + whole[140:]):
        path.write_bytes(data)
        with pytest.raises(DamagedFile):
            png.decode(path, LIMITS)
    for size, error in (((16000, 16000), DamagedFile), ((0, 5), DamagedFile), ((2**31 - 1, 2**31 - 1), TooLarge)):
        path.write_bytes(with_size(*size))
        with pytest.raises(error):
            png.decode(path, LIMITS)
