"""Bytes to messages and back: strict, no I/O, and every refusal names the path that failed.

Layout of a frame (one websocket binary message, at most `MAX_FRAME_BYTES`):

    map                                       messages without a payload
    0xce uint32(header_bytes) map payload     messages that declare `payload = True`

What is refused beyond the declarations in `bridge.messages`: a header over `MAX_HEADER_BYTES` before a payload,
numbers that are not finite, integers beyond ±(2^53 - 1), free-form values nested deeper than `MAX_DEPTH`, map keys
that are not strings, binary and extension types, bytes after the map. Unknown fields are skipped. Of a key that
occurs twice the last one counts, in every language; the `type` must not differ between them.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any

import msgspec
import msgspec.inspect

from bridge.errors import MessageTooLarge, WireError
from bridge.messages import (
    MAX_DEPTH,
    MAX_FRAME_BYTES,
    MAX_HEADER_BYTES,
    MAX_INTEGER,
    BridgeMessage,
    ClientMessage,
    Message,
)

Buffer = bytes | bytearray | memoryview

PREFIX = 0xCE
"""First byte of a frame with a payload: MessagePack's uint32; a map never begins so."""
PREFIX_BYTES = 5

_encoder = msgspec.msgpack.Encoder()
_client = msgspec.msgpack.Decoder(ClientMessage)
_bridge = msgspec.msgpack.Decoder(BridgeMessage)


class _About(msgspec.Struct):
    """The fields by which a sender recognizes its own message, all optional."""

    request_id: str = ""
    job_id: str = ""
    upload: str = ""
    transfer: str = ""
    live: str = ""


_about = msgspec.msgpack.Decoder(_About)


def decode_client(frame: Buffer) -> tuple[ClientMessage, memoryview]:
    """The message and payload of a frame from a client; the payload is a view of `frame`. Raises `WireError`."""
    header, payload = _split(frame)
    return _decoded(_client, header, payload), payload if payload is not None else _NOTHING


def decode_bridge(frame: Buffer) -> tuple[BridgeMessage, memoryview]:
    """The message and payload of a frame from the bridge; the payload is a view of `frame`. Raises `WireError`."""
    header, payload = _split(frame)
    return _decoded(_bridge, header, payload), payload if payload is not None else _NOTHING


def encode(message: Message, payload: Buffer = b"") -> bytes:
    """The whole frame. Raises `WireError` when the message breaks the protocol's own limits.

    The payload is copied once; senders of large ones use `encode_prefix` and place the payload themselves.
    """
    if type(message).payload:
        frame = b"".join((encode_prefix(message), payload))
    elif len(payload):
        raise WireError(f"{_tag(message)} carries no payload, got {len(payload)} bytes")
    else:
        frame = _encoded(message)
    if len(frame) > MAX_FRAME_BYTES:
        raise MessageTooLarge(f"{_tag(message)} takes {len(frame)} bytes, expected at most {MAX_FRAME_BYTES}")
    return frame


def encode_prefix(message: Message) -> bytes:
    """All of a frame that comes before its payload. Raises `WireError`."""
    header = _encoded(message)
    if len(header) > MAX_HEADER_BYTES:
        raise MessageTooLarge(f"the header takes {len(header)} bytes, expected at most {MAX_HEADER_BYTES}")
    return b"".join((bytes((PREFIX,)), len(header).to_bytes(4, "big"), header))


def size_bytes(message: Message) -> int:
    """How long the message is on the wire, without a payload, even if that is too long. Raises `WireError`."""
    return len(_encoded(message))


def about(frame: Buffer) -> str:
    """The request, job, upload, transfer or live session of a refused frame, where that much can be read."""
    try:
        header, _ = _split(frame)
        found = _about.decode(header)
    except (WireError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    name = found.request_id or found.job_id or found.upload or found.transfer or found.live
    return name if len(name) <= 128 else ""


_NOTHING = memoryview(b"")


def _split(frame: Buffer) -> tuple[memoryview, memoryview | None]:
    view = memoryview(frame)
    if len(view) > MAX_FRAME_BYTES:
        raise MessageTooLarge(f"expected a frame of at most {MAX_FRAME_BYTES} bytes, got {len(view)}")
    if not len(view):
        raise WireError("expected a message, got an empty frame")
    if view[0] != PREFIX:
        return view, None
    if len(view) < PREFIX_BYTES:
        raise WireError(f"the frame ends inside its header length: {len(view)} of {PREFIX_BYTES} bytes")
    size = int.from_bytes(view[1:PREFIX_BYTES], "big")
    if size > MAX_HEADER_BYTES:
        raise MessageTooLarge(f"expected a header of at most {MAX_HEADER_BYTES} bytes, {size} were announced")
    if size > len(view) - PREFIX_BYTES:
        raise WireError(f"a header of {size} bytes was announced, {len(view) - PREFIX_BYTES} came")
    end = PREFIX_BYTES + size
    return view[PREFIX_BYTES:end], view[end:]


def _decoded(decoder: msgspec.msgpack.Decoder[Any], header: memoryview, payload: memoryview | None) -> Any:
    try:
        message = decoder.decode(header)
    except msgspec.ValidationError as error:
        text, path = _located(str(error))
        raise WireError(text, path=path) from error
    except msgspec.MsgspecError as error:
        raise WireError(f"not MessagePack: {error}") from error
    except UnicodeDecodeError as error:
        raise WireError(f"a string is not UTF-8: {error.reason} at its byte {error.start}") from error
    except RecursionError as error:
        raise WireError(f"nested deeper than {MAX_DEPTH}") from error
    if type(message).payload and payload is None:
        raise WireError(f"{_tag(message)} is followed by a payload; the frame must begin with 0xce")
    if payload is not None and not type(message).payload:
        raise WireError(f"{_tag(message)} carries no payload; the frame must be the map alone")
    _check(message)
    return message


def _encoded(message: Message) -> bytes:
    _check(message)
    try:
        return _encoder.encode(message)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WireError(f"{_tag(message)} cannot be written: {error}") from error


def _tag(message: Message) -> str:
    return str(type(message).__struct_config__.tag)


def _located(text: str) -> tuple[str, str]:
    """msgspec's sentence without its path, and the path: `Expected int - at $.a` gives both."""
    match = re.fullmatch(r"(.*) - at `(?:key in )?([^`]*)`", text, flags=re.DOTALL)
    return (match[1], match[2]) if match else (text, "")


def _check(message: Message) -> None:
    """What the declarations cannot say: finite, exact in a double, nested within reason, string keys, plain types."""
    if not _sound(message, 0):
        _explain(message, "$", 0)


def _sound(value: object, depth: int) -> bool:
    """Whether `_explain` would find nothing; looks only at fields whose declaration leaves something open."""
    if isinstance(value, msgspec.Struct):
        return all(_sound(getattr(value, name), 0) for name in _open_fields(type(value)))
    if value is None or isinstance(value, (str, bool)):
        return True
    if isinstance(value, int):
        return -MAX_INTEGER <= value <= MAX_INTEGER
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, (list, tuple)):
        return depth <= MAX_DEPTH and all(_sound(item, depth + 1) for item in value)
    if isinstance(value, dict):
        if depth > MAX_DEPTH:
            return False
        return all(isinstance(key, str) and _sound(item, depth + 1) for key, item in value.items())
    return False


def _explain(value: object, path: str, depth: int) -> None:
    """Raise `WireError` for the first value that is not sound, with its path."""
    if value is None or isinstance(value, (str, bool)):
        return
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise WireError(f"expected an integer within ±(2^53 - 1), got {value}", path=path)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise WireError(f"expected a finite number, got {value}", path=path)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _explain(getattr(value, name), f"{path}.{name}", 0)
    elif isinstance(value, (list, tuple, dict)) and depth > MAX_DEPTH:
        raise WireError(f"nested deeper than {MAX_DEPTH}", path=_shortened(path, 200))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _explain(item, f"{path}[{index}]", depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise WireError(f"expected map keys to be strings, got {type(key).__name__}", path=path)
            _explain(item, f"{path}.{_shortened(key, 40)}", depth + 1)
    else:
        raise WireError(f"expected a plain value, got {type(value).__name__}", path=path)


@cache
def _open_fields(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of a message whose declared type alone does not promise what `_sound` asks."""
    described = msgspec.inspect.type_info(struct)
    if not isinstance(described, msgspec.inspect.StructType):
        raise TypeError(f"{struct} is no message")
    return tuple(item.name for item in described.fields if not _closed(item.type))


def _closed(declared: msgspec.inspect.Type) -> bool:
    inspect = msgspec.inspect
    if isinstance(declared, (inspect.StrType, inspect.BoolType, inspect.NoneType, inspect.EnumType)):
        return True
    if isinstance(declared, inspect.LiteralType):
        return True
    if isinstance(declared, inspect.IntType):
        return declared.ge is not None and declared.le is not None
    if isinstance(declared, inspect.UnionType):
        return all(_closed(choice) for choice in declared.types)
    if isinstance(declared, inspect.ListType):
        return _closed(declared.item_type)
    if isinstance(declared, inspect.DictType):
        return _closed(declared.key_type) and _closed(declared.value_type)
    if isinstance(declared, inspect.StructType):
        return all(_closed(item.type) for item in declared.fields)
    return False


def _shortened(text: str, length: int) -> str:
    """A stranger's text made short enough for an error path."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
