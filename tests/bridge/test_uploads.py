from __future__ import annotations

import asyncio
import hashlib
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import BadInput, LimitError, RequestError
from bridge.messages import CHUNK_BYTES, AssetRow, UploadChunk, UploadOffer, UploadState
from bridge.store import Store
from bridge.uploads import FORGOTTEN_SECS, UPLOADS_PER_CONNECTION, Uploads
from tests.bridge.sounds import sound


def uploads(root: Path, file_bytes: int = 1 << 24, pending_bytes: int = 1 << 26) -> Uploads:
    return Uploads(Store(root), file_bytes=file_bytes, pending_bytes=pending_bytes)


def offer_of(data: bytes, name: str = "a.wav") -> UploadOffer:
    digest = hashlib.sha256(data).hexdigest()
    return UploadOffer(request_id=name, digest=digest, size_bytes=len(data), media_type="audio/wav", name=name)


async def send(one: Uploads, owner: object, state: UploadState, data: bytes) -> UploadState | None:
    """Send everything from where the state says."""
    answer = None
    for offset in range(state.offset, len(data), CHUNK_BYTES):
        piece = memoryview(data)[offset : offset + CHUNK_BYTES]
        answer = await one.keep(owner, UploadChunk(upload=state.upload, offset=offset), piece)
    return answer


@given(cuts=st.lists(st.integers(1, 5), max_size=4), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_however_often_it_is_cut_the_file_arrives_whole(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("uploads")
    data = sound(folder / "a.wav", value=seed % 256, frames=600_000 + seed)

    async def story() -> None:
        for chunks in cuts:
            one, owner = uploads(folder / "store"), object()
            state = await one.offer(owner, offer_of(data))
            if state.done:
                break
            await send(one, owner, state, data[: min(len(data) - 1, state.offset + chunks * CHUNK_BYTES)])
            one.leave(owner)
        one, owner = uploads(folder / "store"), object()
        state = await one.offer(owner, offer_of(data))
        done = state if state.done else await send(one, owner, state, data)
        assert done is not None
        assert done.done
        assert done.asset is not None
        store = Store(folder / "store")
        assert store.path(offer_of(data).digest).read_bytes() == data
        assert (await one.offer(object(), offer_of(data))).asset == done.asset

    asyncio.run(story())


def test_many_uploads_take_turns(tmp_path: Path) -> None:
    files = [sound(tmp_path / "a.wav", value, frames=300_000) for value in range(6)]

    async def story() -> None:
        one, owner = uploads(tmp_path / "store"), object()
        states = [await one.offer(owner, offer_of(data, f"{index}.wav")) for index, data in enumerate(files)]
        turns = [(index, at) for index, data in enumerate(files) for at in range(0, len(data), CHUNK_BYTES)]
        chance = random.Random(1)
        chance.shuffle(turns)
        turns.sort(key=lambda turn: turn[1])
        done = []
        for index, at in turns:
            piece = memoryview(files[index])[at : at + CHUNK_BYTES]
            answer = await one.keep(owner, UploadChunk(upload=states[index].upload, offset=at), piece)
            done += [answer] if answer is not None else []
        assert sorted(answer.request_id for answer in done) == [f"{index}.wav" for index in range(6)]

    asyncio.run(story())


def test_limits_are_kept(tmp_path: Path) -> None:
    async def story() -> None:
        one, owner = uploads(tmp_path / "store", file_bytes=1000, pending_bytes=10_000), object()
        with pytest.raises(LimitError, match="1000"):
            await one.offer(owner, offer_of(b"x" * 1001))
        with pytest.raises(BadInput, match="empty"):
            await one.offer(owner, offer_of(b""))
        for number in range(10):
            await one.offer(owner, offer_of(bytes([number]) * 1000))
        with pytest.raises(LimitError, match="together"):
            await one.offer(owner, offer_of(b"y" * 1000))
        one.leave(owner)
        for number in range(UPLOADS_PER_CONNECTION):
            await one.offer(owner, offer_of(bytes([number]) * 10))
        with pytest.raises(LimitError, match="16"):
            await one.offer(owner, offer_of(b"z" * 10))
        await one.offer(object(), offer_of(b"z" * 10))

    asyncio.run(story())


def test_chunks_that_do_not_follow_are_refused(tmp_path: Path) -> None:
    data = sound(tmp_path / "a.wav", frames=300_000)

    async def story() -> None:
        one, owner = uploads(tmp_path / "store"), object()
        state = await one.offer(owner, offer_of(data))
        chunk = UploadChunk(upload=state.upload, offset=0)
        for other, wrong, piece in (
            (object(), chunk, data[:10]),
            (owner, UploadChunk(upload="no", offset=0), data[:10]),
            (owner, UploadChunk(upload=state.upload, offset=1), data[:10]),
            (owner, chunk, b""),
            (owner, chunk, data[: CHUNK_BYTES + 1]),
        ):
            with pytest.raises(RequestError):
                await one.keep(other, wrong, memoryview(piece))
        done = await send(one, owner, state, data)
        assert done is not None
        with pytest.raises(RequestError, match="no upload"):
            await one.keep(owner, chunk, memoryview(data[:10]))

    asyncio.run(story())


def test_whoever_offers_last_sends_on(tmp_path: Path) -> None:
    data = sound(tmp_path / "a.wav", frames=300_000)

    async def story() -> None:
        one, first, second = uploads(tmp_path / "store"), object(), object()
        old = await one.offer(first, offer_of(data))
        await one.keep(first, UploadChunk(upload=old.upload, offset=0), memoryview(data)[:CHUNK_BYTES])
        new = await one.offer(second, offer_of(data))
        assert new.offset == CHUNK_BYTES
        with pytest.raises(RequestError):
            await one.keep(first, UploadChunk(upload=old.upload, offset=CHUNK_BYTES), memoryview(data)[:10])
        done = await send(one, second, new, data)
        assert done is not None
        assert done.done

    asyncio.run(story())


def test_what_is_all_here_is_adopted_once_though_its_client_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sound(tmp_path / "a.wav", frames=300_000)

    async def story() -> None:
        store, gate, adopted = Store(tmp_path / "store"), asyncio.Event(), []
        adopt = store.adopt_upload

        async def gated(*arguments: Any) -> AssetRow:
            adopted.append(arguments)
            await gate.wait()
            return await adopt(*arguments)

        monkeypatch.setattr(store, "adopt_upload", gated)
        one, first, second = Uploads(store, file_bytes=1 << 24, pending_bytes=1 << 26), object(), object()
        sending = asyncio.create_task(send(one, first, await one.offer(first, offer_of(data)), data))
        while not adopted:
            await asyncio.sleep(0)
        offering = asyncio.create_task(one.offer(second, offer_of(data, "again.wav")))
        await asyncio.sleep(0)
        sending.cancel()
        one.leave(first)
        await asyncio.gather(sending, return_exceptions=True)
        gate.set()
        await one.stop()
        assert sending.cancelled() and store.has(offer_of(data).digest)
        state = await offering
        assert (state.request_id, state.done, len(adopted)) == ("again.wav", True, 1)
        assert state.asset is not None and store.is_whole(state.asset.digest)

    asyncio.run(story())


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async def story() -> None:
        one, owner = uploads(tmp_path / "store"), object()
        state = await one.offer(owner, offer_of(b"x" * 100))
        monkeypatch.setattr("bridge.uploads._write_at", full)
        with pytest.raises(LimitError, match="disk is full"):
            await one.keep(owner, UploadChunk(upload=state.upload, offset=0), memoryview(b"x" * 100))

    asyncio.run(story())


def test_forgotten_pieces_are_removed_at_the_start(tmp_path: Path) -> None:
    uploads(tmp_path)
    old, new = tmp_path / "uploads" / ("a" * 64), tmp_path / "uploads" / ("b" * 64)
    for path in (old, new):
        path.write_bytes(b"piece")
    long_ago = old.stat().st_mtime - FORGOTTEN_SECS - 1
    os.utime(old, (long_ago, long_ago))
    uploads(tmp_path)
    assert (old.exists(), new.exists()) == (False, True)
