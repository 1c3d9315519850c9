"""EXR: linear light and data without loss, named channels, and refusal of damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import OpenEXR
import pytest

from engines.assets import Image, Material
from engines.colour import linear_pixels
from engines.errors import DamagedFile, TooLarge
from engines.export import export
from engines.formats import exr
from engines.formats.registry import Limits
from engines.hosts import host
from engines.kinds import ColourSpace, Kind, MapName
from tests.engines.neutral_assets import image, pixels

LIMITS = Limits()


def write(folder: Path, source: Image, **options: Any) -> Path:
    [file] = exr.encode(source, folder, "picture", host=host("blender"), **options)
    return folder / file.file


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("depth", "dtype"), [(16, np.float16), (32, np.float32)])
def test_every_layout_survives_to_the_bit(channels: int, depth: Literal[16, 32], dtype: Any, tmp_path: Path) -> None:
    source = Image((pixels(channels, 20, 31, channels, np.float32) * 50 - 5).astype(dtype), ColourSpace.LINEAR)
    back = exr.decode(write(tmp_path, source, depth=depth, alpha="straight"), LIMITS)
    assert back.colour_space is ColourSpace.LINEAR
    assert back.pixels.dtype == dtype
    np.testing.assert_array_equal(back.pixels, source.pixels)


def test_display_colour_becomes_light(tmp_path: Path) -> None:
    source = image(2, 16, 4)
    back = exr.decode(write(tmp_path, source, depth=32), LIMITS)
    expected = linear_pixels(source)
    shown = expected[..., -1] > 0  # colour that nothing of is seen has no place in the file
    np.testing.assert_allclose(back.pixels[shown], expected[shown], rtol=1e-6)
    np.testing.assert_array_equal(back.pixels[..., -1], expected[..., -1])


def planes_of(path: Path) -> dict[str, Any]:
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {name: channel.pixels.copy() for name, channel in file.channels().items()}


@pytest.mark.parametrize(("channels", "colours"), [(2, "Y"), (4, "RGB")])
@pytest.mark.parametrize("depth", [16, 32])
def test_colour_is_multiplied_by_its_alpha_in_the_file(channels: int, colours: str, depth: Any, tmp_path: Path) -> None:
    """As the format's own introduction has it and Blender takes every EXR."""
    straight = np.full((2, 3, channels), 0.5, np.float32)
    straight[..., -1] = [[0, 0.25, 0.5], [0.75, 1, 1]]
    path = write(tmp_path, Image(straight, ColourSpace.LINEAR), depth=depth)
    held = planes_of(path)
    for name in colours:
        np.testing.assert_allclose(held[name], straight[..., -1] / 2, atol=1e-3)
    back = exr.decode(path, LIMITS).pixels
    np.testing.assert_allclose(back[..., -1], straight[..., -1])
    shown = straight[..., -1] > 0
    np.testing.assert_allclose(back[shown], straight[shown], rtol=1e-3)


def test_light_without_a_surface_keeps_its_colour(tmp_path: Path) -> None:
    header = {"compression": OpenEXR.NO_COMPRESSION, "type": OpenEXR.scanlineimage}
    flame = {name: np.full((2, 2), value, np.float32) for name, value in zip("RGBA", (3, 1, 0.5, 0), strict=True)}
    flame["A"][0, 0], flame["R"][0, 0] = 0.5, 0.25
    with OpenEXR.File(header, flame) as file:
        file.write(str(tmp_path / "flame.exr"))
    got = exr.decode(tmp_path / "flame.exr", LIMITS).pixels
    assert got[1, 1].tolist() == [3, 1, 0.5, 0] and got[0, 0].tolist() == [0.5, 2, 1, 0.5]


def test_a_materials_textures_stay_straight_and_say_so(tmp_path: Path) -> None:
    maps = {
        MapName.BASE_COLOR: Image(np.full((4, 4, 3), 255, np.uint8)),
        MapName.OPACITY: Image(np.full((4, 4, 1), 51, np.uint8), ColourSpace.DATA),
    }
    files = export(Material(maps), host("unity"), tmp_path, formats={Kind.MATERIAL: "exr"})
    path = tmp_path / next(file.file for file in files if file.role == MapName.BASE_COLOR)
    held = planes_of(path)
    assert (held["R"] == 1).all() and held["A"][0, 0] == pytest.approx(0.2, abs=1e-4)
    assert exr.decode(path, LIMITS).pixels[0, 0, 0] == 1


def test_data_is_kept_whole_and_marked(tmp_path: Path) -> None:
    source = Image(pixels(1, 8, 8, 1, np.float32), ColourSpace.DATA)
    back = exr.decode(write(tmp_path, source), LIMITS)
    assert back.colour_space is ColourSpace.DATA
    np.testing.assert_array_equal(back.pixels, source.pixels)


def test_half_floats_do_not_become_infinite(tmp_path: Path) -> None:
    source = Image(np.full((2, 2, 3), 1e9, np.float32), ColourSpace.LINEAR)
    assert exr.decode(write(tmp_path, source, depth=16), LIMITS).pixels.max() == 65504


def test_provenance_is_an_attribute_and_bytes_are_the_same_again(tmp_path: Path) -> None:
    path = write(tmp_path, image(1), provenance='{"prompt": "größer"}')
    first = path.read_bytes()
    with OpenEXR.File(str(path), header_only=True) as file:
        assert file.header()["provenance"] == '{"prompt": "größer"}'
    assert write(tmp_path, image(1), provenance='{"prompt": "größer"}').read_bytes() == first


def test_foreign_channels_are_taken_by_name(tmp_path: Path) -> None:
    path = tmp_path / "render.exr"
    plane = np.arange(12, dtype=np.float32).reshape(3, 4)
    header = {"compression": OpenEXR.NO_COMPRESSION, "type": OpenEXR.scanlineimage}
    names = {"Z": plane + 100, "R": plane, "G": plane + 1, "B": plane + 2}
    with OpenEXR.File(header, names) as file:
        file.write(str(path))
    np.testing.assert_array_equal(exr.decode(path, LIMITS).pixels, np.stack([plane, plane + 1, plane + 2], -1))
    with OpenEXR.File(header, {"Z": plane}) as file:
        file.write(str(path))
    np.testing.assert_array_equal(exr.decode(path, LIMITS).pixels, plane[..., None])


def test_damage_and_size_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, image(1, 32))
    whole = path.read_bytes()
    for data in (b"", whole[:40], whole[: len(whole) // 2], b"\x00" * 500):
        path.write_bytes(data)
        with pytest.raises(DamagedFile):
            exr.decode(path, LIMITS)
    path.write_bytes(whole)
    with pytest.raises(TooLarge, match="32"):
        exr.decode(path, Limits(max_pixels=1023))


def parts(path: Path, *sides: int, channels: str = "R") -> Path:
    """An EXR of several parts, all of them black."""
    common = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "displayWindow": (np.array([0, 0], np.int32), np.array([15, 15], np.int32)),
    }
    written = [
        OpenEXR.Part({**common, "name": f"part {at}"}, {name: np.zeros((side, side), np.float16) for name in channels})
        for at, side in enumerate(sides)
    ]
    with OpenEXR.File(written) as file:
        file.write(str(path))
    return path


def test_a_small_first_part_does_not_hide_large_ones(tmp_path: Path) -> None:
    """The library reads every part, whichever is wanted: 80 kB would be 50 MB."""
    assert exr.decode(parts(tmp_path / "small.exr", 16, 40), Limits(max_pixels=1600)).pixels.shape == (16, 16, 1)
    with pytest.raises(TooLarge, match="41×41"):
        exr.decode(parts(tmp_path / "large.exr", 16, 41), Limits(max_pixels=1600))
    with pytest.raises(TooLarge, match="together"):
        exr.decode(parts(tmp_path / "many.exr", *[40] * 9), Limits(max_pixels=1600))
    with pytest.raises(TooLarge, match="together"):
        exr.decode(parts(tmp_path / "wide.exr", 40, channels="ABCDEFGHI"), Limits(max_pixels=1600))
