"""Files on their way to one client: read from disk in blocks of a few chunks, framed in place."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from bridge import wire
from bridge.errors import StoreDamaged
from bridge.messages import CHUNK_BYTES, AssetChunk

CHUNKS_PER_BLOCK = 4
"""One visit to the disk reads this many: the hop to a thread and back costs as much as reading half a chunk."""
PREFIX_LIMIT_BYTES = 512
"""Room before each payload for its header, so that a chunk is one piece of memory without being joined."""


@dataclass(frozen=True)
class Source:
    """One file of a transfer."""

    path: Path
    size_bytes: int


class OpenFile:
    """A file that is open for reading until nobody needs it. Raises `OSError` when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.number = -1
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)


@dataclass(frozen=True)
class Piece:
    """A frame whose payload is still in its file."""

    prefix: bytes
    file: OpenFile
    offset: int
    size_bytes: int

    def __len__(self) -> int:
        return len(self.prefix) + self.size_bytes

    def __bytes__(self) -> bytes:
        return self.prefix + self.rest(0)

    def rest(self, done: int) -> bytes:
        """The payload after its first `done` bytes. Raises `OSError`, `StoreDamaged`."""
        wanted = self.size_bytes - done
        data = os.pread(self.file.number, wanted, self.offset + done)
        if len(data) != wanted:
            raise StoreDamaged(f"{self.file.name} has become shorter than {self.offset + self.size_bytes} bytes")
        return data


Frame = wire.Buffer | Piece


@dataclass(frozen=True)
class Chunk:
    """A frame that is ready to be sent."""

    frame: memoryview | Piece
    payload_bytes: int
    last: bool
    """True for the last chunk of the transfer."""


class Ready(Protocol):
    """A few chunks of one transfer that may be sent."""

    chunks: deque[Chunk]
    transfer: Transfer

    def free(self) -> None:
        """Nothing of the block is needed any more."""


class Transfer:
    """The chunks of some files, in order; a file of no bytes has no chunk.

    `plan` is another order: (file index, offset, bytes), each file's chunks in theirs.
    """

    def __init__(
        self,
        name: str,
        files: Sequence[Source],
        *,
        on_end: Callable[[], None] | None = None,
        plan: Sequence[tuple[int, int, int]] | None = None,
    ) -> None:
        self.name = name
        self.files = tuple(files)
        self.ended = False
        self._on_end = on_end
        self._opened: dict[int, OpenFile] = {}
        self._in_turns = plan is not None
        self._plan: deque[tuple[int, int, int]] = deque(
            (
                (index, offset, min(CHUNK_BYTES, file.size_bytes - offset))
                for index, file in enumerate(self.files)
                for offset in range(0, file.size_bytes, CHUNK_BYTES)
            )
            if plan is None
            else plan
        )

    @property
    def unread(self) -> bool:
        """Whether chunks remain to be read from disk."""
        return bool(self._plan) and not self.ended

    def end(self) -> None:
        """No further chunk will be sent; what was held for the transfer may go. Doing it twice changes nothing."""
        if not self.ended:
            self.ended = True
            self._opened = {}
            if self._on_end is not None:
                self._on_end()

    @property
    def planned(self) -> tuple[int, int, int] | None:
        """The next chunk, as (file index, offset, bytes); None when every one has been claimed."""
        return self._plan[0] if self._plan and not self.ended else None

    def opened(self, index: int) -> OpenFile:
        """One of the files, kept open while its chunks are made. Raises `OSError`."""
        file = self._opened.get(index)
        if file is None:
            file = OpenFile(self.files[index].path)
            self._opened = {**(self._opened if self._in_turns else {}), index: file}
        return file

    def claim(self, count: int) -> list[tuple[int, int, int]]:
        """Take the next chunks off the plan, as (file index, offset, bytes); the caller reads them."""
        return [self._plan.popleft() for _ in range(min(count, len(self._plan)))]

    @property
    def exhausted(self) -> bool:
        """Whether every chunk has been claimed."""
        return not self._plan


class Block:
    """A reused piece of memory that holds a few framed chunks of one transfer."""

    def __init__(self, *, on_free: Callable[[Block], None]) -> None:
        self._memory = memoryview(bytearray(CHUNKS_PER_BLOCK * (PREFIX_LIMIT_BYTES + CHUNK_BYTES)))
        self._on_free = on_free
        self.chunks: deque[Chunk] = deque()
        self.transfer: Transfer

    def begin(self, transfer: Transfer) -> list[tuple[int, int, int]]:
        """Bind the block to a transfer's next chunks, on the loop; `fill` then reads them, in a thread."""
        self.transfer = transfer
        self.chunks.clear()
        return transfer.claim(CHUNKS_PER_BLOCK)

    def fill(self, claimed: list[tuple[int, int, int]], last: bool) -> None:
        """Read the claimed chunks and write their headers before them. Raises `StoreDamaged`, `OSError`."""
        used = 0
        opened: tuple[int, BinaryIO] | None = None
        try:
            for number, (index, offset, size) in enumerate(claimed):
                if opened is None or opened[0] != index:
                    if opened is not None:
                        opened[1].close()
                    opened = (index, self.transfer.files[index].path.open("rb", buffering=0))
                prefix = wire.encode_prefix(AssetChunk(transfer=self.transfer.name, file=index, offset=offset))
                end = used + len(prefix) + size
                frame = self._memory[used:end]
                frame[: len(prefix)] = prefix
                _read_exactly(opened[1], offset, frame[len(prefix) :], self.transfer.files[index].path)
                self.chunks.append(Chunk(frame, size, last and number == len(claimed) - 1))
                used = end
        finally:
            if opened is not None:
                opened[1].close()

    def free(self) -> None:
        """Nothing of the block is needed any more."""
        self.chunks.clear()
        self._on_free(self)


def _read_exactly(file: BinaryIO, offset: int, into: memoryview, path: Path) -> None:
    file.seek(offset)
    done = 0
    while done < len(into):
        count = file.readinto(into[done:])  # type: ignore[attr-defined]
        if not count:
            raise StoreDamaged(f"{path.name} ends at byte {offset + done}, expected {offset + len(into)}")
        done += count
