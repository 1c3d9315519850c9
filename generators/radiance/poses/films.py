"""Films among the photographs: their best frames, written beside the capture as photographs of their own."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from engines.assets import Capture, Clip, FloatArray
from engines.formats.capture_zip import FILMS, is_photograph
from generators.events import Event, Note, Progress
from generators.radiance import film, judging
from generators.radiance.archive import CaptureError, FolderSource, JoinedSource, Source, open_source

TOLD_EVERY = 50
LIVE_SECS = 5.0
"""A film no longer than this, beside a photograph of its name, is what a telephone recorded around that photograph."""
BROKEN_OFF = 0.9
"""A film with fewer than this share of the frames that it announces is incomplete."""
NO_FRAMES = "every frame of it is black or of one colour"


def is_film(path: Path) -> bool:
    """Whether a capture's path is no folder and no archive, and so a film by itself."""
    return path.is_file() and not zipfile.is_zipfile(path)


def opened(
    photos: Capture | Clip, folder: Path, *, frames_max: int, check: Callable[[], None], stack: ExitStack
) -> Generator[Event, None, tuple[Source, bool]]:
    """The photographs of a capture and the chosen frames of its films as one source, and whether all are frames.

    A capture's path may be a film itself. `folder` exists; frames are written below it. What is opened is closed by
    `stack`. Raises `CaptureError` when a film that stands alone cannot be read.
    """
    frames = folder / "frames"
    frames.mkdir(exist_ok=True)
    if isinstance(photos, Clip):
        yield from _from_clip(photos, frames, frames_max, check)
        return FolderSource(frames), True
    if is_film(photos.path):
        yield from _from_file(photos.path, photos.name or "film", frames, frames_max, check)
        return FolderSource(frames), True
    source = stack.enter_context(open_source(photos.path))
    films = sorted(name for name in source.names if name.lower().endswith(FILMS))
    if not films:
        return source, False
    photographs = {str(PurePosixPath(name).with_suffix("")) for name in source.names if is_photograph(name)}
    live = 0
    for name in films:
        unpacked = folder / f"film{PurePosixPath(name).suffix.lower()}"
        unpacked.write_bytes(source.read(name))
        try:
            if str(PurePosixPath(name).with_suffix("")) in photographs and film.length(unpacked).secs <= LIVE_SECS:
                live += 1
                continue
            yield from _from_file(unpacked, name, frames, frames_max, check)
        except CaptureError as error:
            if len(films) == 1 and not photographs:
                raise
            yield Note(f"{name} was left out: {error}")
        finally:
            unpacked.unlink()
    if live:
        yield Note(f"{live} short films that belong to photographs of the same name (live photos) were left out")
    return JoinedSource(source, FolderSource(frames), "frames"), not photographs


def _from_file(
    path: Path, name: str, folder: Path, frames_max: int, check: Callable[[], None]
) -> Generator[Event, None, None]:
    judged: list[film.Judged] = []
    length = film.length(path)
    among = f" of about {length.about}" if length.about else ""
    for one in film.judge(film.grey_frames(path, check)):
        judged.append(one)
        if len(judged) % TOLD_EVERY == 0:
            yield Progress(0.0, f"looking through {PurePosixPath(name).name}: {len(judged)}{among} frames")
    if len(judged) < BROKEN_OFF * length.frames:
        yield Note(f"{PurePosixPath(name).name} breaks off: {len(judged)} of its {length.frames} frames can be read")
    numbers = film.chosen(judged, frames_max=frames_max)
    if not numbers:
        raise CaptureError(f"{name}: {NO_FRAMES}")
    yield from _written(name, film.frames_at(path, numbers, check), numbers, len(judged), folder)


def _from_clip(clip: Clip, folder: Path, frames_max: int, check: Callable[[], None]) -> Generator[Event, None, None]:
    judged = []
    for one in film.judge(_grey(clip, check)):
        judged.append(one)
        if len(judged) % TOLD_EVERY == 0:
            yield Progress(0.0, f"looking through the film: {len(judged)} frames")
    numbers = film.chosen(judged, frames_max=frames_max)
    if not numbers:
        raise CaptureError(f"{clip.name or 'the film'}: {NO_FRAMES}")
    frames = (np.ascontiguousarray(clip.frames[number][..., :3]) for number in numbers)
    yield from _written(clip.name or "film", frames, numbers, len(judged), folder)


def _grey(clip: Clip, check: Callable[[], None]) -> Iterator[FloatArray]:
    block = max(1, max(clip.frames.shape[1:3]) // film.JUDGED_SIDE_PX)
    for frame in clip.frames:
        check()
        rows, columns = frame.shape[0] // block, frame.shape[1] // block
        cut = judging.grey_of(frame[: rows * block, : columns * block])
        yield cut.reshape(rows, block, columns, block).mean((1, 3))


def _written(
    name: str, frames: Iterator[NDArray[np.uint8]], numbers: list[int], total: int, folder: Path
) -> Generator[Event, None, None]:
    stem = re.sub(r"[^\w-]+", "_", str(PurePosixPath(name).with_suffix(""))).strip("_") or "film"
    count = 0
    for _ in film.write_frames(stem, frames, numbers, folder):
        count += 1
        yield Progress(0.0, f"taking frames of {PurePosixPath(name).name}: {count} of {len(numbers)}")
    yield Note(f"{count} of {total} frames of {PurePosixPath(name).name} are used: the sharpest, by how far it moved")
