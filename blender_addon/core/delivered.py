# SPDX-License-Identifier: GPL-3.0-or-later
"""What arrived: one produced asset as files on disk, with all that is known of how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

PREVIEW_ROLES = ("thumbnail", "preview")
"""Roles of a small lit picture of the asset, when one was delivered with it."""


@dataclass(frozen=True)
class DeliveredFile:
    """One file of an asset. It is read, never changed: it may be the bridge's own copy."""

    name: str
    """File name without folders, safe on every platform."""
    role: str
    """`base_color`, `normal` …, `description`, `image`, `clip`, `frame`, `mesh`, `splats`, `sound`, `scene`."""
    media_type: str
    colour_space: str
    """`srgb`, `linear` or `data`; empty for what is no picture."""
    path: str

    def read(self) -> bytes:
        """The bytes. Raises OSError."""
        with open(self.path, "rb") as file:
            return file.read()


@dataclass(frozen=True)
class Delivered:
    """One asset in Blender's conventions, its principal file first."""

    digest: str
    kind: str
    """`material`, `image`, `clip`, `mesh`, `splats`, `sound`, `field` or `scene`."""
    name: str
    meta: dict[str, Any] = field(default_factory=dict)
    """What the asset says beside its files: `tile_m`, `height_m`, `fps`, `loops` …"""
    provenance: dict[str, Any] = field(default_factory=dict)
    files: tuple[DeliveredFile, ...] = ()
    job_id: str = ""
    """Assets of one job with one name are versions of one thing: the newer replaces the older in place."""
    generator: str = ""
    seed: int | None = None
    params: dict[str, Any] = field(default_factory=dict)
    time: float = 0.0
    """When the job finished, in seconds since 1970; 0 when unknown."""

    def of_role(self, *roles: str) -> DeliveredFile | None:
        """The first file of the first of these roles that there is."""
        for role in roles:
            for file in self.files:
                if file.role == role:
                    return file
        return None

    def to_json(self) -> str:
        """All of it as JSON, paths included; `from_json` is the inverse."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Delivered:
        """What `to_json` wrote; unknown fields are skipped. Raises ValueError, KeyError or TypeError."""
        tree: Mapping[str, Any] = json.loads(text)
        known = {each.name: tree[each.name] for each in fields(cls) if each.name in tree}
        return cls(**{**known, "files": tuple(DeliveredFile(**file) for file in known.get("files", ()))})
