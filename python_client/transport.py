"""A TCP or TLS connection that never waits: every call does what can be done now and returns.

No call blocks, with one exception that the system imposes: a host name that is neither numeric nor `localhost` is
looked up by the resolver when the transport is made.
"""

from __future__ import annotations

import errno
import hashlib
import select
import socket
import ssl
from collections import deque
from typing import NamedTuple, Optional, Union
from urllib.parse import urlsplit

from .errors import ConnectionLost, ScenecastError, Unreachable, WrongCertificate

_UNDER_WAY = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, getattr(errno, "WSAEWOULDBLOCK", 10035)}
_SEND_BYTES = 256 << 10


class Address(NamedTuple):
    """Where a bridge listens, taken from its URL."""

    host: str
    port: int
    tls: bool
    path: str

    @property
    def authority(self) -> str:
        """Host and port as the Host header wants them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """True when nothing leaves this machine."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


def parse_url(url: str) -> Address:
    """The parts of `ws://host:port/path` or `wss://…`. Raises `ScenecastError` naming what is wrong.

    Plain `ws` is accepted for loopback only: beyond it the token would be readable on the network.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ScenecastError(f"{url!r} is no bridge address", remedy="Write it as ws://127.0.0.1:7263 or wss://….")
    try:
        port = parts.port or 7263
    except ValueError:
        raise ScenecastError(f"{url!r} has no valid port") from None
    address = Address(parts.hostname, port, parts.scheme == "wss", parts.path or "/")
    if not address.tls and not address.loopback:
        raise ScenecastError(
            f"{url!r} would send the token unencrypted over the network",
            remedy="Use wss:// with the fingerprint the bridge prints, or a tunnel to 127.0.0.1.",
        )
    return address


class Transport:
    """One connection attempt and, when `ready`, the connection."""

    def __init__(self, address: Address, *, fingerprint: str = "") -> None:
        self._address = address
        self._fingerprint = fingerprint.replace(":", "").lower()
        self._targets: deque[tuple[int, tuple[object, ...]]] = deque(_resolve(address))
        self._socket: Optional[socket.socket] = None
        self._connected = False
        self._last_error = ""
        self.ready = False
        """True once TCP (and TLS) stand and bytes can flow."""
        self.outgoing: deque[memoryview] = deque()
        self.outgoing_bytes = 0

        self._scatters = hasattr(socket.socket, "recvmsg_into") and not address.tls

    @property
    def local(self) -> bool:
        """True when no byte leaves this machine."""
        return self._address.loopback

    def advance(self) -> bool:
        """Take the connection as far as it goes now; True when `ready`.

        Raises `Unreachable` when no address answers, `WrongCertificate` when another one is shown than is pinned.
        """
        if self.ready:
            return True
        if self._socket is None:
            self._dial()
        if not self._connected and not self._tcp_done():
            return False
        if isinstance(self._socket, ssl.SSLSocket) and not self._tls_done(self._socket):
            return False
        self.ready = True
        return True

    def _dial(self) -> None:
        while self._targets:
            family, target = self._targets.popleft()
            connection = socket.socket(family, socket.SOCK_STREAM)
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = connection.connect_ex(target)
            if code == 0 or code in _UNDER_WAY:
                self._socket, self._connected = connection, False
                return
            connection.close()
            self._last_error = errno.errorcode.get(code, str(code))
        where = self._address.authority
        why = f" ({self._last_error})" if self._last_error else ""
        raise Unreachable(f"nothing answers at {where}{why}", remedy="Start the bridge there with `scenecast serve`.")

    def _tcp_done(self) -> bool:
        connection = self._socket
        if connection is None:
            return False
        _, writable, failed = select.select([], [connection], [connection], 0)
        if not writable and not failed:
            return False
        code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            connection.close()
            self._socket, self._last_error = None, errno.errorcode.get(code, str(code))
            self._dial()
            return False
        self._connected = True
        if self._address.tls:
            context = ssl.create_default_context()
            if self._fingerprint:  # pinned: the one certificate is known, whoever signed it
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._socket = context.wrap_socket(
                connection, server_hostname=self._address.host, do_handshake_on_connect=False
            )
        return True

    def _tls_done(self, connection: ssl.SSLSocket) -> bool:
        try:
            connection.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except ssl.SSLCertVerificationError as error:
            raise WrongCertificate(
                f"the certificate of {self._address.authority} is not trusted: {error.verify_message}",
                remedy="Pass the fingerprint that the bridge prints when it starts.",
            ) from error
        except OSError as error:
            raise Unreachable(f"TLS with {self._address.authority} failed: {error}") from error
        if self._fingerprint:
            shown = hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
            if shown != self._fingerprint:
                raise WrongCertificate(
                    f"expected the certificate {self._fingerprint}, {self._address.authority} shows {shown}",
                    remedy="Compare with the fingerprint that the bridge prints; a stranger may be in between.",
                )
        return True

    def receive_into(self, *rooms: memoryview) -> int:
        """How many bytes were written into the rooms, one after the other; 0 when none are there now.

        The system may fill the first alone. Raises `ConnectionLost`.
        """
        if self._socket is None:
            raise ConnectionLost("the connection is closed")
        try:
            if len(rooms) > 1 and self._scatters:
                count = self._socket.recvmsg_into(rooms)[0]
            else:
                count = self._socket.recv_into(rooms[0])
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError as error:
            raise ConnectionLost(f"the connection broke: {error.strerror or error}") from error
        if count == 0:
            raise ConnectionLost("the bridge closed the connection without a word")
        return count

    def send(self, data: Union[bytes, bytearray, memoryview]) -> None:
        """Queue bytes; `flush` sends them."""
        if len(data):
            self.outgoing.append(memoryview(data))
            self.outgoing_bytes += len(data)

    def flush(self) -> bool:
        """Send at most one portion of what is queued; False when the socket takes no more now."""
        if self._socket is None:
            raise ConnectionLost("the connection is closed")
        if not self.outgoing:
            return False
        data = self.outgoing[0]
        try:
            sent = self._socket.send(data[:_SEND_BYTES])
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError as error:
            raise ConnectionLost(f"the connection broke: {error.strerror or error}") from error
        self.outgoing_bytes -= sent
        if sent == len(data):
            self.outgoing.popleft()
        else:
            self.outgoing[0] = data[sent:]
        return True

    def wait(self, timeout_secs: float) -> None:
        """Block until there is something to do, at most so long; for callers that may block."""
        connection = self._socket
        if connection is None or timeout_secs <= 0:
            return
        if isinstance(connection, ssl.SSLSocket) and self.ready and connection.pending():
            return
        writing = [connection] if self.outgoing or not self._connected else []
        select.select([connection], writing, [connection], timeout_secs)

    def close(self) -> None:
        """Drop the connection; what is queued is lost."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self.ready = None, False
        self.outgoing.clear()
        self.outgoing_bytes = 0


def _resolve(address: Address) -> list[tuple[int, tuple[object, ...]]]:
    """Socket families and targets, numeric addresses and localhost without asking the resolver."""
    if address.host == "localhost":
        return [
            (socket.AF_INET, ("127.0.0.1", address.port)),
            (socket.AF_INET6, ("::1", address.port)),
        ]
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unreachable(f"the name {address.host!r} cannot be resolved: {error.strerror or error}") from error
    return [(family, target) for family, _, _, _, target in found]
