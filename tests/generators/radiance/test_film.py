"""A film of a known room: still stretches, blurred frames and hurried ones, and what is taken of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from engines.assets import Clip
from engines.formats.mp4 import encode
from engines.hosts import host
from generators.radiance import film
from generators.radiance.archive import CaptureError
from generators.radiance.film import Judged, chosen, frames_at, grey_frames, judge, movement, write_frames
from tests.generators.radiance.known_scene import around, render

CAMERAS = around(24, width=160, height=120, arc_deg=70)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """A camera that stands still for eight frames, then walks; every third frame of the walk is blurred."""
    still = render(CAMERAS[0]).pixels
    walk = []
    for index, camera in enumerate(CAMERAS[1:]):
        pixels = render(camera).pixels
        if index % 3 == 1:
            pixels = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(2)))
        walk.append(pixels)
    return np.stack([*[still] * 8, *walk])


@pytest.fixture(scope="module")
def path(frames: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    [written] = encode(Clip(frames), folder, "walk", host=host("python"), crf=12)
    return folder / written.file


def nothing() -> None:
    return None


def test_still_stretches_and_blurred_frames_are_passed_over(path: Path) -> None:
    judged = list(judge(grey_frames(path, nothing)))
    assert len(judged) == 31 and max(one.motion for one in judged[:8]) < min(one.motion for one in judged[8:])
    taken = chosen(judged, frames_max=12)
    assert len(taken) >= 10 and taken == sorted(taken)
    assert sum(number < 8 for number in taken) <= 1
    blurred = {8 + index for index in range(23) if index % 3 == 1}
    assert not blurred & set(taken)


def test_frames_come_back_as_they_were(path: Path, frames: np.ndarray, tmp_path: Path) -> None:
    got = list(frames_at(path, [0, 9, 30], nothing))
    assert len(got) == 3
    for pixels, number in zip(got, (0, 9, 30), strict=True):
        assert np.abs(pixels.astype(int) - frames[number]).mean() < 6
    names = list(write_frames("walk", iter(got), [0, 9, 30], tmp_path))
    assert names == ["walk_000000.jpg", "walk_000009.jpg", "walk_000030.jpg"]
    assert np.abs(np.asarray(Image.open(tmp_path / names[1])).astype(int) - got[1]).mean() < 4


def test_movement_is_about_the_shift_and_not_the_light() -> None:
    picture = render(CAMERAS[0]).pixels.mean(2).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(3)), np.float32)
    shifts = [movement(smooth[:, 4:-4], np.roll(smooth, by, 1)[:, 4:-4]) for by in (0, 1, 2)]
    assert shifts[0] == 0 and shifts[1] < shifts[2]
    assert shifts[2] == pytest.approx(2 / 152, rel=0.5)
    assert movement(smooth, smooth + 20) == 0


def test_a_film_that_hurries_gives_more_frames_up_to_the_limit() -> None:
    quick = [Judged(index, 1.0, 0.04, False) for index in range(100)]
    slow = [Judged(index, 1.0, 0.01, False) for index in range(100)]
    assert len(chosen(quick, frames_max=200)) == pytest.approx(80, abs=3)
    assert len(chosen(slow, frames_max=200)) == pytest.approx(21, abs=3)
    assert len(chosen(quick, frames_max=30)) == 30
    assert len(chosen([Judged(index, 1.0, 0.0, False) for index in range(100)], frames_max=30)) == film.FRAMES_LEAST
    assert chosen([Judged(index, 1.0, 0.1, True) for index in range(9)], frames_max=30) == []


def test_damage_is_told_in_words(tmp_path: Path, path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"\0\0\0\x18ftypisom" + bytes(300))
    with pytest.raises(CaptureError, match=r"bad\.mp4 is no film that can be read"):
        list(grey_frames(bad, nothing))
    half = tmp_path / "half.mp4"
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    try:
        assert len(list(grey_frames(half, nothing))) < 31
    except CaptureError as error:
        assert "no film that can be read" in str(error)
