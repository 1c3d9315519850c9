"""A film of a known room: still stretches, blurred frames and hurried ones, and what is taken of them."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from engines.assets import Clip
from engines.formats.mp4 import encode
from engines.hosts import host
from generators.radiance import film
from generators.radiance.archive import CaptureError
from generators.radiance.film import Judged, chosen, frames_at, grey_frames, judge, length, movement, write_frames
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
    with pytest.raises(CaptureError, match=r"bad\.mp4 is no film that can be read.*copy it once more"):
        list(grey_frames(bad, nothing))
    half = tmp_path / "half.mp4"
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    try:
        assert len(list(grey_frames(half, nothing))) < 31
    except CaptureError as error:
        assert "no film that can be read" in str(error)


def written(
    path: Path,
    frames: np.ndarray,
    pixel_format: str = "yuv420p",
    times: list[int] | None = None,
    **values: object,
) -> Path:
    """A film by FFmpeg's lossless FFV1, or H.264 for MP4; `times` are in milliseconds."""
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264" if path.suffix == ".mp4" else "ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], pixel_format
        stream.codec_context.time_base = Fraction(1, 1000)
        for name, value in values.items():
            setattr(stream.codec_context, name, value)
        for index, pixels in enumerate(frames):
            form = "rgb48le" if pixels.dtype == np.uint16 else "rgb24"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=form).reformat(format=pixel_format)
            frame.pts, frame.time_base = index * 100 if times is None else times[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


SHORT = np.stack([render(camera).pixels for camera in CAMERAS[:4]])


def test_a_telephone_held_upright(tmp_path: Path) -> None:
    lying = np.ascontiguousarray(np.rot90(SHORT, 1, (1, 2)))
    path = written(tmp_path / "a.mp4", lying, "yuv444p", options={"crf": "4"})
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + (20 if content[content.index(b"tkhd") + 4] == 0 else 32) + 4 + 16
    content[at : at + 36] = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 120 << 16, 0, 0x40000000)
    path.write_bytes(content)
    for got, pixels in zip(frames_at(path, range(4), nothing), SHORT, strict=True):
        assert got.shape == pixels.shape and np.abs(got.astype(int) - pixels).mean() < 5
    assert next(grey_frames(path, nothing)).shape == (120, 160)


def test_uneven_times_and_odd_sizes(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mkv", SHORT[:, :119, :157], "yuv444p", times=[0, 33, 500, 533])
    for got, pixels in zip(frames_at(path, range(4), nothing), SHORT, strict=True):
        assert got.shape == (119, 157, 3) and np.abs(got.astype(int) - pixels[:119, :157]).mean() < 3


def test_oblong_pixels_are_made_square(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", SHORT, sample_aspect_ratio=Fraction(4, 3))
    assert [got.shape for got in frames_at(path, [0], nothing)] == [(120, 213, 3)]
    assert next(grey_frames(path, nothing)).shape == (120, 213)


def test_ten_bits_and_high_dynamic_range_look_ordinary(tmp_path: Path) -> None:
    flat = np.full((2, 32, 48, 3), round(0.75 * 65535), np.uint16)
    [plain] = frames_at(written(tmp_path / "a.mkv", flat, "yuv444p10le"), [0], nothing)
    [light] = frames_at(written(tmp_path / "b.mkv", flat, "yuv444p10le", color_trc=18, color_primaries=9), [1], nothing)
    assert np.abs(plain.astype(int) - 191).max() <= 2  # three quarters of 255
    assert np.abs(light.astype(int) - 247).max() <= 3  # a white sheet


class Field:
    """A decoded frame of two fields, as far as it is asked."""

    interlaced_frame, color_trc = True, 1

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels, self.height = pixels, len(pixels)

    def to_ndarray(self, **_: object) -> np.ndarray:
        return self._pixels


@pytest.mark.parametrize("rows", [2, 3, 120, 121])
def test_of_two_fields_one_is_kept(rows: int) -> None:
    ramp = np.repeat(np.arange(rows, dtype=np.uint8)[:, None, None], 8, 1).repeat(3, 2)
    combed = ramp.copy()
    combed[1::2] = 200  # what was seen a fiftieth of a second later
    got = film._colours(Field(combed), 8)
    inner = rows if rows % 2 else rows - 1
    assert np.array_equal(got[:inner] if rows > 2 else got[:1], ramp[:inner] if rows > 2 else ramp[:1])


def test_what_came_before_the_damage_is_used(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mkv", SHORT.repeat(6, 0), "yuv444p")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    assert 10 <= len(list(grey_frames(path, nothing))) <= 15
    assert length(path).secs > 2


def test_sound_alone_is_no_film(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mka"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(CaptureError, match="holds no pictures"):
        list(grey_frames(path, nothing))
