"""What one connection still has to be sent, in three lanes: control, then live, then asset chunks; does no I/O.

Control frames leave in order and are never dropped; live ones replace each other by their declared `latest_by`;
asset chunks go round-robin between transfers while the client's credit lasts. The amount held is bounded: a client
that does not read meets `OutboxFull` or the connection's stall time, and costs the others nothing.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

import msgspec

from bridge import wire
from bridge.errors import LimitError, RequestError
from bridge.messages import JobCancelled, JobFailed, JobFinished, Lane, LiveClosed, LiveImage, Message
from bridge.transfers import Frame, Piece, Ready, Transfer

CONTROL_LIMIT_BYTES = 3 << 20
"""Control frames held for a client that does not read; beyond it the connection is given up."""
CONTROL_ROOM_BYTES = 1 << 20
"""Above this no further requests are read from the client until it takes its answers."""
LIVE_LIMIT_BYTES = 4 << 20
"""Previews and live pictures held; the oldest are forgotten first, as newer ones will follow."""
PIECE_BYTES = 896 << 10
"""A larger live picture leaves in pieces of this size, between which control frames find their place."""
WINDOW_BYTES = 2 << 20
"""Asset bytes sent ahead of the client's credit at first: a slow reader then delays control by 20 ms at 100 MB/s."""
WINDOW_LIMIT_BYTES = 8 << 20
QUICK_SECS = 0.005
"""While credit returns faster than this the window may grow."""
TRANSFERS_LIMIT = 256
"""Transfers one connection may have open."""


class OutboxFull(LimitError):
    """The client does not take what it asked for."""

    code = "limit"


class Credit:
    """How many asset bytes may be under way, and how quickly the client says that it has taken them."""

    def __init__(self) -> None:
        self.window_bytes = WINDOW_BYTES
        self.sent_bytes = 0
        self.taken_bytes = 0
        self._marks: deque[tuple[int, float]] = deque()

    @property
    def under_way_bytes(self) -> int:
        """Sent and not yet credited."""
        return self.sent_bytes - self.taken_bytes

    def allows(self, size: int) -> bool:
        """Whether so many more bytes fit the window; one chunk always fits an empty one."""
        return self.under_way_bytes == 0 or self.under_way_bytes + size <= self.window_bytes

    def spend(self, size: int, now: float) -> None:
        """Count bytes that leave at the time `now`, in seconds."""
        self.sent_bytes += size
        self._marks.append((self.sent_bytes, now))

    def give(self, size: int, now: float) -> None:
        """Count bytes the client has taken; adapts the window. Raises `RequestError` for more than were sent."""
        if size > self.under_way_bytes:
            raise RequestError(
                f"credit for {size} bytes came, but only {self.under_way_bytes} are under way",
                path="$.size_bytes",
                remedy="give credit for the payload bytes of asset.chunk alone",
            )
        self.taken_bytes += size
        trip_secs = None
        while self._marks and self._marks[0][0] <= self.taken_bytes:
            trip_secs = now - self._marks.popleft()[1]
        if trip_secs is None:
            return
        if trip_secs < QUICK_SECS:
            self.window_bytes = min(WINDOW_LIMIT_BYTES, self.window_bytes + size)
        elif trip_secs > 2 * QUICK_SECS:
            self.window_bytes = max(WINDOW_BYTES, self.window_bytes // 2)


class Outbox:
    """The three lanes of one connection."""

    def __init__(self, *, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._control: deque[bytes] = deque()
        self._live: OrderedDict[tuple[str, str], tuple[Message, wire.Buffer]] = OrderedDict()
        self._live_bytes = 0
        self._cut: tuple[LiveImage, memoryview] | None = None
        """What is left of a live picture that leaves in pieces; a newer one waits until it is whole."""
        self._transfers: OrderedDict[str, Transfer] = OrderedDict()
        self._ready: deque[Ready] = deque()
        self.credit = Credit()
        self.control_bytes = 0
        self.dropped = 0
        """Live messages that were replaced before they left."""

    def put(self, message: Message, payload: wire.Buffer = b"") -> None:
        """Queue a control or live message. Raises `OutboxFull`, or `WireError` for a message we may not send."""
        if type(message).lane is Lane.LIVE:
            self._put_live(message, payload)
        else:
            frame = wire.encode(message, payload)
            if self.control_bytes + len(frame) > CONTROL_LIMIT_BYTES:
                raise OutboxFull(f"{self.control_bytes} bytes wait for a client that does not read")
            self._control.append(frame)
            self.control_bytes += len(frame)
            if isinstance(message, (JobFinished, JobFailed, JobCancelled)):
                self._forget_live(message.job_id)
            elif isinstance(message, LiveClosed):
                self._forget_live(message.live)
        self._wake()

    def add(self, transfer: Transfer) -> None:
        """Queue the chunks of a transfer. Raises `LimitError` when too many are open."""
        self.check_transfers()
        self._transfers[transfer.name] = transfer
        self._wake()

    def check_transfers(self) -> None:
        """Raise `LimitError` when no further transfer can be added."""
        if len(self._transfers) >= TRANSFERS_LIMIT:
            raise LimitError(
                f"{TRANSFERS_LIMIT} transfers are open already",
                remedy="take the files that were asked for, or stop some transfers, before asking for more",
            )

    def stop(self, name: str) -> bool:
        """Forget a transfer's remaining chunks; False when it is over or was never begun."""
        transfer = self._transfers.pop(name, None)
        if transfer is not None:
            transfer.end()
        return transfer is not None

    def take(self, now: float) -> Frame | None:
        """The next frame to send, None when nothing may go; a chunk's view is valid until the next call."""
        frame = self.take_control()
        if frame is not None:
            return frame
        return self._take_live() or self._take_chunk(now)

    def take_control(self) -> bytes | None:
        """The next control frame, None when all have left."""
        if not self._control:
            return None
        frame = self._control.popleft()
        self.control_bytes -= len(frame)
        return frame

    def next_to_read(self) -> Transfer | None:
        """The transfer whose turn it is to be read from disk, moved to the end of the round; None when all are."""
        for name, transfer in list(self._transfers.items()):
            if transfer.unread:
                self._transfers.move_to_end(name)
                return transfer
        return None

    def ready(self, block: Ready) -> None:
        """Chunks that may now be sent."""
        self._ready.append(block)
        self._wake()

    @property
    def ready_blocks(self) -> int:
        """How many blocks of chunks wait to be sent."""
        return len(self._ready)

    @property
    def piece_is_next(self) -> bool:
        """Whether nothing is in the way of a chunk that is still in its file, but perhaps credit."""
        if self._control or self._live or self._cut is not None or not self._ready:
            return False
        block = self._ready[0]
        return not block.transfer.ended and bool(block.chunks) and isinstance(block.chunks[0].frame, Piece)

    @property
    def has_room(self) -> bool:
        """False while the client should first take its answers."""
        return self.control_bytes <= CONTROL_ROOM_BYTES

    @property
    def idle(self) -> bool:
        """Whether no transfer is open."""
        return not self._transfers

    @property
    def held_bytes(self) -> int:
        """Bytes held for this connection, without its read blocks."""
        return self.control_bytes + self._live_bytes

    def close(self) -> None:
        """End all transfers and forget everything."""
        for name in list(self._transfers):
            self.stop(name)
        self._control.clear()
        self._live.clear()
        self._cut = None
        self._ready.clear()
        self.control_bytes = self._live_bytes = 0

    def _put_live(self, message: Message, payload: wire.Buffer) -> None:
        kind = type(message)
        slot = (str(kind.__struct_config__.tag), str(getattr(message, kind.latest_by)))
        older = self._live.pop(slot, None)
        if older is not None:
            self._live_bytes -= len(older[1])
            self.dropped += 1
        self._live[slot] = (message, payload)
        self._live_bytes += len(payload)
        while self._live_bytes > LIVE_LIMIT_BYTES and len(self._live) > 1:
            _, (_, forgotten) = self._live.popitem(last=False)
            self._live_bytes -= len(forgotten)
            self.dropped += 1

    def _take_live(self) -> bytes | None:
        """The oldest live message, or the next piece of one that is too large for a frame."""
        if self._cut is None:
            if not self._live:
                return None
            _, (message, payload) = self._live.popitem(last=False)
            self._live_bytes -= len(payload)
            if not isinstance(message, LiveImage) or len(payload) <= PIECE_BYTES:
                return wire.encode(message, payload)
            self._cut = (message, memoryview(payload))
        image, rest = self._cut
        frame = wire.encode(image, rest[:PIECE_BYTES])
        further = msgspec.structs.replace(image, offset=image.offset + PIECE_BYTES)
        self._cut = (further, rest[PIECE_BYTES:]) if len(rest) > PIECE_BYTES else None
        return frame

    def _forget_live(self, value: str) -> None:
        for slot in [slot for slot in self._live if slot[1] == value]:
            self._live_bytes -= len(self._live.pop(slot)[1])

    def _take_chunk(self, now: float) -> Frame | None:
        while self._ready:
            block = self._ready[0]
            if not block.chunks or block.transfer.ended:
                self._ready.popleft()
                block.free()
                continue
            if not self.credit.allows(block.chunks[0].payload_bytes):
                return None
            chunk = block.chunks.popleft()
            self.credit.spend(chunk.payload_bytes, now)
            if chunk.last:
                self.stop(block.transfer.name)
            return chunk.frame
        return None
