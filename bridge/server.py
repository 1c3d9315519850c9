"""The only file that touches the websocket library: accepts, reads, writes, and gives up on clients that stall."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from weakref import WeakSet

from websockets.asyncio.server import Server as WebsocketServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from bridge import http
from bridge.connection import Connection
from bridge.errors import GateError
from bridge.gate import Gate, Knock
from bridge.logs import session_id
from bridge.messages import MAX_FRAME_BYTES, SUBPROTOCOL
from bridge.metrics import Counters
from bridge.resident import PieceSender, may_send_pieces
from bridge.transfers import Frame, Piece

log = logging.getLogger(__name__)

WRITE_LIMIT_BYTES = 1 << 20
"""Bytes the socket may hold back before the writer waits; measured best for 256 KiB chunks beside control echoes."""
PONG_LIMIT_BYTES = 8 << 20
"""Answers to pings are written without waiting; a client that pings and never reads is cut off here."""
BITE_BYTES = 16 << 10
LEAST_BITE_BYTES = 512
"""Bounds of what is parsed at a time: 16 KiB of a large frame take 10 us, of the smallest frames 50 ms."""
TURN_SECS = 0.002
"""A client whose frames have kept the loop for so long lets the others come in between."""
PIECES_TOGETHER = 4
"""Pieces of files that are sent before the others come in between: each costs them about 40 us."""
BACKLOG = 32
"""Connections accepted in one go; each costs the others 0.3 ms."""
HANDSHAKE_SECS = 10.0
ABORT_SECS = 10.0
"""A connection that was broken off may take so long to end: its upload may wait for a disk that does not answer."""
PING_SECS = 20.0
CONNECTIONS_PER_SESSION = 4
"""Sockets that may be open for every allowed session, those included that have not said hello."""


class _Socket(ServerConnection):
    """The library's connection, made fair: no client keeps the loop with a flood, none piles up answers unread."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._arrived = bytearray()
        self._bite_bytes = LEAST_BITE_BYTES
        self._chewing = False

    def data_received(self, data: bytes) -> None:
        self._arrived += data
        if not self._chewing:
            self._chew()

    def send_data(self) -> None:
        waiting = self.protocol.writes
        if len(waiting) > 1 and all(waiting):  # an empty one stands for the end of the stream
            waiting[:] = [b"".join(waiting)]
        super().send_data()

    def eof_received(self) -> None:
        if self._arrived:
            rest, self._arrived = bytes(self._arrived), bytearray()
            super().data_received(rest)
        super().eof_received()

    def _chew(self) -> None:
        """Parse what has arrived, bite by bite; after a while let the others come in between."""
        begun = time.monotonic()
        while self._arrived and not self.transport.is_closing():
            bite = bytes(self._arrived[: self._bite_bytes])
            del self._arrived[: self._bite_bytes]
            before = time.monotonic()
            super().data_received(bite)
            now = time.monotonic()
            if now - before > TURN_SECS / 4:
                self._bite_bytes = max(LEAST_BITE_BYTES, self._bite_bytes // 2)
            elif len(bite) == self._bite_bytes:
                self._bite_bytes = min(BITE_BYTES, 2 * self._bite_bytes)
            if self._arrived and now - begun > TURN_SECS:
                self._chewing = True
                self.transport.pause_reading()
                self.loop.call_soon(self._chew)
                return
        if self._chewing:
            self._chewing = False
            if not self.recv_messages.paused and not self.transport.is_closing():
                self.transport.resume_reading()
        waiting_bytes = self.transport.get_write_buffer_size()
        if waiting_bytes > PONG_LIMIT_BYTES:
            log.warning("cut off a client that does not read", extra={"bytes": waiting_bytes})
            self.transport.abort()


def _socket_class(opened: Callable[[ServerConnection], None]) -> type[ServerConnection]:
    """Our connection, which tells when it is made."""

    class Socket(_Socket):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            opened(self)

    return Socket


class _Handshakes(logging.Filter):
    """Counts handshakes that fail instead of logging each with its traceback: strangers decide how many there are."""

    def __init__(self, counters: Counters) -> None:
        super().__init__()
        self._counters = counters

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg != "opening handshake failed":
            return True
        self._counters.failed_handshakes_total += 1
        return False


class Server:
    """Listens on one address and runs one `Connection` for every client that the gate lets in."""

    def __init__(
        self,
        *,
        name: str,
        make_gate: Callable[[int], Gate],
        make_connection: Callable[[], Connection],
        counters: Counters,
        figures: Callable[[], Mapping[str, float]],
        sessions: int,
        stall_secs: float,
        hello_secs: float,
    ) -> None:
        self._name = name
        self._make_gate = make_gate
        self._make_connection = make_connection
        self._counters = counters
        self._figures = figures
        self._most_sockets = sessions * CONNECTIONS_PER_SESSION
        self._stall_secs = stall_secs
        self._hello_secs = hello_secs
        self._gate: Gate
        self._server: WebsocketServer
        self._open: dict[Connection, ServerConnection] = {}
        self._library_log = logging.Logger("websockets.server")
        self._library_log.parent = logging.getLogger("websockets.server")
        self._library_log.addFilter(_Handshakes(counters))
        self._sockets: WeakSet[ServerConnection] = WeakSet()
        """All that are connected, those included whose handshake is not over."""

    async def bind(self, address: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Take the address, and return the port; nobody is answered yet. Raises `OSError` when it is taken."""
        self._server = await serve(
            self._handle,
            address,
            port,
            ssl=tls,
            process_request=self._process_request,
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
            compression=None,
            server_header=None,
            max_size=MAX_FRAME_BYTES,
            max_queue=16,
            write_limit=WRITE_LIMIT_BYTES,
            open_timeout=HANDSHAKE_SECS,
            ping_interval=PING_SECS,
            ping_timeout=PING_SECS,
            close_timeout=2.0,
            backlog=BACKLOG,
            logger=self._library_log,
            create_connection=_socket_class(self._sockets.add),
            start_serving=False,
        )
        bound = int(next(iter(self._server.sockets)).getsockname()[1])
        self._gate = self._make_gate(bound)
        return bound

    async def begin(self) -> None:
        """Answer from now on."""
        await self._server.start_serving()

    async def stop(self, reason: str, grace_secs: float) -> None:
        """Tell every client, send what is queued for it, and close."""
        self._server.close(close_connections=False)
        for connection in self._open:
            connection.goodbye(reason)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_secs):
                await self._server.wait_closed()
                return
        for socket in self._sockets:
            socket.transport.abort()
        try:
            async with asyncio.timeout(ABORT_SECS):
                await self._server.wait_closed()
        except TimeoutError:
            log.error("%d connections do not end", len(self._open))

    def _process_request(self, socket: ServerConnection, request: Request) -> Response | None:
        """The gate, before any routing; then either a plain answer or the upgrade."""
        try:
            self._gate.check(_knock(request))
        except GateError as error:
            self._counters.refused_handshakes_total += 1
            log.warning("refused a request", extra={"code": type(error).code, "peer": _peer(socket)})
            return _response(http.Answer(HTTPStatus(type(error).http_status), f"{error.message}: {error.remedy}\n"))
        if "websocket" not in request.headers.get("Upgrade", "").lower():
            return _response(http.answer(request.method, request.path, server=self._name, figures=self._figures))
        if len(self._open) >= self._most_sockets:
            return _response(http.Answer(HTTPStatus.SERVICE_UNAVAILABLE, "as many clients as may are connected\n"))
        return None

    async def _handle(self, socket: ServerConnection) -> None:
        connection = self._make_connection()
        self._open[connection] = socket
        self._counters.connections_total += 1
        connection.sends_pieces = may_send_pieces(socket.transport)
        pieces = PieceSender(socket.transport)
        writer = asyncio.create_task(self._write(socket, connection, pieces))
        waiter = asyncio.get_running_loop().call_later(self._hello_secs, connection.expect_hello)
        try:
            await self._read(socket, connection)
        except ConnectionClosed:
            pass
        except Exception:
            log.exception("a connection failed")
        finally:
            waiter.cancel()
            if not connection.closing:
                writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            pieces.close()
            del self._open[connection]
            self._counters.live_dropped_total += connection.outbox.dropped
            await connection.left()

    async def _read(self, socket: ServerConnection, connection: Connection) -> None:
        begun = time.monotonic()
        while not connection.closing:
            frame = await socket.recv()
            self._counters.messages_received_total += 1
            now = time.monotonic()
            await connection.receive(frame, now)
            if now - begun > TURN_SECS:
                await asyncio.sleep(0)
                begun = time.monotonic()
            if connection.session.id and not session_id.get():
                session_id.set(connection.session.id)

    async def _write(self, socket: ServerConnection, connection: Connection, pieces: PieceSender) -> None:
        """One writer: whatever is most urgent, then the next; ends when the conversation does."""
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(None) as stall:
                while True:
                    frames = connection.take_some(time.monotonic())
                    if frames:
                        stall.reschedule(clock() + self._stall_secs)
                        async with socket.send_context():
                            for frame in frames:
                                if isinstance(frame, Piece):
                                    pieces.send(frame)
                                else:
                                    socket.protocol.send_binary(frame)
                            if isinstance(frames[-1], Piece):
                                frames += _further_pieces(connection, pieces)
                        if isinstance(frames[0], Piece):
                            await asyncio.sleep(0)  # such a frame need not have waited for anything
                        self._counters.messages_sent_total += len(frames)
                    elif connection.closing:
                        break
                    else:
                        stall.reschedule(None)
                        await connection.wake.wait()
        except TimeoutError:
            self._counters.stalled_clients_total += 1
            log.warning("gave up a client that does not read", extra={"session": connection.session.id})
            socket.transport.abort()
        except ConnectionClosed:
            pass
        except Exception:
            log.exception("writing failed")
            socket.transport.abort()
        else:
            if connection.broken:
                socket.transport.abort()
            else:
                await socket.close(1000, connection.reason.encode()[:120].decode("utf-8", "ignore"))
        finally:
            connection.cut_off()


def _further_pieces(connection: Connection, pieces: PieceSender) -> list[Frame]:
    """Send what is next while it is pieces of files, the socket takes them whole, and nobody has waited for long."""
    sent: list[Frame] = []
    while len(sent) < PIECES_TOGETHER - 1 and pieces.flows:
        piece = connection.take_piece(time.monotonic())
        if piece is None:
            break
        pieces.send(piece)
        sent.append(piece)
    return sent


def _knock(request: Request) -> Knock:
    headers = request.headers
    offered = ",".join(headers.get_all("Sec-WebSocket-Protocol"))
    return Knock(
        method=request.method,
        path=request.path,
        hosts=tuple(headers.get_all("Host")),
        origins=tuple(headers.get_all("Origin")),
        authorizations=tuple(headers.get_all("Authorization")),
        subprotocols=tuple(name.strip() for name in offered.split(",") if name.strip()),
    )


def _response(answer: http.Answer) -> Response:
    body = answer.body.encode()
    headers = Headers([("Content-Type", answer.media_type), ("Content-Length", str(len(body)))])
    for name, value in (*answer.headers, ("Connection", "close")):
        headers[name] = value
    return Response(answer.status.value, answer.status.phrase, headers, body)


def _peer(socket: ServerConnection) -> str:
    address: Any = socket.remote_address
    return str(address[0]) if isinstance(address, tuple) else str(address)
