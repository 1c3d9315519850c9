"""The store against a plain dictionary of bytes: adopting, damage, quota, collecting, taking over."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
import time
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bridge.disk import INLINE_BYTES
from bridge.errors import BadInput, StoreDamaged, StoreFull, UnknownAsset
from bridge.messages import AssetRow
from bridge.store import Store, StoreInUse, _manifest_of_file
from engines import neutral
from engines.assets import Image, Sound


def act(story: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(story)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def written(store: Store, data: bytes) -> Path:
    path = store.temporary()
    path.write_bytes(data)
    return path


async def add(store: Store, seed: int, size: int = 1000) -> str:
    """An asset of two parts' worth of noise; returns its digest."""
    folder = store.temporary()
    folder.mkdir()
    samples = np.random.default_rng(seed).random((size, 1), dtype=np.float32)
    row = await store.adopt_asset(neutral.write(Sound(samples, name=f"noise {seed}"), folder), folder, {"seed": seed})
    folder.rmdir()
    return row.digest


@pytest.mark.parametrize("size", [0, 1, INLINE_BYTES, INLINE_BYTES + 1, 9 << 20])
def test_adopted_bytes_lie_under_their_hash(tmp_path: Path, size: int) -> None:
    store, data = Store(tmp_path), np.random.default_rng(size).bytes(size)
    file = written(store, data)
    digest = act(store.adopt(file, expect=sha(data)))
    assert digest == sha(data) and store.path(digest).read_bytes() == data
    assert not file.exists() and store.used_bytes == size
    act(store.adopt(written(store, data)))
    assert store.used_bytes == size, "the same bytes are kept once"
    assert Store(tmp_path).used_bytes == size
    assert not list((tmp_path / "tmp").iterdir())


def test_other_bytes_than_announced_are_refused_and_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    file = written(store, b"one thing")
    with pytest.raises(StoreDamaged, match="expected"):
        act(store.adopt(file, expect=sha(b"another")))
    assert not file.exists() and store.used_bytes == 0


def test_an_asset_is_a_manifest_over_parts(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path, fsync=True)
        digest = await add(store, 1)
        manifest = store.manifest(digest)
        assert neutral.manifest_digest(manifest) == digest and manifest.provenance == {"seed": 1}
        row = store.row(digest)
        assert (row.kind, row.name, row.size_bytes) == ("sound", "noise 1", manifest.parts[0].bytes)
        assert store.is_whole(digest) and store.assets() == [digest]
        assert await add(store, 1) == digest, "the same asset has the same digest"
        again = Store(tmp_path)
        assert again.manifest(digest) == manifest and again.proof == store.proof
        asset = neutral.read(manifest, store.path)
        assert isinstance(asset, Sound)
        np.testing.assert_array_equal(asset.samples, np.random.default_rng(1).random((1000, 1), dtype=np.float32))

    act(story())


def test_damage_is_named(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path)
        digest = await add(store, 2)
        await store.verify(digest)
        part = store.manifest(digest).parts[0]
        path = store.path(part.digest)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        with pytest.raises(StoreDamaged, match=f"part '{part.name}' of asset noise 2"):
            await store.verify(digest)
        with pytest.raises(StoreDamaged, match=f"file {part.digest}"):
            await store.verify(part.digest)
        path.unlink()
        assert not store.is_whole(digest)
        with pytest.raises(StoreDamaged, match="is missing"):
            await store.verify(digest)
        store.path(digest).write_bytes(b"{}")
        with pytest.raises(StoreDamaged, match="the manifest of asset"):
            await store.verify(digest)
        with pytest.raises(StoreDamaged, match="is damaged"):
            Store(tmp_path).manifest(digest)
        assert not Store(tmp_path).is_whole(digest)

    act(story())


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 64, "G" * 64, "../" * 21 + "x", "A" * 64, "0" * 63 + "\n"])
def test_what_is_not_there_or_not_a_digest_is_unknown(tmp_path: Path, digest: str) -> None:
    store = Store(tmp_path)
    for ask in (store.path, store.manifest, store.row):
        with pytest.raises(UnknownAsset):
            ask(digest)


def test_a_draft_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path / "store")
        secret = tmp_path / "secret"
        secret.write_bytes(b"s")
        folder = store.temporary()
        folder.mkdir()
        for name in (str(secret), "../../../secret", "..", ""):
            part = neutral.DraftPart("samples", name, neutral.NPY, 1, "float32", (1, 1))
            draft = neutral.Draft(Sound.kind, "", {}, (part,))
            with pytest.raises(StoreDamaged, match="bare file name"):
                await store.adopt_asset(draft, folder, {})
        assert secret.exists()

    act(story())


def test_the_quota_is_never_passed(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path, quota_bytes=10_000)
        first = await add(store, 1)
        with pytest.raises(StoreFull, match="quota of 10000 bytes") as caught:
            await add(store, 2, size=2000)
        assert "gc" in caught.value.remedy and store.used_bytes <= 10_000
        assert store.assets() == [first]
        await store.collect(keep=(), down_to_bytes=0)
        await add(store, 2, size=2000)

    act(story())


def test_a_full_disk_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)

    def full(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(StoreFull, match="disk that holds the store is full"):
        act(store.adopt(written(store, b"x")))
    assert store.used_bytes == 0 and not list((tmp_path / "tmp").iterdir())


def test_least_recently_used_goes_first(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path)
        digests = [await add(store, seed) for seed in range(6)]
        for age, digest in enumerate(digests):
            stamp = time.time() - 1000 + age
            os.utime(tmp_path / "assets" / digest, (stamp, stamp))
        store.touch(digests[0])
        store.pin(digests[1])
        orphan = await store.adopt(written(store, b"no asset needs this"))
        each = sum(part.bytes for part in store.manifest(digests[0]).parts)
        collected = await store.collect(keep=[digests[2]], down_to_bytes=int(each * 4.9))
        assert store.assets() == sorted(digests[:3] + digests[5:])
        assert not store.has(orphan) and collected.assets == 2 and collected.files == 5
        for digest in store.assets():
            await store.verify(digest)
        assert Store(tmp_path).used_bytes == store.used_bytes
        store.unpin(digests[1])
        await store.collect(keep=(), down_to_bytes=0)
        assert store.used_bytes == 0 and store.assets() == []

    act(story())


def test_shared_parts_outlive_one_of_their_assets(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path)
        pixels = np.zeros((40, 40, 3), np.uint8)
        digests = []
        for name in ("old", "new"):
            folder = store.temporary()
            folder.mkdir()
            draft = neutral.write(Image(pixels, name=name), folder)
            digests.append((await store.adopt_asset(draft, folder, {})).digest)
        os.utime(tmp_path / "assets" / digests[0], (1.0, 1.0))
        await store.collect(keep=(), down_to_bytes=store.used_bytes - 1)
        assert store.assets() == [digests[1]]
        await store.verify(digests[1])

    act(story())


def test_what_arrives_during_a_collection_stays(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path)
        for seed in range(150):
            await add(store, seed, size=4)
        collecting = asyncio.create_task(store.collect(keep=(), down_to_bytes=0))
        await asyncio.sleep(0)
        new: list[str] = []
        while not collecting.done():
            new.append(await add(store, 1000 + len(new), size=4))
            await asyncio.sleep(0)
        assert new and store.assets() == sorted(new)
        for digest in new:
            await store.verify(digest)

    act(story())


def test_what_is_used_during_a_collection_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the folders and the choice of what goes others have their turn."""

    async def story() -> None:
        store = Store(tmp_path)
        used, unused = await add(store, 1), await add(store, 2)
        looked = store._inventory

        def look() -> Any:
            known = looked()
            loop.call_soon_threadsafe(store.touch, used)
            return known

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(store, "_inventory", look)
        await store.collect(keep=(), down_to_bytes=0)
        assert store.assets() == [used] and not store.is_whole(unused)
        await store.verify(used)

    act(story())


def test_a_file_that_is_listed_during_a_collection_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image as Picture

    async def story() -> None:
        store = Store(tmp_path)
        picture = written(store, b"")
        Picture.new("RGB", (5, 4)).save(picture, "PNG")
        digest = await store.adopt(picture)
        manifest = _manifest_of_file(store.path(digest), digest, "image/png", "dot.png")
        store.pin("stays")
        found, rows, loop = store._blobs, list[AssetRow](), asyncio.get_running_loop()

        def blobs() -> Any:
            loop.call_soon(lambda: rows.append(store._list(manifest, {})))
            return [SimpleNamespace(name="stays")] * 256 + list(found())  # so many that others have their turn first

        monkeypatch.setattr(store, "_blobs", blobs)
        await store.collect(keep=(), down_to_bytes=0)
        [row] = rows
        await store.verify(row.digest)

    act(story())


def test_an_upload_becomes_an_asset_by_its_content(tmp_path: Path) -> None:
    from PIL import Image as Picture

    async def story() -> None:
        store = Store(tmp_path)
        picture = written(store, b"")
        Picture.new("RGB", (5, 4)).save(picture, "PNG")
        data = picture.read_bytes()
        row = await store.adopt_upload(picture, sha(data), "image/png", "dot.png")
        assert row.kind == "image" and store.has(sha(data)) and not picture.exists()
        assert row.name == "dot", "the extension of a known format is no part of the name"
        assert (await store.list_file(sha(data), "image/png", "dot.png")).digest == row.digest
        assert (await store.list_file(sha(data), "image/png", "other")).digest != row.digest
        wrong = written(store, b"#!/bin/sh\n")
        with pytest.raises(BadInput):
            await store.adopt_upload(wrong, sha(b"#!/bin/sh\n"), "image/png", "trick.png")
        assert not wrong.exists() and not store.has(sha(b"#!/bin/sh\n"))
        with pytest.raises(StoreDamaged):
            await store.adopt_upload(written(store, data), sha(b"else"), "image/png", "x")
        with pytest.raises(UnknownAsset):
            await store.list_file("0" * 64, "image/png", "x")

    act(story())


def test_taking_over_empties_what_was_half_done_and_shuts_others_out(tmp_path: Path) -> None:
    store, other = Store(tmp_path), Store(tmp_path)
    (tmp_path / "tmp" / "left").write_bytes(b"x")
    (tmp_path / "spool" / "run1" / "result0").mkdir(parents=True)
    (tmp_path / "spool" / "run1" / "result0" / "half.npy").write_bytes(b"x")
    store.claim()
    assert not list((tmp_path / "tmp").iterdir()) and not list((tmp_path / "spool").iterdir())
    with pytest.raises(StoreInUse):
        other.claim()
    store.release()
    other.claim()
    other.release()


def test_two_that_make_the_same_store_at_once_have_one_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token_hex, others = secrets.token_hex, list[Store]()

    def late(size: int) -> str:
        monkeypatch.undo()
        others.append(Store(tmp_path))
        return token_hex(size)

    monkeypatch.setattr(secrets, "token_hex", late)
    store = Store(tmp_path)
    assert [store.proof] == [other.proof for other in others] == [(tmp_path / "proof").read_text()]
    assert not list(tmp_path.glob("proof-*"))


def test_the_proof_is_private_and_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert (tmp_path / "proof").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "proof").read_text() == store.proof == Store(tmp_path).proof and len(store.proof) == 64
