# SPDX-License-Identifier: GPL-3.0-or-later
"""An image datablock as a file: its own bytes where they are known, its pixels where it was painted or made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..core.captured import CapturedFile, CaptureError
from ..core.lit_sphere import encoded
from ..core.png import png_bytes

_MEDIA_TYPES = {
    "PNG": ("image/png", ".png"),
    "JPEG": ("image/jpeg", ".jpg"),
    "OPEN_EXR": ("image/x-exr", ".exr"),
}


def image_file(folder: str | Path, image_name: str) -> CapturedFile:
    """The image in a file in `folder`. Raises `CaptureError`."""
    image = bpy.data.images.get(image_name)
    if image is None:
        raise CaptureError(f"There is no image {image_name!r}", "Pick another one")
    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    stem = bpy.path.clean_name(image.name)
    kept = None if image.is_dirty or image.file_format not in _MEDIA_TYPES else _kept_bytes(image)
    if kept is not None:
        media_type, extension = _MEDIA_TYPES[image.file_format]
        path = where / f"{stem}{extension}"
        path.write_bytes(kept)
    else:
        media_type, path = "image/png", where / f"{stem}.png"
        path.write_bytes(png_bytes(_pixels(image)))
    return CapturedFile(str(path), "image", "image", media_type, image.name)


def _kept_bytes(image: Any) -> bytes | None:
    """The encoded bytes: packed, or in the image's own file; None when it has neither."""
    if image.source != "FILE":
        return None
    if image.packed_file is not None:
        return bytes(image.packed_file.data)
    path = Path(bpy.path.abspath(image.filepath))
    return path.read_bytes() if image.filepath and path.is_file() else None


def _pixels(image: Any) -> Any:
    """uint8 or uint16 [H, W, C], top row first, sRGB-encoded; floats become 16 bits."""
    width, height = image.size
    if not width or not height or not image.channels:
        raise CaptureError(f"{image.name} has no pixels", "Pick another image")
    values = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(values)
    picture = np.clip(values.reshape(height, width, image.channels)[::-1], 0, 1)
    if not image.is_float:
        return np.round(picture * 255).astype(np.uint8)
    if image.colorspace_settings.name != "Non-Color":
        picture[..., :3] = encoded(picture[..., :3])
    return np.round(picture * 65535).astype(np.uint16)
