"""Maps from the wire to dataclasses, by their type hints: strict, bounded, naming the path that failed.

The vocabulary is small: bool, int, float, str, the bounded kinds below, `Optional`, `List`, `Dict[str, …]`, other
`Part`s, and `Any` for free-form values. Unknown fields are skipped, missing ones take their default.
"""

from __future__ import annotations

import dataclasses
import math
import re
import sys
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Callable, NamedTuple, TypeVar, Union

from .errors import BadMessage

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 16


class Bound(NamedTuple):
    """The range of a number, both ends included."""

    low: float
    high: float


class Length(NamedTuple):
    """Most characters of a text, and the pattern of all of it."""

    most: int
    pattern: str = ""


Natural = Annotated[int, Bound(0, MAX_INTEGER)]
Seed = Annotated[int, Bound(0, 2**32 - 1)]
Fraction = Annotated[float, Bound(0.0, 1.0)]
Name = Annotated[str, Length(256)]
Text = Annotated[str, Length(16384)]
LongId = Annotated[str, Length(128)]
Id = Annotated[str, Length(128, r"[A-Za-z0-9._:-]+")]
Digest = Annotated[str, Length(64, r"[0-9a-f]{64}")]
State = Annotated[str, Length(9, r"queued|running|finished|failed|cancelled")]
Stage = Annotated[str, Length(9, r"loading|ready|stalled|restarted")]
Urgency = Annotated[str, Length(7, r"live|preview|final|batch")]
Values = dict[str, Any]

Reader = Callable[[Any, str], Any]
P = TypeVar("P", bound="Part")


@dataclasses.dataclass(frozen=True)
class Part:
    """Base of everything that is decoded."""


def decode(part: type[P], values: Any, path: str = "$") -> P:
    """The map as a `part`. Raises `BadMessage` with the path of the first field that is not as declared."""
    if not isinstance(values, dict):
        raise BadMessage(f"expected a map, got {_kind(values)}", path=path)
    found: dict[str, Any] = {}
    for name, read, needed in _fields(part):
        if name in values:
            found[name] = read(values[name], f"{path}.{name}")
        elif needed:
            raise BadMessage(f"the field {name!r} is missing", path=path)
    return part(**found)


_KNOWN: dict[type[Any], tuple[tuple[str, Reader, bool], ...]] = {}


def _fields(part: type[Any]) -> tuple[tuple[str, Reader, bool], ...]:
    """(name, reader, needed) of every field; worked out once per class."""
    known = _KNOWN.get(part)
    if known is not None:
        return known
    hints = typing.get_type_hints(part, vars(sys.modules[part.__module__]), include_extras=True)
    rows = []
    for item in dataclasses.fields(part):
        needed = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        rows.append((item.name, _reader(hints[item.name]), needed))
    _KNOWN[part] = tuple(rows)
    return _KNOWN[part]


def _reader(hint: Any) -> Reader:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _bounded(_reader(arguments[0]), arguments[1])
    if hint in _PLAIN:
        return _PLAIN[hint]
    if hint is Any:
        return lambda value, path: _free(value, path, 0)
    if origin is Union:
        return _optional(_reader(next(choice for choice in arguments if choice is not type(None))))
    if origin is list:
        return _list(_reader(arguments[0]))
    if origin is dict:
        return _map(_reader(arguments[1]))
    if isinstance(hint, type) and issubclass(hint, Part):
        return lambda value, path: decode(hint, value, path)
    raise TypeError(f"a message field cannot be declared as {hint!r}")


def _bounded(read: Reader, bound: Any) -> Reader:
    if isinstance(bound, Bound):

        def number(value: Any, path: str) -> Any:
            value = read(value, path)
            if not bound.low <= value <= bound.high:
                raise BadMessage(f"expected a number from {bound.low:g} to {bound.high:g}, got {value}", path=path)
            return value

        return number
    if not isinstance(bound, Length):
        raise TypeError(f"unknown bound {bound!r}")
    pattern, most = re.compile(bound.pattern) if bound.pattern else None, bound.most

    def text(value: Any, path: str) -> Any:
        value = read(value, path)
        if len(value) > most:
            raise BadMessage(f"expected at most {most} characters, got {len(value)}", path=path)
        if pattern is not None and not pattern.fullmatch(value):
            raise BadMessage(f"expected {pattern.pattern}, got {value[:80]!r}", path=path)
        return value

    return text


def _integer(value: Any, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadMessage(f"expected an integer, got {_kind(value)}", path=path)
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise BadMessage(f"expected an integer within ±(2^53 - 1), got {value}", path=path)
    return value


def _float(value: Any, path: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise BadMessage(f"expected a number, got {_kind(value)}", path=path)
    if not math.isfinite(value):
        raise BadMessage(f"expected a finite number, got {value}", path=path)
    return float(value)


def _string(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise BadMessage(f"expected text, got {_kind(value)}", path=path)
    return value


def _bool(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise BadMessage(f"expected true or false, got {_kind(value)}", path=path)
    return value


_PLAIN: Mapping[Any, Reader] = {int: _integer, float: _float, str: _string, bool: _bool}


def _optional(read: Reader) -> Reader:
    return lambda value, path: None if value is None else read(value, path)


def _list(read: Reader) -> Reader:
    def items(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise BadMessage(f"expected a list, got {_kind(value)}", path=path)
        return [read(item, f"{path}[{index}]") for index, item in enumerate(value)]

    return items


def _map(read: Reader) -> Reader:
    def items(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise BadMessage(f"expected a map, got {_kind(value)}", path=path)
        return {key: read(item, f"{path}.{key[:40]}") for key, item in value.items()}

    return items


def _free(value: Any, path: str, depth: int) -> Any:
    """A free-form value: finite, exact in a double, nested within reason, no binary."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return _integer(value, path)
    if isinstance(value, float):
        return _float(value, path)
    if isinstance(value, (list, dict)) and depth >= MAX_DEPTH:
        raise BadMessage(f"nested deeper than {MAX_DEPTH}", path=path[:200])
    if isinstance(value, list):
        return [_free(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _free(item, f"{path}.{key[:40]}", depth + 1) for key, item in value.items()}
    raise BadMessage(f"expected a plain value, got {_kind(value)}", path=path)


def _kind(value: Any) -> str:
    names = {dict: "a map", list: "a list", str: "text", bytes: "bytes", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), type(value).__name__)
