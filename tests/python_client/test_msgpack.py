"""The codec against the `msgpack` package: the same bytes out, the same values in, the same refusals."""

from __future__ import annotations

import math
import struct
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_client.errors import BadMessage
from python_client.msgpack import MAX_DEPTH, pack, unpack

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.binary(max_size=300)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=40), inner, max_size=20),
    max_leaves=60,
)


def oracle(data: bytes) -> Any:
    return msgpack.unpackb(data, raw=False, strict_map_key=True, max_ext_len=0)


@given(values)
def test_same_bytes_and_back(value: Any) -> None:
    data = pack(value)
    assert data == msgpack.packb(value, use_bin_type=True)
    assert unpack(data) == value
    assert unpack(memoryview(bytearray(data))) == value


@pytest.mark.parametrize("count", [0, 15, 16, 31, 32, 255, 256, 65535, 65536])
def test_every_length_boundary(count: int) -> None:
    for value in ("x" * count, b"x" * count, [None] * count, {str(index): index for index in range(count)}):
        data = pack(value)
        assert data == msgpack.packb(value, use_bin_type=True)
        assert unpack(data) == value


@pytest.mark.parametrize("exponent", range(65))
def test_every_integer_boundary(exponent: int) -> None:
    for value in (2**exponent - 1, 2**exponent, -(2**exponent), -(2**exponent) - 1):
        if -(2**63) <= value < 2**64:
            assert pack(value) == msgpack.packb(value)
            assert unpack(pack(value)) == value
        else:
            with pytest.raises(ValueError, match="64 bits"):
                pack(value)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    try:
        value = unpack(data)
    except BadMessage:
        try:
            taken = oracle(data)
        except (ValueError, TypeError, msgpack.exceptions.UnpackException):
            return
        assert beyond_us(taken), taken
        return
    assert same(value, oracle(data))


def beyond_us(value: Any) -> bool:
    """What msgpack takes and the protocol does not have: bytes as keys, and extension types."""
    if isinstance(value, dict):
        return any(not isinstance(key, str) for key in value) or any(map(beyond_us, value.values()))
    if isinstance(value, list):
        return any(map(beyond_us, value))
    return isinstance(value, (msgpack.ExtType, msgpack.Timestamp))


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)


@given(values)
def test_every_truncation_is_refused(value: Any) -> None:
    data = pack(value)
    for end in range(0, len(data), max(1, len(data) // 50)):
        with pytest.raises(BadMessage):
            unpack(data[:end])
    with pytest.raises(BadMessage, match="after the end"):
        unpack(data + b"\xc0")


@pytest.mark.parametrize("head", [b"\xdb", b"\xc6", b"\xdd", b"\xdf"])
def test_a_huge_length_allocates_nothing(head: bytes) -> None:
    with pytest.raises(BadMessage, match="cut short"):
        unpack(head + struct.pack(">I", 2**32 - 1) + b"x" * 10)


def test_depth_is_limited_both_ways() -> None:
    nested: Any = None
    for _ in range(MAX_DEPTH):
        nested = [nested]
    assert unpack(pack(nested)) == nested
    with pytest.raises(ValueError, match="deep"):
        pack([nested])
    with pytest.raises(BadMessage, match="deep"):
        unpack(b"\x91" * 100_000 + b"\xc0")


def test_what_the_protocol_has_not_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot send a set"):
        pack({"a": {1}})
    with pytest.raises(TypeError, match="map keys are strings"):
        pack({1: 2})
    with pytest.raises(BadMessage, match="expected a string"):
        unpack(msgpack.packb({1: 2}))
    with pytest.raises(BadMessage, match="0xc1"):
        unpack(b"\xc1")
    with pytest.raises(BadMessage, match="0xd6"):
        unpack(msgpack.packb(msgpack.Timestamp(1)))
    with pytest.raises(BadMessage, match="UTF-8"):
        unpack(b"\xa1\xff")


def test_the_last_of_two_equal_keys_counts() -> None:
    assert unpack(b"\x82\xa1a\x01\xa1a\x02") == {"a": 2}
