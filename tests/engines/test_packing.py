"""What a host's shader would read back is what the neutral material says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.assets import Array, Image, Material
from engines.colour import as_float, srgb_codes
from engines.conventions import Host
from engines.errors import UnsuitableAsset
from engines.hosts import HOSTS, host
from engines.kinds import ColourSpace, MapName
from engines.packing import flipped_normals, inverted, textures
from tests.engines.neutral_assets import material

CHANNELS = {"r": 0, "g": 1, "b": 2, "a": 3}
DTYPES = [np.uint8, np.uint16, np.float16, np.float32]


def read_back(source: Material, row: Host) -> dict[str, list[Array]]:
    """Every neutral map as the host's shaders read it from 8-bit textures: float [H, W, C] in neutral terms."""
    seen: dict[str, list[Array]] = {}
    for texture in textures(source, row):
        codes = srgb_codes(texture.image, 8) / 255
        for run, content in texture.channels.items():
            if content == "constant":
                continue
            values = codes[..., [CHANNELS[letter] for letter in run]]
            if content.startswith("1-"):
                values = 1 - values
            if content == MapName.NORMAL and row.normal_y == -1:
                values = values.copy()
                values[..., 1] = 1 - values[..., 1]
            seen.setdefault(content.removeprefix("1-"), []).append(values)
    return seen


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", HOSTS.values(), ids=HOSTS)
def test_every_map_arrives_to_half_a_code_value(row: Host, dtype: Any) -> None:
    source = material(16, dtype, opacity=True)
    seen = read_back(source, row)
    assert set(seen) == set(source.maps)
    for name, image in source.maps.items():
        for values in seen[name]:
            expected = np.broadcast_to(as_float(image.pixels), values.shape)
            np.testing.assert_allclose(values, expected, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("row", HOSTS.values(), ids=HOSTS)
def test_eight_bits_arrive_exactly(row: Host) -> None:
    source = material(16, np.uint8, opacity=True)
    for name, found in read_back(source, row).items():
        for values in found:
            expected = np.broadcast_to(source.maps[MapName(name)].pixels, values.shape)
            np.testing.assert_array_equal(np.rint(values * 255), expected)


@pytest.mark.parametrize("row", HOSTS.values(), ids=HOSTS)
def test_every_texture_says_how_to_read_it(row: Host) -> None:
    for texture in textures(material(4), row):
        colour = texture.role in (MapName.BASE_COLOR, MapName.EMISSION)
        assert texture.image.colour_space is (ColourSpace.SRGB if colour else ColourSpace.DATA)
        assert "".join(texture.channels) == "rgba"[: texture.image.pixels.shape[2]]


def test_unity_and_unreal_get_their_own_layouts() -> None:
    source = material(4)
    planes = {name: image.pixels[..., 0] for name, image in source.maps.items()}
    unity = {texture.role: texture.image.pixels for texture in textures(source, host("unity"))}
    np.testing.assert_array_equal(unity["metallic_smoothness"][..., 0], planes[MapName.METALLIC])
    np.testing.assert_array_equal(unity["metallic_smoothness"][..., 3], 255 - planes[MapName.ROUGHNESS])
    np.testing.assert_array_equal(unity["mask"][..., 1], planes[MapName.OCCLUSION])
    assert (unity["mask"][..., 2] == 255).all()
    unreal = {texture.role: texture.image.pixels for texture in textures(source, host("unreal"))}
    names = (MapName.OCCLUSION, MapName.ROUGHNESS, MapName.METALLIC)
    np.testing.assert_array_equal(unreal["orm"], np.stack([planes[name] for name in names], -1))
    np.testing.assert_array_equal(unreal["normal"][..., 1], 255 - source.maps[MapName.NORMAL].pixels[..., 1])


def test_what_is_lacking_is_filled_and_said_to_be_constant() -> None:
    whole = material(4)
    source = replace(whole, maps={MapName.ROUGHNESS: whole.maps[MapName.ROUGHNESS]})
    [orm] = textures(source, host("unreal"))
    assert orm.channels == {"r": "constant", "g": "roughness", "b": "constant"}
    assert (orm.image.pixels[..., 0] == 255).all()
    assert (orm.image.pixels[..., 2] == 0).all()


def test_packed_maps_without_any_content_are_left_out() -> None:
    whole = material(4)
    source = replace(whole, maps={MapName.BASE_COLOR: whole.maps[MapName.BASE_COLOR]})
    assert [texture.role for texture in textures(source, host("unity"))] == ["base_color"]


def test_opacity_rides_in_alpha_only_where_it_has_no_place_of_its_own() -> None:
    source = material(4, opacity=True)
    for row in HOSTS.values():
        base = next(texture for texture in textures(source, row) if texture.role == "base_color")
        rides = MapName.OPACITY not in row.plain_maps
        assert base.channels == ({"rgb": "base_color", "a": "opacity"} if rides else {"rgb": "base_color"})


@given(st.sampled_from(DTYPES), st.integers(0, 99))
def test_inverting_and_flipping_twice_changes_nothing(dtype: Any, seed: int) -> None:
    pixels = material(4, dtype).maps[MapName.NORMAL].pixels
    if np.dtype(dtype).kind == "u":
        np.testing.assert_array_equal(inverted(inverted(pixels)), pixels)
        np.testing.assert_array_equal(flipped_normals(flipped_normals(pixels)), pixels)
    np.testing.assert_allclose(as_float(inverted(pixels)) + as_float(pixels), 1, atol=1e-3)
    flipped = flipped_normals(pixels)
    np.testing.assert_allclose(2 * as_float(flipped[..., 1]) - 1, 1 - 2 * as_float(pixels[..., 1]), atol=2e-3)
    np.testing.assert_array_equal(flipped[..., [0, 2]], pixels[..., [0, 2]])


def test_a_material_that_breaks_its_form_is_refused() -> None:
    whole = material(4)
    small = Image(np.zeros((2, 2, 1), np.uint8), ColourSpace.DATA)
    wide = Image(np.zeros((4, 4, 3), np.uint8), ColourSpace.DATA)
    broken: list[dict[MapName, Image]] = [
        {},
        {**whole.maps, MapName.ROUGHNESS: small},
        {**whole.maps, MapName.ROUGHNESS: wide},
        {MapName.NORMAL: Image(np.zeros((4, 4), np.uint8), ColourSpace.DATA)},
    ]
    for maps in broken:
        with pytest.raises(UnsuitableAsset):
            textures(replace(whole, maps=maps), host("blender"))
