"""What a file is, judged by its first bytes and, where those say too little, by its structure; never by its name."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from engines import obj_reader
from engines.errors import DamagedFile
from engines.formats import ksplat, splat, stl
from engines.formats.capture_zip import names_in, photograph_names
from engines.formats.registry import Format, Limits, format_named, formats
from engines.kinds import Kind
from engines.ply_chunks import WORDS

_HEAD_BYTES = 64 << 10
"""As long as a PLY header may be."""
_GLTF_JSON_BYTES = 16 << 20
"""A longer JSON chunk is that of a huge scene, not of a cloud."""
_NONE = ("", Kind.IMAGE)


def sniffed(path: Path) -> tuple[Format, Kind]:
    """The format of the file at `path`, and the kind of asset it holds.

    Raises `DamagedFile` for anything else, and with it or `TooLarge` for an archive that is no capture.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    name, kind = _format_of(head)
    if name == "glb" and _has_splats(path, head):
        kind = Kind.SPLATS
    elif name == "zip":
        name, kind = _archive(path)
    elif not name:
        name, kind = _without_signature(head, path)
    if name not in formats():
        readable = ", ".join(row.title for row in formats().values() if row.decode)
        raise DamagedFile(f"{path.name} is none of the formats that are read here", remedy=f"use {readable}")
    if kind is Kind.CAPTURE:  # many formats are zips inside; only a look at its directory tells
        photograph_names(path, Limits())
    return format_named(name, kind), kind


def _format_of(head: bytes) -> tuple[str, Kind]:
    """Signatures are those of each format's own specification."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png", Kind.IMAGE
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg", Kind.IMAGE
    if head.startswith(b"\x76\x2f\x31\x01"):
        return "exr", Kind.IMAGE
    if head.startswith(b"glTF"):
        return "glb", Kind.MESH
    if head.startswith((b"ply\n", b"ply\r")):
        return _ply(head)
    if head.startswith(b"PK\x03\x04"):
        return "zip", Kind.CAPTURE
    if head.startswith((b"NGSP", b"\x1f\x8b")):
        return "spz", Kind.SPLATS
    if head.startswith((b"PXR-USDC", b"#usda ")):
        return "usd", Kind.SPLATS  # of USD only splats are read
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav", Kind.SOUND
    if head[4:8] == b"ftyp" and head[8:12] not in (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"):
        return "mp4", Kind.CLIP
    return _NONE


def _ply(head: bytes) -> tuple[str, Kind]:
    """By the columns that `engines.formats.ply` tells them by."""
    named = {line.split()[-1] for line in head.split(b"end_header")[0].splitlines() if line.startswith(b"property ")}
    if WORDS[0].encode() in named:
        return "compressed_ply", Kind.SPLATS
    splats = b"f_dc_0" in named or {b"opacity", b"rot_0"} <= named
    return "ply", Kind.SPLATS if splats else Kind.MESH


def _has_splats(path: Path, head: bytes) -> bool:
    """Whether the JSON of a GLB names the extension for splats; any damage is for the decoder to name."""
    if len(head) < 20:
        return False
    (length,) = struct.unpack_from("<I", head, 12)
    with path.open("rb") as file:
        file.seek(20)
        return b'"KHR_gaussian_splatting"' in file.read(min(length, _GLTF_JSON_BYTES))


def _archive(path: Path) -> tuple[str, Kind]:
    """A zip is told by what it holds: textures of splats, a model to be printed, or else photographs."""
    names = names_in(path)
    if "meta.json" in names and any(name.startswith("means") for name in names):
        return "sog", Kind.SPLATS
    if "[Content_Types].xml" in names and any(name.endswith(".model") for name in names):
        return "3mf", Kind.MESH
    return "zip", Kind.CAPTURE


def _without_signature(head: bytes, path: Path) -> tuple[str, Kind]:
    """Formats that begin with nothing of their own: what they hold must add up."""
    size = path.stat().st_size
    if stl.is_binary(head[:84], size) or stl.is_ascii(head):
        return "stl", Kind.MESH
    if obj_reader.looks_like_one(head):
        return "obj", Kind.MESH
    if ksplat.looks_like_one(head, size):
        return "ksplat", Kind.SPLATS
    if size and size % splat.ROW.itemsize == 0 and not splat.fault_in(np.frombuffer(head[:size], splat.ROW)):
        return "splat", Kind.SPLATS
    return _NONE
