"""Frames put together from any pieces in any order: only whole ones reach the worker, and never a torn picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import BadParameter, BadPicture, ScenecastError
from bridge.live_frames import Intake
from bridge.live_memory import LiveMemory
from bridge.messages import LiveCamera, LiveFrame, LivePicture

SIDE = 4
BYTES = SIDE * SIDE * 3
EYE = [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


def check_params(values: Mapping[str, Any]) -> Mapping[str, Any]:
    if values.get("a", 0) > 9:
        raise BadParameter("a: expected at most 9", path="$.params.a")
    return values


class Desk:
    """An intake with a memory that a test can look into."""

    def __init__(self, wants: tuple[str, ...] = ("colour",)) -> None:
        self.memory = LiveMemory(Path("."), frame_bytes=4096, answer_bytes=64)
        self.intake = Intake(
            self.memory, width_px=SIDE, height_px=SIDE, wants=wants, params={"a": 1}, check_params=check_params,
            generator="live.test",
        )  # fmt: skip

    def send(self, frame: int, data: bytes | None = None, **fields: Any) -> bool:
        pictures = [] if data is None else [LivePicture(channel="colour", offset=0, size_bytes=BYTES)]
        message = LiveFrame(live="l", frame=frame, pictures=pictures, size_bytes=len(data or b""), **fields)
        return self.intake.take(message, memoryview(data or b""))

    def seen(self) -> tuple[int, bytes]:
        """What the worker is given."""
        order = self.intake.hand_over(1)
        (row,) = order.pictures
        return order.frame, self.memory.read(row.offset, row.size_bytes)


def test_a_frame_waits_until_it_is_handed_over() -> None:
    desk = Desk()
    assert not desk.intake.waits and desk.send(1, bytes(BYTES)) and desk.intake.waits
    assert desk.seen() == (1, bytes(BYTES)) and not desk.intake.waits
    desk.intake.again()
    assert desk.intake.waits and desk.seen() == (1, bytes(BYTES))


def test_what_is_not_named_stands() -> None:
    desk = Desk()
    desk.send(1, b"\1" * BYTES, params={"b": 2}, camera=LiveCamera(world_from_camera=EYE))
    desk.send(2, None, params={"a": 3})
    assert desk.intake.replaced == 1
    order = desk.intake.hand_over(1)
    assert order.frame == 2 and order.params == {"a": 3, "b": 2} and order.camera is not None
    assert [row.channel for row in order.pictures] == ["colour"]
    desk.send(3, None)
    assert desk.seen() == (3, b"\1" * BYTES)


def test_a_refused_frame_changes_nothing_and_is_told_once() -> None:
    desk = Desk()
    desk.send(1, b"\1" * BYTES)
    with pytest.raises(BadParameter):
        desk.send(2, b"\2" * BYTES, params={"a": 10})
    assert not desk.intake.take(LiveFrame(live="l", frame=2, offset=4), memoryview(b"more"))
    assert desk.seen() == (1, b"\1" * BYTES) and desk.intake.params == {"a": 1}


def test_what_the_worker_reads_is_never_written() -> None:
    desk = Desk()
    desk.send(1, b"\1" * BYTES)
    order = desk.intake.hand_over(1)
    for number in range(2, 9):
        desk.send(number, bytes((number,)) * BYTES)
        assert desk.memory.read(order.pictures[0].offset, BYTES) == b"\1" * BYTES
    assert desk.seen() == (8, b"\x08" * BYTES)


def test_a_size_that_does_not_fit_the_pictures_that_stand() -> None:
    desk = Desk()
    desk.send(1, bytes(BYTES))
    with pytest.raises(BadPicture, match="2 × 4 pixels and no pictures"):
        desk.send(2, None, width_px=2)


PIECES = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from([0, 16, 32, BYTES]), st.sampled_from([0, 16, 32, BYTES])), max_size=30
)


@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_any_pieces_in_any_order_give_whole_frames_or_refusals(pieces: list[tuple[int, int, int]]) -> None:
    desk = Desk()
    newest = 0
    for frame, offset, size in pieces:
        first = offset == 0
        pictures = [LivePicture(channel="colour", offset=0, size_bytes=BYTES)] if first else []
        message = LiveFrame(live="l", frame=frame, offset=offset, pictures=pictures, size_bytes=BYTES if first else 0)
        try:
            complete = desk.intake.take(message, memoryview(bytes((frame,)) * size))
        except ScenecastError:
            continue
        if complete:
            assert frame > newest
            newest = frame
            if frame % 2:
                assert desk.seen() == (frame, bytes((frame,)) * BYTES)
    if desk.intake.waits:
        assert desk.seen() == (newest, bytes((newest,)) * BYTES)
    desk.memory.close()
