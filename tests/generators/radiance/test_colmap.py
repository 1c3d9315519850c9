"""Damaged COLMAP files, and cameras of every model."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.radiance.archive import CaptureError
from generators.radiance.colmap import lens_from_model, parse_binary, parse_points_binary, parse_text, rotation_matrix

CAMERAS = struct.pack("<QiiQQ4d", 1, 7, 1, 20, 10, 5.0, 5.0, 10.0, 5.0)
IMAGES = struct.pack("<Qi7di", 1, 1, 1.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 7) + b"a.png\0" + struct.pack("<Q", 0)


def test_the_smallest_model() -> None:
    (frame,) = parse_binary(CAMERAS, IMAGES)
    assert frame.file == "a.png" and frame.lens is not None and frame.lens.straight
    np.testing.assert_allclose(frame.world_from_camera[:3, 3], [-0.1, -0.2, -0.3])


@given(cut=st.integers(0, len(IMAGES) - 1))
def test_every_truncation_is_refused(cut: int) -> None:
    with pytest.raises(CaptureError, match=r"images\.bin"):
        parse_binary(CAMERAS, IMAGES[:cut])


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_random_bytes_never_do_worse_than_be_refused(cameras: bytes, images: bytes) -> None:
    for parse in (parse_binary, parse_text):
        try:
            parse(cameras, images)
        except CaptureError:
            continue


def test_a_claim_of_many_points_is_refused_without_memory() -> None:
    with pytest.raises(CaptureError, match=r"points3D\.bin ends"):
        parse_points_binary(struct.pack("<Q", 2**60))


def test_an_unknown_camera_is_named() -> None:
    with pytest.raises(CaptureError, match=r"camera 7, which cameras\.bin lacks"):
        parse_binary(struct.pack("<Q", 0), IMAGES)


@pytest.mark.parametrize(
    ("model", "numbers", "radial", "fisheye"),
    [
        ("SIMPLE_PINHOLE", [5, 1, 2], (), False),
        ("PINHOLE", [5, 6, 1, 2], (), False),
        ("SIMPLE_RADIAL", [5, 1, 2, 0.1], (0.1,), False),
        ("RADIAL", [5, 1, 2, 0.1, 0.2], (0.1, 0.2), False),
        ("OPENCV", [5, 6, 1, 2, 0.1, 0.2, 0.3, 0.4], (0.1, 0.2), False),
        ("OPENCV_FISHEYE", [5, 6, 1, 2, 0.1, 0.2, 0.3, 0.4], (0.1, 0.2, 0.3, 0.4), True),
        ("FULL_OPENCV", [5, 6, 1, 2, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], (0.1, 0.2, 0.5, 0.6, 0.7, 0.8), False),
    ],
)
def test_models(model: str, numbers: list[float], radial: tuple[float, ...], fisheye: bool) -> None:
    lens = lens_from_model(model, 20, 10, numbers)
    assert (lens.fx, lens.cx, lens.cy, lens.radial, lens.fisheye) == (5, 1, 2, radial, fisheye)
    with pytest.raises(CaptureError, match="finite numbers"):
        lens_from_model(model, 20, 10, [*numbers, 1.0])


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(CaptureError, match="THIN_PRISM_FISHEYE is not known"):
        lens_from_model("THIN_PRISM_FISHEYE", 1, 1, [])


def test_quaternions_of_any_length_turn_alike() -> None:
    q = np.array([0.3, -0.5, 0.2, 0.7])
    matrix = rotation_matrix(q, "x")
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation_matrix(7 * q, "x"), matrix)
    with pytest.raises(CaptureError, match="zero quaternion"):
        rotation_matrix(np.zeros(4), "x")
