"""Plain NumPy arrays with a JSON description: the neutral form itself, for programs that compute on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engines.assets import Asset
from engines.conventions import Host
from engines.formats.registry import ExportedFile, Format
from engines.kinds import Kind


def encode(asset: Asset, folder: Path, stem: str, *, host: Host, provenance: str = "") -> list[ExportedFile]:
    """Write `stem.json` and one `stem_part.npy` per array, in neutral axes and metres whatever the host.

    The description gives kind, name, values that are no arrays, and each part's file, dtype and shape.
    """
    from engines.neutral import write

    draft = write(asset, folder)
    files = []
    parts: dict[str, Any] = {}
    for part in draft.parts:
        name = f"{stem}_{part.name.replace('/', '_')}.npy"
        (folder / part.file).rename(folder / name)
        parts[part.name] = {"file": name, "dtype": part.dtype, "shape": list(part.shape)}
        files.append(ExportedFile(name, part.name, part.media_type, None, part.bytes))
    described = {
        "type": "scenecast.arrays",
        "version": 1,
        "kind": draft.kind,
        "name": draft.name,
        "meta": draft.meta,
        "parts": parts,
        "provenance": json.loads(provenance) if provenance else {},
    }
    path = folder / f"{stem}.json"
    text = json.dumps(described, ensure_ascii=False, allow_nan=False, indent=2)
    path.write_text(text, encoding="utf-8", newline="\n")
    return [ExportedFile(path.name, "description", "application/json", None, path.stat().st_size), *files]


FORMATS = (
    Format(
        name="npy",
        title="NumPy arrays",
        kinds=(Kind.IMAGE, Kind.CLIP, Kind.SPLATS, Kind.MESH, Kind.FIELD, Kind.SOUND),
        extension=".npy",
        media_type="application/x-npy",
        encode="engines.formats.npy:encode",
    ),
)
