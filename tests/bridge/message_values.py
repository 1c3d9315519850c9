"""Hypothesis strategies for every message, made from the declarations themselves."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from bridge.messages import MAX_INTEGER

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
FREE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def messages_of(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Messages of one declared type that keep every bound."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    fields = {field.name: _values(field.type) for field in described.fields}
    required = {field.name for field in described.fields if field.required}
    return st.fixed_dictionaries(
        {name: values for name, values in fields.items() if name in required},
        optional={name: values for name, values in fields.items() if name not in required},
    ).map(lambda values: kind(**values))


def _values(declared: inspect.Type) -> st.SearchStrategy[Any]:
    match declared:
        case inspect.AnyType():
            return FREE
        case inspect.NoneType():
            return st.none()
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            return st.integers(
                -MAX_INTEGER if declared.ge is None else declared.ge,
                MAX_INTEGER if declared.le is None else declared.le,
            )
        case inspect.FloatType():
            return st.floats(
                min_value=declared.ge if declared.ge is not None else declared.gt,
                max_value=declared.le,
                exclude_min=declared.gt is not None,
                allow_nan=False,
                allow_infinity=False,
            )
        case inspect.StrType():
            return _strings(declared)
        case inspect.EnumType():
            return st.sampled_from(list(declared.cls))
        case inspect.LiteralType():
            return st.sampled_from(declared.values)
        case inspect.UnionType():
            return st.one_of([_values(choice) for choice in declared.types])
        case inspect.ListType():
            least = declared.min_length or 0
            return st.lists(
                _values(declared.item_type), min_size=least, max_size=max(least, min(3, declared.max_length or 3))
            )
        case inspect.DictType():
            return st.dictionaries(_values(declared.key_type), _values(declared.value_type), max_size=3)
        case inspect.StructType():
            return messages_of(declared.cls)
    raise TypeError(f"no values known for {declared}")


def _strings(declared: inspect.StrType) -> st.SearchStrategy[str]:
    if declared.pattern is None:
        return TEXT
    if "0-9a-f]{64}" in declared.pattern:
        return st.text("0123456789abcdef", min_size=64, max_size=64)
    return st.from_regex(declared.pattern.replace("$(?!\\n)", r"\Z"), fullmatch=True).filter(
        lambda text: len(text) <= (declared.max_length or 256)
    )
