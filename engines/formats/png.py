"""PNG (ISO/IEC 15948), 8 and 16 bits a channel, 1 to 4 channels.

The writer is our own, because textures are noise to deflate: with the Up filter and run-length matching it is
three times as fast as Pillow's quickest level and the files are no larger, and strips are deflated in parallel.
"""

from __future__ import annotations

import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from engines.assets import Array, Image
from engines.colour import srgb_codes
from engines.conventions import Host
from engines.errors import DamagedFile
from engines.formats.registry import ExportedFile, Format, Limits
from engines.kinds import ColourSpace, Kind
from engines.memory import PIXEL_BYTES
from engines.raster import check_file_size, check_picture_size, read_picture

Effort = Literal["stored", "quick", "small"]
"""How hard to compress: not at all (for a reader on the same disk), quickly, or well (several times slower)."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_STRIP_BYTES = 1 << 20
_UP_FILTER = 2
_DEFLATE_MOST = 1032
"""No deflate stream expands further than this."""


def encode(
    asset: Image,
    folder: Path,
    stem: str,
    *,
    host: Host,
    provenance: str = "",
    depth: Literal[8, 16] | None = None,
    effort: Effort = "quick",
) -> list[ExportedFile]:
    """Write one PNG; scene-linear colour becomes sRGB, data and alpha stay as they are.

    `depth` defaults to that of integer pixels; floats become 8 bits, or 16 for a one-channel data map. Colour is
    tagged with an sRGB chunk, data is left untagged so that no reader converts it.
    """
    depth = depth or default_depth(asset)
    codes = srgb_codes(asset, depth)
    colour = asset.colour_space is not ColourSpace.DATA
    path = folder / f"{stem}.png"
    size = write_png(path, codes, colour=colour, text=provenance, effort=effort)
    tag = ColourSpace.SRGB if colour else ColourSpace.DATA
    return [ExportedFile(path.name, "image", "image/png", tag, size)]


def decode(path: Path, limits: Limits) -> Image:
    """Read a PNG as an sRGB image, uint8 or uint16; only grey with alpha loses its lower 8 of 16 bits."""
    with path.open("rb") as file:
        head = file.read(33)
    if len(head) < 33 or head[:8] != SIGNATURE or head[12:16] != b"IHDR":
        raise DamagedFile(f"{path.name} does not begin like a PNG file")
    width, height, depth, colour_type = struct.unpack(">IIBB", head[16:26])
    check_picture_size(width, height, limits, path.name)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour_type)
    if channels is None or depth not in (1, 2, 4, 8, 16):
        raise DamagedFile(f"{path.name} declares colour type {colour_type} at {depth} bits")
    # Pillow finds a deep file whole before another library reads it again.
    check_picture_size(width, height, limits, path.name, PIXEL_BYTES * (2 if depth == 16 else 1))
    if width * height * channels * depth > 8 * _DEFLATE_MOST * check_file_size(path, limits):
        raise DamagedFile(f"{path.name} declares {width}×{height} pixels, more than its bytes can hold")
    pixels = read_picture(path, limits, "PNG")
    if depth == 16 and colour_type in (2, 6):
        pixels = _deep_pixels(path)
    return Image(pixels, ColourSpace.SRGB, path.stem)


def default_depth(image: Image) -> Literal[8, 16]:
    """The bits a channel needs: those of integer pixels, 16 for a one-channel float data map, else 8."""
    if image.pixels.dtype.kind == "u":
        return 16 if image.pixels.dtype == np.uint16 else 8
    return 16 if image.colour_space is ColourSpace.DATA and image.pixels.shape[2] == 1 else 8


def _deep_pixels(path: Path) -> NDArray[np.uint16]:
    """16-bit colour of a file that Pillow found whole; Pillow itself would halve its depth."""
    import av

    try:
        with av.open(str(path), format="png_pipe") as container:
            frame = next(container.decode(video=0))
            return frame.to_ndarray().astype(np.uint16, copy=False)
    except (av.error.FFmpegError, StopIteration) as error:
        raise DamagedFile(f"{path.name} cannot be read at 16 bits: {error}") from error


def write_png(path: Path, codes: Array, *, colour: bool, text: str, effort: Effort) -> int:
    """Write uint8 or uint16 `codes` [H, W, C] and return the file's length; strips are deflated in parallel."""
    height, width, channels = codes.shape
    depth = codes.dtype.itemsize * 8
    rows = np.ascontiguousarray(codes.astype(">u2") if depth == 16 else codes).view(np.uint8).reshape(height, -1)
    step = max(1, _STRIP_BYTES // rows.shape[1])
    starts = range(0, height, step)
    with ThreadPoolExecutor(max_workers=min(len(starts), os.cpu_count() or 1)) as pool:
        strips = list(pool.map(lambda top: _strip(rows, top, min(top + step, height), effort), starts))
    checksum = 1
    for _, filtered in strips:
        checksum = zlib.adler32(filtered.data, checksum)
    header = struct.pack(">IIBBBBB", width, height, depth, _COLOUR_TYPES[channels], 0, 0, 0)
    with path.open("wb") as file:
        file.write(SIGNATURE)
        _chunk(file, b"IHDR", header)
        if colour:
            _chunk(file, b"sRGB", b"\x00")
            _chunk(file, b"gAMA", struct.pack(">I", 45455))
        if text:
            # iTXt: keyword, no compression, no language, no translated keyword, UTF-8 text.
            _chunk(file, b"iTXt", b"scenecast\x00\x00\x00\x00\x00" + text.encode())
        for top, (packed, _) in zip(starts, strips, strict=True):
            first = b"\x78\x01" if top == 0 else b""
            last = struct.pack(">I", checksum) if top == starts[-1] else b""
            _chunk(file, b"IDAT", first + packed + last)
        _chunk(file, b"IEND", b"")
        return file.tell()


def _strip(rows: NDArray[np.uint8], top: int, bottom: int, effort: Effort) -> tuple[bytes, NDArray[np.uint8]]:
    """The deflated blocks of some rows, ending on a byte, and the filtered rows themselves."""
    filtered = np.empty((bottom - top, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP_FILTER
    np.subtract(rows[top + 1 : bottom], rows[top : bottom - 1], out=filtered[1:, 1:])
    np.subtract(rows[top], rows[top - 1] if top else np.uint8(0), out=filtered[0, 1:])
    level, strategy = {
        "stored": (0, zlib.Z_DEFAULT_STRATEGY),
        "quick": (1, zlib.Z_RLE),
        "small": (6, zlib.Z_DEFAULT_STRATEGY),
    }[effort]
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    ending = zlib.Z_FINISH if bottom == rows.shape[0] else zlib.Z_SYNC_FLUSH
    return deflate.compress(filtered.data) + deflate.flush(ending), filtered


def _chunk(file: BinaryIO, name: bytes, body: bytes) -> None:
    file.write(struct.pack(">I", len(body)) + name)
    file.write(body)
    file.write(struct.pack(">I", zlib.crc32(body, zlib.crc32(name))))


FORMATS = (
    Format(
        name="png",
        title="PNG",
        kinds=(Kind.IMAGE, Kind.MATERIAL),
        extension=".png",
        media_type="image/png",
        encode="engines.formats.png:encode",
        decode="engines.formats.png:decode",
        needs=("PIL", "av"),
        options=("depth", "effort"),
    ),
)
