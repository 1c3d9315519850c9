"""Files put together from chunks: in memory while there is leave for it, then on disk; placed or copied, the same."""

from __future__ import annotations

import gc
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_client import transfers
from python_client.errors import BadMessage, TransferFailed
from python_client.messages import AssetChunk, AssetFiles, FileRow
from python_client.transfers import Delivery, Incoming, Spool, Transfers

SIZE = 5 << 20
CHUNK = 256 << 10


def row(data: bytes, name: str = "a.bin") -> FileRow:
    digest = hashlib.sha256(data).hexdigest()
    return FileRow(name=name, role="r", media_type="m", size_bytes=len(data), sha256=digest)


def body(size: int = SIZE) -> bytes:
    return bytes(index * 31 % 256 for index in range(997)) * (size // 997 + 1)


def test_payloads_may_be_copied_or_received_in_place() -> None:
    data = body()[:SIZE]
    spool = Spool()
    incoming = Incoming(row(data), spool, verify=True)
    for number, at in enumerate(range(0, SIZE, 1 << 20)):
        piece = data[at : at + (1 << 20)]
        payload = memoryview(piece)
        if number % 2:
            place = incoming.place(at, len(piece))
            assert place is not None
            place[:] = piece
            payload = place
        incoming.write(at, payload)
    assert incoming.complete and incoming.data is not None and bytes(incoming.data) == data
    assert incoming.path == "", "no file was made for what fits in memory"


def test_a_damaged_placed_file_is_told() -> None:
    data = body(1000)[:1000]
    incoming = Incoming(row(data), Spool(), verify=True)
    place = incoming.place(0, 1000)
    assert place is not None
    place[:] = b"y" * 1000
    with pytest.raises(TransferFailed, match="damaged"):
        incoming.write(0, place)


def test_there_is_no_place_for_what_is_not_next() -> None:
    incoming = Incoming(row(bytes(1000)), Spool(), verify=False)
    assert incoming.place(1, 10) is None
    assert incoming.place(0, 1001) is None
    with pytest.raises(BadMessage):
        incoming.write(1, memoryview(b"x"))


def test_beyond_the_leave_files_go_to_disk_and_memory_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "IN_MEMORY_BYTES", 1500)
    spool = Spool()
    first = Incoming(row(bytes(1000)), spool, verify=False)
    second = Incoming(row(bytes(1000)), spool, verify=False)
    assert first.data is not None and second.data is None and second.path
    assert second.place(0, 1000) is None
    second.write(0, memoryview(b"z" * 1000))
    with open(second.path, "rb") as file:
        assert file.read() == b"z" * 1000
    del first
    gc.collect()
    assert Incoming(row(bytes(1000)), spool, verify=False).data is not None
    spool.close()


def test_memory_is_received_into_again_and_never_under_a_view() -> None:
    spool = Spool()
    files = [bytes([number]) * SIZE for number in range(3)]

    def received(data: bytes) -> memoryview:
        incoming = Incoming(row(data), spool, verify=True)
        for at in range(0, SIZE, 1 << 20):
            incoming.write(at, memoryview(data)[at : at + (1 << 20)])
        assert incoming.data is not None
        return incoming.data

    first, second = received(files[0]), received(files[1])
    kept = first[7:8]
    del first
    third = received(files[2])
    assert (second, third) == (files[1], files[2]) and kept[0] == 0 and third.obj is not kept.obj
    old = kept.obj
    del kept
    gc.collect()
    again = received(files[1])
    assert again == files[1] and second == files[1] and third == files[2]
    assert again.obj is old or not spool.memory.unused_bytes
    spool.close()
    assert again == files[1] and spool.memory.unused_bytes == 0


def test_a_delivery_has_no_place_for_an_unknown_file() -> None:
    announced = AssetFiles(digest="0" * 64, kind="image", host="python", files=[row(bytes(10))], transfer="t")
    delivery = Delivery(announced, Spool(), verify=False)
    assert delivery.place(AssetChunk(transfer="t", file=1, offset=0), 10) is None
    assert delivery.place(AssetChunk(transfer="t", file=0, offset=0), 10) is not None


def test_credit_comes_in_portions_and_whole_at_the_end() -> None:
    owed, window = Transfers(), 2 << 20
    owed.follow(window_bytes=window, chunk_bytes=CHUNK)
    assert owed.credit(all_of_it=True) == 0
    given = []
    for _ in range(64):
        owed.owe(CHUNK)
        if credit := owed.credit(all_of_it=False):
            given.append(credit)
    owed.owe(1)
    given.append(owed.credit(all_of_it=True))
    assert sum(given) == 64 * CHUNK + 1
    assert given[0] == window // 2 and given[-2] == window * 3 // 4


@given(window=st.integers(0, 3 << 20), chunks=st.lists(st.integers(1, CHUNK), min_size=1, max_size=60))
@settings(deadline=None)
def test_whatever_the_window_nobody_waits_for_the_other(window: int, chunks: list[int]) -> None:
    owed, under_way = Transfers(), 0
    owed.follow(window_bytes=window, chunk_bytes=CHUNK)
    for size in chunks:
        assert under_way == 0 or under_way + size <= window, "the bridge waits for credit, and the client for a chunk"
        owed.owe(size)
        under_way += size
        under_way -= owed.credit(all_of_it=False)
    assert under_way - owed.credit(all_of_it=True) == 0


def test_a_bridge_that_tells_no_window_gets_credit_for_every_chunk() -> None:
    owed = Transfers()
    for size in (1, CHUNK):
        owed.owe(size)
        assert owed.credit(all_of_it=False) == size
