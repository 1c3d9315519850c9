"""The websocket without a socket: every frame, cut every way, against the `websockets` package's own codec."""

from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from python_client.errors import BadFrame, HandshakeRefused
from python_client.websocket import (
    BINARY,
    CLOSE,
    DIVERT_BYTES,
    PING,
    PONG,
    TEXT,
    WebSocket,
    accept_for,
    frame,
    masked,
)

MAX = 1 << 16


def opened(*, maximum: int = MAX, subprotocol: str = "scenecast.v1") -> WebSocket:
    socket = WebSocket("127.0.0.1:1", subprotocol=subprotocol, max_message_bytes=maximum)
    feed(socket, answer(socket, {"Sec-WebSocket-Protocol": subprotocol} if subprotocol else {}))
    assert socket.next_message() is None and socket.open
    return socket


def answer(socket: WebSocket, more: dict[str, str], status: str = "101 Switching Protocols") -> bytes:
    request = dict(line.split(": ", 1) for line in socket.handshake().decode().split("\r\n")[1:] if line)
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept_for(request["Sec-WebSocket-Key"]),
        **more,
    }
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def feed(socket: WebSocket, data: bytes) -> None:
    while data:
        room = socket.room()
        count = min(len(room), len(data))
        room[:count] = data[:count]
        socket.received(count)
        data = data[count:]


def drain(socket: WebSocket) -> list[tuple[int, bytes]]:
    found = []
    while (message := socket.next_message()) is not None:
        found.append((message.opcode, bytes(message.data)))
    return found


@given(st.binary(max_size=5000), st.binary(min_size=4, max_size=4))
def test_masking_is_the_plain_xor(data: bytes, key: bytes) -> None:
    assert masked(data, key) == bytes(byte ^ key[index % 4] for index, byte in enumerate(data))


@given(st.sampled_from([TEXT, BINARY, PING]), st.integers(0, 70000), st.booleans())
def test_frames_are_those_of_websockets(opcode: int, count: int, mask: bool) -> None:
    count = min(count, 125) if opcode == PING else count
    data = bytes(index & 127 for index in range(count))
    ours = bytes(frame(opcode, data, key=b"\1\2\3\4" if mask else None))
    reader = StreamReader()
    reader.feed_data(ours)
    parser = Frame.parse(reader.read_exact, mask=mask)
    with pytest.raises(StopIteration) as parsed:
        next(parser)
    theirs: Frame = parsed.value.value
    assert (theirs.opcode, bytes(theirs.data), theirs.fin) == (opcode, data, True)
    if not mask:
        assert theirs.serialize(mask=False) == ours


@given(st.data())
def test_any_fragmentation_and_any_cut_gives_the_same_messages(data: st.DataObject) -> None:
    sent, wire = [], b""
    for _ in range(data.draw(st.integers(1, 6))):
        opcode = data.draw(st.sampled_from([TEXT, BINARY]))
        body = data.draw(st.text(max_size=200)).encode() if opcode == TEXT else data.draw(st.binary(max_size=3000))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=3)))
        pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        for index, piece in enumerate(pieces):
            if data.draw(st.booleans()):
                wire += Frame(Opcode.PING, b"?").serialize(mask=False)
            kind = Opcode(opcode) if index == 0 else Opcode.CONT
            wire += Frame(kind, piece, fin=index == len(pieces) - 1).serialize(mask=False)
        sent.append((opcode, body))
    socket, got = opened(), []
    while wire:
        step = data.draw(st.sampled_from([1, 2, 7, 100, 10_000]))
        feed(socket, wire[:step])
        wire = wire[step:]
        got += drain(socket)
    assert got == sent


def test_the_buffer_is_reused_for_more_than_it_holds() -> None:
    socket = opened(maximum=1 << 20)
    bodies = [bytes([index]) * ((1 << 20) - index * 1000) for index in range(12)]
    stream = b"".join(Frame(Opcode.BINARY, body).serialize(mask=False) for body in bodies)
    got = []
    for at in range(0, len(stream), 99_991):
        feed(socket, stream[at : at + 99_991])
        got += drain(socket)
    assert [body for _, body in got] == bodies


def test_pings_are_answered_and_a_close_is_echoed_once() -> None:
    socket = opened()
    feed(socket, Frame(Opcode.PING, b"alive?").serialize(mask=False))
    feed(socket, Frame(Opcode.CLOSE, struct.pack(">H", 1001) + b"going").serialize(mask=False))
    feed(socket, b"anything after the close")
    assert drain(socket) == [] and socket.closed == (1001, "going")
    assert [reply[0] & 15 for reply in socket.replies] == [PONG, CLOSE]
    assert socket.close() == b""


BAD = {
    "reserved bit": (b"\xc2\x00", 1002),
    "unknown opcode": (b"\x83\x00", 1002),
    "masked": (b"\x82\x81aaaax", 1002),
    "long control": (b"\x89\x7e\x00\x7e" + b"x" * 126, 1002),
    "fragmented control": (b"\x09\x00", 1002),
    "stray continuation": (b"\x80\x01x", 1002),
    "message inside a message": (b"\x02\x01x\x82\x01x", 1002),
    "text that is not UTF-8": (b"\x81\x01\xff", 1007),
    "too large": (b"\x82\x7f" + struct.pack(">Q", 1 << 40), 1009),
    "too large in fragments": ((b"\x02\x7e\xff\xff" + b"x" * 65535) + b"\x80\x02xx", 1009),
    "half a close code": (b"\x88\x01x", 1002),
    "forbidden close code": (b"\x88\x02\x03\xed", 1002),
    "close reason not UTF-8": (b"\x88\x03\x03\xe8\xff", 1007),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_frames_are_refused_with_their_code(name: str) -> None:
    data, code = BAD[name]
    socket = opened()
    feed(socket, data)
    with pytest.raises(BadFrame) as refused:
        drain(socket)
    assert refused.value.close_code == code


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"Sec-WebSocket-Accept": "bm8="}, "101 X", "does not belong to our key"),
        ({"Upgrade": "h2c"}, "101 X", "not a websocket"),
        ({"Sec-WebSocket-Protocol": "other.v9"}, "101 X", "other.v9"),
        ({}, "101 X", "no subprotocol"),
        ({"Sec-WebSocket-Extensions": "permessage-deflate"}, "101 X", "extension"),
        ({"Content-Length": "0"}, "503 Service Unavailable", "503"),
    ],
)
def test_a_wrong_handshake_is_refused_in_words(more: dict[str, str], status: str, words: str) -> None:
    socket = WebSocket("127.0.0.1:1", subprotocol="scenecast.v1")
    feed(socket, answer(socket, more, status))
    with pytest.raises(HandshakeRefused, match=words):
        socket.next_message()


def test_a_refusal_carries_the_servers_words() -> None:
    socket = WebSocket("127.0.0.1:1", subprotocol="scenecast.v1")
    feed(socket, b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 11\r\n\r\nwrong")
    assert socket.next_message() is None
    feed(socket, b" token")
    with pytest.raises(HandshakeRefused, match="wrong token") as refused:
        socket.next_message()
    assert refused.value.status == 401


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 " + b"x" * 20_000])
def test_something_else_at_the_port_is_refused(data: bytes) -> None:
    socket = WebSocket("127.0.0.1:1")
    feed(socket, data)
    with pytest.raises(HandshakeRefused, match="not HTTP"):
        socket.next_message()


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(data: bytes) -> None:
    socket = opened()
    feed(socket, data)
    try:
        drain(socket)
    except BadFrame as refused:
        assert refused.close_code in (1002, 1007, 1009)


def pour(socket: WebSocket, wire: bytes, count: int, *, scatter: bool) -> bytes:
    """Fill what the socket has room for, as a system call would, with at most `count` bytes; the rest."""
    rooms = socket.rooms() if scatter else [socket.room()]
    done = 0
    for room in rooms:
        piece = wire[done : min(done + len(room), count)]
        room[: len(piece)] = piece
        done += len(piece)
        if len(piece) < len(room):
            break
    socket.received(done)
    return wire[done:]


@given(st.data())
def test_a_diverted_rest_makes_the_same_message(data: st.DataObject) -> None:
    """Some messages have a place for what follows their first `head` bytes; all arrive whole, however cut.

    Pings come in between, and what follows a placed message may come with it or after it.
    """
    places: list[memoryview] = []

    def divert(begun: memoryview, size: int) -> memoryview | None:
        if begun[0] != 1 or len(begun) < 10:
            return None
        places.append(memoryview(bytearray(size - len(begun))))
        return places[-1]

    socket = WebSocket("127.0.0.1:1", subprotocol="", max_message_bytes=1 << 18, divert=divert)
    feed(socket, answer(socket, {}))
    assert socket.next_message() is None
    sizes = st.sampled_from([1, 200, DIVERT_BYTES - 1, DIVERT_BYTES, 1 << 17, 1 << 18])
    sent, frames, pings = [], [], []
    for number in range(data.draw(st.integers(1, 8))):
        if data.draw(st.booleans()):
            pings.append(b"%d" % number)
            frames.append(Frame(Opcode.PING, pings[-1]).serialize(mask=False))
        sent.append(bytes([data.draw(st.integers(0, 1))]) + os.urandom(data.draw(sizes) - 1))
        frames.append(Frame(Opcode.BINARY, sent[-1]).serialize(mask=False))
    wire = b"".join(frames)
    got: list[bytes] = []
    while wire:
        count = data.draw(st.sampled_from([1, 3000, 100_000, 1 << 20]))
        wire = pour(socket, wire, count, scatter=data.draw(st.booleans()))
        while (message := socket.next_message()) is not None:
            got.append(bytes(message.data) + bytes(message.tail))
    assert got == sent
    assert all(any(place == body[len(body) - len(place) :] for body in sent) for place in places)
    assert len(socket.replies) == len(pings)


def test_many_placed_messages_come_one_after_the_other_through_one_buffer() -> None:
    """What comes with a tail lies behind what is in the buffer already; the buffer never runs over."""
    places: list[memoryview] = []

    def divert(begun: memoryview, size: int) -> memoryview:
        places.append(memoryview(bytearray(size - len(begun))))
        return places[-1]

    socket = WebSocket("127.0.0.1:1", subprotocol="", max_message_bytes=DIVERT_BYTES, divert=divert)
    feed(socket, answer(socket, {}))
    assert socket.next_message() is None
    body = os.urandom(DIVERT_BYTES)
    wire = Frame(Opcode.BINARY, body).serialize(mask=False) * 300
    count = 0
    while wire:
        wire = pour(socket, wire, 1 << 20, scatter=True)
        while (message := socket.next_message()) is not None:
            assert bytes(message.data) + bytes(message.tail) == body
            count += 1
    assert count == 300 and len(places) > 200, "nearly all of them had to be placed"


def test_a_close_that_comes_with_a_placed_tail_is_heard_after_it() -> None:
    place = memoryview(bytearray(DIVERT_BYTES))
    socket = WebSocket("127.0.0.1:1", subprotocol="", divert=lambda begun, size: place[len(begun) :])
    feed(socket, answer(socket, {}))
    assert socket.next_message() is None
    body = os.urandom(DIVERT_BYTES)
    wire = Frame(Opcode.BINARY, body).serialize(mask=False)
    wire += Frame(Opcode.CLOSE, struct.pack(">H", 1001) + b"gone").serialize(mask=False)
    wire = pour(socket, wire, 4000, scatter=True)
    assert socket.next_message() is None
    assert pour(socket, wire, 1 << 20, scatter=True) == b""
    message = socket.next_message()
    assert message is not None and bytes(message.data) + bytes(message.tail) == body
    assert socket.closed is None and socket.next_message() is None
    assert socket.closed == (1001, "gone")
