"""Pictures from bytes of unknown origin: upright, small, eight bits, and never more of them in memory than needed."""

from __future__ import annotations

import io
import struct
import threading
import warnings
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from generators.radiance.archive import CaptureError

if TYPE_CHECKING:
    from PIL.Image import Image

PIXELS_MAX = 200_000_000
LARGE_PIXELS = 24_000_000
"""Pictures above it are decoded one at a time; two of the largest would take two gigabytes."""
HEIC = (".heic", ".heif")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
HEIC_REMEDY = (
    "HEIC needs the Python package pillow-heif (pip install 'scenecast[heic]'), or export JPEG (on an iPhone: "
    "Settings, Camera, Formats, Most Compatible)"
)
RAW = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw")
RAW_REMEDY = "camera raw is not read; develop all of them alike to JPEG or 16-bit TIFF"
OTHERS = (".gif", ".jxl", ".psd", ".exr", ".hdr", ".jp2", ".j2k")
"""What may be meant as a photograph and is not read."""
_ORIENTATION = 0x0112
_DAMAGED = (OSError, ValueError, SyntaxError, IndexError, TypeError, struct.error)
"""What Pillow raises on bytes that are not the picture they claim to be."""
_alone = threading.Lock()


def unread(name: str) -> str:
    """Why a file of that name is meant as a photograph and is not read all the same, or an empty string."""
    low = name.lower()
    if low.endswith(RAW):
        return RAW_REMEDY  # Pillow would take a raw file's thumbnail for the photograph
    return f"{PurePosixPath(low).suffix[1:].upper()} is not read; export JPEG or PNG" if low.endswith(OTHERS) else ""


def open_picture(content: bytes, name: str) -> Image:
    """The picture in `content`, of several the first, its header read and its size checked. Raises `CaptureError`."""
    from PIL import Image as pillow
    from PIL import UnidentifiedImageError

    if unread(name):
        raise CaptureError(unread(name))
    heic = name.lower().endswith(HEIC) and content[:2] != b"\xff\xd8"  # some tools leave the name and write JPEG
    if (heic or (content[4:8] == b"ftyp" and content[8:12] in HEIC_BRANDS)) and not _knows_heic():
        raise CaptureError(HEIC_REMEDY)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pillow.DecompressionBombWarning)
            image = pillow.open(io.BytesIO(content))
    except (UnidentifiedImageError, pillow.DecompressionBombError, *_DAMAGED) as error:
        raise CaptureError(f"not a readable picture: {error}") from error
    if image.width * image.height > PIXELS_MAX:
        raise CaptureError(
            f"{name} has {image.width}×{image.height} pixels; the limit is {PIXELS_MAX // 10**6} million"
        )
    return image


@cache
def _knows_heic() -> bool:
    """Whether Pillow was taught HEIC by pillow-heif, which turns pictures upright by itself and says so in EXIF."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener(thumbnails=False)
    return True


def noted_orientation(image: Image) -> int:
    """EXIF's orientation 1..8; reading it decodes a PNG, and may find it damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGED as error:
        raise CaptureError(f"is damaged: {error}") from error


def decoded(image: Image, orientation: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pixels uint8 [3 or 4, H, W] of an image turned by `orientation` and resized to (width, height).

    Raises `CaptureError` when it is damaged.
    """
    if image.width * image.height <= LARGE_PIXELS:
        return _decoded(image, orientation, size)
    with _alone:
        return _decoded(image, orientation, size)


def _decoded(image: Image, orientation: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    from PIL import Image as pillow

    stored = size[::-1] if orientation in (5, 6, 7, 8) else size
    try:
        image.draft("RGB", stored)  # JPEG can be decoded at an eighth of its size for an eighth of the time
        small = _eight_bits(image)
    except _DAMAGED as error:
        raise CaptureError(f"is damaged: {error}") from error
    if small.size != stored:
        small = small.resize(stored, pillow.Resampling.LANCZOS, reducing_gap=3.0)
    small = _in_srgb(small, image.info.get("icc_profile"))
    return np.ascontiguousarray(np.asarray(_turned(small, orientation)).transpose(2, 0, 1))


def decoded_depth(image: Image, orientation: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Steps float32 [H, W] of a grey picture of up to 16 bits, turned and resized to (width, height) by the nearest.

    Depths are never mixed: between a thing and what lies behind it there is nothing. Raises `CaptureError`.
    """
    from PIL import Image as pillow

    stored = size[::-1] if orientation in (5, 6, 7, 8) else size
    try:
        if len(image.getbands()) != 1:
            raise ValueError(f"it has {len(image.getbands())} channels, expected one")
        steps = pillow.fromarray(np.asarray(image).astype(np.float32))
    except _DAMAGED as error:
        raise CaptureError(f"its depth is damaged: {error}") from error
    if steps.size != stored:
        steps = steps.resize(stored, pillow.Resampling.NEAREST)
    values = np.asarray(_turned(steps, orientation))
    return np.ascontiguousarray(np.where(np.isfinite(values) & (values > 0), values, 0), np.float32)


def _turned(image: Image, orientation: int) -> Image:
    from PIL import Image as pillow

    turn = {
        2: pillow.Transpose.FLIP_LEFT_RIGHT,
        3: pillow.Transpose.ROTATE_180,
        4: pillow.Transpose.FLIP_TOP_BOTTOM,
        5: pillow.Transpose.TRANSPOSE,
        6: pillow.Transpose.ROTATE_270,
        7: pillow.Transpose.TRANSVERSE,
        8: pillow.Transpose.ROTATE_90,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)


def _in_srgb(image: Image, profile: object) -> Image:
    """The colours that a wider profile means (Display P3 of telephones, Adobe RGB), clipped to sRGB.

    A profile that is damaged, or not of colours in red, green and blue, is as none.
    """
    from PIL import Image as pillow
    from PIL import ImageCms

    if not isinstance(profile, bytes) or not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB" or "srgb" in str(source.profile.profile_description).lower():
            return image
        straight = ImageCms.profileToProfile(image.convert("RGB"), source, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, *_DAMAGED):
        return image
    if straight is None or image.mode == "RGB":
        return straight or image
    return pillow.merge("RGBA", (*straight.split(), image.getchannel("A")))


def _eight_bits(image: Image) -> Image:
    """RGB, or RGBA where the picture has any transparency; sixteen grey bits are scaled, which Pillow would clip."""
    from PIL import Image as pillow

    if image.mode.startswith("I"):
        wide = np.asarray(image)
        if wide.min(initial=0) < 0 or wide.max(initial=0) > 0xFFFF:
            raise ValueError("its numbers are no brightness of 16 bits")
        return pillow.fromarray(((wide.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("it holds floating-point numbers, expected 8 or 16 bits")
    mode = "RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB"
    if image.mode == mode:
        image.load()  # no second copy
        return image
    return image.convert(mode)
