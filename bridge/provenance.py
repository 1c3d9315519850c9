"""What made an asset, as data that depends on the request alone; and the key under which equal work is found again.

Nothing here knows the time or the job: the same request gives the same provenance, hence the same digest. When and
by which job an asset was made is in the ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from generators.spec import GeneratorSpec

_encoder = msgspec.msgpack.Encoder(order="deterministic")


def package_version() -> str:
    """Version of the installed Scenecast, or `0` when it runs from a bare folder."""
    try:
        return version("scenecast")
    except PackageNotFoundError:
        return "0"


_PACKAGE = package_version()


def work_key(
    spec: GeneratorSpec, params: Mapping[str, Any], inputs: Mapping[str, str], seed: int, device_kind: str
) -> str:
    """sha256 of the canonical MessagePack of all that decides a result; equal keys mean equal bytes.

    `params` holds every parameter, defaults filled in; `inputs` the digests by port.
    """
    work = (spec.id, spec.version, dict(params), dict(inputs), seed, device_kind)
    return hashlib.sha256(_encoder.encode(work)).hexdigest()


def provenance(
    spec: GeneratorSpec, params: Mapping[str, Any], inputs: Mapping[str, str], seed: int, device_kind: str
) -> dict[str, Any]:
    """Kept in the manifest of everything the run makes."""
    return {
        "generator": spec.id,
        "version": spec.version,
        "title": spec.title,
        "params": dict(params),
        "seed": seed,
        "inputs": dict(inputs),
        "device": device_kind,
        "scenecast": _PACKAGE,
    }
