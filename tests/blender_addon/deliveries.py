"""Assets exported for Blender as the bridge would deliver them, in the JSON that `Delivered.from_json` reads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from engines.assets import Asset
from engines.export import export
from engines.hosts import host
from engines.parts import parts_from_asset


def delivered(asset: Asset, folder: Path, *, job_id: str = "job-1", name: str = "", **more: Any) -> str:
    """JSON of one delivery whose files lie in `folder`; the digest is that of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    meta, _ = parts_from_asset(asset)
    files = export(asset, host("blender"), folder, **more)
    digest = hashlib.sha256()
    for file in files:
        digest.update((folder / file.file).read_bytes())
    rows = [
        {
            "name": file.file,
            "role": file.role,
            "media_type": file.media_type,
            "colour_space": file.colour_space or "",
            "path": str(folder / file.file),
        }
        for file in files
    ]
    provenance = {"generator": "test.made", "title": "Made by a test", "seed": 2**32 - 1, "params": {"prompt": "an F"}}
    tree = {
        "digest": digest.hexdigest(),
        "kind": asset.kind.value,
        "name": name or asset.name or asset.kind.value,
        "meta": meta,
        "provenance": provenance,
        "files": rows,
        "job_id": job_id,
        "generator": "test.made",
        "seed": 2**32 - 1,
        "params": {"prompt": "an F"},
        "time": 1.7e9,
    }
    return json.dumps(tree)
