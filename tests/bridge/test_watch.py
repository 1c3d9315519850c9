from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from bridge import watch as watch_module
from bridge.settings import WatchedFolder
from bridge.store import Store
from bridge.watch import Watch
from engines import neutral
from tests.bridge.sounds import sound
from tests.workplace import PATIENCE_SECS


class Watched:
    def __init__(self, tmp_path: Path, **limits: int) -> None:
        self.folder = tmp_path / "in"
        self.folder.mkdir(exist_ok=True)
        self.store = Store(tmp_path / "store")
        self.told = 0
        folders = [WatchedFolder(path=str(self.folder), title="Photos")]
        limits = {"most_files": 100, "most_bytes": 1 << 20, **limits}
        self.watch = Watch(folders, self.store, on_change=self.tell, **limits)

    def tell(self) -> None:
        self.told += 1

    @property
    def names(self) -> list[str]:
        return sorted(row.name for row in self.watch.rows())

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECS):
            while not condition():
                await asyncio.sleep(0.01)


def run(one: Watched, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        await one.watch.start()
        try:
            await story()
        finally:
            await one.watch.stop()

    asyncio.run(whole())


def test_files_are_there_at_the_start_and_come_and_go(tmp_path: Path) -> None:
    one = Watched(tmp_path)
    first = sound(one.folder / "first.wav")
    os.utime(one.folder / "first.wav", (1, 1))

    async def story() -> None:
        await one.until(lambda: one.names == ["first.wav"])
        (row,) = one.watch.rows()
        assert (row.folder, row.kind, row.size_bytes) == ("Photos", "sound", len(first))
        manifest = one.store.manifest(row.digest)
        assert one.store.path(manifest.parts[0].digest).read_bytes() == first
        assert neutral.read(manifest, one.store.path).kind.value == "sound"

        sound(tmp_path / "made elsewhere.wav", 2)
        (one.folder / "deep").mkdir()
        os.replace(tmp_path / "made elsewhere.wav", one.folder / "deep" / "second.wav")
        await one.until(lambda: one.names == ["deep/second.wav", "first.wav"])

        (one.folder / "first.wav").unlink()
        await one.until(lambda: one.names == ["deep/second.wav"])
        os.replace(one.folder / "deep", one.folder / "moved")
        await one.until(lambda: one.names == ["moved/second.wav"])
        assert (one.folder / "moved" / "second.wav").exists()

    run(one, story)
    assert one.told >= 3


@pytest.mark.parametrize("turns", range(5))
def test_watching_ends_even_when_something_happens_at_that_moment(tmp_path: Path, turns: int) -> None:
    one = Watched(tmp_path)

    async def whole() -> None:
        await one.watch.start()
        await asyncio.sleep(0.2)
        one.watch._happened(one.folder / "a.wav", True)
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_SECS):
            await one.watch.stop()

    asyncio.run(whole())


def test_a_changed_file_becomes_another_asset(tmp_path: Path) -> None:
    one = Watched(tmp_path)

    async def story() -> None:
        sound(one.folder / "a.wav", 1)
        await one.until(lambda: bool(one.watch.rows()))
        before = one.watch.rows()[0].digest
        changed = sound(one.folder / "a.wav", 2)
        await one.until(lambda: one.watch.rows()[0].digest != before)
        part = one.store.manifest(one.watch.rows()[0].digest).parts[0]
        assert part.digest == hashlib.sha256(changed).hexdigest()

    run(one, story)


def test_a_burst_is_told_in_one_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "_schedule", lambda *_: None)  # what happens is told below, all in one turn of the loop
    one = Watched(tmp_path)
    sound(one.folder / "first.wav", 99)
    os.utime(one.folder / "first.wav", (1, 1))

    async def story() -> None:
        await one.until(lambda: one.told == 1)
        for number in range(40):
            sound(one.folder / f"{number}.wav", number)
            one.watch._happened(one.folder / f"{number}.wav", True)
        await one.until(lambda: one.told > 1)
        assert len(one.names) == 41 and one.told == 2

    run(one, story)


def test_what_cannot_be_an_input_is_left_out_and_harms_nothing(tmp_path: Path) -> None:
    one = Watched(tmp_path, most_bytes=2000)
    sound(tmp_path / "outside.wav", 3)

    async def story() -> None:
        (one.folder / "notes.txt").write_text("not an input")
        (one.folder / ".hidden.wav").write_bytes(sound(tmp_path / "x.wav"))
        (one.folder / "link.wav").symlink_to(tmp_path / "outside.wav")
        sound(one.folder / "long.wav", frames=5000)
        (one.folder / os.fsdecode(b"\xff.wav")).write_bytes(sound(tmp_path / "x.wav"))
        sound(one.folder / "good.wav", 4)
        await one.until(lambda: one.names == ["good.wav"])
        await asyncio.sleep(0.5)
        assert one.names == ["good.wav"]

    run(one, story)
    assert not list((tmp_path / "store" / "tmp").iterdir())


def test_the_newest_are_offered_when_there_are_too_many(tmp_path: Path) -> None:
    one = Watched(tmp_path, most_files=2)
    for number in range(4):
        sound(one.folder / f"{number}.wav", number)
        os.utime(one.folder / f"{number}.wav", (100 + number, 100 + number))

    async def story() -> None:
        await one.until(lambda: one.told > 0 and len(one.watch._seen) == 4)
        assert [row.name for row in one.watch.rows()] == ["3.wav", "2.wav"]

    run(one, story)


def test_what_is_offered_is_not_collected(tmp_path: Path) -> None:
    one = Watched(tmp_path)
    sound(one.folder / "a.wav")
    os.utime(one.folder / "a.wav", (1, 1))

    async def story() -> None:
        await one.until(lambda: bool(one.watch.rows()))
        digest = one.watch.rows()[0].digest
        await one.store.collect(keep=(), down_to_bytes=0)
        assert one.store.is_whole(digest)
        (one.folder / "a.wav").unlink()
        await one.until(lambda: not one.watch.rows())
        await one.store.collect(keep=(), down_to_bytes=0)
        assert not one.store.is_whole(digest)

    run(one, story)


def test_a_folder_that_is_missing_stops_nothing(tmp_path: Path) -> None:
    one = Watched(tmp_path)
    folders = [WatchedFolder(path=str(tmp_path / "gone")), WatchedFolder(path=str(one.folder))]
    one.watch = Watch(folders, one.store, most_files=9, most_bytes=1 << 20, on_change=one.tell)
    sound(one.folder / "a.wav")

    async def story() -> None:
        await one.until(lambda: one.names == ["a.wav"])

    run(one, story)


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="this system cannot refuse to follow links")
def test_a_link_that_takes_a_files_place_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write into the folder could otherwise have any file of the artist's copied and offered."""
    one = Watched(tmp_path)
    secret = hashlib.sha256(sound(tmp_path / "secret.wav")).hexdigest()
    sound(one.folder / "honest.wav", 2)
    copied: list[str] = []

    def swapped(source: Path, target: Path) -> str:
        source.unlink()
        source.symlink_to(tmp_path / "secret.wav")
        try:
            copied.append(copy(source, target))
        except OSError:
            copied.append("refused")
            raise
        return copied[-1]

    copy = watch_module._copy
    monkeypatch.setattr(watch_module, "_copy", swapped)

    async def story() -> None:
        await one.until(lambda: bool(copied))

    run(one, story)
    assert copied == ["refused"] and not one.store.has(secret) and one.names == []
