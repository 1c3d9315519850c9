"""MP4: the frames, rate and colours that went in, in a file players and browsers accept."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.assets import Clip
from engines.errors import DamagedFile, TooLarge, UnsuitableAsset
from engines.formats import mp4
from engines.formats.registry import Limits
from engines.hosts import host

LIMITS = Limits()


def moving(frames: int = 12, height: int = 48, width: int = 64, channels: int = 3) -> NDArray[np.uint8]:
    """A smooth slope that drifts, one step a frame, so that frames can be told apart."""
    t, y, x = np.mgrid[:frames, :height, :width]
    planes = [x * 2 + t * 8, y * 4, 255 - x * 2 - t * 3, np.full_like(x, 255)][:channels]
    moved: NDArray[np.uint8] = np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)
    return moved


def write(folder: Path, clip: Clip, **options: Any) -> Path:
    [file] = mp4.encode(clip, folder, "clip", host=host("web"), **options)
    assert (folder / file.file).stat().st_size == file.bytes
    return folder / file.file


def test_every_frame_arrives_in_order(tmp_path: Path) -> None:
    frames = moving()
    back = mp4.decode(write(tmp_path, Clip(frames, 24.0)), LIMITS)
    assert back.frames.shape == frames.shape
    assert back.fps == 24.0
    apart = np.array([[np.abs(a.astype(int) - b).mean() for b in back.frames] for a in frames])
    assert (apart.argmin(axis=1) == np.arange(len(frames))).all()
    assert apart.diagonal().max() < 2.5


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0), (255,) * 3, (128,) * 3])
def test_flat_colours_keep_their_codes(colour: tuple[int, ...], tmp_path: Path) -> None:
    frames = np.broadcast_to(np.array(colour, np.uint8), (3, 32, 32, 3))
    back = mp4.decode(write(tmp_path, Clip(frames)), LIMITS)
    assert np.abs(back.frames.astype(int) - frames).max() <= 2


@pytest.mark.parametrize("count", [1, 2, 25, 61])
def test_the_count_of_frames_is_exact(count: int, tmp_path: Path) -> None:
    path = write(tmp_path, Clip(moving(count)))
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == count
    assert len(mp4.decode(path, LIMITS).frames) == count


def test_odd_sizes_become_even_by_repeating_an_edge(tmp_path: Path) -> None:
    frames = moving(3, 35, 47)
    back = mp4.decode(write(tmp_path, Clip(frames)), LIMITS)
    assert back.frames.shape == (3, 36, 48, 3)
    assert np.abs(back.frames[:, :35, :47].astype(int) - frames).mean() < 2.5


@pytest.mark.parametrize("fps", [12.0, 24.0, 29.97002997002997, 60.0])
def test_the_rate_is_kept(fps: float, tmp_path: Path) -> None:
    path = write(tmp_path, Clip(moving(8), fps))
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == Fraction(fps).limit_denominator(1001)


def test_players_find_everything_they_ask_for(tmp_path: Path) -> None:
    path = write(tmp_path, Clip(moving()), provenance='{"prompt": "größer"}')
    data = path.read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")
    with av.open(str(path)) as container:
        context: Any = container.streams.video[0].codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        assert container.metadata["comment"] == '{"prompt": "größer"}'


def test_the_same_frames_give_the_same_bytes_and_alpha_is_dropped(tmp_path: Path) -> None:
    plain = write(tmp_path, Clip(moving())).read_bytes()
    assert write(tmp_path, Clip(moving())).read_bytes() == plain
    assert write(tmp_path, Clip(moving(channels=4))).read_bytes() == plain


def test_an_empty_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableAsset, match="no frames"):
        mp4.encode(Clip(moving(0)), tmp_path, "clip", host=host("web"))


def test_damage_and_size_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, Clip(moving(10)))
    whole = path.read_bytes()
    for data in (b"", whole[:30], whole[: len(whole) // 3], b"\x00\x00\x00\x18ftypisom" + b"\xff" * 200):
        path.write_bytes(data)
        with pytest.raises(DamagedFile):
            mp4.decode(path, LIMITS)
    path.write_bytes(whole)
    for limits in (Limits(max_pixels=48 * 64 - 1), Limits(max_clip_pixels=48 * 64 * 9), Limits(max_file_bytes=9)):
        with pytest.raises(TooLarge):
            mp4.decode(path, limits)
