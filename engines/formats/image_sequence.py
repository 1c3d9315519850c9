"""A clip as one numbered picture per frame, which every host can scrub without a video codec."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from engines.assets import Clip, Image
from engines.conventions import Host
from engines.errors import UnsuitableAsset
from engines.formats import jpeg, png
from engines.formats.png import Effort
from engines.formats.registry import ExportedFile, Format
from engines.kinds import Kind

_FEWEST_DIGITS = 4


def encode_png(
    asset: Clip, folder: Path, stem: str, *, host: Host, provenance: str = "", effort: Effort = "quick"
) -> list[ExportedFile]:
    """Write `stem_0001.png` and on, lossless and with alpha; provenance goes into every frame."""

    def one(image: Image, name: str) -> list[ExportedFile]:
        return png.encode(image, folder, name, host=host, provenance=provenance, effort=effort)

    return _frames(asset, stem, one)


def encode_jpeg(
    asset: Clip, folder: Path, stem: str, *, host: Host, provenance: str = "", quality: int = 90
) -> list[ExportedFile]:
    """Write `stem_0001.jpg` and on; provenance goes into every frame."""

    def one(image: Image, name: str) -> list[ExportedFile]:
        return jpeg.encode(image, folder, name, host=host, provenance=provenance, quality=quality)

    return _frames(asset, stem, one)


def _frames(clip: Clip, stem: str, write: Callable[[Image, str], list[ExportedFile]]) -> list[ExportedFile]:
    """Frames count from 1, as Blender, Unity's and Unreal's sequence importers do by default."""
    if not len(clip.frames):
        raise UnsuitableAsset(f"clip {clip.name!r} has no frames")
    digits = max(_FEWEST_DIGITS, len(str(len(clip.frames))))

    def one(index: int) -> ExportedFile:
        [file] = write(Image(clip.frames[index]), f"{stem}_{index + 1:0{digits}d}")
        return replace(file, role="frame")

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return list(pool.map(one, range(len(clip.frames))))


FORMATS = (
    Format(
        name="png_sequence",
        title="PNG image sequence",
        kinds=(Kind.CLIP,),
        extension=".png",
        media_type="image/png",
        encode="engines.formats.image_sequence:encode_png",
        needs=("PIL",),
        options=("effort",),
    ),
    Format(
        name="jpeg_sequence",
        title="JPEG image sequence",
        kinds=(Kind.CLIP,),
        extension=".jpg",
        media_type="image/jpeg",
        encode="engines.formats.image_sequence:encode_jpeg",
        needs=("PIL",),
    ),
)
