"""Chunks sent from the page cache: the same frames as read ones, whatever the socket takes at a time."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from bridge import resident as module
from bridge import wire
from bridge.errors import StoreDamaged
from bridge.messages import CHUNK_BYTES, AssetChunk, JobProgress, Pong
from bridge.outbox import Outbox
from bridge.resident import PieceSender, may_send_pieces, resident
from bridge.transfers import Block, OpenFile, Piece, Source, Transfer

pytestmark = pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="chunks are sent from the page cache on Linux")


def source(folder: Path, name: str, size: int) -> Source:
    path = folder / name
    path.write_bytes(os.urandom(size))
    return Source(path, size)


@given(sizes=st.lists(st.sampled_from([0, 1, 1000, 65_535, 65_536, CHUNK_BYTES, 5 * CHUNK_BYTES + 9]), max_size=4))
@settings(max_examples=25, deadline=None)
def test_resident_chunks_are_those_that_a_block_reads(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    files = [source(tmp_path_factory.mktemp("files"), str(number), size) for number, size in enumerate(sizes)]
    there, read = Transfer("t", files), Transfer("t", files)
    quick: list[tuple[bytes, int, bool]] = []
    while (block := resident(there)) is not None:
        quick += [(bytes(chunk.frame), chunk.payload_bytes, chunk.last) for chunk in block.chunks]
        block.free()
    slow: list[tuple[bytes, int, bool]] = []
    while read.unread:
        slow_block = Block(on_free=lambda _: None)
        slow_block.fill(slow_block.begin(read), read.exhausted)
        slow += [(bytes(chunk.frame), chunk.payload_bytes, chunk.last) for chunk in slow_block.chunks]
    assert quick == slow
    assert there.exhausted


def test_what_is_not_there_is_left_to_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Transfer("t", [Source(tmp_path / "gone", 10)])
    assert resident(gone) is None and gone.unread
    shorter = Transfer("t", [Source(source(tmp_path, "a", CHUNK_BYTES).path, CHUNK_BYTES + 70_000)])
    block = resident(shorter)
    assert block is not None and len(block.chunks) == 1 and resident(shorter) is None and shorter.unread
    cold = Transfer("t", [source(tmp_path, "b", CHUNK_BYTES)])
    monkeypatch.setattr(module, "_read_now", lambda number, into, offset: 0)
    assert resident(cold) is None and cold.unread


def test_files_are_closed_when_nobody_needs_them(tmp_path: Path) -> None:
    transfer = Transfer("t", [source(tmp_path, "a", CHUNK_BYTES)])
    block = resident(transfer)
    assert block is not None
    (chunk,) = block.chunks
    assert isinstance(chunk.frame, Piece)
    number = chunk.frame.file.number
    transfer.end()
    os.fstat(number)  # a chunk may still be on its way
    del chunk
    block.free()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(number)


async def received(pieces: list[Piece | bytes], *, room_bytes: int, bite_bytes: int) -> list[bytes]:
    """What a websocket reads from a connection to which pieces and frames of asyncio's own are written in turn."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room_bytes)
    ours.setblocking(False)
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    assert may_send_pieces(transport)
    sender = PieceSender(transport)
    parser = ClientProtocol(parse_uri("ws://x/"), state=State.OPEN, max_size=None)
    wanted = len(pieces)
    try:
        for piece in pieces:
            if isinstance(piece, Piece):
                sender.send(piece)
            else:
                transport.write(Frame(Opcode.BINARY, piece).serialize(mask=False))
        got: list[bytes] = []
        while len(got) < wanted:
            parser.receive_data(await loop.sock_recv(theirs, bite_bytes))
            got += [bytes(event.data) for event in parser.events_received() if isinstance(event, Frame)]
        return got
    finally:
        sender.close()
        transport.abort()
        theirs.close()
        await asyncio.sleep(0)


@pytest.mark.parametrize("room_bytes", [4096, 200_000, 8 << 20])
def test_pieces_arrive_whole_and_in_order_among_other_frames(tmp_path: Path, room_bytes: int) -> None:
    sizes = [65_536, CHUNK_BYTES, 100_001, CHUNK_BYTES, CHUNK_BYTES]
    files = [OpenFile(source(tmp_path, str(number), size).path) for number, size in enumerate(sizes)]
    pieces: list[Piece | bytes] = []
    for file, size in zip(files, sizes, strict=True):
        prefix = wire.encode_prefix(AssetChunk(transfer="t", file=0, offset=3))
        pieces += [Piece(prefix, file, 3, size - 3), b"between"]
    got = asyncio.run(received(pieces, room_bytes=room_bytes, bite_bytes=50_000))
    assert got == [bytes(piece) for piece in pieces]


def test_a_piece_is_next_only_when_nothing_more_urgent_waits(tmp_path: Path) -> None:
    outbox = Outbox(wake=lambda: None)
    transfer = Transfer("t", [source(tmp_path, "a", 3 * CHUNK_BYTES), source(tmp_path, "b", 100)])
    assert not outbox.piece_is_next
    outbox.add(transfer)
    there = resident(transfer)
    assert there is not None and len(there.chunks) == 4
    outbox.ready(there)
    assert outbox.piece_is_next
    outbox.put(JobProgress(job_id="j", fraction=0.5))
    assert not outbox.piece_is_next, "a live message waits"
    assert wire.decode_bridge(bytes(outbox.take(0.0) or b""))[0] == JobProgress(job_id="j", fraction=0.5)
    outbox.put(Pong(id=1))
    assert not outbox.piece_is_next, "a control message waits"
    assert outbox.take_control() is not None
    for _ in range(3):
        assert outbox.piece_is_next and isinstance(outbox.take(0.0), Piece)
    assert not outbox.piece_is_next, "a short chunk is a frame like others"
    assert isinstance(outbox.take(0.0), memoryview) and outbox.idle


def test_no_piece_is_next_of_a_transfer_that_was_stopped(tmp_path: Path) -> None:
    outbox = Outbox(wake=lambda: None)
    transfer = Transfer("t", [source(tmp_path, "a", 3 * CHUNK_BYTES)])
    outbox.add(transfer)
    there = resident(transfer)
    assert there is not None
    outbox.ready(there)
    assert outbox.stop("t") and not outbox.piece_is_next and outbox.take(0.0) is None


def test_a_file_cut_short_under_way_is_told(tmp_path: Path) -> None:
    cut = source(tmp_path, "a", CHUNK_BYTES)
    piece = Piece(b"", OpenFile(cut.path), 0, CHUNK_BYTES)
    os.truncate(cut.path, 70_000)
    with pytest.raises(StoreDamaged, match="shorter"):
        piece.rest(0)
    with pytest.raises(StoreDamaged, match="ends at byte"):
        asyncio.run(received([piece], room_bytes=8 << 20, bite_bytes=1))
