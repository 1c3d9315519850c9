"""JPEG (ITU-T T.81) by Pillow: for previews, photographs and clips, never for data."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from engines.assets import Array, Image
from engines.colour import srgb_codes
from engines.conventions import Host
from engines.errors import DamagedFile
from engines.formats.registry import ExportedFile, Format, Limits
from engines.kinds import ColourSpace, Kind
from engines.raster import read_picture


def encode(
    asset: Image, folder: Path, stem: str, *, host: Host, provenance: str = "", quality: int = 90
) -> list[ExportedFile]:
    """Write one JPEG with full-resolution colour (4:4:4); alpha is dropped, two channels become grey.

    Provenance goes into the comment segment.
    """
    path = folder / f"{stem}.jpg"
    data = jpeg_bytes(srgb_codes(asset, 8), quality=quality, comment=provenance)
    path.write_bytes(data)
    tag = ColourSpace.DATA if asset.colour_space is ColourSpace.DATA else ColourSpace.SRGB
    return [ExportedFile(path.name, "image", "image/jpeg", tag, len(data))]


def jpeg_bytes(codes: Array, *, quality: int = 90, comment: str = "", halve_colour: bool = False) -> bytes:
    """A JPEG of uint8 [H, W, 1..4] codes in memory, for previews; `halve_colour` is 4:2:0, a third smaller."""
    from PIL import Image as Pillow

    grey = codes.shape[2] < 3
    picture = Pillow.fromarray(np.ascontiguousarray(codes[..., 0] if grey else codes[..., :3]))
    # A comment segment's length is 16 bits; what does not fit belongs in the manifest alone.
    text = comment.encode()
    keywords = {"comment": text} if text and len(text) < 65_000 else {}
    buffer = io.BytesIO()
    subsampling = 2 if halve_colour else 0
    picture.save(buffer, "JPEG", quality=quality, subsampling=subsampling, optimize=False, **keywords)
    return buffer.getvalue()


def decode(path: Path, limits: Limits) -> Image:
    """Read a JPEG as an sRGB image of 1 or 3 channels, turned upright as its EXIF orientation says."""
    pixels = read_picture(path, limits, "JPEG")
    if pixels.dtype != np.uint8:
        raise DamagedFile(f"{path.name} gives {pixels.dtype} pixels, expected 8 bits")
    return Image(pixels, ColourSpace.SRGB, path.stem)


FORMATS = (
    Format(
        name="jpeg",
        title="JPEG",
        kinds=(Kind.IMAGE, Kind.MATERIAL),
        extension=".jpg",
        media_type="image/jpeg",
        encode="engines.formats.jpeg:encode",
        decode="engines.formats.jpeg:decode",
        needs=("PIL",),
    ),
)
