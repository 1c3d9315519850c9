"""From a stored asset to the files one host wants: at once for the stored arrays, by the exporter for the rest.

What the exporter wrote is kept under (asset, host row, formats, version of Scenecast) and handed out again; the same
request made twice at a time is worked once.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import re
import shutil
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bridge.errors import StoreDamaged, StoreFull, UnknownFormat, UnknownHost
from bridge.export_process import ExportProcess
from bridge.exporter import ExportOrder, Written
from bridge.exports import INDEX, Exports
from bridge.messages import AssetFiles, Deliver, FileRow
from bridge.metrics import Counters
from bridge.transfers import Source
from engines.conventions import Host
from engines.hosts import HOSTS
from engines.kinds import Kind
from engines.manifest import Manifest, Part

log = logging.getLogger(__name__)

NEUTRAL = "neutral"
"""The host name under which the stored arrays themselves are handed out."""
_NPY = "application/x-npy"


class Shelf(Protocol):
    """What delivery asks of the store."""

    exports: Exports

    def path(self, digest: str) -> Path:
        """Where a blob lies. Raises `UnknownAsset`."""

    def manifest(self, digest: str) -> Manifest:
        """The manifest of an asset. Raises `UnknownAsset`, `StoreDamaged`."""

    def take_export(self, key: str, draft: Path, size_bytes: int, files: int) -> None:
        """Keep a finished export; `key` begins with the asset's digest. Raises `StoreFull`, `OSError`."""

    def touch(self, digest: str) -> None:
        """Count now as the asset's last use."""

    def pin(self, digest: str) -> None:
        """Keep a file while it is being used."""

    def unpin(self, digest: str) -> None:
        """Undo one `pin`."""


@dataclass(frozen=True)
class Delivered:
    """The answer to a client, and the files behind it in the same order."""

    message: AssetFiles
    sources: tuple[Source, ...]
    hold: Callable[[], None]
    """To be called before the files are sent in chunks: they are then not collected …"""
    release: Callable[[], None]
    """… until this is called."""


class Delivery:
    """Prepares files; knows nothing of sockets."""

    def __init__(self, store: Shelf, exporter: ExportProcess, counters: Counters, *, version: str) -> None:
        self._store = store
        self._exporter = exporter
        self._counters = counters
        self._version = version
        self._under_way: dict[str, asyncio.Task[list[Written]]] = {}

    def at_once(self, digest: str, wish: Deliver) -> Delivered | None:
        """The stored arrays when the wish is for them, None when files must be written first."""
        if wish.host != NEUTRAL:
            return None
        if wish.formats:
            raise UnknownFormat("the stored arrays have no other format", path="$.formats", remedy="name a host")
        manifest = self._store.manifest(digest)
        rows = [_array_row(part, manifest) for part in manifest.parts]
        sources = tuple(Source(self._store.path(part.digest), part.bytes) for part in manifest.parts)
        return self._delivered(_message(digest, manifest, NEUTRAL, rows), sources, manifest)

    async def files(self, digest: str, wish: Deliver) -> Delivered:
        """The files as the wish says. Raises `RequestError` leaves, `StoreDamaged`, `StoreFull`."""
        ready = self.at_once(digest, wish)
        if ready is not None:
            return ready
        manifest = self._store.manifest(digest)
        host = _host(wish.host)
        formats = _checked_formats(wish.formats, host)
        key = _key(digest, host, formats, self._version)
        written = self._store.exports.find(key)
        if written is not None:
            self._counters.export_cache_hits_total += 1
        else:
            written = await self._once(key, lambda: self._export(key, digest, manifest, wish.host, formats))
        folder = self._store.exports.folder(key)
        rows = [FileRow(**msgspec.structs.asdict(file)) for file in written]
        sources = tuple(Source(folder / file.name, file.size_bytes) for file in written)
        return self._delivered(_message(digest, manifest, wish.host, rows), sources, manifest, export=key)

    async def stop(self) -> None:
        """Give up what is being written."""
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _delivered(
        self, message: AssetFiles, sources: tuple[Source, ...], manifest: Manifest, *, export: str = ""
    ) -> Delivered:
        self._store.touch(message.digest)
        held = _all_of(message.digest, manifest)

        def hold() -> None:
            self._hold(held)
            self._store.exports.pin(export)

        def release() -> None:
            self._release(held)
            self._store.exports.unpin(export)

        return Delivered(message, sources, hold, release)

    def _hold(self, digests: Sequence[str]) -> None:
        for digest in digests:
            self._store.pin(digest)

    def _release(self, digests: Sequence[str]) -> None:
        for digest in digests:
            self._store.unpin(digest)

    async def _once(self, key: str, work: Callable[[], Coroutine[Any, Any, list[Written]]]) -> list[Written]:
        """Join the same export if it is under way; a waiter that gives up does not end it for the others."""
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(work())
            task.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(task)

    def _done(self, key: str, task: asyncio.Task[list[Written]]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled() and (error := task.exception()) is not None:  # all who asked may be gone
            log.info("an export failed: %s", error, extra={"export": key})

    async def _export(
        self, key: str, digest: str, manifest: Manifest, host: str, formats: Mapping[str, str]
    ) -> list[Written]:
        draft = self._store.exports.draft(key)
        held = _all_of(digest, manifest)
        self._hold(held)
        try:
            await asyncio.to_thread(draft.mkdir, parents=True)
            order = ExportOrder(
                manifest=str(self._store.path(digest)),
                parts={part.digest: str(self._store.path(part.digest)) for part in manifest.parts},
                host=host,
                folder=str(draft),
                formats=dict(formats),
            )
            answer = await self._exporter.export(order)
            size_bytes = await asyncio.to_thread(_finish, draft, answer.files)
            self._store.take_export(key, draft, size_bytes, len(answer.files) + 1)
        except OSError as error:
            raise StoreFull(f"the export could not be written: {error.strerror}", remedy="free disk space") from error
        finally:
            self._release(held)
            await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
        self._counters.exports_total += 1
        log.info("exported", extra={"asset": digest, "host": host, "files": len(answer.files)})
        return answer.files


def _host(name: str) -> Host:
    host = HOSTS.get(name)
    if host is None:
        known = ", ".join((*HOSTS, NEUTRAL))
        raise UnknownHost(f"no host is called {name[:60]!r}", path="$.host", remedy=f"use one of {known}")
    return host


def _checked_formats(formats: Mapping[str, str], host: Host) -> dict[str, str]:
    """The wish for formats, its kinds known; which format fits is the exporter's to say."""
    for kind in formats:
        if kind not in list(Kind):
            raise UnknownFormat(f"{kind[:60]!r} is no kind of asset", path="$.formats", remedy=", ".join(Kind))
    return {kind: name for kind, name in formats.items() if name != next(iter(host.formats.get(Kind(kind), ())), None)}


def _key(digest: str, host: Host, formats: Mapping[str, str], version: str) -> str:
    """Names one export: the same asset, host row, formats and version of ours give the same files."""
    said = "\n".join((repr(host), repr(sorted(formats.items())), version))
    return f"{digest}-{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def _finish(draft: Path, files: list[Written]) -> int:
    """Make a written export fit to be kept; returns the bytes it takes."""
    for file in files:
        (draft / file.name).chmod(0o444)
    index = msgspec.json.encode(files)
    (draft / INDEX).write_bytes(index)
    return sum(file.size_bytes for file in files) + len(index)


def _all_of(digest: str, manifest: Manifest) -> tuple[str, ...]:
    return (digest, *(part.digest for part in manifest.parts))


def _array_row(part: Part, manifest: Manifest) -> FileRow:
    if part.media_type == _NPY:
        dtype = _little_endian(part.dtype)
        return FileRow(
            name=f"{part.name.replace('/', '.')}.npy",
            role=part.name,
            media_type=part.media_type,
            size_bytes=part.bytes,
            sha256=part.digest,
            dtype=dtype,
            shape=list(part.shape),
            # the numbers are the end of the file (NumPy Enhancement Proposal 1)
            offset=part.bytes - math.prod(part.shape) * int(dtype[2:]),
        )
    from engines.formats.registry import formats as format_rows

    rows = format_rows().values()
    extension = next((row.extension for row in rows if row.media_type == part.media_type), "")
    return FileRow(
        name=f"{part.name.replace('/', '.')}{extension}",
        role=part.name,
        media_type=part.media_type,
        size_bytes=part.bytes,
        sha256=part.digest,
        colour_space=str(manifest.meta.get("colour_space", "")),
    )


def _little_endian(name: str) -> str:
    """numpy's short form of a type's name: `float32` is `<f4`. Raises `StoreDamaged`."""
    match = re.fullmatch(r"(bool|int|uint|float|complex)(\d*)", name)
    if match is None:
        raise StoreDamaged(f"a part holds {name[:40]!r}, expected a type of numbers")
    size = int(match[2] or 8) // 8
    return f"{'<' if size > 1 else '|'}{match[1][0]}{size}"


def _message(digest: str, manifest: Manifest, host: str, rows: list[FileRow]) -> AssetFiles:
    return AssetFiles(
        digest=digest,
        kind=manifest.kind,
        host=host,
        files=rows,
        meta=dict(manifest.meta),
        provenance=dict(manifest.provenance),
        name=manifest.name[:256],
    )
