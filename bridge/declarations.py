"""Reads `bridge.messages` as data: every message and part with its fields, bounds, defaults and words.

What docs, vectors and the declarations of other languages are made from; the words under a field are read from the
source, as Python does not keep them.
"""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

import msgspec
from msgspec import inspect as types

from bridge import messages
from bridge.messages import PARTS, BridgeMessage, ClientMessage, Lane, Message

Direction = Literal["client", "bridge"]
"""Who says it."""


@dataclass(frozen=True)
class FieldRow:
    """One field of a message or part."""

    name: str
    type: types.Type
    required: bool
    default: Any
    """As plain values; None when there is none or when it is null."""
    words: str

    @property
    def type_in_words(self) -> str:
        """As a reader of the page wants it: `integer 0…9007199254740991`."""
        return in_words(self.type)


@dataclass(frozen=True)
class StructRow:
    """One part."""

    name: str
    words: str
    fields: tuple[FieldRow, ...]


@dataclass(frozen=True)
class MessageRow(StructRow):
    """One message."""

    struct: type[Message]
    tag: str
    direction: Direction
    lane: Lane
    latest_by: str
    payload: bool


def client_messages() -> list[MessageRow]:
    """What clients say, in the order of declaration."""
    return [_message(kind, "client") for kind in get_args(ClientMessage)]


def bridge_messages() -> list[MessageRow]:
    """What the bridge says, in the order of declaration."""
    return [_message(kind, "bridge") for kind in get_args(BridgeMessage)]


def parts() -> list[StructRow]:
    """The structures inside messages, in the order of declaration."""
    return [StructRow(kind.__name__, _words(kind), _fields(kind)) for kind in PARTS]


def in_words(declared: types.Type) -> str:
    """A declared type as a person reads it."""
    match declared:
        case types.AnyType():
            return "any value"
        case types.NoneType():
            return "null"
        case types.BoolType():
            return "boolean"
        case types.IntType():
            return f"integer{_range(declared)}"
        case types.FloatType():
            return f"number{_range(declared)}"
        case types.StrType():
            return _string_in_words(declared)
        case types.EnumType():
            return " · ".join(f"`{member.value}`" for member in declared.cls)
        case types.LiteralType():
            return " · ".join(f"`{value}`" for value in declared.values)
        case types.UnionType():
            return " or ".join(in_words(choice) for choice in declared.types)
        case types.ListType():
            exact = declared.min_length is not None and declared.min_length == declared.max_length
            count = f"{declared.max_length} × " if exact else _most(declared.max_length)
            return f"list of {count}{in_words(declared.item_type)}"
        case types.DictType():
            return f"map of {_most(declared.max_length)}{in_words(declared.value_type)}"
        case types.StructType():
            return f"[{declared.cls.__name__}](#{declared.cls.__name__.lower()})"
    raise TypeError(f"the protocol has no words for {declared}")


def _most(length: int | None) -> str:
    return "" if length is None else f"at most {length} × "


def _string_in_words(declared: types.StrType) -> str:
    if declared.pattern is not None and "[0-9a-f]{64}" in declared.pattern:
        return "digest"
    if declared.pattern is not None:
        return "id"
    return "string" if declared.max_length is None else f"string ≤ {declared.max_length}"


def _range(declared: types.IntType | types.FloatType) -> str:
    low = declared.ge if declared.ge is not None else declared.gt
    high = declared.le if declared.le is not None else declared.lt
    if low is None and high is None:
        return ""
    if high == messages.MAX_INTEGER:
        return f" ≥ {low}"
    return f" {'>' if declared.gt is not None else ''}{low}…{high}"


def _message(kind: type[Message], direction: Direction) -> MessageRow:
    tag = str(kind.__struct_config__.tag)
    return MessageRow(
        kind.__name__, _words(kind), _fields(kind), kind, tag, direction, kind.lane, kind.latest_by, kind.payload
    )


def _words(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())


def _fields(kind: type[msgspec.Struct]) -> tuple[FieldRow, ...]:
    described = types.type_info(kind)
    if not isinstance(described, types.StructType):
        raise TypeError(f"{kind} is no structure")
    return tuple(
        FieldRow(field.name, field.type, field.required, _default(field), _field_words(kind, field.name))
        for field in described.fields
    )


def _default(field: types.Field) -> Any:
    if field.required:
        return None
    value = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
    return msgspec.to_builtins(value)


def _field_words(kind: type, name: str) -> str:
    """The string under a field's declaration, in the class or the base that declares it."""
    for owner in kind.__mro__:
        words = _documented(owner.__module__).get(owner.__name__, {})
        if name in words:
            return words[name]
    return ""


@cache
def _documented(module: str) -> dict[str, dict[str, str]]:
    """The strings under the fields of every class of one of the modules in which messages are declared."""
    found: dict[str, dict[str, str]] = {}
    if not module.startswith(f"{messages.__name__}."):
        return found
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = {
                before.target.id: " ".join(after.value.value.split())
                for before, after in zip(node.body, node.body[1:], strict=False)
                if isinstance(before, ast.AnnAssign)
                and isinstance(before.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            }
    return found
