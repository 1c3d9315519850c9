"""One client's connection without its socket: carries out what its `Session` decides, and fills its `Outbox`."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import msgspec

from bridge import wire
from bridge.delivery import Delivered, Delivery
from bridge.errors import LimitError, ProtocolMismatch, WireError
from bridge.growth import Growths
from bridge.live import LiveRoom
from bridge.messages import BridgeMessage, GrowthGet, StoreCollect
from bridge.metrics import Counters
from bridge.outbox import Outbox, OutboxFull
from bridge.progressive import interleaved
from bridge.refusals import refusal
from bridge.resident import resident
from bridge.session import (
    Action,
    Close,
    Collect,
    Fetch,
    Grow,
    House,
    JobBook,
    Keep,
    Offered,
    Opened,
    Send,
    Session,
    State,
    Stop,
    Take,
)
from bridge.transfers import Block, Frame, Piece, Transfer
from bridge.uploads import Uploads

log = logging.getLogger(__name__)

FETCHES_LIMIT = 64
"""Assets one client may be waiting for; more are refused, and events that ask for more wait in the ledger."""
UPLOAD_FRAMES = 8
"""Chunks of uploads that wait for the disk before the client has to."""
TOGETHER_BYTES = 64 << 10
"""Small frames that wait are sent in one go up to about this size."""
BLOCKS = 2
"""Read blocks of a connection: one being sent while the other is read."""


class Registry:
    """The open sessions by id; a session is on one connection at a time."""

    def __init__(self) -> None:
        self._by_session: dict[str, Connection] = {}

    def __len__(self) -> int:
        return len(self._by_session)

    def __contains__(self, session: str) -> bool:
        return session in self._by_session

    def enter(self, session: str, connection: Connection) -> None:
        """The newest connection of a session takes it over; the older one is told and closed."""
        older = self._by_session.get(session)
        self._by_session[session] = connection
        if older is not None and older is not connection:
            older.taken_over()

    def leave(self, connection: Connection) -> None:
        """Forget a connection, unless its session has moved on."""
        session = connection.session.id
        if self._by_session.get(session) is connection:
            del self._by_session[session]

    def tell(self, session: str, message: BridgeMessage, payload: wire.Buffer = b"") -> None:
        """Pass a message to the session's connection, if it has one; never blocks."""
        connection = self._by_session.get(session)
        if connection is not None:
            connection.tell(message, payload)

    def tell_catalog(self) -> None:
        """Send everybody the catalog as it is now."""
        for connection in list(self._by_session.values()):
            connection.tell(connection.session.catalog())


@dataclass(frozen=True)
class Services:
    """What connections work with, the same for all."""

    jobs: JobBook
    house: House
    delivery: Delivery
    uploads: Uploads
    registry: Registry
    counters: Counters
    growths: Growths
    live: LiveRoom


class Connection:
    """Between the socket and the house; all but `receive` and `left` return at once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.wake = asyncio.Event()
        """Set when `take` may have something."""
        self.outbox = Outbox(wake=self.wake.set)
        self.live = services.live.desk(self.tell)
        self.session = Session(jobs=services.jobs, house=services.house, live=self.live, has_room=self._has_room)
        self.closing = False
        """True once nothing further is read; what is queued still leaves."""
        self.broken = False
        """True when even that is hopeless."""
        self.reason = ""
        self.sends_pieces = False
        """True when whoever sends the frames also takes pieces of files."""
        self._room = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._fetches = 0
        self._growing: dict[str, str] = {}
        """The newest transfer of each growing cloud, by job."""
        self._uploads: asyncio.Queue[Offered | Keep] = asyncio.Queue(UPLOAD_FRAMES)
        self._uploading: asyncio.Task[None] | None = None
        self._free_blocks: list[Block] = []
        self._blocks = 0
        self._reading = False
        self._transfer_name = secrets.token_hex(4)
        self._transfer_numbers = itertools.count(1)

    async def receive(self, frame: bytes | str, now: float) -> None:
        """Handle one frame; waits while the client owes us reading, and while its uploads wait for the disk."""
        for action in self.session.receive(frame):
            if isinstance(action, (Offered, Keep)):
                if self._uploading is None:
                    self._uploading = self._spawn(self._receive_uploads())
                await self._uploads.put(action)
            else:
                self._perform(action, now)
        while not self.outbox.has_room and not self.closing:
            self._room.clear()
            await self._room.wait()

    def tell(self, message: BridgeMessage, payload: wire.Buffer = b"") -> None:
        """Pass on what happens in the bridge."""
        self._perform_all(self.session.tell(message, payload))
        if self.session.behind:
            self.wake.set()

    def taken_over(self) -> None:
        """Another connection goes on with this session."""
        self._perform_all(self.session.taken_over())

    def goodbye(self, reason: str) -> None:
        """The bridge stops."""
        self._perform_all(self.session.goodbye(reason))

    def expect_hello(self) -> None:
        """Give up a client that has not said hello by now."""
        if self.session.state is State.EXPECTS_HELLO:
            late = ProtocolMismatch("no hello came in time", remedy="say hello at once after connecting")
            self._put(refusal(late, fatal=True))
            self._close(late.message)

    def take(self, now: float) -> Frame | None:
        """The next frame to send, None when there is none now; a chunk's view is valid until the next call."""
        self.wake.clear()
        if self.broken:
            return None
        if self.session.behind and self._has_room():
            try:
                self._perform_all(self.session.catch_up())
            except Exception:  # the ledger cannot be read: the client comes back later
                log.exception("events could not be read")
                self._break("events could not be read")
        sent_bytes = self.outbox.credit.sent_bytes
        frame = self.outbox.take(now) if not self.closing else self.outbox.take_control()
        self._services.counters.asset_bytes_sent_total += self.outbox.credit.sent_bytes - sent_bytes
        if self.outbox.has_room:
            self._room.set()
        self._read_ahead()
        return frame

    def take_some(self, now: float) -> list[Frame]:
        """The next frames, to be sent together: one call to the kernel, and one awakening of the client, for all."""
        first = self.take(now)
        if first is None:
            return []
        frames: list[Frame] = [first]
        size = len(first)
        while size < TOGETHER_BYTES and (frame := self.outbox.take_control()) is not None:
            frames.append(frame)
            size += len(frame)
        return frames

    def take_piece(self, now: float) -> Piece | None:
        """The next frame, when it is a piece of a file and nothing more urgent waits."""
        if self.session.behind or self.closing or not self.outbox.piece_is_next:
            return None
        frame = self.take(now)
        return frame if isinstance(frame, Piece) else None  # None: the client owes credit

    def cut_off(self) -> None:
        """Nothing reaches the client any more, so nobody is to wait for it to read."""
        self._close(self.reason)

    async def left(self) -> None:
        """The socket is gone: end what runs for this client alone."""
        self._services.registry.leave(self)
        self._services.uploads.leave(self)
        self.live.leave()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.outbox.close()

    def _has_room(self) -> bool:
        return self.outbox.has_room and self._fetches < FETCHES_LIMIT

    def _perform_all(self, actions: list[Action]) -> None:
        for action in actions:
            self._perform(action, 0.0)

    def _perform(self, action: Action, now: float) -> None:
        match action:
            case Send():
                self._put(action.message, action.payload)
            case Opened():
                self._services.registry.enter(action.session, self)
            case Fetch():
                self._fetch(action)
            case Grow():
                self._spawn(self._grow(action.request))
            case Collect():
                self._spawn(self._collect(action.request))
            case Stop():
                self.outbox.stop(action.transfer)
                self.wake.set()
            case Take():
                self._credit(action.size_bytes, now)
            case Close():
                self._close(action.reason)
            case Offered() | Keep():
                raise TypeError("uploads are performed in their own order")

    def _put(self, message: BridgeMessage, payload: wire.Buffer = b"") -> None:
        try:
            self.outbox.put(message, payload)
        except OutboxFull as error:
            log.warning("gave up a client that does not read", extra={"session": self.session.id})
            self._break(error.message)
        except WireError as error:
            # Our own message breaks the protocol's limits: a defect, told without the message that cannot be sent.
            log.exception("a %s cannot be sent", type(message).__name__)
            self.outbox.put(refusal(error, request_id=getattr(message, "request_id", "")))

    def _close(self, reason: str) -> None:
        self.closing = True
        self.reason = reason
        self._room.set()
        self.wake.set()

    def _break(self, reason: str) -> None:
        self.broken = True
        self._close(reason)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _credit(self, size: int, now: float) -> None:
        try:
            self.outbox.credit.give(size, now)
        except Exception as error:  # told to the client like any other wrong request
            self._put(refusal(error))
        self.wake.set()

    def _fetch(self, fetch: Fetch) -> None:
        try:
            if self._fetches >= FETCHES_LIMIT and fetch.request_id:
                raise LimitError(
                    f"{FETCHES_LIMIT} assets are being prepared for this client already",
                    remedy="wait for some of them before asking for more",
                )
            ready = self._services.delivery.at_once(fetch.digest, fetch.deliver)
            if ready is not None:
                self._send_files(ready, fetch)
                return
        except Exception as error:  # told to the client, whatever it is
            self._put(refusal(error, request_id=fetch.request_id or fetch.job_id))
            return
        self._fetches += 1
        self._spawn(self._prepare(fetch))

    async def _prepare(self, fetch: Fetch) -> None:
        try:
            self._send_files(await self._services.delivery.files(fetch.digest, fetch.deliver), fetch)
        except Exception as error:  # told to the client, whatever it is
            self._put(refusal(error, request_id=fetch.request_id or fetch.job_id))
        finally:
            self._fetches -= 1
            self.wake.set()

    def _send_files(self, delivered: Delivered, fetch: Fetch) -> None:
        """Answer with paths to a client on the same disk, else with chunks to follow."""
        message = msgspec.structs.replace(
            delivered.message,
            request_id=fetch.request_id,
            job_id=fetch.job_id,
            name=fetch.name or delivered.message.name,
        )
        if self.session.shares_disk:
            for row, source in zip(message.files, delivered.sources, strict=True):
                row.path = str(source.path)
            self._put(message)
            return
        name = self._new_transfer()
        plan = interleaved(message.files) if fetch.deliver.progressive else None
        transfer = Transfer(name, delivered.sources, on_end=delivered.release, plan=plan)
        if not transfer.unread:
            self._put(message)
            return
        message.transfer = name
        self.outbox.check_transfers()
        self._put(message)
        delivered.hold()
        self.outbox.add(transfer)

    async def _collect(self, request: StoreCollect) -> None:
        try:
            self._put(await self._services.jobs.collect(request))
        except Exception as error:  # told to the client, whatever it is
            self._put(refusal(error, request_id=request.request_id))

    async def _grow(self, request: GrowthGet) -> None:
        """Send what has changed in a growing cloud; chunks of an older answer to the same question are given up."""
        try:
            growth = await self._services.growths.files(self.session.id, request, by_path=self.session.shares_disk)
            if growth.source is None:
                self._put(growth.message)
                return
            self.outbox.stop(self._growing.pop(request.job_id, ""))
            name = growth.message.transfer = self._new_transfer()
            transfer = Transfer(name, (growth.source,), on_end=growth.release, plan=growth.plan)
            try:
                self.outbox.check_transfers()
            except LimitError:
                transfer.end()
                raise
            self._growing[request.job_id] = name
            self._put(growth.message)
            self.outbox.add(transfer)
        except Exception as error:  # told to the client, whatever it is
            self._put(refusal(error, request_id=request.request_id))

    def _new_transfer(self) -> str:
        return f"{self._transfer_name}.{next(self._transfer_numbers)}"

    def _read_ahead(self) -> None:
        """Keep one block being read, or found in memory, while another is sent."""
        if self._reading or self.closing or self.outbox.ready_blocks == BLOCKS:
            return
        transfer = self.outbox.next_to_read()
        if transfer is None:
            return
        if self.sends_pieces and (there := resident(transfer)) is not None:
            self.outbox.ready(there)
            return
        if not self._free_blocks and self._blocks == BLOCKS:
            return
        if self._free_blocks:
            block = self._free_blocks.pop()
        else:
            block = Block(on_free=self._block_freed)
            self._blocks += 1
        self._reading = True
        self._spawn(self._read(block, transfer))

    async def _read(self, block: Block, transfer: Transfer) -> None:
        claimed = block.begin(transfer)
        try:
            await asyncio.to_thread(block.fill, claimed, transfer.exhausted)
        except Exception as error:  # the file is gone or short; the client can ask again
            self.outbox.stop(transfer.name)
            self._put(refusal(error, request_id=transfer.name))
            block.free()
        else:
            self.outbox.ready(block)
        finally:
            self._reading = False
            self.wake.set()

    def _block_freed(self, block: Block) -> None:
        if self.outbox.idle:
            self._blocks -= 1  # nothing to send: give the memory back
        else:
            self._free_blocks.append(block)

    async def _receive_uploads(self) -> None:
        """Offers and chunks in their order, without holding up what else the client says."""
        uploads = self._services.uploads
        while True:
            action = await self._uploads.get()
            name = action.offer.request_id if isinstance(action, Offered) else action.chunk.upload
            try:
                if isinstance(action, Offered):
                    self._put(await uploads.offer(self, action.offer))
                    continue
                self._services.counters.upload_bytes_total += len(action.data)
                if (state := await uploads.keep(self, action.chunk, action.data)) is not None:
                    self._put(state)
            except Exception as error:  # told to the client, whatever it is
                self._put(refusal(error, request_id=name))
