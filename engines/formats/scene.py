"""A scene plan as JSON in the host's own axes and unit, so that a thin client only copies numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from engines import transforms
from engines.assets import Placement, ScenePlan
from engines.conventions import Host
from engines.formats.registry import ExportedFile, Format
from engines.kinds import Kind


def encode(asset: ScenePlan, folder: Path, stem: str, *, host: Host, provenance: str = "") -> list[ExportedFile]:
    """Write `stem.json`: `placements` with position in host units, rotation wxyz and scale along the host's axes."""
    described = {
        "type": "scenecast.scene",
        "version": 1,
        "name": asset.name,
        "host": host.name,
        "unit_m": host.unit_m,
        "placements": [_placed(placement, host) for placement in asset.placements],
        "notes": dict(asset.notes),
        "provenance": json.loads(provenance) if provenance else {},
    }
    path = folder / f"{stem}.json"
    text = json.dumps(described, ensure_ascii=False, allow_nan=False, indent=2)
    path.write_text(text, encoding="utf-8", newline="\n")
    return [ExportedFile(path.name, "scene", "application/json", None, path.stat().st_size)]


def _placed(placement: Placement, host: Host) -> dict[str, Any]:
    to_host = transforms.host_from_neutral(host)
    position = transforms.positions(to_host, np.array([placement.position_m]), scale=1 / host.unit_m)
    rotation = transforms.quaternions(to_host, np.array([placement.rotation_wxyz]))
    scale = transforms.extents(to_host, np.array([placement.scale]))
    return {
        "asset": placement.asset,
        "name": placement.name,
        "position": [float(value) for value in position[0]],
        "rotation_wxyz": [float(value) for value in rotation[0]],
        "scale": [float(value) for value in scale[0]],
    }


FORMATS = (
    Format(
        name="scene",
        title="Scene plan",
        kinds=(Kind.SCENE,),
        extension=".json",
        media_type="application/json",
        encode="engines.formats.scene:encode",
    ),
)
