"""From a neutral asset to the files one host reads: `export`, and the sidecar that describes a material.

Safe to call from any process or thread: it only writes inside the folder it is given, under temporary names
until every file is whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import unicodedata
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from engines.assets import Asset, Material
from engines.conventions import Host
from engines.errors import FormatUnavailable, UnknownFormat, UnsuitableAsset
from engines.extras import how_to_get
from engines.formats.png import Effort
from engines.formats.registry import ExportedFile, Format, encoder, format_named, missing_need, without_extension
from engines.kinds import Kind, MapName
from engines.packing import Texture, textures

__all__ = ["ExportedFile", "chosen_format", "export", "file_stem"]

_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_STEM_CHARACTERS = 48
"""Leaves room for the longest role, a frame number and an extension within 80 characters."""
DESCRIPTION_VERSION = 1


def export(
    asset: Asset,
    host: Host,
    folder: Path,
    *,
    formats: Mapping[Kind, str] | None = None,
    provenance: Mapping[str, Any] | None = None,
    effort: Effort = "quick",
) -> list[ExportedFile]:
    """Write `asset` into the existing `folder` as `host` reads it, and name the files, the principal one first.

    `formats` overrides the host's preferred format for a kind. A material gives one file per texture and a JSON
    description of what each holds. The same asset, host and provenance give the same names and bytes. `effort`
    is how hard PNG data is compressed. Raises `UnknownFormat`, `FormatUnavailable` or `UnsuitableAsset`.
    """
    row = chosen_format(asset.kind, host, (formats or {}).get(asset.kind))
    note = _note(provenance)
    options = {"effort": effort} if "effort" in row.options else {}
    stem = file_stem(without_extension(asset.name) or asset.kind.value)
    with _staged(folder) as staging:
        if isinstance(asset, Material) and Kind.IMAGE in row.kinds:
            files = _material(asset, host, row, staging, stem, note, options)
        else:
            files = encoder(row)(asset, staging, stem, host=host, provenance=note, **options)
    return files


def chosen_format(kind: Kind, host: Host, asked: str | None = None) -> Format:
    """The format asked for, or the first of the host's that this machine can write.

    Raises `UnknownFormat` naming what is possible, or `FormatUnavailable` when every choice lacks its package.
    """
    possible = host.formats.get(kind, ())
    if asked is not None and asked not in possible:
        raise UnknownFormat(
            f"{host.title} takes no {asked!r} for an asset of kind {kind}",
            remedy=f"use one of {', '.join(possible)}" if possible else f"{host.title} takes no {kind}",
        )
    missing: list[str] = []
    for name in (asked,) if asked else possible:
        row = format_named(name, kind)
        need = missing_need(row)
        if not need:
            return row
        missing.append(need)
    if not missing:
        raise UnknownFormat(f"{host.title} takes no asset of kind {kind}")
    packages = ", ".join(dict.fromkeys(missing))
    raise FormatUnavailable(
        f"an asset of kind {kind} for {host.title} needs {packages}",
        remedy=f"beside the bridge: {how_to_get(*missing)}",
    )


def file_stem(name: str) -> str:
    """A file name without extension for any `name`: lower-case a-z, 0-9 and "_", valid on every platform.

    Accents are dropped; a name without a single such letter becomes "asset".
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:_STEM_CHARACTERS].strip("_")
    return f"{stem or 'asset'}_" if _RESERVED.fullmatch(stem or "asset") else stem or "asset"


@contextlib.contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A hidden folder inside `folder` whose files move up when the block ends well, and vanish when not."""
    staging = folder / f".{secrets.token_hex(8)}.partial"
    staging.mkdir()
    try:
        yield staging
        for file in sorted(staging.iterdir()):
            os.replace(file, folder / file.name)
    finally:
        for leftover in staging.iterdir():
            leftover.unlink()
        staging.rmdir()


def _material(
    material: Material,
    host: Host,
    row: Format,
    folder: Path,
    stem: str,
    note: str,
    options: Mapping[str, Any],
) -> list[ExportedFile]:
    encode = encoder(row)
    parts = textures(material, host)

    def write(texture: Texture) -> ExportedFile:
        more = dict(options)
        if "depth" in row.options and texture.role != MapName.HEIGHT:
            more["depth"] = 8
        if "alpha" in row.options:
            more["alpha"] = "straight"
        name = f"{stem}_{texture.role}"
        written = encode(texture.image, folder, name, host=host, provenance=note, **more)
        return replace(written[0], role=texture.role)

    with ThreadPoolExecutor(max_workers=min(len(parts), os.cpu_count() or 1)) as pool:
        files = list(pool.map(write, parts))
    described = _describe(material, host, list(zip(parts, files, strict=True)), note)
    path = folder / f"{stem}_material.json"
    path.write_text(described, encoding="utf-8", newline="\n")
    return [*files, ExportedFile(path.name, "description", "application/json", None, path.stat().st_size)]


def _describe(material: Material, host: Host, parts: list[tuple[Texture, ExportedFile]], note: str) -> str:
    """The sidecar a thin client reads: which file holds what, in the host's own terms."""
    maps = [
        {
            "role": file.role,
            "file": file.file,
            "media_type": file.media_type,
            "colour_space": file.colour_space,
            "channels": dict(texture.channels),
            "size_px": [texture.image.pixels.shape[1], texture.image.pixels.shape[0]],
        }
        for texture, file in parts
    ]
    return json.dumps(
        {
            "type": "scenecast.material",
            "version": DESCRIPTION_VERSION,
            "name": material.name,
            "host": host.name,
            "unit_m": host.unit_m,
            "tile_m": material.tile_m,
            "tile_units": material.tile_m / host.unit_m,
            "height_m": material.height_m,
            "height_units": material.height_m / host.unit_m,
            "height_middle": 0.5,
            "tileable": material.tileable,
            "ior": material.ior,
            "normal_y": host.normal_y,
            "uv_origin": host.uv_origin,
            "maps": maps,
            "provenance": json.loads(note) if note else {},
        },
        ensure_ascii=False,
        allow_nan=False,
        indent=2,
    )


def _note(provenance: Mapping[str, Any] | None) -> str:
    """Provenance as the JSON string that files carry; empty when there is none."""
    try:
        return json.dumps(provenance, sort_keys=True, ensure_ascii=False, allow_nan=False) if provenance else ""
    except (TypeError, ValueError) as error:
        raise UnsuitableAsset(f"provenance cannot be written as JSON: {error}") from error
