"""The limit that transport is held against: blocking sockets over loopback TCP, sender in its own process."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time

_SENDER = """
import socket, sys
size = int(sys.argv[2])
body = memoryview(bytearray(min(size, 4 << 20)))
for at in range(0, len(body), 4096):
    body[at] = 1
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as peer:
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while peer.recv(1):
        left = size
        while left:
            left -= peer.send(body[:left])
"""


def transfer_secs(size_bytes: int, *, rounds: int = 5, to_file: bool = False) -> list[float]:
    """Seconds from asking for `size_bytes` to having them in a reused buffer, or in a new file, once a round."""
    buffer = memoryview(bytearray(256 << 10 if to_file else size_bytes))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        sender = subprocess.Popen([sys.executable, "-c", _SENDER, str(port), str(size_bytes)])
        peer, _ = server.accept()
        try:
            receive = _receive_to_file if to_file else _receive
            return [receive(peer, buffer, size_bytes) for _ in range(rounds + 1)][1:]
        finally:
            peer.close()
            sender.wait(timeout=10)


def _receive(peer: socket.socket, buffer: memoryview, size_bytes: int) -> float:
    start = time.perf_counter()
    peer.sendall(b"!")
    got = 0
    while got < size_bytes:
        got += peer.recv_into(buffer[got:])
    return time.perf_counter() - start


def _receive_to_file(peer: socket.socket, buffer: memoryview, size_bytes: int) -> float:
    start = time.perf_counter()
    peer.sendall(b"!")
    with tempfile.TemporaryFile(buffering=0) as file:
        while size_bytes:
            got = peer.recv_into(buffer[: min(len(buffer), size_bytes)])
            file.write(buffer[:got])
            size_bytes -= got
        return time.perf_counter() - start


def echo_secs(*, rounds: int = 200) -> list[float]:
    """Round trips of one byte to a blocking echo in another process."""
    program = (
        "import socket, sys\n"
        "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
        "s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n"
        "while (b := s.recv(64)): s.sendall(b)\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        echo = subprocess.Popen([sys.executable, "-c", program, str(server.getsockname()[1])])
        peer, _ = server.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            peer.sendall(b"x")
            peer.recv(64)
            times.append(time.perf_counter() - start)
        peer.close()
        echo.wait(timeout=10)
    return times
