"""Protocol frames: a MessagePack map, alone or followed by a raw payload that never enters the codec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Union

from . import messages
from .decoding import Part, decode
from .errors import BadMessage
from .msgpack import pack, unpack

Bytes = Union[bytes, bytearray, memoryview]

PREFIX = 0xCE
"""MessagePack's uint32; a map never begins so."""
PREFIX_BYTES = 5
MAX_HEADER_BYTES = 256 << 10
_NOTHING = memoryview(b"")


def encode(message: Mapping[str, Any], payload: Bytes = b"", *, announce: bool = False) -> bytes:
    """The whole frame; a payload is copied once. `announce`: the message carries one even if it is empty."""
    header = pack(dict(message))
    if not len(payload) and not announce:
        return header
    return b"".join((bytes((PREFIX,)), len(header).to_bytes(4, "big"), header, payload))


def split(frame: Bytes) -> tuple[dict[str, Any], memoryview, bool]:
    """The map, the payload as a view of the frame, and whether the frame announced one. Raises `BadMessage`."""
    view = memoryview(frame)
    if not len(view):
        raise BadMessage("an empty frame")
    if view[0] != PREFIX:
        values, payload, announced = unpack(view), _NOTHING, False
    else:
        if len(view) < PREFIX_BYTES:
            raise BadMessage("the frame ends inside its header length")
        size = int.from_bytes(view[1:PREFIX_BYTES], "big")
        if size > MAX_HEADER_BYTES:
            raise BadMessage(f"a header of {size} bytes, at most {MAX_HEADER_BYTES} are taken")
        end = PREFIX_BYTES + size
        if end > len(view):
            raise BadMessage(f"a header of {size} bytes was announced, {len(view) - PREFIX_BYTES} came")
        values, payload, announced = unpack(view[PREFIX_BYTES:end]), view[end:], True
    if not isinstance(values, dict):
        raise BadMessage(f"expected a map, got {type(values).__name__}", path="$")
    return values, payload, announced


def decode_frame(frame: Bytes) -> tuple[Part, memoryview]:
    """The bridge's message and its payload, a view of the frame. Raises `BadMessage`, also for an unknown type."""
    values, payload, announced = split(frame)
    tag = values.get("type")
    kind = messages.MESSAGES.get(tag) if isinstance(tag, str) else None
    if kind is None:
        raise BadMessage(f"{tag!r} is no message of the bridge", path="$.type")
    if announced != (tag in messages.WITH_PAYLOAD):
        raise BadMessage(f"{tag} {'carries no' if announced else 'is followed by a'} payload")
    return decode(kind, values), payload
