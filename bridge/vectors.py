"""Bytes with what they mean, for the test suites of clients in every language: values are compared, never text.

    messages        every message, as short and as long as it can be: decode to `values`
    unknown_fields  messages of a later version: decode to `values`, skipping what is not declared
    rejects         frames to refuse; `path` says where, `breaks` which rule: `layout` (not a frame of ours),
                    `missing` (a required field), `type` (of a value), `bound` (range, length, pattern, choice),
                    `plain` (finite numbers, exact integers, plain values, nesting)

`hex` is the whole frame. `values` holds every field, defaults filled in; `payload` is hex too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect as types

from bridge import wire
from bridge.declarations import FieldRow, MessageRow, bridge_messages, client_messages
from bridge.errors import WireError
from bridge.messages import MAX_DEPTH, MAX_HEADER_BYTES, MAX_INTEGER

Vector = dict[str, Any]
_PAYLOAD = bytes(range(251, 256)) + b"\x00\x81\xce"
_pack = msgspec.msgpack.Encoder().encode
_LONGEST_SAMPLE = 512


def messages() -> list[Vector]:
    """Every message with its required fields alone, and with all fields set to something telling."""
    vectors = []
    for row in _rows():
        for name, fields in (("least", _least(row)), ("most", _most(row))):
            vectors.append(_decoded(f"{row.tag} {name}", row, fields))
    vectors.append(_decoded("ping largest integer", _row("ping"), {"id": MAX_INTEGER}))
    numbers = (0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32)
    vectors += [_decoded(f"ping {number}", _row("ping"), {"id": number}) for number in numbers]
    submit = {"request_id": "r", "generator": "a.b"}
    for size in (0, 31, 32, 255, 256, 16384):
        text = "é" * (size // 2) + "x" * (size % 2)
        vectors.append(_decoded(f"string of {size} bytes", _row("refused"), {"code": "c", "message": text}))
    for name, value in _free_values():
        vectors.append(_decoded(f"free value: {name}", _row("job.submit"), {**submit, "params": {"value": value}}))
    return vectors


def unknown_fields() -> list[Vector]:
    """Every message with fields of a later version in it, at its top and inside its parts."""
    later = {"zz_later": {"deep": [1, None, "x"]}, "zz_number": 1.5}
    vectors = []
    for row in _rows():
        fields = _most(row)
        expected = _decoded(f"{row.tag} later", row, fields)
        for field in row.fields:
            fields[field.name] = _with_later(field.type, fields[field.name], later)
        expected["hex"] = _frame(row, {**fields, **later}).hex()
        vectors.append(expected)
    return vectors


def rejects() -> list[Vector]:
    """Frames that every reader refuses: each declared bound overstepped, and the layout broken in every way."""
    vectors = []
    for row in _rows():
        for breaks, name, fields in _spoilt(row):
            vectors.append(_refused(breaks, f"{row.tag}: {name}", row.direction, _frame(row, fields)))
    for name, frame in _broken_frames():
        vectors += [_refused("layout", name, direction, frame) for direction in ("client", "bridge")]
    for name, value in _spoilt_values():
        fields = {"request_id": "r", "generator": "a.b", "params": {"value": value}}
        vectors.append(_refused("plain", f"free value: {name}", "client", _frame(_row("job.submit"), fields)))
    return vectors


def _rows() -> list[MessageRow]:
    return client_messages() + bridge_messages()


def _row(tag: str) -> MessageRow:
    return next(row for row in _rows() if row.tag == tag)


def _frame(row: MessageRow, fields: dict[str, Any]) -> bytes:
    header = _pack({"type": row.tag, **fields})
    return b"\xce" + struct.pack(">I", len(header)) + header + _PAYLOAD if row.payload else header


def _decode(direction: str, frame: bytes) -> tuple[Any, memoryview]:
    return wire.decode_client(frame) if direction == "client" else wire.decode_bridge(frame)


def _decoded(name: str, row: MessageRow, fields: dict[str, Any]) -> Vector:
    frame = _frame(row, fields)
    message, payload = _decode(row.direction, frame)
    vector: Vector = {"name": name, "direction": row.direction, "hex": frame.hex()}
    vector["values"] = msgspec.to_builtins(message)
    if row.payload:
        vector["payload"] = bytes(payload).hex()
    return vector


def _refused(breaks: str, name: str, direction: str, frame: bytes) -> Vector:
    try:
        _decode(direction, frame)
    except WireError as error:
        vector = {"name": name, "direction": direction, "hex": frame.hex()}
        return {**vector, "path": error.path, "breaks": breaks}
    raise ValueError(f"{name} is accepted")


def _least(row: MessageRow) -> dict[str, Any]:
    return {field.name: _sample(field.type, field.name, least=True) for field in row.fields if field.required}


def _most(row: MessageRow) -> dict[str, Any]:
    return {field.name: _sample(field.type, field.name) for field in row.fields}


def _sample(declared: types.Type, name: str, *, least: bool = False) -> Any:
    """A value that is allowed, says where it belongs, and is not the default; `least` leaves out what may be."""
    match declared:
        case types.AnyType():
            return {"list": [1, -1, 0.5, None, True, "ü"], "map": {"inner": {}}}
        case types.BoolType():
            return True
        case types.IntType():
            low, high = declared.ge if declared.ge is not None else -5, declared.le
            return int(low) + 3 if high is None or low + 3 <= high else int(high)
        case types.FloatType():
            return 0.25 if declared.gt is None else 0.75
        case types.StrType() if declared.pattern and "{64}" in declared.pattern:
            return "0123456789abcdef" * 4
        case types.StrType():
            return f"{name}-1" if declared.pattern else f"{name} ünï 漢 😀"
        case types.EnumType():
            return list(declared.cls)[-1].value
        case types.LiteralType():
            return declared.values[-1]
        case types.UnionType():
            first = next(choice for choice in declared.types if not isinstance(choice, types.NoneType))
            return _sample(first, name, least=least)
        case types.ListType():
            count = max(1 if least else 2, declared.min_length or 0)
            return [_sample(declared.item_type, name, least=least)] * count
        case types.DictType():
            return {f"{name}_key": _sample(declared.value_type, name, least=least)}
        case types.StructType():
            wanted = [field for field in declared.fields if field.required or not least]
            return {field.name: _sample(field.type, field.name, least=least) for field in wanted}
    raise TypeError(f"no sample for {declared}")


def _with_later(declared: types.Type, value: Any, later: dict[str, Any]) -> Any:
    """The value with unknown fields in every declared part of it."""
    match declared:
        case types.UnionType():
            return _with_later(
                next(choice for choice in declared.types if not isinstance(choice, types.NoneType)), value, later
            )
        case types.ListType():
            return [_with_later(declared.item_type, item, later) for item in value]
        case types.DictType():
            return {key: _with_later(declared.value_type, item, later) for key, item in value.items()}
        case types.StructType():
            inner = {field.name: _with_later(field.type, value[field.name], later) for field in declared.fields}
            return {**inner, **later}
    return value


def _spoilt(row: MessageRow) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The message with one field missing, of a wrong type or out of bounds, and which of these it is."""
    good = _least(row)
    for field in row.fields:
        if field.required:
            yield "missing", f"{field.name} missing", {name: good[name] for name in good if name != field.name}
        for breaks, why, value in _spoilt_field(field):
            yield breaks, f"{field.name} {why}", {**good, field.name: value}


def _spoilt_field(field: FieldRow) -> Iterator[tuple[str, str, Any]]:
    declared, optional = field.type, False
    if isinstance(declared, types.UnionType):
        optional = any(isinstance(choice, types.NoneType) for choice in declared.types)
        declared = next(choice for choice in declared.types if not isinstance(choice, types.NoneType))
    if not optional:
        yield "type", "null", None
    match declared:
        case types.IntType() | types.FloatType():
            yield "type", "text", "1"
            yield "type", "boolean", True
            yield from _out_of_range(declared)
        case types.StrType():
            yield "type", "number", 1
            if declared.pattern:
                yield "bound", "with a space", "a b"
                yield "bound", "with a newline", _sample(declared, field.name) + "\n"
            if declared.max_length is not None and declared.max_length <= _LONGEST_SAMPLE:
                yield "bound", "too long", "x" * (declared.max_length + 1)
        case types.EnumType() | types.LiteralType():
            yield "bound", "no such choice", "no such choice"
        case types.ListType():
            yield "type", "a map", {}
            yield "type", "with null in it", [None]
        case types.DictType() | types.StructType():
            yield "type", "a list", []
        case types.BoolType():
            yield "type", "number", 1


def _out_of_range(declared: types.IntType | types.FloatType) -> Iterator[tuple[str, str, Any]]:
    if isinstance(declared, types.FloatType):
        yield "plain", "infinite", float("inf")
        yield "plain", "not a number", float("nan")
    elif declared.le is None:
        yield "plain", "beyond 2^53", MAX_INTEGER + 1
    if declared.ge is not None:
        yield "bound", "too small", declared.ge - 1
    if declared.gt is not None:
        yield "bound", "too small", declared.gt
    if declared.le is not None:
        yield "plain" if declared.le == MAX_INTEGER else "bound", "too large", declared.le + 1


def _free_values() -> Iterator[tuple[str, Any]]:
    yield "null", None
    yield "negative integers", [-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -MAX_INTEGER]
    yield "numbers", [0.0, -0.0, 0.1, 1e300, 5e-324, -1.5]
    yield "array of 16", list(range(16))
    yield "map of 16", {f"k{index:02}": index for index in range(16)}
    yield "empty things", ["", [], {}]
    yield "text", "a\x00b\n\u2028 é 漢 😀"
    yield "deepest", _nested(MAX_DEPTH - 1)


def _spoilt_values() -> Iterator[tuple[str, Any]]:
    yield "not a number", float("nan")
    yield "infinite", [float("-inf")]
    yield "integer beyond 2^53", {"inner": MAX_INTEGER + 1}
    yield "integer below -2^53", -MAX_INTEGER - 1
    yield "binary", b"bytes"
    yield "extension", msgspec.msgpack.Ext(5, b"x")
    yield "timestamp", msgspec.Raw(b"\xd6\xff\x00\x00\x00\x01")
    yield "integer key", {1: 2}
    yield "too deep", _nested(MAX_DEPTH + 1)


def _nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"k": value}
    return value


def _broken_frames() -> Iterator[tuple[str, bytes]]:
    pack = _pack
    yield "empty frame", b""
    yield "a list", pack([{"type": "ping"}])
    yield "a string", pack("ping")
    yield "no type", pack({"id": 1})
    yield "type is a number", pack({"type": 1, "id": 1})
    yield "unknown type", pack({"type": "no.such.message"})
    yield "never used byte", b"\xc1"
    yield "cut in the key", b"\x82\xa4ty"
    yield "cut in a number", b"\x81\xa4type\xcd\x01"
    yield "map of 4 billion", b"\xdf\xff\xff\xff\xff"
    yield "array of 4 billion inside", b"\x81\xa4type\xdd\xff\xff\xff\xff"
    yield "string of 4 billion bytes", b"\x81\xdb\xff\xff\xff\xff"
    yield "string that is not UTF-8", b"\x81\xa4type\xa4\xff\xfe\xfd\xfc"
    yield "header length cut", b"\xce\x00\x00\x00"
    yield "header longer than its frame", b"\xce\x00\x00\x00\x05\x80"
    yield "header over the limit", b"\xce" + struct.pack(">I", MAX_HEADER_BYTES + 1) + b"\x80"
    yield "header of no bytes", b"\xce\x00\x00\x00\x00"
    yield "bytes after the map", _frame(_row("ping"), {"id": 1}) + b"\x00"
    yield "bytes after the map, from the bridge", _frame(_row("pong"), {"id": 1}) + b"\x00"
    yield "payload after a message without one", _with_payload(_frame(_row("ping"), {"id": 1}))
    yield "payload after an answer without one", _with_payload(_frame(_row("pong"), {"id": 1}))
    yield "chunk without its payload form", pack({"type": "upload.chunk", "upload": "u", "offset": 0})
    yield "asset chunk without its payload form", pack({"type": "asset.chunk", "transfer": "t", "file": 0, "offset": 0})
    yield "nested without end", b"\x82\xa4type\xa4ping\xa1z" + b"\x91" * 3000


def _with_payload(header: bytes) -> bytes:
    return b"\xce" + struct.pack(">I", len(header)) + header + b"x"
