"""The list of an asset's parts, as canonical JSON whose sha256 is the asset's digest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engines.errors import DamagedFile, UnsuitableAsset
from engines.kinds import Kind

_MOST_BYTES = 16 << 20
_VERSION = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PART_NAME = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)*")


@dataclass(frozen=True)
class Part:
    """One stored file of an asset; `dtype` and `shape` are empty when it is not an array."""

    name: str
    digest: str
    bytes: int
    media_type: str
    dtype: str = ""
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """All that is known of one stored asset; `parts` are in the order of their names."""

    kind: Kind
    name: str
    meta: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()


def manifest_bytes(manifest: Manifest) -> bytes:
    """Canonical JSON of a manifest. Raises `UnsuitableAsset` for what JSON cannot hold, NaN included."""
    parts = {
        part.name: {
            "bytes": part.bytes,
            "digest": part.digest,
            "dtype": part.dtype,
            "media_type": part.media_type,
            "shape": list(part.shape),
        }
        for part in manifest.parts
    }
    try:
        return _canonical(
            {
                "kind": manifest.kind,
                "meta": _plain(manifest.meta),
                "name": manifest.name,
                "parts": parts,
                "provenance": _plain(manifest.provenance),
                "version": _VERSION,
            }
        )
    except (TypeError, ValueError) as error:
        raise UnsuitableAsset(f"the manifest of {manifest.name!r} cannot be written as JSON: {error}") from error


def manifest_digest(manifest: Manifest) -> str:
    """The asset's digest: sha256 of its manifest's bytes, in hex."""
    return hashlib.sha256(manifest_bytes(manifest)).hexdigest()


def manifest_from_bytes(data: bytes) -> Manifest:
    """The manifest in `data`. Raises `DamagedFile`, saying where, for anything that we would not have written."""
    if len(data) > _MOST_BYTES:
        raise DamagedFile(f"a manifest of {len(data)} bytes is over the limit of {_MOST_BYTES}")
    try:
        tree = json.loads(data)
        if _canonical(tree) != data:
            raise DamagedFile("the manifest is not in canonical form, so its digest would mean nothing")
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"the manifest is not JSON: {error}") from error
    _require_keys(tree, {"kind", "meta", "name", "parts", "provenance", "version"}, "the manifest")
    if type(tree["version"]) is not int or tree["version"] != _VERSION:
        raise DamagedFile(f"manifest version {tree['version']!r}, expected {_VERSION}")
    if tree["kind"] not in list(Kind):
        raise DamagedFile(f"the manifest's kind is {tree['kind']!r}, expected one of {', '.join(Kind)}")
    for key, expected in {"name": str, "meta": dict, "provenance": dict, "parts": dict}.items():
        if not isinstance(tree[key], expected):
            raise DamagedFile(f"the manifest's {key} is {type(tree[key]).__name__}, expected {expected.__name__}")
    parts = tuple(_part_from(name, tree["parts"][name]) for name in sorted(tree["parts"]))
    return Manifest(Kind(tree["kind"]), tree["name"], tree["meta"], tree["provenance"], parts)


def _part_from(name: str, tree: object) -> Part:
    where = f"part {name!r} of the manifest"
    if not isinstance(tree, dict):
        raise DamagedFile(f"{where} is {type(tree).__name__}, expected a map")
    _require_keys(tree, {"bytes", "digest", "dtype", "media_type", "shape"}, where)
    digest, size, shape = tree["digest"], tree["bytes"], tree["shape"]
    if not _PART_NAME.fullmatch(name):
        raise DamagedFile(f"{where} has no proper name")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise DamagedFile(f"the digest of {where} is {digest!r}, expected 64 hexadecimal digits")
    if type(size) is not int or size < 0:
        raise DamagedFile(f"the length of {where} is {size!r}, expected bytes")
    if not isinstance(tree["dtype"], str) or not isinstance(tree["media_type"], str):
        raise DamagedFile(f"dtype and media_type of {where} are to be strings")
    if not isinstance(shape, list) or any(type(length) is not int or length < 0 for length in shape):
        raise DamagedFile(f"the shape of {where} is {shape!r}, expected a list of lengths")
    return Part(name, digest, size, tree["media_type"], tree["dtype"], tuple(shape))


def _require_keys(tree: object, keys: set[str], where: str) -> None:
    if not isinstance(tree, dict) or set(tree) != keys:
        found = sorted(tree) if isinstance(tree, dict) else type(tree).__name__
        raise DamagedFile(f"{where} has {found}, expected exactly {sorted(keys)}")


def _plain(value: Any) -> Any:
    """Mappings and tuples as JSON's own, keys checked, so that reading gives the same value again."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"keys are to be strings, got {list(value)!r}")
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def _canonical(tree: object) -> bytes:
    return json.dumps(
        tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
    ).encode()
