"""Exports count in the quota and give way, the oldest first, but never one that a client was just told of."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.errors import StoreFull
from bridge.exporter import Written
from bridge.exports import INDEX, LEASE_SECS, Exports
from bridge.messages import Deliver
from bridge.store import Store
from tests.bridge.served import Served, client, served
from tests.bridge.test_store import add
from tests.workplace import PATIENCE_SECS


class Clock:
    def __init__(self) -> None:
        self.secs = 1000.0

    def __call__(self) -> float:
        return self.secs


def act(story: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> None:
        async with asyncio.timeout(PATIENCE_SECS):
            await story

    asyncio.run(limited())


def drafted(exports: Exports, key: str, size: int) -> tuple[Path, int, int]:
    """A finished draft of one file; with what it takes in all, and how many files it has."""
    draft = exports.draft(key)
    draft.mkdir()
    (draft / "a.bin").write_bytes(bytes(size))
    rows = [Written(name="a.bin", role="a", media_type="m", size_bytes=size, sha256="0" * 64)]
    index = msgspec.json.encode(rows)
    (draft / INDEX).write_bytes(index)
    return draft, size + len(index), 2


def make(exports: Exports, key: str, size: int) -> int:
    draft, taken, files = drafted(exports, key, size)
    exports.take_in(key, draft, taken, files)
    return taken


def keys(root: Path) -> set[str]:
    return {path.name for path in (root / "exports").iterdir()}


@pytest.fixture
def clock() -> Clock:
    return Clock()


def exports_in(root: Path, clock: Clock) -> Exports:
    (root / "tmp").mkdir(exist_ok=True)
    return Exports(root, clock=clock)


@pytest.mark.parametrize("key", ["", "../x", "a/b", ".hidden", "a b", "é"])
def test_keys_are_plain_names(tmp_path: Path, clock: Clock, key: str) -> None:
    with pytest.raises(ValueError, match="export key"):
        exports_in(tmp_path, clock).folder(key)


def test_the_oldest_give_way_and_what_was_handed_out_stays(tmp_path: Path, clock: Clock) -> None:
    exports = exports_in(tmp_path, clock)
    sizes = {key: make(exports, key, 1000) for key in "abcd"}
    assert exports.used_bytes == sum(sizes.values())
    assert not exports.make_room(1), "all of them were handed out a moment ago"
    clock.secs += LEASE_SECS + 1
    assert exports.find("a") is not None, "handed out again: now the newest"
    assert not exports.make_room(sum(sizes.values())) and keys(tmp_path) == set("abcd"), "nothing goes in vain"
    assert exports.make_room(sizes["b"] + 1) and keys(tmp_path) == {"a", "d"}
    exports.pin("d")
    clock.secs += LEASE_SECS + 1
    assert exports.oldest(1 << 40) == ["a"]
    exports.unpin("d")
    assert exports.oldest(1 << 40) == ["d", "a"]
    assert exports.make_room(1) and keys(tmp_path) == {"a"} and exports.used_bytes == sizes["a"]
    assert not list((tmp_path / "tmp").iterdir())


def test_a_damaged_one_is_not_found_and_is_replaced(tmp_path: Path, clock: Clock) -> None:
    exports = exports_in(tmp_path, clock)
    taken = make(exports, "a", 1000)
    (exports.folder("a") / "a.bin").write_bytes(b"short")
    assert exports.find("a") is None and exports.find("b") is None
    assert make(exports, "a", 1000) == taken == exports.used_bytes
    found = exports.find("a")
    assert found is not None and found[0].size_bytes == 1000
    (exports.folder("a") / INDEX).write_bytes(b"[{")
    assert exports.find("a") is None


def test_a_later_bridge_knows_what_they_take_and_which_is_the_oldest(tmp_path: Path, clock: Clock) -> None:
    exports = exports_in(tmp_path, clock)
    for age, key in enumerate("cab"):
        make(exports, key, 1000 + age)
        os.utime(exports.folder(key) / INDEX, (1000 + age, 1000 + age))
    half = drafted(exports, "c", 5)[0]
    exports.find("c")
    later = exports_in(tmp_path, clock)
    assert later.used_bytes == exports.used_bytes and later.oldest(1 << 40) == ["a", "b", "c"]
    assert half.exists(), "it may be another bridge's, which goes on"
    later.tidy()
    assert not half.exists() and keys(tmp_path) == set("abc")


def test_the_quota_counts_them_and_they_go_before_a_result_is_refused(tmp_path: Path, clock: Clock) -> None:
    async def story() -> None:
        store = Store(tmp_path, quota_bytes=20_000)
        store.exports = Exports(tmp_path, clock=clock)
        first = await add(store, 1)
        store.take_export(f"{first}-a", *drafted(store.exports, f"{first}-a", 10_000))
        with pytest.raises(StoreFull, match="quota of 20000 bytes"):
            await add(store, 2, size=2000)
        clock.secs += LEASE_SECS + 1
        second = await add(store, 2, size=2000)
        assert store.assets() == sorted([first, second]) and keys(tmp_path) == set()
        assert store.used_bytes + store.exports.used_bytes <= 20_000
        draft = drafted(store.exports, f"{first}-a", 10_000)
        with pytest.raises(StoreFull, match="10159 more are wanted"):
            store.take_export(f"{first}-a", *draft)
        assert store.exports.used_bytes == 0

    act(story())


def test_a_collection_lets_exports_go_before_assets(tmp_path: Path, clock: Clock) -> None:
    async def story() -> None:
        store = Store(tmp_path)
        store.exports = Exports(tmp_path, clock=clock)
        digests = [await add(store, seed) for seed in range(2)]
        for digest in digests:
            store.take_export(f"{digest}-a", *drafted(store.exports, f"{digest}-a", 10_000))
        clock.secs += LEASE_SECS + 1
        assert store.exports.find(f"{digests[1]}-a") is not None
        dry = await store.collect(keep=(), down_to_bytes=store.used_bytes + 10_000, dry_run=True)
        wet = await store.collect(keep=(), down_to_bytes=store.used_bytes + 10_000)
        assert dry == wet and (wet.assets, wet.files) == (0, 2) and wet.freed_bytes > 10_000
        assert keys(tmp_path) == {f"{digests[1]}-a"} and len(store.assets()) == 2
        await store.collect(keep=(), down_to_bytes=0)
        assert store.assets() == [] and keys(tmp_path) == {f"{digests[1]}-a"}, "a client may be reading it"
        clock.secs += LEASE_SECS + 1
        await store.collect(keep=(), down_to_bytes=None)
        assert keys(tmp_path) == set() and store.exports.used_bytes == 0, "no asset needs it"

    act(story())


async def delivered(one: Served, digest: str) -> Path:
    return (await one.delivery.files(digest, Deliver(host="web"))).sources[0].path


def test_delivery_counts_hands_out_and_finds_again(tmp_path: Path, clock: Clock) -> None:
    async def story() -> None:
        async with served(tmp_path) as one:
            one.store.exports = Exports(tmp_path, clock=clock)
            first, second = await one.asset(40_000), await one.asset(60_000)
            path = await delivered(one, first)
            assert one.store.exports.used_bytes > 40_000 // 4
            assert await delivered(one, first) == path and one.counters.exports_total == 1
            taken = one.store.used_bytes + one.store.exports.used_bytes
            one.store.quota_bytes = taken + 1000
            with pytest.raises(StoreFull, match="quota"):
                await delivered(one, second)
            assert path.exists() and not list((tmp_path / "exports").glob("*.partial"))
            clock.secs += LEASE_SECS + 1
            one.store.quota_bytes = taken + 30_000
            assert (await delivered(one, second)).exists() and not path.exists()
            clock.secs += LEASE_SECS + 1
            assert (await delivered(one, first)).exists(), "made again"

    act(story())


def test_what_is_being_sent_in_chunks_stays_until_it_has_been(tmp_path: Path, clock: Clock) -> None:
    async def story() -> None:
        async with served(tmp_path) as one, client(one.url) as me:
            one.store.exports = Exports(tmp_path, clock=clock)
            digest = await one.asset(30 << 20)
            files = await me.ask("asset.fetch", "asset.files", request_id="f", digest=digest, host="web")
            clock.secs += LEASE_SECS + 1
            assert one.store.exports.oldest(1 << 40) == []
            await me.take_files(files)
            await me.ask("ping", "pong", id=1)
            assert len(one.store.exports.oldest(1 << 40)) == 1

    act(story())
