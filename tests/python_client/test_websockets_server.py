"""The transport and websocket against a real `websockets` server, plain and with TLS."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Close
from websockets.typing import Subprotocol

from python_client.errors import BadFrame, ConnectionLost, HandshakeRefused, Unreachable, WrongCertificate
from python_client.transport import Transport, parse_url
from python_client.websocket import BINARY, TEXT, WebSocket

Handler = Callable[[ServerConnection], Awaitable[None]]


@contextmanager
def server(handler: Handler, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on a free port, run by a loop in a thread."""
    started, port = threading.Event(), 0
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def main() -> None:
        nonlocal port
        async with serving(handler, tls) as number:
            port = number
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    assert started.wait(120)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(120)
        loop.close()


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    async with serve(handler, "127.0.0.1", 0, ssl=tls, compression=None, max_size=1 << 20,
                     subprotocols=[Subprotocol("scenecast.v1")]) as running:  # fmt: skip
        yield next(iter(running.sockets)).getsockname()[1]


class Line:
    """A blocking face over the two sans-blocking halves, for these tests."""

    def __init__(self, url: str, *, fingerprint: str = "", maximum: int = 1 << 20) -> None:
        address = parse_url(url)
        self.transport = Transport(address, fingerprint=fingerprint)
        self.socket = WebSocket(address.authority, subprotocol="scenecast.v1", max_message_bytes=maximum)
        self.early: list[tuple[int, bytes]] = []
        self.deadline = time.monotonic() + 120

    def __enter__(self) -> Line:
        try:
            while not self.transport.advance():
                self.wait()
            self.transport.send(self.socket.handshake())
            while not self.socket.open:
                if (message := self.step()) is not None:
                    self.early.append(message)
        except BaseException:
            self.transport.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.transport.close()

    def wait(self) -> None:
        assert time.monotonic() < self.deadline, "the test hangs"
        self.transport.wait(0.05)

    def step(self) -> tuple[int, bytes] | None:
        while self.transport.flush():
            pass
        message = self.socket.next_message()
        if message is not None:
            return message.opcode, bytes(message.data)
        for reply in self.socket.replies:
            self.transport.send(reply)
        self.socket.replies.clear()
        if self.socket.closed is None:
            count = self.transport.receive_into(*self.socket.rooms())
            self.socket.received(count)
            if not count:
                self.wait()
        return None

    def receive(self) -> tuple[int, bytes]:
        if self.early:
            return self.early.pop(0)
        while (message := self.step()) is None:
            assert self.socket.closed is None, self.socket.closed
        return message

    def closed(self) -> tuple[int, str]:
        while self.socket.closed is None:
            self.step()
        self.step()
        while self.transport.flush():
            pass
        self.transport.close()
        return self.socket.closed


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1 << 20])
def test_echo(size: int) -> None:
    with server(echo) as port, Line(f"ws://127.0.0.1:{port}") as line:
        for _ in range(3):
            line.transport.send(line.socket.message(b"\xa5" * size))
            assert line.receive() == (BINARY, b"\xa5" * size)
        line.transport.send(line.socket.message("grüße".encode(), opcode=TEXT))
        assert line.receive() == (TEXT, "grüße".encode())


def test_fragments_pings_and_close() -> None:
    answered: list[float] = []
    closes: list[Close | None] = []

    async def handler(connection: ServerConnection) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for index in range(50):
                yield bytes([index]) * 997
                if index % 10 == 0:
                    await connection.ping(bytes([index]))

        await connection.send(pieces())
        answered.append(await (await connection.ping(b"last")))
        await connection.close(4001, "enough")
        closes.append(connection.protocol.close_rcvd)

    with server(handler) as port, Line(f"ws://127.0.0.1:{port}") as line:
        assert line.receive() == (BINARY, b"".join(bytes([index]) * 997 for index in range(50)))
        assert line.closed() == (4001, "enough")
        while not closes:
            time.sleep(0.005)
            assert time.monotonic() < line.deadline
    assert len(answered) == 1, "the pong came"
    assert closes[0] is not None and closes[0].code == 4001, "the close was echoed"


def test_our_close_and_our_oversize_refusal_are_understood() -> None:
    seen: list[tuple[int, str]] = []

    async def handler(connection: ServerConnection) -> None:
        await connection.recv()  # else the message may come with the handshake's last bytes, before we look
        await connection.send(b"x" * 5000)
        await connection.wait_closed()
        received = connection.protocol.close_rcvd
        assert received is not None
        seen.append((received.code, received.reason))

    with server(handler) as port:
        with Line(f"ws://127.0.0.1:{port}", maximum=4096) as line:
            line.transport.send(line.socket.message(b"ready"))
            with pytest.raises(BadFrame, match="at most 4096") as refused:
                line.receive()
            line.transport.send(line.socket.close(refused.value.close_code, "too big"))
            line.transport.flush()
            with pytest.raises(ConnectionLost):  # to leave with bytes unread would reset the connection
                while time.monotonic() < line.deadline:
                    line.transport.receive_into(memoryview(bytearray(4096)))
        with Line(f"ws://127.0.0.1:{port}") as line:
            line.transport.send(line.socket.message(b"ready"))
            line.receive()
            line.transport.send(line.socket.close(1000, "done"))
            assert line.closed() == (1000, "done")
    assert seen == [(1009, "too big"), (1000, "done")]


def test_slow_delivery_byte_by_byte_and_a_cut() -> None:
    """The same bytes as a real server sends, through a relay that hands on one byte at a time and then dies."""
    recorded = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    import socket as sockets

    from python_client.websocket import accept_for, frame

    listener = sockets.create_server(("127.0.0.1", 0))

    def relay() -> None:
        connection, _ = listener.accept()
        with connection:
            request = connection.recv(4096).decode()
            key = request.split("Sec-WebSocket-Key: ")[1].split("\r\n")[0]
            data = recorded + f"Sec-WebSocket-Accept: {accept_for(key)}\r\n".encode()
            data += b"Sec-WebSocket-Protocol: scenecast.v1\r\n\r\n" + frame(BINARY, b"y" * 300) + b"\x82\x05cu"
            connection.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
            for byte in data:
                connection.sendall(bytes([byte]))

    thread = threading.Thread(target=relay)
    thread.start()
    with listener, Line(f"ws://127.0.0.1:{listener.getsockname()[1]}") as line:
        assert line.receive() == (BINARY, b"y" * 300)
        with pytest.raises(ConnectionLost):
            line.receive()
    thread.join()


def test_a_refused_upgrade_says_why() -> None:
    with server(echo) as port:
        address = parse_url(f"ws://127.0.0.1:{port}")
        line = Line(f"ws://127.0.0.1:{port}")
        line.socket = WebSocket(address.authority, subprotocol="other.v2")
        with pytest.raises(HandshakeRefused):
            line.__enter__()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=bridge"]  # fmt: skip
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed: no certificate can be made")
    return folder


def test_tls_with_a_pinned_fingerprint(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    der = ssl.PEM_cert_to_DER_cert((certificate / "cert.pem").read_text())
    fingerprint = hashlib.sha256(der).hexdigest()
    written = ":".join(fingerprint[at : at + 2] for at in range(0, 64, 2)).upper()
    with server(echo, context) as port:
        with Line(f"wss://127.0.0.1:{port}", fingerprint=written) as line:
            line.transport.send(line.socket.message(b"z" * 900_000))
            assert line.receive() == (BINARY, b"z" * 900_000)
        with pytest.raises(WrongCertificate, match="expected the certificate 0000"):
            Line(f"wss://127.0.0.1:{port}", fingerprint="0" * 64).__enter__()
        with pytest.raises(WrongCertificate, match="not trusted"):
            Line(f"wss://127.0.0.1:{port}").__enter__()


def test_nobody_there() -> None:
    with pytest.raises(Unreachable, match="scenecast serve"):
        Line("ws://localhost:9").__enter__()
