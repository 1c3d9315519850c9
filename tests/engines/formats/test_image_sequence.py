"""Numbered frames, whole and in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.assets import Clip
from engines.errors import UnsuitableAsset
from engines.formats import image_sequence, jpeg, png
from engines.formats.registry import Limits
from engines.hosts import host


def frames(count: int) -> Clip:
    values = np.random.default_rng(1).integers(0, 256, (count, 6, 8, 4)).astype(np.uint8)
    return Clip(values, name="water")


def test_png_frames_are_exact_and_count_from_one(tmp_path: Path) -> None:
    clip = frames(11)
    files = image_sequence.encode_png(clip, tmp_path, "water", host=host("unreal"))
    assert [file.file for file in files] == [f"water_{number:04d}.png" for number in range(1, 12)]
    assert {file.role for file in files} == {"frame"}
    for file, frame in zip(files, clip.frames, strict=True):
        np.testing.assert_array_equal(png.decode(tmp_path / file.file, Limits()).pixels, frame)


def test_jpeg_frames_are_in_order(tmp_path: Path) -> None:
    clip = Clip(np.stack([np.full((8, 8, 3), 20 * n, np.uint8) for n in range(10)]))
    files = image_sequence.encode_jpeg(clip, tmp_path, "grey", host=host("blender"))
    means = [jpeg.decode(tmp_path / file.file, Limits()).pixels.mean() for file in files]
    np.testing.assert_allclose(means, [20 * n for n in range(10)], atol=1)


def test_names_of_long_clips_still_sort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_sequence, "_FEWEST_DIGITS", 1)
    clip = Clip(np.zeros((101, 1, 1, 3), np.uint8))
    names = [file.file for file in image_sequence.encode_jpeg(clip, tmp_path, "long", host=host("web"))]
    assert names == sorted(names)
    assert names[-1] == "long_101.jpg"


def test_an_empty_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableAsset, match="no frames"):
        image_sequence.encode_png(frames(0), tmp_path, "none", host=host("web"))
