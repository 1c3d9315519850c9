"""OpenEXR: scene-linear light and data in half or full floats, without a limit to 0..1.

The format holds colour multiplied by its alpha ("associated"), and its readers divide by it again; neutral pictures are
straight. A material's textures stay straight, because a shader takes them as they are, and an attribute says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from engines.assets import Array, Image
from engines.colour import linear_pixels
from engines.conventions import Host
from engines.errors import DamagedFile, TooLarge
from engines.formats.registry import ExportedFile, Format, Limits
from engines.kinds import ColourSpace, Kind
from engines.memory import check_memory
from engines.raster import check_file_size, check_picture_size

_NAMES = {1: ("Y",), 2: ("Y", "A"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}
_DATA_NOTE = "data"
_ALPHA_NOTE, _STRAIGHT = "scenecastAlpha", "straight"
_MOST_LAYERS = 8
"""Channels of the largest size that all parts may have together."""
_VALUE_BYTES, _KEPT_BYTES = 4, 12
"""A value as the library reads it, and what stacking and dividing by alpha add for those that are kept."""
_ZIP_MOST = 1032
"""No deflate stream expands further than this; EXR's other codecs stay below it."""


def encode(
    asset: Image,
    folder: Path,
    stem: str,
    *,
    host: Host,
    provenance: str = "",
    depth: Literal[8, 16, 32] | None = None,
    alpha: Literal["associated", "straight"] = "associated",
) -> list[ExportedFile]:
    """Write one EXR with ZIP compression; sRGB becomes scene-linear, data stays as it is.

    `depth` is 16 (half, the default for everything but float32 data maps) or 32 bits; an 8 becomes 16. Colour is
    multiplied by its alpha unless that is to be "straight". One channel is named Y, as the specification asks.
    Provenance goes into an attribute of that name.
    """
    import OpenEXR

    data = asset.colour_space is ColourSpace.DATA
    if depth is None:
        depth = 32 if data and asset.pixels.dtype in (np.float32, np.uint16) else 16
    pixels = linear_pixels(asset)
    has_alpha = not data and pixels.shape[2] in (2, 4)
    if has_alpha and alpha == "associated":
        pixels = np.concatenate([pixels[..., :-1] * pixels[..., -1:], pixels[..., -1:]], axis=2)
    if depth != 32:
        # Half floats end at 65504; beyond it light would become infinite.
        pixels = np.clip(pixels, -65504, 65504).astype(np.float16)
    header: dict[str, Any] = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "scenecastColourSpace": _DATA_NOTE if data else "linear Rec.709",
    }
    if has_alpha and alpha == "straight":
        header[_ALPHA_NOTE] = _STRAIGHT
    if provenance:
        header["provenance"] = provenance
    names = _NAMES[pixels.shape[2]]
    channels = {name: np.ascontiguousarray(pixels[..., index]) for index, name in enumerate(names)}
    path = folder / f"{stem}.exr"
    with OpenEXR.File(header, channels) as file:
        file.write(str(path))
    tag = ColourSpace.DATA if data else ColourSpace.LINEAR
    return [ExportedFile(path.name, "image", "image/x-exr", tag, path.stat().st_size)]


def decode(path: Path, limits: Limits) -> Image:
    """Read the first part of an EXR as a scene-linear (or, if marked, data) image of 1 to 4 channels.

    Channels R G B A or Y A are taken by name; a file with others only gives the first of them as one channel.
    """
    import OpenEXR

    length = check_file_size(path, limits)
    try:
        with OpenEXR.File(str(path), header_only=True) as file:
            headers = [dict(part.header) for part in file.parts]
        header = headers[0]
        width, height = _checked_size(headers, length, limits, path.name)
        names = _names_of([channel.name for channel in header["channels"]])
        with OpenEXR.File(str(path), separate_channels=True) as file:
            planes = {name: file.channels()[name].pixels for name in names}
    except (RuntimeError, ValueError, KeyError, IndexError, TypeError, OSError) as error:
        raise DamagedFile(f"{path.name} is no whole EXR file: {error}") from error
    pixels = _stacked([planes[name] for name in names], (height, width), path.name)
    data = header.get("scenecastColourSpace") == _DATA_NOTE
    if not data and len(names) in (2, 4) and header.get(_ALPHA_NOTE) != _STRAIGHT:
        pixels = _straightened(pixels)
    return Image(pixels, ColourSpace.DATA if data else ColourSpace.LINEAR, path.stem)


def _checked_size(headers: list[dict[str, Any]], length: int, limits: Limits, name: str) -> tuple[int, int]:
    """Width and height of the first part, none of them too large: the library reads all parts and channels at once."""
    sizes, values = [], 0
    for header in headers:
        low, high = header["dataWindow"]
        width, height = int(high[0]) - int(low[0]) + 1, int(high[1]) - int(low[1]) + 1
        check_picture_size(width, height, limits, name)
        sizes.append((width, height))
        values += width * height * len(header["channels"])
    if values * 2 > _ZIP_MOST * length:
        raise DamagedFile(f"{name} declares {values} values, more than its bytes can hold")
    most = _MOST_LAYERS * limits.max_pixels
    if values > most:
        raise TooLarge(
            f"the parts and channels of {name} hold {values} values together, the limit is {most}",
            remedy="save the layer that is meant by itself",
        )
    pixels = sizes[0][0] * sizes[0][1] * min(4, len(headers[0]["channels"]))
    wanted = values * _VALUE_BYTES + pixels * _KEPT_BYTES
    check_memory(wanted, limits.max_memory_bytes, f"{name} with {values} values in all its layers", "scale it down")
    return sizes[0]


def _straightened(pixels: Array) -> Array:
    """Colour divided by its alpha; where nothing is covered it stays, as that of a flame without a surface."""
    alpha = pixels[..., -1:].astype(np.float32)
    if ((alpha == 1) | (alpha == 0)).all():
        return pixels
    colour = pixels[..., :-1] / np.where(alpha > 0, alpha, np.float32(1))
    return np.concatenate([colour, alpha], axis=2)


def _names_of(present: list[str]) -> tuple[str, ...]:
    for names in (_NAMES[4], _NAMES[3], _NAMES[2], _NAMES[1]):
        if set(names) <= set(present):
            return names
    if not present:
        raise DamagedFile("the EXR file has no channels")
    return (present[0],)


def _stacked(planes: list[Array], shape: tuple[int, int], name: str) -> Array:
    if any(plane.shape != shape for plane in planes):
        raise DamagedFile(f"{name} has subsampled channels, which are not read")
    half = all(plane.dtype == np.float16 for plane in planes)
    return np.stack(planes, axis=2).astype(np.float16 if half else np.float32, copy=False)


FORMATS = (
    Format(
        name="exr",
        title="OpenEXR",
        kinds=(Kind.IMAGE, Kind.MATERIAL),
        extension=".exr",
        media_type="image/x-exr",
        encode="engines.formats.exr:encode",
        decode="engines.formats.exr:decode",
        needs=("OpenEXR",),
        options=("depth", "alpha"),
    ),
)
