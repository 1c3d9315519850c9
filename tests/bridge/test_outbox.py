from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import wire
from bridge.errors import LimitError, RequestError, StoreDamaged
from bridge.messages import CHUNK_BYTES, AssetChunk, JobFailed, JobPreview, JobProgress, LiveClosed, LiveImage, Pong
from bridge.outbox import (
    CONTROL_LIMIT_BYTES,
    LIVE_LIMIT_BYTES,
    PIECE_BYTES,
    QUICK_SECS,
    TRANSFERS_LIMIT,
    WINDOW_BYTES,
    WINDOW_LIMIT_BYTES,
    Credit,
    Outbox,
    OutboxFull,
)
from bridge.transfers import CHUNKS_PER_BLOCK, Block, Source, Transfer

SIZES = [0, 1, 1000, CHUNK_BYTES, CHUNK_BYTES + 1, 3 << 20]


class Woken:
    def __init__(self) -> None:
        self.times = 0
        self.outbox = Outbox(wake=self.wake)

    def wake(self) -> None:
        self.times += 1


def heard(outbox: Outbox, now: float = 0.0) -> list[Any]:
    """Everything that may leave now, decoded."""
    messages = []
    while (frame := outbox.take(now)) is not None:
        messages.append(wire.decode_bridge(bytes(frame))[0])
    return messages


def preview(job_id: str) -> JobPreview:
    return JobPreview(job_id=job_id, width_px=1, height_px=1, media_type="image/jpeg")


def read_all(outbox: Outbox, blocks: list[Block]) -> None:
    """Read what is due into the free blocks, as a connection does in a thread."""
    while blocks and (transfer := outbox.next_to_read()):
        block = blocks.pop()
        claimed = block.begin(transfer)
        block.fill(claimed, transfer.exhausted)
        outbox.ready(block)


def file_of(folder: Path, name: str, size: int) -> Source:
    path = folder / name
    path.write_bytes(bytes((index * 7 + len(name)) % 251 for index in range(min(size, 997))) * (size // 997 + 1))
    with path.open("r+b") as file:
        file.truncate(size)
    return Source(path, size)


def test_control_leaves_before_live_and_live_before_assets(tmp_path: Path) -> None:
    blocks: list[Block] = []
    blocks.append(Block(on_free=blocks.append))
    outbox = Woken().outbox
    outbox.add(Transfer("t", [file_of(tmp_path, "a", 10)]))
    read_all(outbox, blocks)
    outbox.put(JobProgress(job_id="j", fraction=0.5))
    outbox.put(Pong(id=1))
    outbox.put(Pong(id=2))
    assert [type(message).__name__ for message in heard(outbox)] == ["Pong", "Pong", "JobProgress", "AssetChunk"]
    assert outbox.idle


@given(st.lists(st.tuples(st.sampled_from(["progress", "preview", "take"]), st.sampled_from("abc")), max_size=60))
@settings(deadline=None)
def test_live_keeps_the_newest_per_slot(steps: list[tuple[str, str]]) -> None:
    """Against the plain model: a slot holds the last value put since it was last taken; none is lost, none doubled."""
    outbox = Woken().outbox
    model: dict[tuple[str, str], float] = {}
    for number, (step, job) in enumerate(steps):
        if step == "take":
            frame = outbox.take(0.0)
            if frame is None:
                assert not model
                continue
            message, payload = wire.decode_bridge(bytes(frame))
            if isinstance(message, JobProgress):
                assert model.pop(("progress", message.job_id)) == message.fraction
            else:
                assert isinstance(message, JobPreview)
                assert model.pop(("preview", message.job_id)) == int(bytes(payload)) / 100
        else:
            model[(step, job)] = number / 100
            if step == "progress":
                outbox.put(JobProgress(job_id=job, fraction=number / 100))
            else:
                outbox.put(preview(job), str(number).encode())
    assert len(heard(outbox)) == len(model)


def test_the_end_of_a_job_forgets_its_progress() -> None:
    outbox = Woken().outbox
    outbox.put(preview("j"), b"x" * 100)
    outbox.put(JobProgress(job_id="k", fraction=0.1))
    outbox.put(JobFailed(seq=1, job_id="j", time=0.0, code="c", message="m"))
    assert [message.job_id for message in heard(outbox)] == ["j", "k"]
    assert outbox.held_bytes == 0


def image(frame: int, live: str = "l") -> LiveImage:
    return LiveImage(live=live, frame=frame, width_px=1, height_px=1, media_type="image/raw")


def test_a_large_live_picture_leaves_in_pieces_between_which_control_frames_go() -> None:
    outbox = Woken().outbox
    data = bytes(range(256)) * (2 * PIECE_BYTES // 256) + b"rest"
    outbox.put(image(1), data)
    got = bytearray()
    frame = outbox.take(0.0)
    outbox.put(image(2), b"newer")  # it waits until the first is whole
    outbox.put(Pong(id=1))
    kinds: list[str] = []
    while frame is not None:
        message, payload = wire.decode_bridge(bytes(frame))
        kinds.append(type(message).__name__)
        if isinstance(message, LiveImage) and message.frame == 1:
            assert message.offset == len(got)
            got += payload
        frame = outbox.take(0.0)
    assert bytes(got) == data
    assert kinds == ["LiveImage", "Pong", "LiveImage", "LiveImage", "LiveImage"]
    assert outbox.held_bytes == 0


def test_the_end_of_a_live_session_forgets_its_picture() -> None:
    outbox = Woken().outbox
    outbox.put(image(1, "a"), b"x")
    outbox.put(image(1, "b"), b"x")
    outbox.put(LiveClosed(live="a"))
    assert [message.live for message in heard(outbox)] == ["a", "b"]


def test_what_is_held_is_bounded() -> None:
    outbox = Woken().outbox
    for number in range(100):
        outbox.put(preview(f"j{number}"), bytes(300_000))
        assert outbox.held_bytes <= LIVE_LIMIT_BYTES
    with pytest.raises(OutboxFull):
        for number in range(CONTROL_LIMIT_BYTES):
            outbox.put(JobFailed(seq=number, job_id="j", time=0.0, code="c", message="x" * 10_000))
    assert outbox.control_bytes <= CONTROL_LIMIT_BYTES
    assert not outbox.has_room
    outbox.close()
    assert outbox.held_bytes == 0
    assert outbox.has_room


@given(
    sizes=st.lists(
        st.lists(st.sampled_from([0, 1, 1000, CHUNK_BYTES, CHUNK_BYTES + 1, 3 << 20]), max_size=3), max_size=4
    ),
    data=st.data(),
)
@settings(max_examples=30, deadline=None)
def test_chunks_put_together_are_the_files(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[list[int]], data: st.DataObject
) -> None:
    """Any number of transfers under any credit: each file arrives whole, in order, and never beyond the window."""
    folder = tmp_path_factory.mktemp("files")
    blocks: list[Block] = []
    blocks += [Block(on_free=blocks.append) for _ in range(2)]
    outbox = Woken().outbox
    ended: list[str] = []
    expected = {}
    for number, lengths in enumerate(sizes):
        files = [file_of(folder, f"{number}-{index}", size) for index, size in enumerate(lengths)]
        transfer = Transfer(f"t{number}", files, on_end=partial(ended.append, f"t{number}"))
        if transfer.unread:
            expected[transfer.name] = [source.path.read_bytes() for source in files]
            outbox.add(transfer)
    got: dict[str, dict[int, bytearray]] = defaultdict(lambda: defaultdict(bytearray))
    while not outbox.idle:
        read_all(outbox, blocks)
        frame = outbox.take(0.0)
        if frame is None:
            under_way = outbox.credit.under_way_bytes
            outbox.credit.give(data.draw(st.integers(max(1, under_way - WINDOW_BYTES), under_way)), 1.0)
            continue
        message, payload = wire.decode_bridge(bytes(frame))
        assert isinstance(message, AssetChunk)
        assert message.offset == len(got[message.transfer][message.file])
        got[message.transfer][message.file] += payload
        assert outbox.credit.under_way_bytes <= max(WINDOW_BYTES, len(payload))
    for name, files_bytes in expected.items():
        assert [bytes(got[name][index]) for index in range(len(files_bytes))] == files_bytes
    assert sorted(ended) == sorted(expected)


def test_a_short_transfer_does_not_wait_for_a_long_one(tmp_path: Path) -> None:
    blocks: list[Block] = []
    blocks += [Block(on_free=blocks.append) for _ in range(2)]
    outbox = Woken().outbox
    outbox.add(Transfer("long", [file_of(tmp_path, "a", 64 << 20)]))
    outbox.add(Transfer("short", [file_of(tmp_path, "b", 1)]))
    before = 0
    while True:
        read_all(outbox, blocks)
        (message, payload) = wire.decode_bridge(bytes(outbox.take(0.0) or b""))
        assert isinstance(message, AssetChunk)
        outbox.credit.give(len(payload), 0.0)
        if message.transfer == "short":
            break
        before += 1
    assert before <= 2 * CHUNKS_PER_BLOCK


def test_a_stopped_transfer_sends_nothing_more(tmp_path: Path) -> None:
    blocks: list[Block] = []
    blocks.append(Block(on_free=blocks.append))
    outbox = Woken().outbox
    outbox.add(Transfer("t", [file_of(tmp_path, "a", 3 << 20)]))
    read_all(outbox, blocks)
    assert outbox.take(0.0) is not None
    assert outbox.stop("t")
    assert not outbox.stop("t")
    assert outbox.take(0.0) is None
    assert len(blocks) == 1


def test_a_file_that_has_become_shorter_is_told(tmp_path: Path) -> None:
    block = Block(on_free=lambda _: None)
    source = file_of(tmp_path, "a", 2 * CHUNK_BYTES)
    source.path.write_bytes(b"x" * CHUNK_BYTES)
    transfer = Transfer("t", [source])
    with pytest.raises(StoreDamaged, match="ends at byte"):
        block.fill(block.begin(transfer), transfer.exhausted)


def test_transfers_are_limited() -> None:
    outbox = Woken().outbox
    for number in range(TRANSFERS_LIMIT):
        outbox.add(Transfer(f"t{number}", [Source(Path("x"), 1)]))
    with pytest.raises(LimitError):
        outbox.add(Transfer("more", [Source(Path("x"), 1)]))


def test_the_window_grows_while_credit_is_quick_and_shrinks_when_it_is_not() -> None:
    credit = Credit()
    now = 0.0
    for _ in range(64):
        credit.spend(CHUNK_BYTES, now)
        now += QUICK_SECS / 2
        credit.give(CHUNK_BYTES, now)
    assert credit.window_bytes == WINDOW_LIMIT_BYTES
    for _ in range(8):
        credit.spend(CHUNK_BYTES, now)
        now += 3 * QUICK_SECS
        credit.give(CHUNK_BYTES, now)
    assert credit.window_bytes == WINDOW_BYTES


def test_credit_for_what_was_not_sent_is_refused() -> None:
    credit = Credit()
    credit.spend(10, 0.0)
    with pytest.raises(RequestError):
        credit.give(11, 0.0)
    credit.give(10, 0.0)
    assert credit.under_way_bytes == 0


def test_putting_wakes_the_writer() -> None:
    woken = Woken()
    woken.outbox.put(Pong(id=1))
    woken.outbox.put(JobProgress(job_id="j", fraction=0.0))
    assert woken.times == 2
