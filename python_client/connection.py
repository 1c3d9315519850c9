"""Keeps one conversation alive over a network that breaks: dials, shakes hands, reads, writes, tries again.

Nothing here waits: `step` does one small portion of work and returns. The state is always one of four words, with
the cause and the remedy of anything that is not as it should be.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Callable, Optional

from . import messages, websocket
from .errors import (
    BadFrame,
    BadMessage,
    ConnectionFailed,
    ConnectionLost,
    HandshakeRefused,
    ProtocolError,
    Refused,
    ScenecastError,
    Unreachable,
)
from .protocol import Protocol
from .transport import Address, Transport, parse_url
from .websocket import BINARY, WebSocket

OFFLINE, CONNECTING, CONNECTED, WAITING = "offline", "connecting", "connected", "waiting"

BACKOFF_SECS = (0.1, 10.0)
"""The first pause before trying again, and the longest; each is twice the one before, shortened by chance."""
ATTEMPT_SECS = 10.0
"""A connection that has not been welcomed by then is given up."""
QUIET_SECS = 15.0
"""After so long without a byte the bridge is asked for a sign of life, and given as long again to answer."""
OUTGOING_BYTES = 512 << 10
"""So much may wait in the socket's queue before further chunks are made."""


@dataclass(frozen=True)
class Endpoint:
    """One bridge's address and what it takes to be let in."""

    url: str
    token: str
    fingerprint: str = ""
    disk_proof: str = ""


@dataclass(frozen=True)
class ConnectionState:
    """What a panel shows: `status` is offline, connecting, connected or waiting (until the next attempt)."""

    status: str
    cause: str = ""
    remedy: str = ""
    retry_in_secs: float = 0.0

    def __str__(self) -> str:
        return self.status + (f": {self.cause}" if self.cause else "")


class Connection:
    """One client's connection, through as many sockets as it takes."""

    def __init__(
        self,
        protocol: Protocol,
        find: Callable[[], Endpoint],
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._protocol = protocol
        self._find = find
        self._clock = clock
        self._chance = chance
        self._status = OFFLINE
        self.error: Optional[ScenecastError] = None
        """Why the last attempt or conversation ended; None while connected."""
        self.attempts = 0
        """Failures since the last welcome."""
        self._retry_at = 0.0
        self._began = 0.0
        self._heard = 0.0
        self._asked = 0.0
        self._orphans_at = 0.0
        self._endpoint: Optional[Endpoint] = None
        self._transport: Optional[Transport] = None
        self._socket: Optional[WebSocket] = None

    @property
    def state(self) -> ConnectionState:
        """The state as it is now."""
        error = None if self._status == CONNECTED else self.error
        left = max(0.0, self._retry_at - self._clock()) if self._status == WAITING else 0.0
        return ConnectionState(
            self._status, error.message if error else "", error.remedy if error else "", round(left, 3)
        )

    @property
    def connected(self) -> bool:
        """True between the bridge's welcome and the end of the connection."""
        return self._status == CONNECTED

    def start(self) -> None:
        """Begin to connect, or stop waiting for the next attempt."""
        if self._status in (OFFLINE, WAITING):
            self._status, self._retry_at = WAITING, 0.0

    def stop(self) -> None:
        """Say goodbye and stay offline."""
        if self._transport is not None and self._socket is not None and self._transport.ready:
            self._transport.send(self._socket.close(1000, "done"))
            try:
                while self._transport.flush():
                    pass
            except ConnectionLost:
                pass  # it was gone already, which is what was wanted
        self._drop()
        self._status, self.error = OFFLINE, None

    def step(self) -> bool:
        """Do one small portion of work; False when there is nothing to do now."""
        if self._status == OFFLINE:
            return False
        try:
            if self._status == WAITING:
                return self._clock() >= self._retry_at and self._dial()
            return self._go_on()
        except (ConnectionFailed, ProtocolError, Refused) as error:
            self._fail(error)
            return False

    def wait(self, timeout_secs: float) -> None:
        """Block until `step` has something to do, at most so long; for callers that may block."""
        if self._transport is not None:
            self._transport.wait(min(timeout_secs, 0.25))
        else:
            left = self._retry_at - self._clock() if self._status == WAITING else timeout_secs
            time.sleep(max(0.0, min(left, timeout_secs, 0.25)))

    def _dial(self) -> bool:
        self._status, self._began = CONNECTING, self._clock()
        endpoint = self._endpoint = self._find()
        address = parse_url(endpoint.url)
        self._transport = Transport(address, fingerprint=endpoint.fingerprint)
        self._socket = _socket_for(address, endpoint.token, self._protocol)
        return True

    def _go_on(self) -> bool:
        transport, socket, endpoint = self._transport, self._socket, self._endpoint
        if transport is None or socket is None or endpoint is None:
            raise ConnectionLost("the connection is closed")
        if self._status == CONNECTING and self._clock() - self._began > ATTEMPT_SECS:
            raise Unreachable(
                f"{endpoint.url} did not answer within {ATTEMPT_SECS:.0f} s",
                remedy="See whether the bridge is busy or stuck: `scenecast doctor`.",
            )
        if not transport.ready:
            if not transport.advance():
                return False
            transport.send(socket.handshake())
        wrote = self._write(transport, socket)
        read = self._read(transport, socket)
        if not read and self._status == CONNECTED:
            self._check_silence()
        return read or wrote or self._protocol.work()

    def _read(self, transport: Transport, socket: WebSocket) -> bool:
        """Handle one message; when none is there, receive one portion first."""
        was_open = socket.open
        message, count = self._next_message(transport, socket), 0
        if message is None:
            for reply in socket.replies:
                transport.send(reply)
            socket.replies.clear()
            if socket.closed is not None:
                self._write(transport, socket)
                self._ended(*socket.closed)
            count = transport.receive_into(*socket.rooms())
            if count:
                socket.received(count)
                self._heard, self._asked = self._clock(), 0.0
                message = self._next_message(transport, socket)
        if message is not None:
            self._hear(message)
        return message is not None or count > 0 or (socket.open and not was_open)

    def _next_message(self, transport: Transport, socket: WebSocket) -> Optional[websocket.Message]:
        was_open = socket.open
        message = socket.next_message()
        if socket.open and not was_open and self._endpoint is not None:
            self._protocol.begin(self._endpoint.disk_proof, local=transport.local)
        return message

    def _hear(self, message: websocket.Message) -> None:
        if message.opcode != BINARY:
            raise BadMessage("expected a binary message, got text")
        self._protocol.receive(message.data, message.tail)
        if self._protocol.fatal is not None:
            raise self._protocol.fatal
        if self._status == CONNECTING and self._protocol.welcome is not None:
            self._status, self.error, self.attempts = CONNECTED, None, 0
            self._heard, self._asked = self._clock(), 0.0

    def _write(self, transport: Transport, socket: WebSocket) -> bool:
        """Send what is queued and, where there is room, what the protocol has to say."""
        if socket.open:
            while transport.outgoing_bytes < OUTGOING_BYTES:
                frame = self._protocol.next_frame()
                if frame is None:
                    break
                transport.send(socket.message(frame))
                if len(frame) > 64 << 10:  # masking a chunk is work enough for one step
                    break
        wrote = False
        while transport.flush():
            wrote = True
            if transport.outgoing_bytes > 64 << 10:
                break
        return wrote

    def _check_silence(self) -> None:
        now = self._clock()
        if self._asked and now - self._asked > QUIET_SECS:
            raise ConnectionLost(
                f"the bridge has said nothing for {now - self._heard:.0f} s",
                remedy="It may be stuck; `scenecast doctor` shows more.",
            )
        if not self._asked and now - self._heard > QUIET_SECS:
            self._asked = now
            self._protocol.ping()
        if now - self._orphans_at > 2.0:
            self._orphans_at = now
            self._protocol.ask_after_orphans()
            self._protocol.spool.memory.tidy()

    def _ended(self, code: int, reason: str) -> None:
        words = self._protocol.closing or reason or f"close code {code}"
        raise ConnectionLost(f"the bridge closed the connection: {words}", code=code)

    def _fail(self, error: ScenecastError) -> None:
        """Drop the connection, remember why, and plan the next attempt."""
        if isinstance(error, ConnectionLost) and self._protocol.closing:
            error = ConnectionLost(f"the bridge closed the connection: {self._protocol.closing}", code=error.code)
        if isinstance(error, HandshakeRefused) and error.status == 401 and not error.remedy:
            error = HandshakeRefused(error.message, status=401, remedy="Show the right one with `scenecast token`.")
        if isinstance(error, ProtocolError) and self._transport is not None and self._socket is not None:
            code = error.close_code if isinstance(error, BadFrame) else 1002
            self._transport.send(self._socket.close(code, error.message))
            try:
                self._transport.flush()
            except ConnectionLost:
                pass  # the goodbye is a courtesy
        self._drop()
        self.error = error
        longest = min(BACKOFF_SECS[1], BACKOFF_SECS[0] * 2.0 ** min(self.attempts, 16))
        self.attempts += 1
        self._retry_at = self._clock() + longest * (0.5 + 0.5 * self._chance())
        self._status = WAITING

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._transport = self._socket = None
        self._protocol.lost()


def _socket_for(address: Address, token: str, protocol: Protocol) -> WebSocket:
    return WebSocket(
        address.authority,
        path=address.path,
        subprotocol=messages.SUBPROTOCOL,
        headers=[("Authorization", f"Bearer {token}")] if token else [],
        divert=protocol.divert,
    )
