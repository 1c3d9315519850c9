"""Files on their way from the bridge: taken by path, or put together from chunks in memory or on disk."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable
from typing import BinaryIO, Optional

from . import npy
from .errors import BadMessage, TransferFailed
from .memory import Pool
from .messages import AssetChunk, AssetFiles, FileRow

IN_MEMORY_BYTES = 256 << 20
"""Received files that are still in use may hold so much memory; those beyond it go to disk while they arrive."""
CREDIT_SHARES = (1 / 2, 3 / 4)
"""Credit is given back in portions of so much of the bridge's window; of the second size once much has come."""
MUCH_WINDOWS = 4
"""So many windows are much."""
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def safe_name(name: str) -> str:
    """The name, when it is one plain file name on every platform. Raises `TransferFailed` otherwise."""
    bad = not name or name in (".", "..") or any(mark in '/\\:*?"<>|' or ord(mark) < 32 for mark in name)
    if bad or name[-1] in ". " or _RESERVED.fullmatch(name):
        raise TransferFailed(f"the bridge sent the file name {name!r}, which is no plain file name")
    return name


def _count(shape: Iterable[int]) -> int:
    """Numbers in an array of that shape."""
    count = 1
    for side in shape:
        count *= side
    return count


class Spool:
    """A private folder for files on their way; made when first needed, removed by `close`."""

    def __init__(self) -> None:
        self._folder = ""
        self._count = 0
        self._in_memory: weakref.WeakSet[Incoming] = weakref.WeakSet()
        self.memory = Pool()
        """What files that are kept in memory are received into."""

    def has_memory_for(self, incoming: Incoming) -> bool:
        """Whether this file may be kept in memory; it then counts for as long as somebody holds it."""
        held = sum(one.row.size_bytes for one in self._in_memory)
        if held + incoming.row.size_bytes > IN_MEMORY_BYTES:
            return False
        self._in_memory.add(incoming)
        return True

    def new(self) -> str:
        """A fresh path inside."""
        if not self._folder:
            self._folder = tempfile.mkdtemp(prefix="scenecast-")
        self._count += 1
        return os.path.join(self._folder, str(self._count))

    def remove(self, path: str) -> None:
        """Remove one file of the folder, unless all of it is gone already."""
        if self._folder:
            os.unlink(path)

    def close(self) -> None:
        """Remove the folder and what is in it, and let go of memory that nobody uses."""
        self.memory.clear()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""


class Incoming:
    """One file: complete when `received_bytes` reaches `row.size_bytes`; its bytes are in `data` or at `path`."""

    def __init__(self, row: FileRow, spool: Spool, *, verify: bool) -> None:
        self.row = row
        self.path = ""
        """Where the bytes are on disk; empty while they are in memory."""
        self.borrowed = row.path is not None
        """True when the file is the bridge's own and must not be changed or moved."""
        self.data: Optional[memoryview] = None
        self.received_bytes = 0
        self._file: Optional[BinaryIO] = None
        self._hash = hashlib.sha256() if verify and not self.borrowed else None
        safe_name(row.name)
        if row.path is not None:
            self._take_path(row.path)
        elif spool.has_memory_for(self):
            self.data = memoryview(spool.memory.take(row.size_bytes))[: row.size_bytes]
        else:
            self.path = spool.new()
            self._file = open(self.path, "wb", buffering=0)  # noqa: SIM115 - written to chunk by chunk
        if not row.size_bytes:
            self._finish()

    @property
    def complete(self) -> bool:
        """True when all bytes are there."""
        return self.received_bytes == self.row.size_bytes

    def _take_path(self, path: str) -> None:
        try:
            found = os.stat(path).st_size
        except OSError as error:
            raise TransferFailed(
                f"the bridge handed over {path}, which cannot be read here: {error.strerror}",
                remedy="Connect with share_disk=False to receive bytes instead.",
            ) from error
        if found != self.row.size_bytes:
            raise TransferFailed(f"{path} holds {found} bytes, {self.row.size_bytes} were announced")
        self.path, self.received_bytes = path, found

    def write(self, offset: int, payload: memoryview) -> None:
        """Take the next bytes; they are copied once, to where they belong. Raises `BadMessage`, `TransferFailed`."""
        count = len(payload)
        if self.borrowed or offset != self.received_bytes or offset + count > self.row.size_bytes or not count:
            raise BadMessage(
                f"{count} bytes at {offset} of {self.row.name}; "
                f"expected those from {self.received_bytes} to {self.row.size_bytes}"
            )
        if self.data is not None:
            place = self.data[offset : offset + count]
            if place.obj is not payload.obj:  # else they were received into their place
                place[:] = payload
        elif self._file is not None:
            self._write_all(self._file, payload)
        if self._hash is not None:
            self._hash.update(payload)
        self.received_bytes += count
        if self.complete:
            self._finish()

    @property
    def rows_here(self) -> int:
        """Whole rows of an array part that have arrived."""
        return max(0, self.received_bytes - self.row.offset) // (_count(self.row.shape[1:]) * int(self.row.dtype[2:]))

    def first(self, rows: int) -> npy.Array:
        """The first rows of an array part, which must be here."""
        shape = (rows, *self.row.shape[1:])
        start, size = self.row.offset, _count(shape) * int(self.row.dtype[2:])
        if self.data is not None:
            return npy.viewed(self.data[start : start + size], self.row.dtype, shape)
        with open(self.path, "rb") as file:
            file.seek(start)
            return npy.viewed(memoryview(file.read(size)), self.row.dtype, shape)

    def place(self, offset: int, count: int) -> Optional[memoryview]:
        """Where in memory these bytes belong, when they are the next ones; None when they must go another way."""
        if self.data is None or offset != self.received_bytes or offset + count > self.row.size_bytes:
            return None
        return self.data[offset : offset + count]

    def _write_all(self, file: BinaryIO, payload: memoryview) -> None:
        while len(payload):
            try:
                written = file.write(payload)
            except OSError as error:
                raise TransferFailed(
                    f"{self.row.name} cannot be written to {self.path}: {error.strerror}",
                    remedy="Make room on the disk that holds the temporary folder.",
                ) from error
            payload = payload[written:]

    def _finish(self) -> None:
        self.close()
        if self._hash is not None and self._hash.hexdigest() != self.row.sha256:
            raise TransferFailed(f"{self.row.name} arrived damaged: its SHA-256 is not the announced one")

    def close(self) -> None:
        """Close the file on disk, complete or not."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Delivery:
    """The files of one asset for one host, complete or on their way."""

    def __init__(self, announced: AssetFiles, spool: Spool, *, verify: bool) -> None:
        self.announced = announced
        self.files: list[Incoming] = []
        for row in announced.files:
            if row.path is None and row.size_bytes and not announced.transfer:
                raise BadMessage(f"{row.name} has neither a path nor a transfer")
            try:
                self.files.append(Incoming(row, spool, verify=verify))
            except TransferFailed:
                self.close()
                raise
        self._left = sum(not file.complete for file in self.files)

    @property
    def complete(self) -> bool:
        """True when every file is there."""
        return self._left == 0

    def first_rows(self) -> dict[str, npy.Array]:
        """Of array parts the rows that are here of all of them, by name; views where the files are in memory."""
        arrays = [file for file in self.files if file.row.shape]
        rows = min((file.rows_here for file in arrays), default=0)
        return {file.row.role: file.first(rows) for file in arrays} if rows else {}

    @property
    def received_bytes(self) -> int:
        """Bytes of all files so far."""
        return sum(file.received_bytes for file in self.files)

    def place(self, chunk: AssetChunk, count: int) -> Optional[memoryview]:
        """Where in memory the chunk's payload of `count` bytes belongs; None when there is no such place."""
        return self.files[chunk.file].place(chunk.offset, count) if chunk.file < len(self.files) else None

    def take(self, chunk: AssetChunk, payload: memoryview) -> None:
        """Put one chunk where it belongs. Raises `BadMessage`, `TransferFailed`."""
        if chunk.file >= len(self.files):
            raise BadMessage(f"chunk for file {chunk.file} of {len(self.files)}", path="$.file")
        file = self.files[chunk.file]
        file.write(chunk.offset, payload)
        if file.complete:
            self._left -= 1

    def close(self) -> None:
        """Give up what is incomplete."""
        for file in self.files:
            file.close()


class Transfers:
    """Deliveries that still receive chunks, and the credit that is owed for bytes taken off the socket."""

    def __init__(self) -> None:
        self.active: dict[str, Delivery] = {}
        self._owed = 0
        self._taken = 0
        self._window_bytes = self._room_bytes = 0

    def follow(self, *, window_bytes: int, chunk_bytes: int) -> None:
        """What the bridge sends ahead of credit at the least, and in one chunk at the most; 0 is not known."""
        self._window_bytes = window_bytes
        self._room_bytes = max(0, window_bytes - chunk_bytes)

    def owe(self, size_bytes: int) -> None:
        """So many payload bytes were taken off the socket, wanted or not."""
        self._owed += size_bytes
        self._taken += size_bytes

    def credit(self, *, all_of_it: bool) -> int:
        """What to give back now, 0 for nothing: when a portion has gathered, or `all_of_it`."""
        share = CREDIT_SHARES[self._taken > MUCH_WINDOWS * self._window_bytes]
        # a bridge whose window has no room for one more chunk waits, so as much must not be owed and kept
        portion = min(int(share * self._window_bytes), self._room_bytes)
        if not self._owed or (self._owed < portion and not all_of_it):
            return 0
        owed, self._owed = self._owed, 0
        return owed

    def drop_all(self) -> None:
        """The connection is gone: nothing more will arrive on these, and no credit is owed."""
        for delivery in self.active.values():
            delivery.close()
        self.active.clear()
        self._owed = self._taken = 0
