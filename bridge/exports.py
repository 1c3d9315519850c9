"""Files converted for hosts, in `<root>/exports/<key>`: counted, and the least recently used given up for room.

They can be made again at any time, so they go before any result does. But a client that was told of them opens them
by path whenever it gets round to it: what was handed out stays for `LEASE_SECS`, and what is being sent until it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bridge.exporter import Written

log = logging.getLogger(__name__)

LEASE_SECS = 300.0
INDEX = "files.json"
_PARTIAL = ".partial"


@dataclass
class _Export:
    """One folder, as it counts."""

    size_bytes: int
    files: int
    leased_until_secs: float = 0.0


@dataclass(frozen=True)
class GivenUp:
    """What was removed, or would be."""

    files: int = 0
    size_bytes: int = 0


class Exports:
    """All exports of a store. A key begins with the digest of the asset; all methods are called on the event loop."""

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._root, self._trash, self._clock = root / "exports", root / "tmp", clock
        self._exports: OrderedDict[str, _Export] = OrderedDict()
        """The least recently used first."""
        self._pins: Counter[str] = Counter()
        self.used_bytes = 0
        self._root.mkdir(parents=True, exist_ok=True)
        self._count_all()

    def tidy(self) -> None:
        """Remove what an earlier bridge left half written."""
        for draft in self._root.glob(f"*{_PARTIAL}"):
            shutil.rmtree(draft, ignore_errors=True)

    def folder(self, key: str) -> Path:
        """Where the files of an export are kept. Raises `ValueError` for what is no plain name."""
        if not key or not all(letter.isascii() and (letter.isalnum() or letter in "._-") for letter in key):
            raise ValueError(f"export key {key!r}: expected letters, digits, '.', '_' and '-'")
        if key.startswith("."):
            raise ValueError(f"export key {key!r} begins with a dot")
        return self._root / key

    def draft(self, key: str) -> Path:
        """A fresh path for an export that is being written; nothing is created."""
        return self.folder(f"{key}.{secrets.token_hex(4)}{_PARTIAL}")

    def find(self, key: str) -> list[Written] | None:
        """The files of an export when all are there and whole; they are handed out, and stay for a while."""
        folder, export = self.folder(key), self._exports.get(key)
        if export is None:
            return None
        try:
            written = msgspec.json.decode((folder / INDEX).read_bytes(), type=list[Written])
            whole = all((folder / file.name).stat().st_size == file.size_bytes for file in written)
            os.utime(folder / INDEX)
        except (OSError, msgspec.MsgspecError):
            return None
        if not whole:
            return None
        self._exports.move_to_end(key)
        export.leased_until_secs = self._clock() + LEASE_SECS
        return written

    def take_in(self, key: str, draft: Path, size_bytes: int, files: int) -> None:
        """Make a finished draft the export of that key, in one step; it counts as handed out. Raises `OSError`."""
        self._remove(key)
        draft.replace(self.folder(key))
        self._exports[key] = _Export(size_bytes, files, self._clock() + LEASE_SECS)
        self.used_bytes += size_bytes

    def pin(self, key: str) -> None:
        """Keep an export while it is sent; counted, undone by `unpin`."""
        self._pins[key] += 1

    def unpin(self, key: str) -> None:
        """Undo one `pin`."""
        self._pins[key] -= 1
        if self._pins[key] <= 0:
            del self._pins[key]

    def make_room(self, wanted_bytes: int) -> bool:
        """Give up the oldest exports until so many bytes are free; none, and False, when that is not to be had."""
        victims = self.oldest(wanted_bytes)
        if sum(self._exports[key].size_bytes for key in victims) < wanted_bytes:
            return False
        self.give_up(victims)
        return True

    def oldest(self, wanted_bytes: int) -> list[str]:
        """Which exports may go so that so many bytes become free, or as many as can be."""
        victims, found = [], 0
        for key, export in self._exports.items():
            if found >= wanted_bytes:
                break
            if self._may_go(key):
                victims.append(key)
                found += export.size_bytes
        return victims

    def without(self, assets: Container[str]) -> list[str]:
        """Which exports may go because their asset is none of these."""
        return [key for key in self._exports if key[:64] not in assets and self._may_go(key)]

    def give_up(self, keys: Sequence[str], *, dry_run: bool = False) -> GivenUp:
        """Remove exports; in a dry run only say what that would free."""
        known = [key for key in keys if key in self._exports]
        removed = [self._exports[key] if dry_run else self._remove(key) for key in known]
        gone = [export for export in removed if export is not None]
        return GivenUp(sum(export.files for export in gone), sum(export.size_bytes for export in gone))

    def _may_go(self, key: str) -> bool:
        return key not in self._pins and self._exports[key].leased_until_secs <= self._clock()

    def _remove(self, key: str) -> _Export | None:
        """Take an export away at once; its files are removed beside the loop, which may take long."""
        trash = self._trash / secrets.token_hex(12)
        try:
            self.folder(key).rename(trash)
        except FileNotFoundError:
            pass
        except OSError as error:  # a system on which open files cannot be moved
            log.warning("an export cannot be removed: %s", error.strerror, extra={"export": key})
            return None
        else:
            _remove_soon(trash)
        export = self._exports.pop(key, None)
        self.used_bytes -= export.size_bytes if export else 0
        return export

    def _count_all(self) -> None:
        found: list[tuple[float, str, _Export]] = []
        for entry in os.scandir(self._root):
            if entry.name.endswith(_PARTIAL):
                continue
            with contextlib.suppress(OSError):  # it was removed a moment ago, or is no folder
                sizes = [file.stat().st_size for file in os.scandir(entry.path)]
                index = Path(entry.path, INDEX)
                used_secs = (index if index.exists() else Path(entry.path)).stat().st_mtime
                found.append((used_secs, entry.name, _Export(sum(sizes), len(sizes))))
        for _, key, export in sorted(found, key=lambda row: row[:2]):
            self._exports[key] = export
            self.used_bytes += export.size_bytes


def _remove_soon(folder: Path) -> None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        loop.run_in_executor(None, lambda: shutil.rmtree(folder, ignore_errors=True))
