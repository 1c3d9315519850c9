"""One client's conversation, without any I/O: frames in, actions out.

States: a new connection expects `hello`; then it is open; a takeover, a fatal refusal or the socket's end closes
it. Durable events are never queued for a slow client: what does not go out at once is read from the ledger again
when there is room (`catch_up`), so that nothing is lost, repeated, reordered or held in memory.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from bridge import wire
from bridge.errors import InternalError, ProtocolMismatch, WireError
from bridge.messages import (
    PROTOCOL,
    AssetCredit,
    AssetFetch,
    AssetStop,
    BridgeMessage,
    Catalog,
    CatalogGet,
    ClientMessage,
    Closing,
    Deliver,
    GeneratorRow,
    GrowthGet,
    Hello,
    HostRow,
    JobAccepted,
    JobCancel,
    JobEvent,
    JobEventMessage,
    JobList,
    JobPage,
    JobProduced,
    JobRate,
    JobRated,
    JobSteer,
    JobSubmit,
    Limits,
    LiveClose,
    LiveClosed,
    LiveFrame,
    LiveOpen,
    LiveOpened,
    Ping,
    Pong,
    StoreCollect,
    StoreCollected,
    UploadChunk,
    UploadOffer,
    WatchedFile,
    Welcome,
)
from bridge.refusals import refusal

WIRE_ERRORS_LIMIT = 32
"""So many undecodable frames in a row, and the other side does not speak our language."""
PAGE_BYTES = 768 << 10
"""A page of history is cut to this; `more` tells so."""
CATCH_UP_EVENTS = 64
"""Events handed out at a time when behind; even the longest fit the outbox's room."""


class JobBook(Protocol):
    """What sessions ask of the jobs; `bridge.jobs.Jobs` is the real one."""

    def open_session(self, *, client: str, host: str, session: str) -> tuple[str, bool, int]:
        """Id, whether it was known, and its newest sequence number."""

    def events_after(self, session: str, cursor: int, limit: int = -1) -> list[JobEventMessage]:
        """The events after `cursor`, in order; the first `limit` unless that is -1."""

    def submit(self, session: str, request: JobSubmit) -> JobAccepted:
        """Durable before it returns."""

    def cancel(self, session: str, request: JobCancel) -> None:
        """Ends a job."""

    def steer(self, session: str, request: JobSteer) -> None:
        """Pauses, resumes or finishes a job."""

    def standing(self, session: str) -> list[BridgeMessage]:
        """What is true now of a session's jobs and told by no event."""

    def page(self, session: str, request: JobList) -> JobPage:
        """A page of the history."""

    def rate(self, session: str, request: JobRate) -> JobRated:
        """Keeps a rating."""

    async def collect(self, request: StoreCollect) -> StoreCollected:
        """Removes results that are no longer needed."""

    def deliver_wish(self, job_id: str) -> Deliver | None:
        """How the job's assets are to be delivered unasked."""


class LiveBook(Protocol):
    """What a session asks of its connection's live sessions; `bridge.live.LiveDesk` is the real one."""

    def open(self, request: LiveOpen) -> LiveOpened:
        """Checked before it returns; states and pictures follow later."""

    def feed(self, message: LiveFrame, payload: memoryview) -> None:
        """Takes a frame; the payload is copied."""

    def close(self, request: LiveClose) -> LiveClosed | None:
        """Ends one; the answer, or None when it follows later."""


class House(Protocol):
    """What a session tells of the bridge around it."""

    server: str
    """Name and version."""
    proof: str
    """What a client on the same disk can read."""
    limits: Limits

    def generators(self) -> list[GeneratorRow]:
        """The catalog as it is now."""

    def hosts(self) -> list[HostRow]:
        """The hosts that can be delivered to."""

    def watched(self) -> list[WatchedFile]:
        """The files in watched folders."""

    def admit(self, session: str) -> None:
        """Raise `TooManySessions` when no further client may come in."""


@dataclass(frozen=True)
class Send:
    """Queue a message."""

    message: BridgeMessage
    payload: wire.Buffer = b""


@dataclass(frozen=True)
class Opened:
    """The session has its id; an older connection of the same session is to be closed."""

    session: str


@dataclass(frozen=True)
class Fetch:
    """Prepare an asset's files and send them."""

    digest: str
    deliver: Deliver
    request_id: str = ""
    job_id: str = ""
    name: str = ""


@dataclass(frozen=True)
class Grow:
    """Send what has changed in a growing cloud."""

    request: GrowthGet


@dataclass(frozen=True)
class Collect:
    """Make room in the store."""

    request: StoreCollect


@dataclass(frozen=True)
class Stop:
    """Stop a transfer."""

    transfer: str


@dataclass(frozen=True)
class Take:
    """The client has taken so many asset bytes."""

    size_bytes: int


@dataclass(frozen=True)
class Offered:
    """See whether an offered file is in the store, else prepare to receive it."""

    offer: UploadOffer


@dataclass(frozen=True)
class Keep:
    """Append bytes to an upload; `data` is valid only until the next frame."""

    chunk: UploadChunk
    data: memoryview


@dataclass(frozen=True)
class Close:
    """End the connection once everything queued has left."""

    reason: str


Action = Send | Opened | Fetch | Grow | Collect | Stop | Take | Offered | Keep | Close


class State(Enum):
    """Where the conversation stands."""

    EXPECTS_HELLO = auto()
    OPEN = auto()
    CLOSED = auto()


class Session:
    """One connection's part in a session; the session itself lives in the ledger and survives it."""

    def __init__(
        self, *, jobs: JobBook, house: House, live: LiveBook, has_room: Callable[[], bool] = lambda: True
    ) -> None:
        self.state = State.EXPECTS_HELLO
        self.id = ""
        self.client = ""
        self.host = ""
        self.shares_disk = False
        self.behind = False
        """True while events wait in the ledger; `catch_up` brings them."""
        self.sent_seq = 0
        """Sequence number of the last event that was handed out."""
        self._jobs = jobs
        self._house = house
        self._live = live
        self._has_room = has_room
        self._wire_errors = 0

    def receive(self, frame: wire.Buffer | str) -> list[Action]:
        """Answer one frame of the client; never raises for anything the client can send."""
        if self.state is State.CLOSED:
            return []
        try:
            if isinstance(frame, str):
                raise WireError("expected a binary message, got a text message")
            message, payload = wire.decode_client(frame)
        except WireError as error:
            return self._undecodable(error, "" if isinstance(frame, str) else wire.about(frame))
        self._wire_errors = 0
        try:
            if self.state is State.EXPECTS_HELLO:
                return self._hello(message)
            return self._answer(message, payload)
        except Exception as error:  # whatever went wrong, the client hears of it and the server lives
            fatal = self.state is State.EXPECTS_HELLO
            actions: list[Action] = [Send(refusal(error, request_id=_name_of(message), fatal=fatal))]
            return actions + (self._close(str(error)) if fatal else [])

    def tell(self, message: BridgeMessage, payload: wire.Buffer = b"") -> list[Action]:
        """Pass on what happens in the bridge; durable events that do not fit now are left to `catch_up`."""
        if self.state is not State.OPEN:
            return []
        if not isinstance(message, JobEvent):
            return [Send(message, payload)]
        if self.behind or message.seq <= self.sent_seq:
            return []
        if message.seq > self.sent_seq + 1 or not self._has_room():
            self.behind = True
            return []
        return self._event(message)

    def catch_up(self) -> list[Action]:
        """The next events from the ledger, a bounded number; `behind` says whether there may be more."""
        if self.state is not State.OPEN or not self.behind:
            return []
        events = self._jobs.events_after(self.id, self.sent_seq, CATCH_UP_EVENTS + 1)
        actions = [action for event in events[:CATCH_UP_EVENTS] for action in self._event(event)]
        self.behind = len(events) > CATCH_UP_EVENTS
        return actions

    def taken_over(self) -> list[Action]:
        """The same session was opened on another connection."""
        return self.goodbye("this session was taken up by another connection of yours")

    def goodbye(self, reason: str) -> list[Action]:
        """Say why the connection ends, and end it."""
        if self.state is State.CLOSED:
            return []
        return [Send(Closing(reason=reason)), *self._close(reason)]

    def _undecodable(self, error: WireError, name: str) -> list[Action]:
        self._wire_errors += 1
        fatal = self.state is State.EXPECTS_HELLO or self._wire_errors >= WIRE_ERRORS_LIMIT
        actions: list[Action] = [Send(refusal(error, request_id=name, fatal=fatal))]
        return actions + (self._close(error.message) if fatal else [])

    def _close(self, reason: str) -> list[Action]:
        self.state = State.CLOSED
        return [Close(reason[:120])]

    def _hello(self, hello: ClientMessage) -> list[Action]:
        if not isinstance(hello, Hello):
            raise ProtocolMismatch(f"expected hello, got {_tag(hello)}", path="$.type")
        if hello.protocol != PROTOCOL:
            older = "client" if hello.protocol < PROTOCOL else "bridge"
            raise ProtocolMismatch(
                f"this bridge speaks protocol {PROTOCOL}, the client {hello.protocol}",
                path="$.protocol",
                remedy=f"update the {older}, it is the older of the two",
            )
        self._house.admit(hello.session)
        known = self._jobs.open_session(client=hello.client, host=hello.host, session=hello.session)
        self.id, resumed, newest = known
        if hello.cursor > newest and resumed:
            # The client has seen what this ledger has lost (a restored backup, a power cut): numbers would repeat.
            self.id, resumed, newest = self._jobs.open_session(client=hello.client, host=hello.host, session="")
        self.client, self.host = hello.client, hello.host
        self.shares_disk = secrets.compare_digest(hello.disk_proof.encode(), self._house.proof.encode())
        self.sent_seq = hello.cursor if resumed else 0
        self.behind = newest > self.sent_seq
        self.state = State.OPEN
        welcome = Welcome(
            protocol=PROTOCOL,
            server=self._house.server,
            session=self.id,
            resumed=resumed,
            shares_disk=self.shares_disk,
            limits=self._house.limits,
            generators=self._house.generators(),
            hosts=self._house.hosts(),
            watched=self._house.watched(),
            seq=newest,
        )
        return [Opened(self.id), Send(welcome), *map(Send, self._jobs.standing(self.id))]

    def _answer(self, message: ClientMessage, payload: memoryview) -> list[Action]:
        match message:
            case Ping():
                return [Send(Pong(id=message.id))]
            case JobSubmit():
                return [Send(self._jobs.submit(self.id, message))]
            case JobCancel():
                self._jobs.cancel(self.id, message)
                return []
            case JobSteer():
                self._jobs.steer(self.id, message)
                return []
            case GrowthGet():
                return [Grow(message)]
            case JobList():
                return [Send(_fitting(self._jobs.page(self.id, message)))]
            case JobRate():
                return [Send(self._jobs.rate(self.id, message))]
            case AssetFetch():
                deliver = Deliver(host=message.host, formats=message.formats, progressive=message.progressive)
                return [Fetch(message.digest, deliver, request_id=message.request_id)]
            case AssetStop():
                return [Stop(message.transfer)]
            case AssetCredit():
                return [Take(message.size_bytes)]
            case UploadOffer():
                return [Offered(message)]
            case UploadChunk():
                return [Keep(message, payload)]
            case StoreCollect():
                return [Collect(message)]
            case CatalogGet():
                return [Send(self.catalog(message.request_id))]
            case LiveOpen():
                return [Send(self._live.open(message))]
            case LiveFrame():
                self._live.feed(message, payload)
                return []
            case LiveClose():
                closed = self._live.close(message)
                return [] if closed is None else [Send(closed)]
            case Hello():
                raise ProtocolMismatch("hello was said before", remedy="open a new connection to change the session")

    def catalog(self, request_id: str = "") -> Catalog:
        """The catalog as it is now."""
        house = self._house
        return Catalog(generators=house.generators(), watched=house.watched(), request_id=request_id)

    def _event(self, event: JobEvent) -> list[Action]:
        if event.seq != self.sent_seq + 1:
            raise InternalError(f"event {event.seq} follows {self.sent_seq} in session {self.id}")
        self.sent_seq = event.seq
        actions: list[Action] = [Send(event)]  # type: ignore[arg-type]
        if isinstance(event, JobProduced):
            wish = self._jobs.deliver_wish(event.job_id)
            if wish is not None:
                actions.append(Fetch(event.asset.digest, wish, job_id=event.job_id, name=event.name))
        return actions


def _fitting(page: JobPage) -> JobPage:
    """The page, its oldest rows left off until it fits a frame."""
    while len(page.jobs) > 1 and wire.size_bytes(page) > PAGE_BYTES:
        page = JobPage(request_id=page.request_id, jobs=page.jobs[: len(page.jobs) // 2], more=True)
    return page


def _tag(message: ClientMessage) -> str:
    return str(type(message).__struct_config__.tag)


def _name_of(message: ClientMessage) -> str:
    for field in ("request_id", "job_id", "upload", "transfer", "live"):
        name = getattr(message, field, "")
        if name:
            return str(name)
    return ""
