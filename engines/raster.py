"""Reading pictures of unknown origin with Pillow, under limits; shared by the PNG and JPEG decoders."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from engines.assets import Array
from engines.errors import DamagedFile, TooLarge
from engines.formats.registry import Limits
from engines.memory import PIXEL_BYTES, check_memory

_MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


def check_picture_size(width: int, height: int, limits: Limits, what: str, pixel_bytes: int = PIXEL_BYTES) -> None:
    """Raise `DamagedFile` for an empty picture and `TooLarge` for one over the limit."""
    if width < 1 or height < 1:
        raise DamagedFile(f"{what} declares {width}×{height} pixels")
    if width * height > limits.max_pixels:
        raise TooLarge(
            f"{what} has {width}×{height} pixels, more than the limit of {limits.max_pixels}",
            remedy="scale it down first",
        )
    wanted = width * height * pixel_bytes
    check_memory(wanted, limits.max_memory_bytes, f"{what} with {width}×{height} pixels", "scale it down")


def check_file_size(path: Path, limits: Limits) -> int:
    """The file's length in bytes. Raises `TooLarge`, or `DamagedFile` for an empty file."""
    size = path.stat().st_size
    if size > limits.max_file_bytes:
        raise TooLarge(f"{path.name} has {size} bytes, more than the limit of {limits.max_file_bytes}")
    if size == 0:
        raise DamagedFile(f"{path.name} is empty")
    return size


def read_picture(path: Path, limits: Limits, kind: Literal["PNG", "JPEG"]) -> Array:
    """Pixels uint8 or uint16 [H, W, C] of a PNG or JPEG, turned upright as its EXIF data says."""
    from PIL import Image as Pillow
    from PIL import ImageOps

    # Our own limit is checked below, before a pixel is allocated; Pillow's would warn about honest 16k maps.
    Pillow.MAX_IMAGE_PIXELS = None
    check_file_size(path, limits)
    try:
        with Pillow.open(path, formats=[kind]) as picture:
            check_picture_size(*picture.size, limits, path.name)
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I"):
                return np.asarray(upright, np.int32).astype(np.uint16)[..., None]
            mode = upright.mode
            if mode not in _MODES:
                alpha = mode in ("PA", "La", "RGBa") or "transparency" in upright.info
                mode = "L" if mode == "1" else "RGBA" if alpha else "RGB"
            pixels = np.asarray(upright.convert(mode))
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError) as error:
        raise DamagedFile(f"{path.name} is no whole {kind} file: {error}") from error
    return pixels.reshape(*pixels.shape[:2], -1)
