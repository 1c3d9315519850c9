"""Chunks of files that the system holds in memory: sent from there, without a thread and without passing through us.

A file that was just written or read lies in the page cache. Its chunks need no reading: `sendfile` moves them from
there to the socket, which saves two copies of every byte and the hop to a reader thread. Whether a chunk is resident
is asked without waiting for the disk (`RWF_NOWAIT`, at its first and last page); any other goes the way of
`transfers.Block`. Linux only; elsewhere nothing is taken for resident.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from asyncio import WriteTransport
from collections import deque
from typing import Any

from bridge import wire
from bridge.errors import StoreDamaged
from bridge.messages import AssetChunk
from bridge.transfers import CHUNKS_PER_BLOCK, Chunk, OpenFile, Piece, Transfer

SMALL_BYTES = 64 << 10
"""Shorter payloads are read into the frame: cheaper than the system's calls to move pages."""
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None) if hasattr(os, "sendfile") else None
_MORE = getattr(socket, "MSG_MORE", 0)


class Resident:
    """The next few chunks of a transfer, ready to be sent; see `transfers.Block`, which holds copies."""

    def __init__(self, transfer: Transfer, chunks: deque[Chunk]) -> None:
        self.transfer = transfer
        self.chunks = chunks

    def free(self) -> None:
        """Nothing of the block is needed any more."""
        self.chunks.clear()


def resident(transfer: Transfer) -> Resident | None:
    """The transfer's next chunks that need no waiting for the disk; None when its next one does."""
    chunks: deque[Chunk] = deque()
    while len(chunks) < CHUNKS_PER_BLOCK and (planned := transfer.planned) is not None:
        index, offset, size = planned
        try:
            file = transfer.opened(index)
            prefix = wire.encode_prefix(AssetChunk(transfer=transfer.name, file=index, offset=offset))
            frame = _frame(file, prefix, offset, size)
        except OSError:
            break  # the other way tells why
        if frame is None:
            break
        transfer.claim(1)
        chunks.append(Chunk(frame, size, transfer.exhausted))
    return Resident(transfer, chunks) if chunks else None


def _frame(file: OpenFile, prefix: bytes, offset: int, size: int) -> Piece | memoryview | None:
    if _NOWAIT is None:
        return None
    if size >= SMALL_BYTES:
        ends = (offset, offset + size - 1)
        there = all(_read_now(file.number, memoryview(bytearray(1)), at) == 1 for at in ends)
        return Piece(prefix, file, offset, size) if there else None
    frame = memoryview(bytearray(len(prefix) + size))
    frame[: len(prefix)] = prefix
    return frame if _read_now(file.number, frame[len(prefix) :], offset) == size else None


def _read_now(number: int, into: memoryview, offset: int) -> int:
    try:
        return os.preadv(number, [into], offset, _NOWAIT or 0)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
            return 0
        raise


class PieceSender:
    """Writes pieces of files to one connection's socket; what the socket does not take at once is left to asyncio."""

    def __init__(self, transport: Any) -> None:
        self._transport: WriteTransport = transport
        own = transport.get_extra_info("socket")
        self._socket = socket.socket(fileno=os.dup(own.fileno()))
        self._socket.setblocking(False)

    @property
    def flows(self) -> bool:
        """Whether the socket has taken all that was written so far."""
        return not self._transport.get_write_buffer_size()

    def send(self, piece: Piece) -> None:
        """Send one piece as a websocket message (RFC 6455, 5.2). Raises `OSError`, `StoreDamaged`."""
        head = struct.pack(">BBQ", 0x82, 127, len(piece)) + piece.prefix
        if not self.flows:
            self._transport.write(head + piece.rest(0))
            return
        try:
            sent = self._socket.send(head, _MORE)
        except BlockingIOError:
            sent = 0
        done = self._moved(piece) if sent == len(head) else 0
        if sent < len(head) or done < piece.size_bytes:
            self._transport.write(head[sent:] + piece.rest(done))

    def _moved(self, piece: Piece) -> int:
        done = 0
        while done < piece.size_bytes:
            try:
                count = os.sendfile(
                    self._socket.fileno(), piece.file.number, piece.offset + done, piece.size_bytes - done
                )
            except BlockingIOError:
                break
            if not count:
                raise StoreDamaged(f"{piece.file.name} ends at byte {piece.offset + done}, expected more")
            done += count
        return done

    def close(self) -> None:
        """Let go of the socket; the connection itself stays as it is."""
        self._socket.close()


def may_send_pieces(transport: Any) -> bool:
    """Whether this connection's bytes are sent as they are, by a system that can move pages."""
    return _NOWAIT is not None and transport.get_extra_info("sslcontext") is None
