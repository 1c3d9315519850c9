"""The client's side of a websocket (RFC 6455) without a socket: bytes in, messages out, frames to send.

Received bytes land in one buffer that is reused for the whole connection; messages are handed out as views into it
and are valid until the next `room()`. Only a message that came in fragments is copied together. Who knows where a
large message's payload belongs can have it received right there (`divert`).
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from collections.abc import Sequence
from typing import Callable, NamedTuple, Optional, Union

from .errors import BadFrame, HandshakeRefused

ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
RECEIVE_BYTES = 256 << 10
"""Most that is asked of the socket at once."""
GLANCE_BYTES = 4 << 10
"""What is asked for where a large message is expected whose payload has a place of its own."""
DIVERT_BYTES = 64 << 10
"""Shorter messages are copied: that costs less than to ask where they belong."""
MAX_HANDSHAKE_BYTES = 16 << 10

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
Bytes = Union[bytes, bytearray, memoryview]


class Message(NamedTuple):
    """One whole message: `opcode` is TEXT or BINARY; `tail` is what was received elsewhere, and follows `data`."""

    opcode: int
    data: memoryview
    tail: memoryview = memoryview(b"")


_XOR: dict[int, bytes] = {}


def _xor_table(key_byte: int) -> bytes:
    table = _XOR.get(key_byte)
    if table is None:
        table = _XOR[key_byte] = bytes(value ^ key_byte for value in range(256))
    return table


def masked(data: Bytes, key: bytes) -> bytes:
    """The data XORed with the four key bytes in turn (RFC 6455, 5.3).

    Short data goes through one big integer; long data through four strided translations, three times as quick:
    0.7 ms of processor time for 768 KiB.
    """
    count = len(data)
    if count < 1024:
        whole = (key * (count // 4 + 1))[:count]
        return (int.from_bytes(data, "little") ^ int.from_bytes(whole, "little")).to_bytes(count, "little")
    out = bytearray(count)
    _mask_into(out, 0, data, key)
    return bytes(out)


def _mask_into(out: bytearray, at: int, data: Bytes, key: bytes) -> None:
    whole = data if isinstance(data, bytes) else bytes(data)  # strides of other buffers are copied byte by byte
    for lane in range(4):
        out[at + lane :: 4] = whole[lane::4].translate(_xor_table(key[lane]))


def frame(opcode: int, data: Bytes, *, key: Optional[bytes] = None, fin: bool = True) -> Bytes:
    """One frame; with a `key` the payload is masked, as a client must."""
    first, flag, count = opcode | (0x80 if fin else 0), 0x80 if key else 0, len(data)
    if count < 126:
        head = bytes((first, flag | count))
    elif count < 1 << 16:
        head = struct.pack(">BBH", first, flag | 126, count)
    else:
        head = struct.pack(">BBQ", first, flag | 127, count)
    if not key:
        return head + bytes(data)
    if count < 1024:
        return head + key + masked(data, key)
    at = len(head) + len(key)
    out = bytearray(at + count)
    out[:at] = head + key
    _mask_into(out, at, data, key)
    return out


def accept_for(key: str) -> str:
    """The `Sec-WebSocket-Accept` that proves the handshake's key was read."""
    return base64.b64encode(hashlib.sha1(key.encode() + ACCEPT_GUID).digest()).decode()


class WebSocket:
    """One connection: `handshake()` first, then `room()`/`received()` and `next_message()` until `closed`."""

    def __init__(
        self,
        host: str,
        *,
        path: str = "/",
        subprotocol: str = "",
        headers: Sequence[tuple[str, str]] = (),
        max_message_bytes: int = 1 << 20,
        entropy: Callable[[int], bytes] = os.urandom,
        divert: Callable[[memoryview, int], Optional[memoryview]] = lambda begun, size: None,
    ) -> None:
        """`divert(begun, size)` is asked about a binary message of `size` bytes that has begun to arrive.

        It returns where the bytes after `begun` shall be written, or None for "into the buffer, like all others".
        """
        self._host, self._path, self._subprotocol, self._headers = host, path, subprotocol, tuple(headers)
        self._max = max_message_bytes
        self._entropy = entropy
        self._key = base64.b64encode(entropy(16)).decode()
        self._buffer = memoryview(bytearray(max(max_message_bytes, MAX_HANDSHAKE_BYTES) + RECEIVE_BYTES))
        self._start = self._end = 0
        self._need = 0  # bytes from _start to the end of the frame under way, when known
        self._fragments: Optional[bytearray] = None
        self._fragments_opcode = 0
        self._divert = divert
        self._asked = False  # whether `divert` has been asked about the frame under way
        self._begun = self._tail = memoryview(b"")
        self._tail_bytes = -1  # so many of `_tail` have arrived; -1 while nothing is diverted
        self._portion_bytes = RECEIVE_BYTES
        self.open = False
        """True once the handshake is accepted."""
        self.closed: Optional[tuple[int, str]] = None
        """Close code and reason once the other side has closed; 1005 when it gave none."""
        self.close_sent = False
        self.replies: list[Bytes] = []
        """Frames that answer the other side (pong, close); the caller sends and clears them."""

    def handshake(self) -> bytes:
        """The upgrade request."""
        lines = [
            f"GET {self._path} HTTP/1.1",
            f"Host: {self._host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {self._key}",
            "Sec-WebSocket-Version: 13",
        ]
        if self._subprotocol:
            lines.append(f"Sec-WebSocket-Protocol: {self._subprotocol}")
        lines += [f"{name}: {value}" for name, value in self._headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def message(self, data: Bytes, *, opcode: int = BINARY) -> Bytes:
        """A frame holding one whole message."""
        return frame(opcode, data, key=self._entropy(4))

    def close(self, code: int = 1000, reason: str = "") -> Bytes:
        """The close frame; empty when it was sent already."""
        if self.close_sent:
            return b""
        self.close_sent = True
        return frame(CLOSE, struct.pack(">H", code) + reason.encode()[:123], key=self._entropy(4))

    def room(self) -> memoryview:
        """Where the socket shall write next; then say `received(count)`. Views given out before end here."""
        if self._tail_bytes >= 0:
            return self._tail[self._tail_bytes :]
        return self._room_in_buffer()

    def rooms(self) -> list[memoryview]:
        """Like `room`, but in pieces to be filled one after the other: what follows a large message comes with it."""
        if self._tail_bytes < 0:
            return [self._room_in_buffer()]
        following = self._buffer[self._end : self._end + GLANCE_BYTES]
        return [self._tail[self._tail_bytes :], following] if len(following) else [self._tail[self._tail_bytes :]]

    def _room_in_buffer(self) -> memoryview:
        if self._start == self._end:
            self._start = self._end = 0
        elif len(self._buffer) - self._end < RECEIVE_BYTES or self._start + self._need > len(self._buffer):
            left = self._end - self._start
            self._buffer[:left] = self._buffer[self._start : self._end]
            self._start, self._end = 0, left
        return self._buffer[self._end : self._end + self._portion_bytes]

    def received(self, count: int) -> None:
        """So many bytes were written into `room()`, or into `rooms()` in their order."""
        if self._tail_bytes >= 0:
            placed = min(count, len(self._tail) - self._tail_bytes)
            self._tail_bytes += placed
            count -= placed
        self._end += count

    def next_message(self) -> Optional[Message]:
        """The next whole message, or None until more bytes are there.

        Raises `HandshakeRefused` or `BadFrame`; after either the connection is of no more use.
        """
        if not self.open and not self._read_handshake():
            return None
        if self._tail_bytes >= 0:
            return self._diverted()
        while self.closed is None:
            head = self._frame_head()
            if head is None:
                return None
            fin, opcode, data_at, count = head
            self._need = data_at + count
            if self._end - self._start < self._need:
                if fin and opcode == BINARY and count >= DIVERT_BYTES and self._fragments is None and not self._asked:
                    self._ask(data_at, count)
                return None
            self._asked = False
            data = self._buffer[self._start + data_at : self._start + self._need]
            self._start += self._need
            self._need = 0
            if opcode >= CLOSE:
                self._control(opcode, bytes(data))
                continue
            message = self._data(fin, opcode, data)
            if message is not None:
                return message
        return None

    def _ask(self, data_at: int, count: int) -> None:
        """See whether the rest of a large message has a place of its own."""
        begun = self._buffer[self._start + data_at : self._end]
        tail = self._divert(begun, count) if len(begun) else None
        self._asked = len(begun) >= GLANCE_BYTES // 2 or tail is not None
        self._portion_bytes = GLANCE_BYTES if tail is not None else RECEIVE_BYTES
        if tail is not None:
            self._begun, self._tail, self._tail_bytes = begun, tail, 0
            self._start = self._end  # what comes after the tail is another frame

    def _diverted(self) -> Optional[Message]:
        """The message whose rest goes to its own place, once it is there."""
        if self._tail_bytes < len(self._tail):
            return None
        message = Message(BINARY, self._begun, self._tail)
        self._begun = self._tail = memoryview(b"")
        self._need = 0
        self._tail_bytes, self._asked = -1, False
        return message

    def _frame_head(self) -> Optional[tuple[bool, int, int, int]]:
        """(fin, opcode, where the payload begins, its length) of the frame at the start, checked."""
        view = self._buffer[self._start : self._end]
        if len(view) < 2:
            return None
        opcode, count, fin = view[0] & 15, view[1] & 127, bool(view[0] & 0x80)
        if view[0] & 0x70:
            raise BadFrame("a reserved bit is set, though no extension was agreed")
        if view[1] & 0x80:
            raise BadFrame("a server's frame is masked")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise BadFrame(f"opcode {opcode} is not defined")
        if opcode >= CLOSE and (count > 125 or not fin):
            raise BadFrame("a control frame is longer than 125 bytes or comes in fragments")
        width = 8 if count == 127 else 2 if count == 126 else 0
        if len(view) < 2 + width:
            return None
        if width:
            count = int.from_bytes(view[2 : 2 + width], "big")
        if count + len(self._fragments or b"") > self._max:
            raise BadFrame(f"a message of {count} bytes; at most {self._max} are taken", close_code=1009)
        return fin, opcode, 2 + width, count

    def _data(self, fin: bool, opcode: int, data: memoryview) -> Optional[Message]:
        if opcode == CONTINUATION:
            if self._fragments is None:
                raise BadFrame("a continuation without a beginning")
            self._fragments += data
        elif self._fragments is not None:
            raise BadFrame("a new message before the last fragment of the one before")
        elif fin:
            return self._checked(opcode, data)
        else:
            self._fragments, self._fragments_opcode = bytearray(data), opcode
        if not fin:
            return None
        whole, self._fragments = self._fragments, None
        return self._checked(self._fragments_opcode, memoryview(whole))

    @staticmethod
    def _checked(opcode: int, data: memoryview) -> Message:
        if opcode == TEXT:
            try:
                str(data, "utf-8")
            except UnicodeDecodeError:
                raise BadFrame("a text message is not UTF-8", close_code=1007) from None
        return Message(opcode, data)

    def _control(self, opcode: int, data: bytes) -> None:
        if opcode == PING:
            if len(self.replies) < 64:  # a flood of pings need not be answered one by one
                self.replies.append(frame(PONG, data, key=self._entropy(4)))
        elif opcode == CLOSE:
            code, reason = _close_reason(data)
            self.closed = (code, reason)
            echo = self.close(code if code != 1005 else 1000)
            if echo:
                self.replies.append(echo)

    def _read_handshake(self) -> bool:
        view = bytes(self._buffer[self._start : self._end])
        end = view.find(b"\r\n\r\n")
        if end < 0:
            if len(view) > MAX_HANDSHAKE_BYTES or (view and not b"HTTP/1.1 ".startswith(view[:9])):
                raise HandshakeRefused("the answer is not HTTP", remedy="Check that the address is that of a bridge.")
            return False
        status, headers = _http_head(view[:end])
        if status != 101:
            wanted = int(headers.get("content-length", "0") or 0) if headers.get("content-length", "0").isdigit() else 0
            body = view[end + 4 :]
            if len(body) < min(wanted, 4096):
                return False
            words = body[:4096].decode("utf-8", "replace").strip()
            raise HandshakeRefused(words or f"refused with HTTP status {status}", status=status)
        self._check_upgrade(headers)
        self._start += end + 4
        self.open = True
        return True

    def _check_upgrade(self, headers: dict[str, str]) -> None:
        if headers.get("upgrade", "").lower() != "websocket" or "upgrade" not in headers.get("connection", "").lower():
            raise HandshakeRefused("the answer switches to something that is not a websocket", status=101)
        if headers.get("sec-websocket-accept") != accept_for(self._key):
            raise HandshakeRefused("the answer's Sec-WebSocket-Accept does not belong to our key", status=101)
        if headers.get("sec-websocket-extensions"):
            raise HandshakeRefused("the answer names an extension that was not offered", status=101)
        chosen = headers.get("sec-websocket-protocol", "")
        if chosen != self._subprotocol:
            raise HandshakeRefused(
                f"the other side speaks {chosen or 'no subprotocol'!r}, expected {self._subprotocol!r}", status=101
            )


def _http_head(data: bytes) -> tuple[int, dict[str, str]]:
    lines = data.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ", 2)
    if len(parts) < 2 or parts[0] not in ("HTTP/1.1", "HTTP/1.0") or not (parts[1].isdigit() and len(parts[1]) == 3):
        raise HandshakeRefused("the answer is not HTTP", remedy="Check that the address is that of a bridge.")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise HandshakeRefused(f"a header line without a colon: {line[:80]!r}")
        name = name.strip().lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return int(parts[1]), headers


def _close_reason(data: bytes) -> tuple[int, str]:
    if not data:
        return 1005, ""
    if len(data) == 1:
        raise BadFrame("a close frame with half a code")
    code = int.from_bytes(data[:2], "big")
    if not (1000 <= code <= 1014 and code not in (1004, 1005, 1006)) and not 3000 <= code <= 4999:
        raise BadFrame(f"the close code {code} may not be sent")
    try:
        return code, data[2:].decode()
    except UnicodeDecodeError:
        raise BadFrame("a close reason is not UTF-8", close_code=1007) from None
