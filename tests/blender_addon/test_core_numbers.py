"""The add-on's own readers and shaders, without Blender: against the engines' and against plain arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.core.delivered import Delivered
from blender_addon.core.exr import read_channels
from blender_addon.core.lit_sphere import encoded, linear, lit_sphere
from blender_addon.core.splat_file import read
from blender_addon.core.targets import CHOICES, Target, choices
from blender_addon.core.view_pictures import depth_picture, normal_picture
from engines.assets import Splats
from engines.asymmetric import asymmetric_image, asymmetric_splats
from engines.colour import linear_from_srgb, srgb_from_linear
from engines.hosts import host
from engines.kinds import Kind
from engines.transforms import frame_of, move_splats
from tests.blender_addon.deliveries import delivered


@pytest.mark.parametrize("coefficients", [1, 4, 9, 16])
def test_splats_are_read_as_they_were_written(coefficients: int, tmp_path: Path) -> None:
    whole = asymmetric_splats()
    cloud = Splats(whole.positions, whole.rotations, whole.scales, whole.opacities, whole.sh[:, :coefficients].copy())
    result = Delivered.from_json(delivered(cloud, tmp_path))
    table = read(result.files[0].path)
    expected = move_splats(cloud, frame_of(host("blender")))
    np.testing.assert_array_equal(table.positions, expected.positions)
    np.testing.assert_allclose(np.abs(np.einsum("nc,nc->n", table.rotations, expected.rotations)), 1, atol=1e-6)
    np.testing.assert_allclose(table.scales, expected.scales, rtol=1e-5)
    np.testing.assert_allclose(table.opacities, expected.opacities, atol=1e-6)
    np.testing.assert_array_equal(table.harmonics, expected.sh)


@settings(deadline=None)
@given(cut=st.integers(0, 2000), flips=st.lists(st.tuples(st.integers(0, 600), st.integers(1, 255)), max_size=6))
def test_damaged_splat_files_are_refused_in_words(
    tmp_path_factory: Any, cut: int, flips: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("ply")
    whole = asymmetric_splats()
    few = Splats(whole.positions[:3], whole.rotations[:3], whole.scales[:3], whole.opacities[:3], whole.sh[:3])
    path = Path(Delivered.from_json(delivered(few, folder)).files[0].path)
    data = bytearray(path.read_bytes()[: cut or None])
    for at, flip in flips:
        if at < len(data):
            data[at] ^= flip
    path.write_bytes(data)
    try:
        table = read(path)
    except ValueError as error:
        assert str(error)
    else:
        assert len(table.positions) == len(table.harmonics) == len(table.scales)


def test_deliveries_come_back_from_json(tmp_path: Path) -> None:
    result = Delivered.from_json(delivered(asymmetric_image(16), tmp_path))
    assert Delivered.from_json(result.to_json()) == result
    extended = result.to_json().replace('{"digest"', '{"later": 1, "digest"', 1)
    assert Delivered.from_json(extended) == result
    assert result.of_role("nothing", "image") == result.files[0]
    assert result.of_role("nothing") is None


def test_every_kind_has_its_places() -> None:
    assert set(CHOICES) - {"capture"} == {kind.value for kind in Kind} - {"capture"}
    assert choices("field") == choices("capture") == choices("hologram") == []  # nothing makes a capture
    for kind in CHOICES:
        assert len({target for target, _, _ in choices(kind)}) == len(choices(kind))
        assert all(title and tip and not tip.endswith(".") for _, title, tip in choices(kind))
    assert Target().kind == "auto"


def write_exr(path: Path, channels: dict[str, Any], *, compressed: bool = False) -> None:
    import OpenEXR

    kind = OpenEXR.ZIP_COMPRESSION if compressed else OpenEXR.NO_COMPRESSION
    header = {"compression": kind, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {name: OpenEXR.Channel(pixels) for name, pixels in channels.items()}) as file:
        file.write(str(path))


def test_passes_are_read_from_an_uncompressed_exr(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    channels: dict[str, Any] = {
        "ViewLayer.Depth.Z": rng.random((5, 7)).astype(np.float32),
        "ViewLayer.Combined.R": rng.random((5, 7)).astype(np.float16),
        "ViewLayer.Index.X": rng.integers(0, 9, (5, 7)).astype(np.uint32),
    }
    write_exr(tmp_path / "a.exr", channels)
    found = read_channels(tmp_path / "a.exr")
    assert set(found) == set(channels)
    for name, pixels in channels.items():
        np.testing.assert_array_equal(found[name], pixels.astype(np.float32))
    write_exr(tmp_path / "b.exr", channels, compressed=True)
    with pytest.raises(ValueError, match="compressed"):
        read_channels(tmp_path / "b.exr")
    data = (tmp_path / "a.exr").read_bytes()
    for cut in range(0, len(data), 7):
        (tmp_path / "c.exr").write_bytes(data[:cut])
        with pytest.raises(ValueError):
            read_channels(tmp_path / "c.exr")


def test_depth_is_disparity_with_the_near_white() -> None:
    depth = np.array([[1.0, 2.0], [4.0, 1e10], [np.inf, 0.0]])
    picture, near, far = depth_picture(depth)
    assert (near, far) == (1.0, 4.0)
    assert picture[..., 0].tolist() == [[65535, round(65535 / 3)], [0, 0], [0, 0]]
    empty, near, far = depth_picture(np.full((2, 2), 1e10))
    assert empty.max() == 0 and (near, far) == (0.0, 0.0)
    flat, _, _ = depth_picture(np.full((2, 2), 3.0))
    assert flat.min() == 65535


def test_normals_are_turned_into_the_camera() -> None:
    looking_along_y = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # world x right, z up, the viewer at -y
    normals = np.array([[[1.0, 0, 0], [0, 0, 2.0]], [[0, -1.0, 0], [0, 0, 0]]])
    picture = normal_picture(normals, looking_along_y)
    assert picture.tolist() == [[[255, 128, 128], [128, 255, 128]], [[128, 128, 255], [128, 128, 255]]]


def test_colour_conversions_are_the_engines() -> None:
    values = np.linspace(-0.1, 1.1, 200)
    np.testing.assert_allclose(linear(values), linear_from_srgb(np.clip(values, 0, 1)), atol=1e-6)
    np.testing.assert_allclose(encoded(values), srgb_from_linear(np.clip(values, 0, 1)), atol=1e-6)


def test_the_lit_sphere_follows_its_maps() -> None:
    plain = lit_sphere(None, None, None, None, None, 64)
    assert plain.shape == (64, 64, 4) and np.isfinite(plain).all() and plain.min() >= 0 and plain.max() <= 1

    def flat(*values: float) -> Any:
        return np.broadcast_to(np.array([*values, 1.0], np.float32), (8, 8, 4)).copy()

    red = lit_sphere(flat(0.8, 0.1, 0.1), None, None, None, None, 64)
    assert red[32, 32, 0] > red[32, 32, 1] + 0.3
    glossy = lit_sphere(None, None, flat(0.1, 0.1, 0.1), None, None, 64)
    assert glossy[..., :3].max() > plain[..., :3].max()
    glowing = lit_sphere(None, None, None, None, flat(0.0, 1.0, 0.0), 64)
    assert (glowing[20:40, 20:40, 1] > plain[20:40, 20:40, 1]).all()
    leaning_right = lit_sphere(None, flat(0.9, 0.5, 0.7), None, None, None, 64)
    assert leaning_right[32, 32, :3].mean() < plain[32, 32, :3].mean(), "it leans away from the key light"
    leaning_up = lit_sphere(None, flat(0.5, 0.8, 0.8), None, None, None, 64)
    assert leaning_up[32, 32, :3].mean() > plain[32, 32, :3].mean(), "it leans towards the key light"
