"""Decoding: orientation, alpha, masks, sizes and lenses."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from generators.radiance.capture import read_capture
from generators.radiance.lens import Lens, bend, source_pixels
from generators.radiance.photographs import held_out, load_photographs, undistorted
from tests.generators.radiance import known_scene
from tests.generators.radiance.captures import transforms, write_folder
from tests.generators.radiance.scenes import photographs_of, textured_room

VIEWS = photographs_of(textured_room(600), 3, width=24, height=20)


def rewrite(path: Path, image: Image.Image, *, orientation: int = 1) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    path.write_bytes(file.getvalue())


STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}
"""How a camera that notes orientation n stores an upright picture (EXIF 2.3, tag 274)."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("stated", [True, False])
def test_pictures_are_turned_upright(tmp_path: Path, orientation: int, stated: bool) -> None:
    document = transforms(VIEWS)
    if not stated:
        for key in ("w", "h", "cx", "cy"):
            del document[key]
    path = write_folder(tmp_path / "scene", VIEWS, document)
    upright = VIEWS[0].pixels.transpose(1, 2, 0)
    stored = np.ascontiguousarray(STORED[orientation](upright))
    rewrite(path / "images" / VIEWS[0].name, Image.fromarray(stored), orientation=orientation)
    photographs, unreadable = load_photographs(read_capture(path), longest_side_px=24)
    assert unreadable == []
    # A stated size equal to the stored one means that the poses belong to the pixels as stored.
    as_stored = stated and orientation in (2, 3, 4)
    expected = stored if as_stored else upright
    assert np.array_equal(photographs[0].pixels, expected.transpose(2, 0, 1))


def test_alpha_is_kept_and_all_opaque_alpha_is_not(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", VIEWS)
    colour = VIEWS[0].pixels.transpose(1, 2, 0)
    alpha = np.linspace(0, 255, colour.shape[0] * colour.shape[1]).reshape(colour.shape[:2]).astype(np.uint8)
    rewrite(path / "images" / VIEWS[0].name, Image.fromarray(np.dstack([colour, alpha])))
    rewrite(path / "images" / VIEWS[1].name, Image.fromarray(np.dstack([colour, np.full_like(alpha, 255)])))
    photographs, _ = load_photographs(read_capture(path), longest_side_px=24)
    assert photographs[0].alpha is not None and np.array_equal(photographs[0].alpha, alpha)
    assert photographs[1].alpha is None


def test_masks_black_is_ignored(tmp_path: Path) -> None:
    document = transforms(VIEWS)
    document["frames"][0]["mask_path"] = "masks/0.png"
    path = write_folder(tmp_path / "scene", VIEWS, document)
    (path / "masks").mkdir()
    mask = np.zeros((20, 24), np.uint8)
    mask[5:, :] = 255
    Image.fromarray(mask).save(path / "masks" / "0.png")
    photographs, _ = load_photographs(read_capture(path), longest_side_px=24)
    assert photographs[0].mask is not None and np.array_equal(photographs[0].mask, mask > 0)


def test_smaller_pictures_keep_the_view(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", VIEWS)
    photographs, _ = load_photographs(read_capture(path), longest_side_px=12)
    camera, full = photographs[0].camera, VIEWS[0].camera
    assert photographs[0].pixels.shape == (3, 10, 12) and (camera.width, camera.height) == (12, 10)
    assert camera.fx / camera.width == pytest.approx(full.fx / full.width)
    assert camera.cy / camera.height == pytest.approx(full.cy / full.height)


def test_a_picture_larger_than_any_photograph_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from generators.radiance import decoding as module

    path = write_folder(tmp_path / "scene", photographs_of(textured_room(600), 4, width=24, height=20))
    rewrite(path / "images" / "view0.png", Image.new("RGB", (240, 200)))
    monkeypatch.setattr(module, "PIXELS_MAX", 10_000)
    _, unreadable = load_photographs(read_capture(path), longest_side_px=24)
    assert "has 240×200 pixels" in unreadable[0].reason


LENSES = {
    "barrel": Lens(30, 31, 25, 19, 48, 40, radial=(-0.2, 0.05), tangential=(0.004, -0.006)),
    "rational": Lens(30, 30, 24, 20, 48, 40, radial=(0.1, 0.02, 0.01, 0.05, 0.01, 0.002)),
    "fisheye": Lens(20, 20, 24, 20, 48, 40, radial=(0.05, -0.01, 0.002, 0.0), fisheye=True),
}


@pytest.mark.parametrize("name", LENSES)
def test_a_bent_picture_is_straightened(name: str) -> None:
    lens = LENSES[name]
    v, u = np.mgrid[0:80, 0:96] + 0.5
    # For each pixel of the bent picture find the ray by fixed-point iteration, and paint a smooth pattern by ray.
    bent_x, bent_y = (u / 2 - lens.cx) / lens.fx, (v / 2 - lens.cy) / lens.fy
    x, y = bent_x.copy(), bent_y.copy()
    for _ in range(300):
        at_x, at_y = bend(lens, x, y)
        x, y = x + 0.5 * (bent_x - at_x), y + 0.5 * (bent_y - at_y)

    def pattern(px: NDArray[np.float64], py: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(127 + 60 * np.sin(4 * px) + 60 * np.cos(5 * py), np.float64)

    bent = np.broadcast_to(pattern(x, y).astype(np.uint8), (3, 80, 96)).copy()
    straight, known = undistorted(bent, lens, 48, 40)
    v, u = np.mgrid[0:40, 0:48] + 0.5
    expected = pattern((u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy)
    inner = known & (np.hypot(u - 24, v - 20) < 16)
    assert inner.sum() > 300
    assert np.abs(straight[0].astype(float) - expected)[inner].max() < 4


def test_a_straight_lens_leaves_pixels_where_they_are() -> None:
    lens = Lens(30, 31, 25, 19, 48, 40)
    u, v = source_pixels(lens, 48, 40)
    expected_v, expected_u = np.mgrid[0:40, 0:48] + 0.5
    np.testing.assert_allclose(u, expected_u, atol=1e-4)
    np.testing.assert_allclose(v, expected_v, atol=1e-4)
    assert lens.straight and not LENSES["barrel"].straight


def test_every_eighth_is_held_out() -> None:
    assert [i for i, held in enumerate(held_out(20, 8)) if held] == [0, 8, 16]
    assert not any(held_out(20, 0))


def test_documents_are_plain_json() -> None:
    assert json.loads(json.dumps(transforms(VIEWS)))["w"] == 24


def test_blurred_and_covered_photographs_are_named(tmp_path: Path) -> None:
    seen = known_scene.views(6, width=240, height=180)
    path = known_scene.write_capture(tmp_path / "room", seen)
    soft = Image.fromarray(seen[2].pixels).filter(ImageFilter.GaussianBlur(2))
    rewrite(path / "images" / "view002.png", soft)
    rewrite(path / "images" / "view004.png", Image.new("RGB", (240, 180), (2, 2, 3)))
    photographs, skipped = load_photographs(read_capture(path), longest_side_px=240)
    assert [(one.name, one.reason) for one in skipped] == [
        ("images/view002.png", "is blurred beside the others"),
        ("images/view004.png", "is black; the lens may have been covered"),
    ]
    assert len(photographs) == 4


def test_cut_out_pictures_may_be_soft_but_not_empty(tmp_path: Path) -> None:
    seen = known_scene.views(6, width=240, height=180)
    path = known_scene.write_capture(tmp_path / "room", seen)
    for index, view in enumerate(seen):
        alpha = np.full((180, 240, 1), 0 if index == 5 else 255, np.uint8)
        alpha[:60] = 0
        pixels = Image.fromarray(np.concatenate([view.pixels, alpha], -1))
        rewrite(path / "images" / f"view{index:03}.png", pixels.filter(ImageFilter.GaussianBlur(2 * (index == 1))))
    photographs, skipped = load_photographs(read_capture(path), longest_side_px=240)
    assert [(one.name, one.reason) for one in skipped] == [("images/view005.png", "is wholly transparent")]
    assert len(photographs) == 5


@pytest.mark.parametrize("unit_m", [None, 0.5])
def test_depth_comes_in_metres_along_the_axis(tmp_path: Path, unit_m: float | None) -> None:
    seen = known_scene.views(3, width=48, height=36)
    path = known_scene.write_capture(tmp_path / "room", seen)
    document = json.loads((path / "transforms.json").read_text())
    (path / "depth").mkdir()
    for index, (frame, view) in enumerate(zip(document["frames"], seen, strict=True)):
        rewrite(path / "depth" / f"{index}.png", Image.fromarray((view.depth * 1000 + 0.5).astype(np.uint16)))
        frame["depth_file_path"] = f"depth/{index}.png"
    if unit_m is not None:
        document["unit_m"] = unit_m
    (path / "transforms.json").write_text(json.dumps(document))
    for photograph, view in zip(load_photographs(read_capture(path), longest_side_px=48)[0], seen, strict=True):
        assert photograph.depth is not None
        np.testing.assert_allclose(photograph.depth, view.depth * (unit_m or 1.0), atol=0.001)
        np.testing.assert_allclose(photograph.camera.position, view.camera.position * (unit_m or 1.0), atol=1e-9)


@pytest.mark.parametrize("file", ["masks/view1.png.png", "masks/view1.png", "images/masks/view1.png.png"])
def test_masks_beside_the_photographs_are_found(tmp_path: Path, file: str) -> None:
    views = photographs_of(textured_room(600), 3, width=24, height=20)
    path = write_folder(tmp_path / "scene", views)
    mask = np.zeros((20, 24), np.uint8)
    mask[:, 12:] = 255
    (path / file).parent.mkdir(parents=True)
    rewrite(path / file, Image.fromarray(mask))
    photographs, _ = load_photographs(read_capture(path), longest_side_px=24)
    assert photographs[0].mask is None and photographs[1].mask is not None
    assert np.array_equal(photographs[1].mask, mask > 0)


def test_stated_upright_beats_what_the_size_suggests(tmp_path: Path) -> None:
    views = photographs_of(textured_room(600), 3, width=24, height=20)
    path = write_folder(tmp_path / "scene", views)
    for view in views:
        exif = Image.Exif()
        exif[0x0112] = 3
        turned = Image.fromarray(np.ascontiguousarray(view.pixels.transpose(1, 2, 0))).transpose(
            Image.Transpose.ROTATE_180
        )
        turned.save(path / "images" / view.name, "PNG", exif=exif)
    document = json.loads((path / "transforms.json").read_text())
    (path / "transforms.json").write_text(json.dumps({**document, "exif_applied": True}))
    photographs, _ = load_photographs(read_capture(path), longest_side_px=24)
    assert np.array_equal(photographs[0].pixels, views[0].pixels)
