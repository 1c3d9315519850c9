"""JPEG: near enough, upright, and refused when damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from engines.assets import Array, Image
from engines.errors import DamagedFile, TooLarge
from engines.formats import jpeg
from engines.formats.registry import Limits
from engines.hosts import host
from engines.kinds import ColourSpace

LIMITS = Limits()


def slope(channels: int) -> Array:
    y, x = np.mgrid[:40, :60]
    planes = [x * 4, y * 6, 255 - x * 2, np.full_like(x, 128)][:channels]
    return np.stack(planes, -1).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_smooth_pictures_survive(channels: int, tmp_path: Path) -> None:
    [file] = jpeg.encode(Image(slope(channels)), tmp_path, "slope", host=host("web"))
    kept = 1 if channels < 3 else 3
    back = jpeg.decode(tmp_path / file.file, LIMITS)
    assert back.pixels.shape == (40, 60, kept)
    assert np.abs(back.pixels.astype(int) - slope(channels)[..., :kept]).mean() < 1.5


def test_light_is_display_encoded(tmp_path: Path) -> None:
    [file] = jpeg.encode(
        Image(np.full((8, 8, 3), 0.5, np.float32), ColourSpace.LINEAR), tmp_path, "a", host=host("web")
    )
    assert np.abs(jpeg.decode(tmp_path / file.file, LIMITS).pixels.astype(int) - 188).max() <= 1


def test_colour_keeps_its_full_resolution(tmp_path: Path) -> None:
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2, 0] = 255
    stripes[:, 1::2, 2] = 255
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg.jpeg_bytes(stripes, quality=95))
    full = np.abs(jpeg.decode(path, LIMITS).pixels.astype(int) - stripes).mean()
    path.write_bytes(jpeg.jpeg_bytes(stripes, quality=95, halve_colour=True))
    halved = np.abs(jpeg.decode(path, LIMITS).pixels.astype(int) - stripes).mean()
    assert full < 5 < 30 < halved


def test_provenance_is_a_comment_and_bytes_are_the_same_again(tmp_path: Path) -> None:
    note = '{"prompt": "größer"}'
    [file] = jpeg.encode(Image(slope(3)), tmp_path, "a", host=host("web"), provenance=note)
    first = (tmp_path / file.file).read_bytes()
    with Pillow.open(tmp_path / file.file) as picture:
        assert picture.info["comment"].decode() == note
    jpeg.encode(Image(slope(3)), tmp_path, "a", host=host("web"), provenance=note)
    assert (tmp_path / file.file).read_bytes() == first


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    sideways = Pillow.fromarray(slope(3))
    exif = sideways.getexif()
    exif[0x0112] = 6
    sideways.save(path, exif=exif, quality=95)
    upright = jpeg.decode(path, LIMITS).pixels
    assert upright.shape == (60, 40, 3)
    assert np.abs(upright.astype(int) - np.rot90(slope(3), -1)).mean() < 3


def test_printers_colours_become_rgb(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Pillow.fromarray(slope(3)).convert("CMYK").save(path, quality=95)
    assert jpeg.decode(path, LIMITS).pixels.shape == (40, 60, 3)


def test_damage_and_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    whole = jpeg.jpeg_bytes(slope(3))
    for data in (b"", whole[:200], b"\x89PNG\r\n\x1a\n" + whole, whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(DamagedFile):
            jpeg.decode(path, LIMITS)
    path.write_bytes(whole)
    with pytest.raises(TooLarge, match="40"):
        jpeg.decode(path, Limits(max_pixels=40 * 60 - 1))
    with pytest.raises(TooLarge):
        jpeg.decode(path, Limits(max_file_bytes=100))
