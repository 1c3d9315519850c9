"""An asset as it was written to disk, before it is hashed and stored; importing this loads no arrays.

The bridge takes drafts over without numpy; `engines.neutral` is where they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engines.kinds import Kind
from engines.manifest import Manifest, Part


@dataclass(frozen=True)
class DraftPart:
    """One array that was written, not yet hashed; `file` is its name inside the folder."""

    name: str
    file: str
    media_type: str
    bytes: int
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Draft:
    """An asset as a worker left it in its spool: everything but digests and provenance."""

    kind: Kind
    name: str
    meta: Mapping[str, Any]
    parts: tuple[DraftPart, ...]


def manifest_of(draft: Draft, digests: Mapping[str, str], provenance: Mapping[str, Any]) -> Manifest:
    """The manifest of a draft whose files are stored under `digests` (by part name)."""
    parts = tuple(
        Part(part.name, digests[part.name], part.bytes, part.media_type, part.dtype, part.shape) for part in draft.parts
    )
    return Manifest(draft.kind, draft.name, draft.meta, provenance, parts)
