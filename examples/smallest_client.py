"""A client of the bridge from nothing, as docs/protocol.md describes one; a model for one in another language.

`python examples/smallest_client.py "wet mossy bricks" unreal`: a bridge must run. It finds the bridge, speaks WebSocket
and MessagePack itself, submits one job, and prints the paths of its files. It leaves out what a client inside a host
needs besides: reconnecting with session and cursor, chunks where no disk is shared, and reading without blocking.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MOST_BYTES = 1 << 20
"""The protocol's limit of a frame."""


def main() -> None:
    """One material in the conventions of one host."""
    prompt = sys.argv[1] if len(sys.argv) > 1 else "wet mossy red bricks"
    host = sys.argv[2] if len(sys.argv) > 2 else "python"
    found = discovered()
    with connected(found["url"], found["token"]) as wire:
        say(wire, type="hello", protocol=1, client="smallest 1.0", host=host,
            disk_proof=Path(found["proof_path"]).read_text("ascii").strip())  # fmt: skip
        say(wire, type="job.submit", request_id=secrets.token_hex(8), generator="material.procedural",
            params={"prompt": prompt, "size_px": 512}, deliver={"host": host})  # fmt: skip
        for message in heard(wire):
            if message["type"] == "job.progress":
                print(f"{message['fraction']:.0%} {message.get('stage', '')}", file=sys.stderr)
            elif message["type"] in ("refused", "job.failed"):
                sys.exit(f"{message['message']} ({message.get('remedy', '')})")
            elif message["type"] == "asset.files":
                for file in message["files"]:
                    print(file["path"])
                return


def discovered() -> dict[str, Any]:
    """The newest file of a bridge in the runtime directory that is the user's own."""
    own = os.environ.get("SCENECAST_RUNTIME_DIR")
    usual = (os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{os.getuid()}", f"/tmp/runtime-{os.getuid()}")
    folders = [own] if own else [f"{base}/scenecast" for base in usual if base]
    files = [file for folder in folders for file in Path(folder).glob("bridge-*.json")]
    mine = [file for file in files if file.stat().st_uid == os.getuid() and not file.stat().st_mode & 0o077]
    if not mine:
        sys.exit("no bridge is running; start one with `scenecast serve`")
    newest: dict[str, Any] = json.loads(max(mine, key=lambda file: file.stat().st_mtime).read_text("utf-8"))
    return newest


def connected(url: str, token: str) -> socket.socket:
    """The upgraded connection (RFC 6455, section 4.1), without an Origin."""
    place = urlsplit(url)
    wire = socket.create_connection((place.hostname, place.port), 10)
    wire.settimeout(None)
    key = base64.b64encode(os.urandom(16)).decode()
    wire.sendall(
        f"GET / HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: scenecast.v1\r\n"
        f"Authorization: Bearer {token}\r\n\r\n".encode("ascii")
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += wire.recv(1) or sys.exit("the bridge hung up").encode()
    if b" 101 " not in answer.splitlines()[0]:
        sys.exit(f"the bridge refused: {answer.splitlines()[0].decode()}")
    return wire


def say(wire: socket.socket, **message: Any) -> None:
    """One binary message, masked as clients must (RFC 6455, section 5.3)."""
    _send(wire, 2, packed(message))


def _send(wire: socket.socket, opcode: int, data: bytes) -> None:
    size = len(data)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size) if size < 65536 else (
        b"\xff" + struct.pack(">Q", size))  # fmt: skip
    mask = os.urandom(4)
    wire.sendall(bytes([0x80 | opcode]) + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))


def heard(wire: socket.socket) -> Iterator[dict[str, Any]]:
    """What the bridge says, payloads left aside, until it closes; pings are answered."""
    while True:
        opcode, size = _exactly(wire, 2)
        if size == 126:
            (size,) = struct.unpack(">H", _exactly(wire, 2))
        elif size == 127:
            (size,) = struct.unpack(">Q", _exactly(wire, 8))
        data = _exactly(wire, size) if size <= MOST_BYTES else sys.exit("a frame beyond the protocol's limit").encode()
        if opcode & 15 == 8:
            return
        if opcode & 15 == 9:
            _send(wire, 10, data)
        elif opcode & 15 == 2:
            start = 5 if data[0] == 0xCE else 0  # with a payload, the map's length stands before it
            yield unpacked(data, start)[0]


def _exactly(wire: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = wire.recv(size - len(data))
        if not more:
            sys.exit("the bridge hung up")
        data += more
    return bytes(data)


def packed(value: Any) -> bytes:
    """A value as MessagePack, in forms that need not be the shortest."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode()
        return b"\xdb" + struct.pack(">I", len(text)) + text
    if isinstance(value, dict):
        return b"\xdf" + struct.pack(">I", len(value)) + b"".join(packed(k) + packed(v) for k, v in value.items())
    return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(packed, value))


_NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
            0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}  # fmt: skip
_LENGTHS = {0xD9: ("text", ">B"), 0xDA: ("text", ">H"), 0xDB: ("text", ">I"), 0xDC: ("list", ">H"),
            0xDD: ("list", ">I"), 0xDE: ("map", ">H"), 0xDF: ("map", ">I")}  # fmt: skip


def unpacked(data: bytes, at: int) -> tuple[Any, int]:
    """The MessagePack value at a place, and the place after it; without binaries, which the protocol does not have."""
    code, at = data[at], at + 1
    if code < 0x80 or code >= 0xE0:
        return code if code < 0x80 else code - 256, at
    if code in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[code], at
    if code in _NUMBERS:
        return struct.unpack_from(_NUMBERS[code], data, at)[0], at + struct.calcsize(_NUMBERS[code])
    if code in _LENGTHS:
        kind, form = _LENGTHS[code]
        (count,) = struct.unpack_from(form, data, at)
        at += struct.calcsize(form)
    else:
        kind, count = ("map", code & 15) if code < 0x90 else ("list", code & 15) if code < 0xA0 else ("text", code & 31)
    if kind == "text":
        return data[at : at + count].decode(), at + count
    values = []
    for _ in range(count * (2 if kind == "map" else 1)):
        value, at = unpacked(data, at)
        values.append(value)
    return (dict(zip(values[::2], values[1::2], strict=True)) if kind == "map" else values), at


if __name__ == "__main__":
    main()
