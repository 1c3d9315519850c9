from __future__ import annotations

import math
import struct
from typing import Any, get_args

import msgpack
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import wire
from bridge.errors import MessageTooLarge, WireError
from bridge.messages import (
    MAX_DEPTH,
    MAX_FRAME_BYTES,
    MAX_HEADER_BYTES,
    MAX_INTEGER,
    AssetChunk,
    BridgeMessage,
    ClientMessage,
    JobSubmit,
    Message,
    Ping,
    UploadChunk,
)
from tests.bridge.message_values import messages_of

CLIENT = get_args(ClientMessage)
BRIDGE = get_args(BridgeMessage)


def frame(fields: dict[str, Any], payload: bytes | None = None) -> bytes:
    """Written by hand from the layout's description, with the `msgpack` package."""
    header: bytes = msgpack.packb(fields)
    return header if payload is None else b"\xce" + struct.pack(">I", len(header)) + header + payload


@pytest.mark.parametrize("kind", CLIENT + BRIDGE, ids=lambda kind: kind.__name__)
@given(data=st.data(), payload=st.binary(max_size=100))
@settings(max_examples=15, deadline=None)
def test_every_message_comes_back_equal_and_msgpack_reads_it(
    kind: type[Message], data: st.DataObject, payload: bytes
) -> None:
    message = data.draw(messages_of(kind))
    payload = payload if kind.payload else b""
    written = wire.encode(message, payload)
    decode = wire.decode_client if kind in CLIENT else wire.decode_bridge
    back, rest = decode(written)
    assert back == message
    assert bytes(rest) == payload
    header = written[5 : 5 + int.from_bytes(written[1:5], "big")] if kind.payload else written
    assert msgpack.unpackb(header) == msgspec.to_builtins(message)


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda data: b"\xce" + data)))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes) -> None:
    for decode in (wire.decode_client, wire.decode_bridge):
        try:
            decode(data)
        except WireError as error:
            assert error.message
    assert len(wire.about(data)) <= 128


def test_unknown_fields_are_skipped_and_defaults_filled() -> None:
    message, _ = wire.decode_client(frame({"type": "ping", "id": 3, "added_later": {"a": [1, None]}}))
    assert message == Ping(id=3)


def test_of_a_repeated_key_the_last_counts() -> None:
    pack = msgpack.packb
    data = b"\x83" + pack("type") + pack("ping") + pack("id") + pack(1) + pack("id") + pack(2)
    assert wire.decode_client(data)[0] == Ping(id=2)


SUBMIT = {"type": "job.submit", "request_id": "r", "generator": "a.b"}


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"k": value}
    return value


REFUSED: list[tuple[str, bytes, str, str]] = [
    ("empty", b"", "empty frame", ""),
    ("not a map", msgpack.packb([1]), "object", ""),
    ("no type", msgpack.packb({"id": 1}), "type", ""),
    ("unknown type", frame({"type": "job.destroy"}), "job.destroy", "$.type"),
    ("the other direction's type", frame({"type": "pong", "id": 1}), "pong", "$.type"),
    ("missing field", frame({"type": "ping"}), "id", ""),
    ("wrong type of value", frame({"type": "ping", "id": "1"}), "Expected `int`, got `str`", "$.id"),
    ("float for an integer", frame({"type": "ping", "id": 1.0}), "float", "$.id"),
    ("negative", frame({"type": "ping", "id": -1}), ">= 0", "$.id"),
    ("beyond 2^53", frame({"type": "ping", "id": 2**53}), "9007199254740991", "$.id"),
    ("bytes after the map", frame({"type": "ping", "id": 1}) + b"\x00", "trailing", ""),
    ("truncated", frame({"type": "ping", "id": 1})[:-1], "truncated", ""),
    ("payload where none belongs", frame({"type": "ping", "id": 1}, b"x"), "carries no payload", ""),
    ("no payload where one belongs", frame({"type": "upload.chunk", "upload": "u", "offset": 0}), "payload", ""),
    ("header length cut", b"\xce\x00\x00", "header length", ""),
    ("header longer than the frame", b"\xce\x00\x00\x01\x00\x80", "announced", ""),
    ("header over the limit", b"\xce" + struct.pack(">I", MAX_HEADER_BYTES + 1) + b"\x80", "at most", ""),
    ("announced 4 GB map", b"\xdf\xff\xff\xff\xff", "truncated", ""),
    ("announced 4 GB string", b"\x81\xdb\xff\xff\xff\xff", "truncated", ""),
    ("NaN", frame({**SUBMIT, "params": {"a": math.nan}}), "finite", "$.params.a"),
    ("infinity in a list", frame({**SUBMIT, "params": {"a": [0, -math.inf]}}), "finite", "$.params.a[1]"),
    ("NaN in a typed field", frame({**SUBMIT, "preview": {"per_sec": math.inf}}), "", "$.preview.per_sec"),
    ("free integer beyond 2^53", frame({**SUBMIT, "params": {"a": -(2**53)}}), "2^53", "$.params.a"),
    ("protocol beyond 2^53", frame({"type": "hello", "protocol": 2**53, "client": "c"}), "2^53", "$.protocol"),
    ("binary value", frame({**SUBMIT, "params": {"a": b"x"}}), "bytes", "$.params.a"),
    ("extension value", frame({**SUBMIT, "params": {"a": msgpack.ExtType(5, b"x")}}), "Ext", "$.params.a"),
    ("timestamp", frame({**SUBMIT, "params": {"a": msgpack.Timestamp(1)}}), "datetime", "$.params.a"),
    ("integer key", frame({**SUBMIT, "params": {"a": {1: 2}}}), "keys", "$.params.a"),
    ("too deep", frame({**SUBMIT, "params": {"a": nested(MAX_DEPTH + 1)}}), "deeper", "$.params.a"),
    (
        "absurdly deep",
        frame(SUBMIT)[:1].replace(b"\x83", b"\x84") + frame(SUBMIT)[1:] + b"\xa1z" + b"\x91" * 200_000,
        "deep",
        "",
    ),
    ("not UTF-8", b"\x82\xa4type\xa4ping\xa2id\xa1\xff", "", ""),
    ("newline after an id", frame({"type": "asset.stop", "transfer": "x\n"}), "regex", "$.transfer"),
    ("digest in capitals", frame({**SUBMIT, "inputs": {"p": "A" * 64}}), "regex", "$.inputs"),
]


@pytest.mark.parametrize(("data", "words", "path"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused_in_words_with_the_path(data: bytes, words: str, path: str) -> None:
    with pytest.raises(WireError) as caught:
        wire.decode_client(data)
    assert words in caught.value.message
    assert caught.value.path.startswith(path)
    assert len(caught.value.path) <= 256


def test_the_deepest_allowed_nesting_passes() -> None:
    wire.decode_client(frame({**SUBMIT, "params": {"a": nested(MAX_DEPTH)}}))


def test_largest_integers_pass() -> None:
    message, _ = wire.decode_client(frame({**SUBMIT, "params": {"a": MAX_INTEGER, "b": -MAX_INTEGER}}))
    assert isinstance(message, JobSubmit)
    assert message.params == {"a": MAX_INTEGER, "b": -MAX_INTEGER}


def test_frames_over_the_limit_are_not_looked_at() -> None:
    with pytest.raises(MessageTooLarge):
        wire.decode_client(bytes(MAX_FRAME_BYTES + 1))


def test_the_payload_is_a_view_of_the_frame() -> None:
    data = bytearray(frame({"type": "upload.chunk", "upload": "u", "offset": 7}, b"abcd"))
    message, payload = wire.decode_client(data)
    assert message == UploadChunk(upload="u", offset=7)
    data[-1] = ord("!")
    assert bytes(payload) == b"abc!"


def test_prefix_and_payload_make_the_frame() -> None:
    chunk = AssetChunk(transfer="t", file=1, offset=2)
    assert wire.encode_prefix(chunk) + b"xyz" == wire.encode(chunk, b"xyz")


@pytest.mark.parametrize(
    ("message", "payload"),
    [
        (Ping(id=1), b"x"),
        (JobSubmit(request_id="r", generator="a.b", params={"a": math.nan}), b""),
        (JobSubmit(request_id="r", generator="a.b", params={"a": object()}), b""),
        (JobSubmit(request_id="r", generator="a.b", params={"a": "x" * MAX_FRAME_BYTES}), b""),
        (JobSubmit(request_id="r", generator="a.b", params={"a": "\ud800"}), b""),
        (UploadChunk(upload="u", offset=0), bytes(MAX_FRAME_BYTES)),
        (UploadChunk(upload="u" * MAX_HEADER_BYTES, offset=0), b""),
    ],
)
def test_we_refuse_to_write_what_we_would_refuse_to_read(message: Message, payload: bytes) -> None:
    with pytest.raises(WireError):
        wire.encode(message, payload)


def test_about_names_the_request_of_a_frame_that_is_refused() -> None:
    assert wire.about(frame({"type": "job.submit", "request_id": "mine", "params": 5})) == "mine"
    assert wire.about(frame({"type": "upload.chunk", "upload": "up", "offset": -1}, b"x")) == "up"
    assert wire.about(b"\x93") == ""
