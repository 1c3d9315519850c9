"""MessagePack (msgpack.org/spec, 2013 edition) with the standard library alone.

The types are those of the protocol: None, bool, int (64 bits), float (64 bits), str, bytes, list, dict with string
keys. Extension types are refused. Packing gives the shortest form of everything, the same bytes as other packers.
"""

from __future__ import annotations

import struct
from typing import Any, Callable, Union

from .errors import BadMessage

MAX_DEPTH = 32
Bytes = Union[bytes, bytearray, memoryview]

_U16 = struct.Struct(">BH").pack
_U32 = struct.Struct(">BI").pack
_U64 = struct.Struct(">BQ").pack
_I16 = struct.Struct(">Bh").pack
_I32 = struct.Struct(">Bi").pack
_I64 = struct.Struct(">Bq").pack
_F64 = struct.Struct(">Bd").pack


def pack(value: Any) -> bytes:
    """The value as MessagePack. Raises `TypeError` for a type the protocol has not, `ValueError` beyond 64 bits."""
    out: list[bytes] = []
    _pack(value, out.append, MAX_DEPTH)
    return b"".join(out)


def _pack(value: Any, write: Callable[[bytes], None], depth: int) -> None:
    if depth < 0:
        raise ValueError(f"value is nested more than {MAX_DEPTH} deep")
    if value is None:
        write(b"\xc0")
    elif value is True:
        write(b"\xc3")
    elif value is False:
        write(b"\xc2")
    elif isinstance(value, str):
        data = value.encode()
        write(_string_head(len(data)) + data)
    elif isinstance(value, int):
        write(_integer(value))
    elif isinstance(value, float):
        write(_F64(0xCB, value))
    elif isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        write(_sized_head(len(data), 0xC4, 0xC5, 0xC6) + data)
    elif isinstance(value, dict):
        write(_container_head(len(value), 0x80, 0xDE, 0xDF))
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"map keys are strings, not {type(key).__name__}: {key!r}")
            _pack(key, write, depth - 1)
            _pack(item, write, depth - 1)
    elif isinstance(value, (list, tuple)):
        write(_container_head(len(value), 0x90, 0xDC, 0xDD))
        for item in value:
            _pack(item, write, depth - 1)
    else:
        raise TypeError(
            f"cannot send a {type(value).__name__}: expected None, bool, int, float, str, bytes, list, dict"
        )


def _integer(value: int) -> bytes:
    if 0 <= value < 128:
        return bytes((value,))
    if -32 <= value < 0:
        return bytes((value + 256,))
    if value >= 0:
        if value < 1 << 8:
            return bytes((0xCC, value))
        if value < 1 << 16:
            return _U16(0xCD, value)
        if value < 1 << 32:
            return _U32(0xCE, value)
        if value < 1 << 64:
            return _U64(0xCF, value)
    elif value >= -(1 << 7):
        return bytes((0xD0, value + 256))
    elif value >= -(1 << 15):
        return _I16(0xD1, value)
    elif value >= -(1 << 31):
        return _I32(0xD2, value)
    elif value >= -(1 << 63):
        return _I64(0xD3, value)
    raise ValueError(f"integer {value} does not fit into 64 bits")


def _string_head(count: int) -> bytes:
    return bytes((0xA0 | count,)) if count < 32 else _sized_head(count, 0xD9, 0xDA, 0xDB)


def _sized_head(count: int, short: int, medium: int, long: int) -> bytes:
    if count < 1 << 8:
        return bytes((short, count))
    return _U16(medium, count) if count < 1 << 16 else _U32(long, count)


def _container_head(count: int, fixed: int, medium: int, long: int) -> bytes:
    if count < 16:
        return bytes((fixed | count,))
    return _U16(medium, count) if count < 1 << 16 else _U32(long, count)


def unpack(data: Bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """The one value in `data`; bin comes back as `bytes`.

    Nothing is allocated on the word of a length: a length beyond the remaining bytes is refused first. Raises
    `BadMessage` for truncated or trailing bytes, nesting beyond `max_depth`, text that is not UTF-8, a key that
    is not a string, and extension types. Of a key that comes twice the last one counts.
    """
    whole = bytes(data)  # its parts are reached in half the time that a view takes
    value, end = _unpack(whole, 0, max_depth)
    if end != len(whole):
        raise BadMessage(f"{len(whole) - end} bytes after the end of the message")
    return value


_NUMBERS: dict[int, struct.Struct] = {
    0xCA: struct.Struct(">f"),
    0xCB: struct.Struct(">d"),
    0xCC: struct.Struct(">B"),
    0xCD: struct.Struct(">H"),
    0xCE: struct.Struct(">I"),
    0xCF: struct.Struct(">Q"),
    0xD0: struct.Struct(">b"),
    0xD1: struct.Struct(">h"),
    0xD2: struct.Struct(">i"),
    0xD3: struct.Struct(">q"),
}
_CONSTANTS: dict[int, Any] = {0xC0: None, 0xC2: False, 0xC3: True}
_LENGTH_BYTES: dict[int, int] = {
    0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4,
}  # fmt: skip


def _unpack(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth < 0:
        raise BadMessage("message is nested too deeply")
    if at >= len(data):
        raise BadMessage("message is cut short")
    tag = data[at]
    at += 1
    if tag < 0x80:
        return tag, at
    if tag >= 0xE0:
        return tag - 256, at
    if tag >= 0xC0:
        return _unpack_tagged(data, at, tag, depth)
    if tag >= 0xA0:
        return _text(data, at, tag & 31)
    return _list(data, at, tag & 15, depth) if tag >= 0x90 else _map(data, at, tag & 15, depth)


def _unpack_tagged(data: bytes, at: int, tag: int, depth: int) -> tuple[Any, int]:
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at
    number = _NUMBERS.get(tag)
    if number is not None:
        if at + number.size > len(data):
            raise BadMessage("message is cut short")
        return number.unpack_from(data, at)[0], at + number.size
    width = _LENGTH_BYTES.get(tag)
    if width is None:
        raise BadMessage(f"byte 0x{tag:02x} begins no type of the protocol (extension types are not used)")
    count = int.from_bytes(data[at : at + width], "big")
    if at + width > len(data):
        raise BadMessage("message is cut short")
    at += width
    if tag >= 0xDE:
        return _map(data, at, count, depth)
    if tag >= 0xDC:
        return _list(data, at, count, depth)
    if tag >= 0xD9:
        return _text(data, at, count)
    if at + count > len(data):
        raise BadMessage("message is cut short")
    return data[at : at + count], at + count


def _text(data: bytes, at: int, count: int) -> tuple[str, int]:
    if at + count > len(data):
        raise BadMessage("message is cut short")
    try:
        return data[at : at + count].decode(), at + count
    except UnicodeDecodeError:
        raise BadMessage("text is not UTF-8") from None


def _list(data: bytes, at: int, count: int, depth: int) -> tuple[list[Any], int]:
    if count > len(data) - at:
        raise BadMessage("message is cut short")
    items: list[Any] = []
    for _ in range(count):
        item, at = _unpack(data, at, depth - 1)
        items.append(item)
    return items, at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple[dict[str, Any], int]:
    if 2 * count > len(data) - at:
        raise BadMessage("message is cut short")
    items: dict[str, Any] = {}
    for _ in range(count):
        key, at = _unpack(data, at, depth - 1)
        if not isinstance(key, str):
            raise BadMessage(f"a map key is {type(key).__name__}, expected a string")
        items[key], at = _unpack(data, at, depth - 1)
    return items, at
