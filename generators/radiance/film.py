"""Frames of a film that are worth placing: the sharpest of each stretch of movement, never every n-th.

Movement is what changed between two small frames over how much they vary (the normal flow of Horn and Schunck 1981),
summed to a path. The path is cut into equal parts, so that a camera that lingers gives few frames and one that hurries
gives many; of each part the frame with the least blur is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance import film_light, judging
from generators.radiance.archive import CaptureError

JUDGED_SIDE_PX = 480
MOTION_SIDE_PX = 64
STEP = 0.05
"""Movement between two frames that are taken, as a share of the picture's side: neighbours overlap by nine tenths."""
STILL_PX = 0.12
"""Movement between frames, in pixels of 64, that noise and compression alone can make."""
FRAMES_LEAST = 12
JPEG_QUALITY = 95
PIXELS_MAX = 64_000_000


@dataclass(frozen=True)
class Judged:
    """One frame of a film: its number, and what it is worth."""

    index: int
    sharpness: float
    motion: float
    """Movement since the frame before, as a share of the picture's longer side."""
    blind: bool


def judge(frames: Iterator[FloatArray]) -> Iterator[Judged]:
    """Sharpness and movement of grey frames float32 [H, W], 480 px at most."""
    before: FloatArray | None = None
    for index, grey in enumerate(frames):
        tiny = _tiny(grey)
        motion = 0.0 if before is None else movement(before, tiny)
        before = tiny
        yield Judged(index, judging.sharpness(grey), motion, bool(judging.blind(grey)))


def _tiny(grey: FloatArray) -> FloatArray:
    block = max(1, max(grey.shape) // MOTION_SIDE_PX)
    rows, columns = grey.shape[0] // block, grey.shape[1] // block
    cut = grey[: rows * block, : columns * block]
    return np.asarray(cut.reshape(rows, block, columns, block).mean((1, 3)), np.float32)


def movement(before: FloatArray, after: FloatArray) -> float:
    """How far a picture moved on the whole, as a share of its longer side; a change of brightness is no movement."""
    difference = (after - after.mean()) - (before - before.mean())
    down, across = np.gradient((before + after) / 2)
    slope = float(np.hypot(down, across).mean())
    pixels = float(np.abs(difference).mean()) / max(slope, 0.5)
    return float(max(0.0, pixels - STILL_PX) / max(before.shape))


def chosen(judged: Sequence[Judged], *, frames_max: int) -> list[int]:
    """Numbers of the frames to take, in order; `FRAMES_LEAST` to `frames_max` of them where there are as many."""
    useful = [one for one in judged if not one.blind]
    if not useful:
        return []
    path = np.cumsum([one.motion for one in judged])
    wanted = int(np.clip(np.ceil(path[-1] / STEP) + 1, FRAMES_LEAST, frames_max))
    if path[-1] <= 0:
        path = np.arange(len(judged), dtype=np.float64)
    part = np.minimum((path / path[-1] * wanted).astype(int), wanted - 1)
    best: dict[int, Judged] = {}
    for one in useful:
        known = best.get(int(part[one.index]))
        if known is None or one.sharpness > known.sharpness:
            best[int(part[one.index])] = one
    return sorted(one.index for one in best.values())


# -- files ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Length:
    """What a film's header says: how many frames, 0 where it does not say, about how many, and how many seconds."""

    frames: int
    about: int
    secs: float


def length(path: Path) -> Length:
    """How long a film is by its own account. Raises `CaptureError`."""
    with _opened(path) as (container, stream):
        secs = (container.duration or 0) / 1_000_000
        return Length(int(stream.frames), int(stream.frames or secs * float(stream.average_rate or 0)), secs)


def grey_frames(path: Path, check: Callable[[], None]) -> Iterator[FloatArray]:
    """Every frame of a film in grey, upright, 480 px at most. Raises `CaptureError`."""
    for frame, across in _decoded(path, check):
        scale = min(1.0, JUDGED_SIDE_PX / max(across, frame.height))
        width, height = max(16, round(across * scale)), max(16, round(frame.height * scale))
        small = frame.reformat(width=width, height=height, format="gray")
        yield _turned(small.to_ndarray().astype(np.float32), frame)


def frames_at(path: Path, wanted: Sequence[int], check: Callable[[], None]) -> Iterator[NDArray[np.uint8]]:
    """The wanted frames, ascending, in full: uint8 [H, W, 3], upright, with square pixels, in sRGB."""
    left = set(wanted)
    for index, (frame, across) in enumerate(_decoded(path, check)):
        if index in left:
            left.remove(index)
            yield np.ascontiguousarray(_turned(_colours(frame, across), frame))
            if not left:
                return


def _colours(frame: Any, across: int) -> NDArray[np.uint8]:
    """The pixels of a frame as it is stored; of two fields one, since the camera moved between them."""
    transfer = int(getattr(frame, "color_trc", 0) or 0)
    if transfer in (film_light.PQ, film_light.HLG):
        wide = frame.to_ndarray(format="rgb48le", width=across, height=frame.height)
        pixels = film_light.ordinary(wide, transfer)
    else:
        pixels = np.array(frame.to_ndarray(format="rgb24", width=across, height=frame.height))
    if frame.interlaced_frame and len(pixels) > 2:
        kept = pixels[: len(pixels) - 1 + len(pixels) % 2 : 2].astype(np.uint16)
        between = pixels[1 : 2 * len(kept) - 1 : 2]
        between[...] = (kept[:-1] + kept[1:] + 1) // 2
    return pixels


def _turned(pixels: NDArray[Any], frame: Any) -> NDArray[Any]:
    """Telephones store upright films lying down and note the turn."""
    turns = round(int(getattr(frame, "rotation", 0) or 0) / 90) % 4
    return np.rot90(pixels, turns) if turns else pixels


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """A film and its stream of pictures. Raises `CaptureError`, for what is wrong later too."""
    import av

    try:
        with av.open(str(path), "r") as container:
            if not container.streams.video:
                raise CaptureError(f"{path.name} holds no pictures; expected a film")
            stream: Any = container.streams.video[0]
            if stream.width * stream.height > PIXELS_MAX:
                raise CaptureError(f"{path.name} is {stream.width}×{stream.height}; the limit is 64 million pixels")
            yield container, stream
    except (av.error.FFmpegError, ValueError, AttributeError) as error:
        # PyAV's stream lacks its picture attributes when FFmpeg knows no decoder for what a damaged header names.
        raise CaptureError(f"{path.name} is no film that can be read: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    words = str(getattr(error, "strerror", "") or error)
    if "Invalid data" in words:
        return f"{words}. If its recording or copying was broken off, its index is missing: copy it once more"
    return words


def _decoded(path: Path, check: Callable[[], None]) -> Iterator[tuple[Any, int]]:
    """Every frame, and how wide it is with square pixels. A film that is damaged further on ends there."""
    import av

    seen = False
    with _opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        aspect = float(stream.sample_aspect_ratio or 1)
        aspect = aspect if 0.2 < aspect < 5 else 1.0
        try:
            for frame in container.decode(stream):
                check()
                seen = True
                yield frame, max(1, round(frame.width * aspect))
        except av.error.FFmpegError:
            if not seen:
                raise


def write_frames(name: str, frames: Iterator[NDArray[np.uint8]], numbers: Sequence[int], folder: Path) -> Iterator[str]:
    """Write frames as JPEG into `folder`, named by the film and their numbers; each name as it is written."""
    from PIL import Image

    for number, pixels in zip(numbers, frames, strict=False):
        file = folder / f"{name}_{number:06}.jpg"
        Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        yield file.name
