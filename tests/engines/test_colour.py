"""sRGB both ways, and how values become codes."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines import colour
from engines.assets import Array, Image
from engines.errors import UnsuitableAsset
from engines.kinds import ColourSpace


def slow_linear(v: float) -> float:
    return v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4


def slow_srgb(v: float) -> float:
    return 12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055


def every_value() -> Array:
    """Dense near black, where the two branches meet, and even up to white."""
    return np.unique(np.concatenate([np.geomspace(1e-7, 1, 60_001), np.linspace(0, 1, 60_001)])).astype(np.float32)


def test_both_directions_follow_the_standard_everywhere() -> None:
    v = every_value()
    np.testing.assert_allclose(colour.linear_from_srgb(v), [slow_linear(float(x)) for x in v], rtol=2e-6, atol=1e-8)
    np.testing.assert_allclose(colour.srgb_from_linear(v), [slow_srgb(float(x)) for x in v], rtol=2e-6, atol=1e-7)


def test_there_and_back_is_the_same() -> None:
    v = every_value()
    # The standard's two branches miss each other by 1e-7 or so, hence no tighter bound.
    np.testing.assert_allclose(colour.srgb_from_linear(colour.linear_from_srgb(v)), v, atol=3e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_code_tables_equal_the_slow_way_for_every_code(dtype: type[np.uint8] | type[np.uint16]) -> None:
    codes: Array = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    expected = colour.linear_from_srgb(colour.as_float(codes))
    np.testing.assert_array_equal(colour.linear_from_srgb_codes(codes), expected)


def test_fast_srgb_codes_are_the_nearest_to_within_three_hundredths() -> None:
    v = np.concatenate([every_value(), np.array([-1, 0, 1, 2, 1e-30, np.inf, -np.inf], np.float32)])
    exact = np.array([slow_srgb(float(x)) * 255 for x in np.clip(v, 0, 1)])
    assert np.abs(colour.srgb_u8_from_linear(v).astype(np.float64) - exact).max() < 0.535


def test_fast_srgb_codes_rise_and_reach_both_ends() -> None:
    codes = colour.srgb_u8_from_linear(every_value()).astype(int)
    assert codes[0] == 0
    assert codes[-1] == 255
    assert np.all(np.diff(codes) >= 0)
    assert len(np.unique(codes)) == 256


def test_every_srgb_code_survives_linear_light() -> None:
    codes = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(colour.srgb_u8_from_linear(colour.linear_from_srgb_codes(codes)), codes)
    wide = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(colour.as_u16(colour.srgb_from_linear(colour.linear_from_srgb_codes(wide))), wide)


@given(st.lists(st.floats(-2, 3, width=32) | st.just(float("nan")), min_size=1, max_size=50))
def test_quantising_is_the_nearest_code_and_nan_is_black(values: list[float]) -> None:
    v = np.array(values, np.float32)
    clean = np.clip(np.nan_to_num(v, nan=0.0).astype(np.float64), 0, 1)
    assert np.abs(colour.as_u8(v) - clean * 255).max() <= 0.5 + 1e-4
    assert np.abs(colour.as_u16(v) - clean * 65535).max() <= 0.5 + 0.01


def test_integer_depths_convert_to_the_nearest() -> None:
    wide = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(colour.as_u8(wide), np.floor(wide / 65535 * 255 + 0.5).astype(np.uint8))
    narrow = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(colour.as_u16(narrow), np.round(narrow / 255 * 65535).astype(np.uint16))
    np.testing.assert_array_equal(colour.as_u8(colour.as_u16(narrow)), narrow)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [8, 16])
def test_alpha_is_never_encoded(channels: int, depth: Literal[8, 16]) -> None:
    pixels = np.full((2, 2, channels), 0.5, np.float32)
    codes = colour.srgb_codes(Image(pixels, ColourSpace.LINEAR), depth)
    highest = 2**depth - 1
    expected = [round(slow_srgb(0.5) * highest)] * channels
    if channels in (2, 4):
        expected[-1] = round(0.5 * highest + 0.001)
    np.testing.assert_array_equal(codes[0, 0], expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
def test_converted_there_and_back_keeps_every_dtype_within_its_own_precision(dtype: type[np.generic]) -> None:
    rng = np.random.default_rng(5)
    floats = rng.random((8, 9, 4), np.float32)
    pixels = colour.as_codes(floats, 8) if dtype is np.uint8 else floats.astype(dtype)
    if dtype is np.uint16:
        pixels = colour.as_u16(floats)
    image = Image(pixels, ColourSpace.SRGB)
    back = colour.converted(colour.converted(image, ColourSpace.LINEAR), ColourSpace.SRGB)
    np.testing.assert_allclose(back.pixels, colour.as_float(pixels), atol=3e-6)


def test_data_is_not_colour() -> None:
    data = Image(np.zeros((1, 1, 1), np.uint8), ColourSpace.DATA, "roughness")
    with pytest.raises(UnsuitableAsset, match="roughness"):
        colour.converted(data, ColourSpace.SRGB)
    assert colour.converted(data, ColourSpace.DATA) is data
    np.testing.assert_array_equal(colour.linear_pixels(data), data.pixels)
