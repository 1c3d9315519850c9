"""Files that clients send as inputs: offered by digest, sent in chunks, kept only when they hash to their name.

A partial file lies in `<root>/uploads/<digest>` and outlives its connection, so that an upload goes on where it was
cut off; whoever offered it last may write it, and no file is held open between chunks. Nothing of it can be used
before `adopt_upload` has verified it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bridge.disk import DISK_FULL
from bridge.errors import BadInput, LimitError, RequestError, StoreDamaged, StoreFull, UnknownAsset
from bridge.messages import CHUNK_BYTES, AssetRow, UploadChunk, UploadOffer, UploadState

log = logging.getLogger(__name__)

UPLOADS_PER_CONNECTION = 16
FORGOTTEN_SECS = 7 * 86400.0
"""A partial file that nobody has continued for so long is removed."""


class Intake(Protocol):
    """What uploads ask of the store."""

    root: Path

    def has(self, digest: str) -> bool:
        """Whether that blob is there."""

    async def list_file(self, digest: str, media_type: str, name: str) -> AssetRow:
        """An asset made of a file that is stored already. Raises `UnknownAsset`, `BadInput`, `StoreFull`."""

    async def adopt_upload(self, file: Path, digest: str, media_type: str, name: str) -> AssetRow:
        """Verify and keep a file. Raises `StoreDamaged`, `StoreFull`, `BadInput`."""


_FLAGS = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@dataclass
class Upload:
    """One file on its way in."""

    name: str
    owner: object
    offer: UploadOffer
    path: Path
    received: int


class Uploads:
    """All uploads of all connections; an owner is any object that stands for a connection."""

    def __init__(self, store: Intake, *, file_bytes: int, pending_bytes: int) -> None:
        self._store = store
        self._folder = store.root / "uploads"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file_bytes = file_bytes
        self._pending_bytes = pending_bytes
        self._open: dict[str, Upload] = {}
        self._completing: dict[str, asyncio.Task[AssetRow]] = {}
        """Files that are all here and being verified, by digest; they are adopted though their client is gone."""
        self._remove_forgotten()

    async def stop(self) -> None:
        """Wait until what has come in whole is adopted."""
        await asyncio.gather(*self._completing.values(), return_exceptions=True)

    async def offer(self, owner: object, offer: UploadOffer) -> UploadState:
        """Say that the file is there, or where to begin. Raises `LimitError` leaves and `RequestError`."""
        if self._store.has(offer.digest):
            with contextlib.suppress(UnknownAsset):  # collected at this very moment
                known = await self._store.list_file(offer.digest, offer.media_type, offer.name)
                return UploadState(request_id=offer.request_id, digest=offer.digest, done=True, asset=known)
        if offer.digest in self._completing:
            return await self._complete(offer)
        self._check_limits(owner, offer)
        path = self._folder / offer.digest
        received = path.stat().st_size if path.exists() else 0
        if received > offer.size_bytes:
            path.unlink()
            received = 0
        upload = Upload(secrets.token_hex(8), owner, offer, path, received)
        for older in [older for older in self._open.values() if older.offer.digest == offer.digest]:
            del self._open[older.name]  # most likely the same client, come back before its old socket was missed
        self._open[upload.name] = upload
        if received == offer.size_bytes:
            return await self._complete(offer)
        os.close(os.open(path, _FLAGS | os.O_CREAT, 0o600))
        return UploadState(
            request_id=offer.request_id, digest=offer.digest, done=False, upload=upload.name, offset=received
        )

    async def keep(self, owner: object, chunk: UploadChunk, data: memoryview) -> UploadState | None:
        """Append bytes; the last ones answer with the asset. Raises `RequestError`, `StoreFull`, `StoreDamaged`."""
        upload = self._open.get(chunk.upload)
        if upload is None or upload.owner is not owner:
            raise RequestError(
                f"no upload is called {chunk.upload!r} on this connection",
                path="$.upload",
                remedy="offer the file again; it goes on where it was cut off",
            )
        if chunk.offset != upload.received:
            raise RequestError(
                f"expected the bytes from {upload.received} on, got those from {chunk.offset} on",
                path="$.offset",
                remedy="send the chunks in order",
            )
        if not 0 < len(data) <= CHUNK_BYTES or upload.received + len(data) > upload.offer.size_bytes:
            left = min(CHUNK_BYTES, upload.offer.size_bytes - upload.received)
            raise RequestError(f"expected 1 to {left} bytes, got {len(data)}", path="$.payload")
        try:
            await asyncio.to_thread(_write_at, upload.path, upload.received, data)
        except OSError as error:
            self._open.pop(upload.name, None)
            if error.errno in DISK_FULL:
                raise StoreFull("the disk is full", remedy="free disk space and offer the file again") from error
            raise RequestError(f"the upload could not be written: {error.strerror}") from error
        upload.received += len(data)
        return await self._complete(upload.offer) if upload.received == upload.offer.size_bytes else None

    def leave(self, owner: object) -> None:
        """The connection is gone; its partial files stay for another try."""
        for upload in [upload for upload in self._open.values() if upload.owner is owner]:
            del self._open[upload.name]

    async def _complete(self, offer: UploadOffer) -> UploadState:
        """The answer once all of the file is adopted; offered twice it is worked once."""
        task = self._completing.get(offer.digest)
        if task is None:
            for upload in [upload for upload in self._open.values() if upload.offer.digest == offer.digest]:
                del self._open[upload.name]
            task = self._completing[offer.digest] = asyncio.create_task(self._adopt(offer))
            task.add_done_callback(lambda done: self._completed(offer.digest, done))
        return UploadState(
            request_id=offer.request_id, digest=offer.digest, done=True, asset=await asyncio.shield(task)
        )

    def _completed(self, digest: str, task: asyncio.Task[AssetRow]) -> None:
        del self._completing[digest]
        if not task.cancelled() and (error := task.exception()) is not None:  # all who asked may be gone
            log.info("an upload was refused: %s", error, extra={"digest": digest})

    async def _adopt(self, offer: UploadOffer) -> AssetRow:
        path = self._folder / offer.digest
        try:
            return await self._store.adopt_upload(path, offer.digest, offer.media_type, offer.name)
        except StoreDamaged:
            raise BadInput(
                "the bytes that came do not have the digest that was offered",
                path="$.digest",
                remedy="the file changed while it was sent; offer it again",
            ) from None
        finally:
            # Adopted, it has moved; refused, its bytes are of no use to the next try.
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def _check_limits(self, owner: object, offer: UploadOffer) -> None:
        if not offer.size_bytes:
            raise BadInput("an empty file is no input", path="$.size_bytes")
        if offer.size_bytes > self._file_bytes:
            raise LimitError(
                f"the file has {offer.size_bytes} bytes, expected at most {self._file_bytes}",
                path="$.size_bytes",
                remedy="raise `upload_bytes` in the settings",
            )
        if sum(upload.owner is owner for upload in self._open.values()) >= UPLOADS_PER_CONNECTION:
            raise LimitError(f"{UPLOADS_PER_CONNECTION} uploads are open already", remedy="finish one of them first")
        pending = sum(upload.offer.size_bytes - upload.received for upload in self._open.values())
        lying = sum(path.stat().st_size for path in self._folder.iterdir())
        if pending + lying + offer.size_bytes > self._pending_bytes:
            raise LimitError(
                f"unfinished uploads may take {self._pending_bytes} bytes together",
                path="$.size_bytes",
                remedy="try again when others are finished, or raise `uploads_pending_bytes` in the settings",
            )

    def _remove_forgotten(self) -> None:
        for path in self._folder.iterdir():
            if time.time() - path.stat().st_mtime > FORGOTTEN_SECS:
                path.unlink()


def _write_at(path: Path, offset: int, data: memoryview) -> None:
    with os.fdopen(os.open(path, _FLAGS), "wb", buffering=0) as file:
        file.seek(offset)
        done = 0
        while done < len(data):
            done += file.write(data[done:])
