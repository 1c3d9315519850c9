"""What a file is, judged by its first bytes."""

from __future__ import annotations

from pathlib import Path

from engines.errors import DamagedFile
from engines.formats.capture_zip import photograph_names
from engines.formats.registry import Format, Limits, format_named, formats
from engines.kinds import Kind

_HEAD_BYTES = 4096


def sniffed(path: Path) -> tuple[Format, Kind]:
    """The format of the file at `path`, and the kind of asset it holds.

    Raises `DamagedFile` for anything else, and with it or `TooLarge` for an archive that is no capture.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    name, kind = _format_of(head)
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
    if head.startswith((b"ply\n", b"ply\r\n")):
        return "ply", Kind.SPLATS if b"property float f_dc_0" in head else Kind.MESH
    if head.startswith(b"PK\x03\x04"):
        return "zip", Kind.CAPTURE
    if head.startswith((b"NGSP", b"\x1f\x8b")):
        return "spz", Kind.SPLATS
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav", Kind.SOUND
    if head[4:8] == b"ftyp" and head[8:12] not in (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"):
        return "mp4", Kind.CLIP
    return "", Kind.IMAGE
