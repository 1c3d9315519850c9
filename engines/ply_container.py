"""The PLY container (Turk 1994): elements with named columns, in ASCII or binary of either byte order.

Knows nothing of meshes or splats; `engines.formats.ply` gives the columns their meaning. The header drives the
reading: any order, any scalar type, extra columns, several lists a row, comments anywhere.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import DamagedFile, TooLarge

HEADER_BYTES = 64 * 1024
_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_MOST_ELEMENTS, _MOST_PROPERTIES = 64, 4096


@dataclass(frozen=True)
class Property:
    """One column: `count_type` is "" for a scalar, else the type in which a list says its length."""

    name: str
    type: str
    count_type: str = ""


@dataclass(frozen=True)
class Header:
    """What a file says about itself; `body` is the offset of its first row."""

    order: str
    """"" for ASCII, "<" or ">" for binary."""
    elements: Mapping[str, tuple[int, tuple[Property, ...]]]
    comments: tuple[str, ...]
    body: int


@dataclass
class Table:
    """One element's rows: scalars by column, lists as (lengths [N], values laid end to end).

    `matrix` holds all columns side by side [N, C], in their order, where they are of one type: taking many
    columns from it is some times as fast as one by one.
    """

    rows: int
    matrix: NDArray[Any] | None = None
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    lists: dict[str, tuple[NDArray[np.int64], NDArray[Any]]] = field(default_factory=dict)


def read_header(data: bytes, max_rows: int) -> Header:
    """The header at the start of `data`. Raises `DamagedFile`, or `TooLarge` for an element above `max_rows`."""
    head = data[:HEADER_BYTES]
    if not head.startswith(b"ply"):
        raise DamagedFile("a PLY file begins with the line 'ply'; this one does not")
    end = head.find(b"end_header")
    newline = head.find(b"\n", end)
    if end < 0 or newline < 0:
        raise DamagedFile(f"no 'end_header' within the first {HEADER_BYTES} bytes of this PLY file")
    order, comments = "?", []
    elements: dict[str, tuple[int, list[Property]]] = {}
    for line in head[:end].decode("latin-1").splitlines()[1:]:
        words = line.split()
        match words:
            case ["format", name, _version] if name in _ORDERS:
                order = _ORDERS[name]
            case ["comment" | "obj_info", *_]:
                comments.append(line.split(None, 1)[1] if len(words) > 1 else "")
            case ["element", name, count] if count.isdecimal() and name not in elements and len(count) < 19:
                if int(count) > max_rows:
                    raise TooLarge(f"element {name} declares {count} rows, more than the limit of {max_rows}")
                elements[name] = (int(count), [])
            case ["property", "list", count_type, type_, name] if elements:
                _add(elements, Property(name, _type(type_), _count_type(count_type)))
            case ["property", type_, name] if elements:
                _add(elements, Property(name, _type(type_)))
            case []:
                continue
            case _:
                raise DamagedFile(f"this line of the PLY header makes no sense: {line[:80]!r}")
    if order == "?" or not elements or len(elements) > _MOST_ELEMENTS:
        raise DamagedFile("the PLY header names no known format, or no elements, or absurdly many")
    frozen = {name: (count, tuple(properties)) for name, (count, properties) in elements.items()}
    return Header(order, frozen, tuple(comments), newline + 1)


def _add(elements: dict[str, tuple[int, list[Property]]], new: Property) -> None:
    name, (_, properties) = next(reversed(elements.items()))
    if len(properties) >= _MOST_PROPERTIES or any(old.name == new.name for old in properties):
        raise DamagedFile(f"element {name} has the property {new.name} twice, or absurdly many properties")
    properties.append(new)


def _type(name: str) -> str:
    if name not in _TYPES:
        raise DamagedFile(f"{name!r} is no PLY type")
    return _TYPES[name]


def _count_type(name: str) -> str:
    if _type(name)[0] == "f":
        raise DamagedFile(f"a list cannot have a length of type {name!r}")
    return _TYPES[name]


def read_tables(data: bytes, header: Header) -> dict[str, Table]:
    """Every element's rows. Raises `DamagedFile` where the file ends before its header's promise."""
    if header.order == "":
        return _ascii_tables(data, header)
    tables, offset = {}, header.body
    for name, (rows, properties) in header.elements.items():
        tables[name], offset = _binary_table(data, offset, header.order, name, rows, properties)
    return tables


def _binary_table(
    data: bytes, offset: int, order: str, name: str, rows: int, properties: Sequence[Property]
) -> tuple[Table, int]:
    lengths = _first_lengths(data, offset, order, properties) if rows else {}
    fields: list[tuple[Any, ...]] = []
    for each in properties:
        if each.count_type:
            fields.append((f"#{each.name}", order + each.count_type))
            fields.append((each.name, order + each.type, (lengths.get(each.name, 0),)))
        else:
            fields.append((each.name, order + each.type))
    row = np.dtype(fields)
    whole = rows * row.itemsize <= len(data) - offset
    if whole:
        block = np.frombuffer(data, row, rows, offset) if row.itemsize else np.zeros(rows, row)
        # Nearly every file has lists of one length only, such as triangles; then rows have one size.
        if all((block[f"#{key}"] == length).all() for key, length in lengths.items()):
            return _from_block(block, rows, properties, lengths), offset + rows * row.itemsize
    if not lengths:
        raise DamagedFile(f"the file ends within element {name}: {rows} rows of {row.itemsize} bytes were promised")
    return _row_by_row(data, offset, order, name, rows, properties)


def _first_lengths(data: bytes, offset: int, order: str, properties: Sequence[Property]) -> dict[str, int]:
    lengths: dict[str, int] = {}
    for each in properties:
        if each.count_type:
            lengths[each.name] = _length(data, offset, order, each)
            offset += np.dtype(each.count_type).itemsize + lengths[each.name] * np.dtype(each.type).itemsize
        else:
            offset += np.dtype(each.type).itemsize
    return lengths


def _length(data: bytes, offset: int, order: str, each: Property) -> int:
    size = np.dtype(each.count_type).itemsize
    if offset + size > len(data):
        raise DamagedFile(f"the file ends within the list {each.name}")
    length = int(np.frombuffer(data, order + each.count_type, 1, offset)[0])
    if length < 0 or offset + size + length * np.dtype(each.type).itemsize > len(data):
        raise DamagedFile(f"a list {each.name} claims {length} values, more than the file holds")
    return length


def _from_block(block: NDArray[Any], rows: int, properties: Sequence[Property], lengths: Mapping[str, int]) -> Table:
    table = Table(rows)
    for each in properties:
        if each.count_type:
            counts = np.full(rows, lengths.get(each.name, 0), np.int64)
            table.lists[each.name] = (counts, block[each.name].reshape(-1))
        else:
            table.columns[each.name] = block[each.name]
    if len({each.type for each in properties}) == 1 and not table.lists:
        table.matrix = block.view(block.dtype[0]).reshape(rows, len(properties))
    return table


def _row_by_row(
    data: bytes, offset: int, order: str, name: str, rows: int, properties: Sequence[Property]
) -> tuple[Table, int]:
    """The slow way, for lists of mixed lengths."""
    codes = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "f4": "f", "f8": "d"}
    values: dict[str, list[Any]] = {each.name: [] for each in properties}
    counts: dict[str, list[int]] = {each.name: [] for each in properties if each.count_type}
    # Looked up once, not once a row: a mesh of a million mixed polygons passes here.
    steps = [
        (
            values[each.name],
            counts.get(each.name),
            struct.Struct(order + codes[each.count_type or each.type]),
            codes[each.type],
            struct.calcsize(order + codes[each.type]),
        )
        for each in properties
    ]
    try:
        for _ in range(rows):
            for column, lengths, first, code, size in steps:
                value = first.unpack_from(data, offset)[0]
                offset += first.size
                if lengths is None:
                    column.append(value)
                    continue
                if value < 0 or value * size > len(data) - offset:
                    raise DamagedFile(f"a list in element {name} claims {value} values, more than the file holds")
                lengths.append(value)
                column.extend(struct.unpack_from(f"{order}{value}{code}", data, offset))
                offset += value * size
    except struct.error as error:
        raise DamagedFile(f"the file ends within element {name}") from error
    return _from_values(rows, properties, values, counts), offset


def _from_values(
    rows: int, properties: Sequence[Property], values: Mapping[str, Any], counts: Mapping[str, Any]
) -> Table:
    table = Table(rows)
    with np.errstate(over="ignore", invalid="ignore"):
        for each in properties:
            column = np.asarray(values[each.name], np.float64).astype(each.type)
            if each.count_type:
                table.lists[each.name] = (np.asarray(counts[each.name], np.int64), column)
            else:
                table.columns[each.name] = column
    return table


def _ascii_tables(data: bytes, header: Header) -> dict[str, Table]:
    numbers = _ascii_numbers(data, header.body)
    tables, at = {}, 0
    for name, (rows, properties) in header.elements.items():
        tables[name], at = _ascii_table(numbers, at, name, rows, properties)
    return tables


def _ascii_numbers(data: bytes, body: int) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(data[body:].decode("ascii"), np.float64, sep=" ")
        except (ValueError, DeprecationWarning) as error:
            raise DamagedFile("the rows of this ASCII PLY file hold something that is no number") from error


def _ascii_table(
    numbers: NDArray[np.float64], at: int, name: str, rows: int, properties: Sequence[Property]
) -> tuple[Table, int]:
    starts, width = [], 0
    for each in properties:
        starts.append(width)
        if each.count_type and rows:
            width += _ascii_length(numbers, at + width, each)
        width += 1
    if at + rows * width <= len(numbers):
        block = numbers[at : at + rows * width].reshape(rows, width)
        ends = [*starts[1:], width]
        listed = [(a, b) for a, b, each in zip(starts, ends, properties, strict=True) if each.count_type]
        if all((block[:, a] == b - a - 1).all() for a, b in listed):
            values, counts = {}, {}
            for each, a, b in zip(properties, starts, ends, strict=True):
                values[each.name] = block[:, a + 1 : b].reshape(-1) if each.count_type else block[:, a]
                counts[each.name] = np.full(rows, b - a - 1)
            return _from_values(rows, properties, values, counts), at + rows * width
    slow_values: dict[str, list[Any]] = {each.name: [] for each in properties}
    slow_counts: dict[str, list[int]] = {each.name: [] for each in properties}
    for _ in range(rows):
        for each in properties:
            length = 1
            if each.count_type:
                length = _ascii_length(numbers, at, each)
                slow_counts[each.name].append(length)
                at += 1
            if at + length > len(numbers):
                raise DamagedFile(f"the file ends within element {name}")
            slow_values[each.name].extend(numbers[at : at + length])
            at += length
    return _from_values(rows, properties, slow_values, slow_counts), at


def _ascii_length(numbers: NDArray[np.float64], at: int, each: Property) -> int:
    if at >= len(numbers):
        raise DamagedFile(f"the file ends within the list {each.name}")
    length = float(numbers[at])
    if not 0 <= length <= len(numbers) - at - 1 or length != int(length):
        raise DamagedFile(f"a list {each.name} claims {length} values, more than the file holds")
    return int(length)
