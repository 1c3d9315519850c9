"""How a neutral asset is kept on disk: named arrays as plain `.npy` files, and a manifest that lists them.

The manifest is canonical JSON (sorted keys, compact, UTF-8, finite numbers), so its sha256 is the asset's digest
and the same asset with the same provenance has the same digest everywhere. A part may also be a file that a
person uploaded (PNG, GLB, WAV …); it is decoded, under limits, when it is read.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from engines.assets import Array, Asset, Capture, Image
from engines.draft import Draft, DraftPart, manifest_of
from engines.errors import DamagedFile, UnsuitableAsset
from engines.formats.registry import Format, Limits, decoder, format_named, without_extension
from engines.forms import check_parts
from engines.kinds import ColourSpace, Kind
from engines.manifest import Manifest, Part, manifest_bytes, manifest_digest, manifest_from_bytes
from engines.parts import asset_from_parts, parts_from_asset
from engines.sniffing import sniffed

__all__ = [
    "NPY",
    "Draft",
    "DraftPart",
    "Manifest",
    "Part",
    "asset_from_parts",
    "manifest_bytes",
    "manifest_digest",
    "manifest_for_file",
    "manifest_from_bytes",
    "manifest_of",
    "parts_from_asset",
    "read",
    "write",
]

NPY = "application/x-npy"
"""The media type of a plain array file (NumPy Enhancement Proposal 1)."""
WHOLE_FILE = "file"
"""The name of the one part of an asset that is an uploaded file."""

_BLOCK_BYTES = 16 << 20


def write(asset: Asset, folder: Path) -> Draft:
    """Write every array of `asset` as a `.npy` file (C order, little endian) into the existing `folder`.

    Streams block by block, so no second copy of a large array is made. A capture is copied as the zip that it is.
    Raises `UnsuitableAsset`, for a capture also `DamagedFile` and `TooLarge`.
    """
    if isinstance(asset, Capture):
        return _whole(asset, folder)
    meta, parts = parts_from_asset(asset)
    check_parts(asset.kind, parts)
    written = []
    for name, array in sorted(parts.items()):
        path = folder / f"{name.replace('/', '.')}.npy"
        size = _write_npy(path, array)
        written.append(DraftPart(name, path.name, NPY, size, array.dtype.name, array.shape))
    return Draft(asset.kind, asset.name, meta, tuple(written))


def _whole(capture: Capture, folder: Path) -> Draft:
    row, kind = sniffed(capture.path)
    if kind is not Kind.CAPTURE:
        raise UnsuitableAsset(f"the capture {capture.name!r} is {row.title}, expected one zip of photographs")
    path = folder / f"{WHOLE_FILE}{row.extension}"
    shutil.copyfile(capture.path, path)
    part = DraftPart(WHOLE_FILE, path.name, row.media_type, path.stat().st_size, "", ())
    return Draft(kind, capture.name, {"format": row.name}, (part,))


def manifest_for_file(
    path: Path, digest: str, *, name: str = "", media_type: str = "", provenance: Mapping[str, Any] | None = None
) -> Manifest:
    """The manifest of a file somebody uploaded: its kind is read from its first bytes, never from its name.

    The asset is called by the file's name without a known extension. `media_type` is what the sender claims; a claim
    that the content contradicts is refused as `DamagedFile`, as is a file that no decoder of ours reads.
    """
    row, kind = sniffed(path)
    if media_type and media_type != row.media_type:
        raise DamagedFile(
            f"{name or path.name} was sent as {media_type}, but its content is {row.media_type}",
            remedy=f"send it as {row.media_type}",
        )
    part = Part(WHOLE_FILE, digest, path.stat().st_size, row.media_type)
    title = without_extension(name) or name
    return Manifest(kind, title, MappingProxyType({"format": row.name}), provenance or {}, (part,))


def read(manifest: Manifest, path_of: Callable[[str], Path], limits: Limits | None = None) -> Asset:
    """The asset a manifest describes; `path_of` finds a part's file by digest.

    Arrays are memory-mapped read-only: nothing is loaded until it is looked at. Files that were uploaded are
    decoded. Raises `DamagedFile`, `TooLarge`, `FormatUnavailable`.
    """
    limits = limits or Limits()
    if [part.name for part in manifest.parts] == [WHOLE_FILE]:
        return _decoded(manifest, manifest.parts[0], path_of, limits)
    arrays: dict[str, Array] = {}
    for part in manifest.parts:
        path = path_of(part.digest)
        arrays[part.name] = _mapped(part, path) if part.media_type == NPY else _pixels(part, path, limits)
    try:
        check_parts(manifest.kind, arrays)
        return asset_from_parts(manifest.kind, manifest.meta, arrays, manifest.name)
    except (UnsuitableAsset, KeyError, TypeError, ValueError) as error:
        raise DamagedFile(f"asset {manifest.name!r} of kind {manifest.kind} is damaged: {error}") from error


def _decoded(manifest: Manifest, part: Part, path_of: Callable[[str], Path], limits: Limits) -> Asset:
    row = format_named(str(manifest.meta.get("format", "")), manifest.kind)
    asset = decoder(row)(path_of(part.digest), limits)
    if asset.kind is not manifest.kind:
        raise DamagedFile(f"{manifest.name!r} is listed as {manifest.kind}, but holds an asset of kind {asset.kind}")
    if isinstance(asset, Image) and "colour_space" in manifest.meta:
        stated = manifest.meta["colour_space"]
        if stated not in list(ColourSpace):
            raise DamagedFile(f"{manifest.name!r} states the colour space {stated!r}")
        asset = replace(asset, colour_space=ColourSpace(stated))
    return replace(asset, name=manifest.name)


def _pixels(part: Part, path: Path, limits: Limits) -> Array:
    row = _image_format(part)
    asset = decoder(row)(path, limits)
    if not isinstance(asset, Image):
        raise DamagedFile(f"part {part.name} is {part.media_type}, which holds no picture")
    return asset.pixels


def _image_format(part: Part) -> Format:
    for name in ("png", "jpeg", "exr"):
        row = format_named(name, Kind.IMAGE)
        if row.media_type == part.media_type:
            return row
    raise DamagedFile(f"part {part.name} is {part.media_type}, expected an array or a picture")


def _mapped(part: Part, path: Path) -> Array:
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise DamagedFile(f"part {part.name} is a .npy file of version {version}, expected (1, 0)")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            start = file.tell()
    except (ValueError, OSError) as error:
        raise DamagedFile(f"part {part.name} cannot be read as an array: {error}") from error
    if dtype.hasobject or fortran or dtype.byteorder == ">" or dtype.name != part.dtype or shape != part.shape:
        raise DamagedFile(f"part {part.name} holds {dtype} {shape}, listed is {part.dtype} {part.shape}")
    expected = start + math.prod(shape) * dtype.itemsize
    if path.stat().st_size != expected or part.bytes != expected:
        raise DamagedFile(f"part {part.name} has {path.stat().st_size} bytes, expected {expected}")
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.asarray(np.memmap(path, dtype, "r", start, shape))


def _write_npy(path: Path, array: Array) -> int:
    dtype = array.dtype.newbyteorder("<")
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": array.shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        rows = max(1, _BLOCK_BYTES // max(1, array.nbytes // max(1, len(array))))
        for start in range(0, len(array), rows):
            file.write(np.ascontiguousarray(array[start : start + rows], dtype).data)
        return file.tell()
