"""Frames survive any chopping, and nothing but frames is accepted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.pipe import (
    MAX_FRAME_BYTES,
    CancelOrder,
    Ended,
    Frames,
    Noted,
    PipeDamaged,
    Previewed,
    Progressed,
    RunOrder,
    WorkerMessage,
    frame,
    message_from,
    order_from,
)

MESSAGES: st.SearchStrategy[WorkerMessage] = st.one_of(
    st.builds(Progressed, run=st.integers(0, 9), fraction=st.floats(0, 1), stage=st.text(max_size=9)),
    st.builds(Noted, run=st.integers(0, 9), text=st.text(max_size=300)),
    st.builds(
        Previewed, run=st.just(1), width_px=st.just(4), height_px=st.just(4), media_type=st.just("m"), data=st.binary()
    ),
    st.builds(Ended, run=st.just(1), outcome=st.sampled_from(["finished", "failed"])),
)


@given(messages=st.lists(MESSAGES, max_size=8), cuts=st.lists(st.integers(1, 50), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_any_chopping_gives_the_same_messages(messages: list[WorkerMessage], cuts: list[int]) -> None:
    stream = b"".join(frame(message) for message in messages)
    frames, heard, position, turn = Frames(), [], 0, 0
    while position < len(stream):
        step = cuts[turn % len(cuts)]
        heard += [message_from(body) for body in frames.feed(stream[position : position + step])]
        position, turn = position + step, turn + 1
    assert heard == messages


def test_orders_come_back() -> None:
    order = RunOrder(
        run=3, function="a:b", params_type="a:C", params={"x": 1.5}, seed=2**32 - 1, device="cpu", spool="/s"
    )
    for sent in (order, CancelOrder(run=3)):
        (body,) = Frames().feed(frame(sent))
        assert order_from(body) == sent


def test_an_impossible_length_is_refused_at_once() -> None:
    with pytest.raises(PipeDamaged, match="announced"):
        list(Frames().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "little")))
    with pytest.raises(PipeDamaged, match="over the pipe"):
        frame(Noted(run=1, text="x" * (MAX_FRAME_BYTES + 1)))


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_nonsense_is_refused_in_words(body: bytes) -> None:
    for decode in (message_from, order_from):
        try:
            decode(body)
        except PipeDamaged as error:
            assert "cannot be read" in str(error)
