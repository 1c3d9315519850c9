"""Photographs made ready: what counts as one, whose mask is whose, which share a lens."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generators.radiance.archive import FolderSource
from generators.radiance.capture import Skipped
from generators.radiance.poses.shots import Shot, by_lens, photograph_names, prepared, useful
from tests.generators.radiance.known_scene import png, views

SEEN = views(3, width=80, height=60)


def jpeg(pixels: np.ndarray, exif: Image.Exif) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


def exif_of(*, focal_35: int = 0, orientation: int = 1, model: str = "") -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if model:
        exif[0x0110] = model
    if focal_35:
        exif.get_ifd(0x8769)[0xA405] = focal_35
    return exif


def ready(root: Path, folder: Path, side_px: int = 80) -> list[Shot | Skipped]:
    folder.mkdir()
    source = FolderSource(root)
    names, skipped = photograph_names(source)
    made = list(prepared(source, names, folder, side_px=side_px, threads=2, check=lambda: None))
    return [*skipped, *made]


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_only_photographs_count(tmp_path: Path) -> None:
    picture = png(SEEN[0].pixels)
    root = write(
        tmp_path / "in",
        {
            "images/b.png": picture,
            "images/a.png": picture,
            "images_4/a.png": picture,
            "masks/a.png": picture,
            "depth/a.png": picture,
            "notes.txt": b"",
            "c.HEIC": b"",
            "images/a.DNG": b"",
            "alone.dng": b"",
            "d.gif": b"",
        },
    )
    names, skipped = photograph_names(FolderSource(root))
    assert names == ["c.HEIC", "images/a.png", "images/b.png"]
    assert [(one.name, one.reason.split(";")[0]) for one in skipped] == [
        ("alone.dng", "camera raw is not read"),
        ("d.gif", "GIF is not read"),
    ]


def test_pictures_come_upright_small_and_masked(tmp_path: Path) -> None:
    mask = np.zeros((60, 80, 3), np.uint8)
    mask[:, 40:] = 255
    lying = np.ascontiguousarray(np.rot90(SEEN[0].pixels, 1))
    root = write(
        tmp_path / "in",
        {
            "images/a.jpg": jpeg(lying, exif_of(orientation=6)),
            "images/b.png": png(SEEN[1].pixels),
            "masks/b.png": png(mask),
            "images/c.png": b"no picture",
        },
    )
    turned, masked, broken = ready(root, tmp_path / "work", side_px=40)
    assert isinstance(turned, Shot) and turned.size == (80, 60) and turned.working == (40, 30)
    small = np.load(tmp_path / "work" / turned.pixels)
    want = np.asarray(Image.fromarray(SEEN[0].pixels).resize((40, 30), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(small - want).mean() < 8
    assert isinstance(masked, Shot) and masked.mask_name == "masks/b.png"
    drawn = np.load(tmp_path / "work" / masked.mask)
    assert drawn.dtype == bool and not drawn[:, :19].any() and drawn[:, 21:].all()
    assert isinstance(broken, Skipped) and broken.reason.startswith("not a readable picture")


def test_transparent_parts_count_as_masked(tmp_path: Path) -> None:
    alpha = np.full((60, 80, 1), 255, np.uint8)
    alpha[:30] = 0
    file = io.BytesIO()
    Image.fromarray(np.concatenate([SEEN[0].pixels, alpha], -1)).save(file, "PNG")
    [shot] = ready(write(tmp_path / "in", {"a.png": file.getvalue()}), tmp_path / "work")
    assert isinstance(shot, Shot) and not np.load(tmp_path / "work" / shot.mask)[:29].any()


def shots_in(tmp_path: Path, files: dict[str, bytes]) -> list[Shot]:
    return [one for one in ready(write(tmp_path / "in", files), tmp_path / "work") if isinstance(one, Shot)]


def test_the_same_lens_is_one_camera_with_its_focal_length(tmp_path: Path) -> None:
    files = {f"{n}.jpg": jpeg(SEEN[n].pixels, exif_of(focal_35=26, model="Phone")) for n in range(2)}
    files["2.jpg"] = jpeg(SEEN[2].pixels, exif_of(focal_35=52, model="Other"))
    views_of, cameras, sizes = by_lens(shots_in(tmp_path, files), fisheye=False)
    assert [view.camera for view in views_of] == [0, 0, 1] and sizes == [(80, 60)] * 2
    assert cameras[0].focal_px == pytest.approx(26 / math.hypot(36, 24) * 100) and cameras[0].known_focal
    assert cameras[0].model == "SIMPLE_RADIAL"


def test_without_exif_size_decides_and_many_photographs_carry_a_better_lens(tmp_path: Path) -> None:
    files = {f"{n}.png": png(SEEN[n % 3].pixels) for n in range(9)} | {"wide.png": png(SEEN[0].pixels[:40])}
    _, cameras, sizes = by_lens(shots_in(tmp_path, files), fisheye=False)
    assert sizes == [(80, 60), (80, 40)] and [camera.model for camera in cameras] == ["OPENCV", "SIMPLE_RADIAL"]
    assert cameras[0].focal_px == pytest.approx(1.2 * 80) and not cameras[0].known_focal


def test_fisheye_is_as_ordered(tmp_path: Path) -> None:
    _, [camera], _ = by_lens(shots_in(tmp_path, {"a.png": png(SEEN[0].pixels)}), fisheye=True)
    assert camera.model == "OPENCV_FISHEYE"


def test_twins_and_blind_ones_are_named(tmp_path: Path) -> None:
    files = {f"{n}.png": png(SEEN[n].pixels) for n in range(3)}
    files |= {"3.png": png(SEEN[1].pixels), "4.png": png(np.zeros((60, 80, 3), np.uint8))}
    kept, skipped = useful(shots_in(tmp_path, files))
    assert [shot.name for shot in kept] == ["0.png", "1.png", "2.png"]
    assert [(one.name, one.reason.split(";")[0]) for one in skipped] == [
        ("3.png", "shows the same as 1.png"),
        ("4.png", "is black"),
    ]
