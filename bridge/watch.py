"""Watched folders: their files become inputs as soon as they are whole, and stop being offered when they vanish.

A file is looked at when it was closed or moved into place, or else when its size and time have been still for
300 ms; what comes together within 200 ms is told once. Now and then everything is compared with the disk, so that
events the kernel dropped (its queue has an end, network folders send none) are made good. Files are copied into the
store, never used in place: what a job was given can no longer change.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from bridge.errors import ScenecastError, StoreFull
from bridge.messages import AssetRow, WatchedFile
from bridge.settings import WatchedFolder

log = logging.getLogger(__name__)

COALESCE_SECS = 0.2
STILL_SECS = 0.3
RESCAN_SECS = 30.0
_JOIN_SECS = 5.0
"""The observer's thread may hang in a folder on a network that is gone; it ends with the process then."""
_COPY_BLOCK_BYTES = 1 << 20
_WHOLE = frozenset({"closed", "moved", "deleted"})
_IGNORED = frozenset({"opened", "closed_no_write"})


class Keeper(Protocol):
    """What watching asks of the store."""

    def temporary(self) -> Path:
        """A fresh path on the store's disk."""

    async def adopt_upload(self, file: Path, digest: str, media_type: str, name: str) -> AssetRow:
        """Verify and keep a file. Raises `StoreDamaged`, `StoreFull`, `BadInput`."""

    def pin(self, digest: str) -> None:
        """Keep an asset while it is offered."""

    def unpin(self, digest: str) -> None:
        """Undo one `pin`."""


@dataclass(frozen=True)
class _Seen:
    """A file as it was when it was last looked at; `row` is None when it cannot be an input."""

    size_bytes: int
    modified_ns: int
    row: WatchedFile | None


class Watch:
    """The files of all watched folders."""

    def __init__(
        self,
        folders: Sequence[WatchedFolder],
        store: Keeper,
        *,
        most_files: int,
        most_bytes: int,
        on_change: Callable[[], None],
    ) -> None:
        self._folders = [(Path(folder.path).expanduser().resolve(), folder) for folder in folders]
        self._store = store
        self._most_files = most_files
        self._most_bytes = most_bytes
        self._on_change = on_change
        self._seen: dict[Path, _Seen] = {}
        self._dirty: dict[Path, bool] = {}
        """Paths to look at; True when the last event says that the file is whole."""
        self._wake = asyncio.Event()
        self._observer: BaseObserver | None = None
        self._task: asyncio.Task[None] | None = None

    def rows(self) -> list[WatchedFile]:
        """What may be used as inputs, the newest first."""
        found = [(seen.modified_ns, seen.row) for seen in self._seen.values() if seen.row is not None]
        found.sort(key=lambda pair: (-pair[0], pair[1].folder, pair[1].name))
        return [row for _, row in found[: self._most_files]]

    async def start(self) -> None:
        """Begin to watch; the first look at the folders goes on in the background."""
        if not self._folders:
            return
        self._observer = Observer()
        self._observer.start()
        await asyncio.to_thread(self._schedule, self._observer, _Handler(asyncio.get_running_loop(), self._happened))
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Watch no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._observer is not None:
            self._observer.stop()
            await asyncio.to_thread(self._observer.join, _JOIN_SECS)

    def _schedule(self, observer: BaseObserver, handler: FileSystemEventHandler) -> None:
        """Ask the kernel to tell of every folder; one that cannot be watched is compared now and then all the same."""
        for path, _ in self._folders:
            try:
                observer.schedule(handler, str(path), recursive=True)
            except OSError as error:
                log.warning("folder cannot be watched", extra={"path": str(path), "reason": str(error.strerror)})

    def _happened(self, path: Path, whole: bool) -> None:
        self._dirty[path] = whole
        self._wake.set()

    async def _follow(self) -> None:
        """Look at everything, then at what changes, and now and then at everything again."""
        while True:
            try:
                await self._compare()
                while True:
                    async with asyncio.timeout(RESCAN_SECS):
                        await self._wake.wait()
                    await asyncio.sleep(COALESCE_SECS)
                    self._wake.clear()
                    await self._look_at_dirty()
            except TimeoutError:
                continue
            except Exception:  # one folder's trouble must not end the watching
                log.exception("watched folders could not be read")
                await asyncio.sleep(RESCAN_SECS)

    async def _compare(self) -> None:
        """Mark as dirty what differs from the disk, then look at it."""
        on_disk = await asyncio.to_thread(self._listed)
        for path, (size, modified) in on_disk.items():
            seen = self._seen.get(path)
            if seen is None or (seen.size_bytes, seen.modified_ns) != (size, modified):
                self._dirty.setdefault(path, False)
        for path in self._seen.keys() - on_disk.keys():
            self._dirty[path] = True
        await self._look_at_dirty()

    def _listed(self) -> dict[Path, tuple[int, int]]:
        found: dict[Path, tuple[int, int]] = {}
        for root, _ in self._folders:
            for path in _files_below(root):
                with contextlib.suppress(OSError):
                    status = path.lstat()
                    found[path] = (status.st_size, status.st_mtime_ns)
        return found

    async def _look_at_dirty(self) -> None:
        dirty, self._dirty = self._dirty, {}
        changed = False
        for path, whole in dirty.items():
            changed |= await self._look(path, whole)
        if changed:
            self._on_change()

    async def _look(self, path: Path, whole: bool) -> bool:
        """Bring one path up to date; True when what is offered has changed."""
        folder = next((pair for pair in self._folders if pair[0] in path.parents), None)
        if folder is None:
            return False
        try:
            status = path.lstat()
        except OSError:
            below = [other for other in self._seen if other == path or path in other.parents]
            return sum(self._forget(other) for other in below) > 0
        if path.is_dir() and not path.is_symlink():
            for inner in await asyncio.to_thread(lambda: list(_files_below(path))):
                self._happened(inner, False)
            return False
        hidden = any(part.startswith(".") for part in path.relative_to(folder[0]).parts)
        if hidden or not path.is_file() or path.is_symlink():
            return False
        if not whole and time.time() - status.st_mtime < STILL_SECS:
            asyncio.get_running_loop().call_later(STILL_SECS, self._happened, path, False)
            return False
        seen = self._seen.get(path)
        if seen is not None and (seen.size_bytes, seen.modified_ns) == (status.st_size, status.st_mtime_ns):
            return False
        return await self._adopt(path, status, *folder)

    async def _adopt(self, path: Path, status: os.stat_result, root: Path, folder: WatchedFolder) -> bool:
        name = path.relative_to(root).as_posix()
        title = (folder.title or root.name)[:256]
        row: WatchedFile | None = None
        try:
            if status.st_size > self._most_bytes:
                raise StoreFull(f"it has {status.st_size} bytes, expected at most {self._most_bytes}")
            if len(name) > 256 or not name.isprintable():
                raise ScenecastError("its name is too long or not printable")
            asset = await self._copied(path, status)
            if asset is None:
                asyncio.get_running_loop().call_later(STILL_SECS, self._happened, path, False)
                return False
            row = WatchedFile(name=name, folder=title, digest=asset.digest, kind=asset.kind, size_bytes=status.st_size)
        except (ScenecastError, OSError) as error:
            reason = error.message if isinstance(error, ScenecastError) else str(error.strerror)
            log.info("watched file cannot be an input", extra={"path": str(path), "reason": reason})
        changed = self._forget(path)
        self._seen[path] = _Seen(status.st_size, status.st_mtime_ns, row)
        if row is not None:
            self._store.pin(row.digest)
        return changed or row is not None

    async def _copied(self, path: Path, status: os.stat_result) -> AssetRow | None:
        """A copy in the store; None when the file changed meanwhile."""
        copy = self._store.temporary()
        try:
            digest = await asyncio.to_thread(_copy, path, copy)
            now = path.lstat()
            if (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
                return None
            return await self._store.adopt_upload(copy, digest, "", path.name)
        finally:
            copy.unlink(missing_ok=True)

    def _forget(self, path: Path) -> bool:
        seen = self._seen.pop(path, None)
        if seen is None or seen.row is None:
            return False
        self._store.unpin(seen.row.digest)
        return True


class _Handler(FileSystemEventHandler):
    """Carries events from the observer's thread to the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, happened: Callable[[Path, bool], None]) -> None:
        self._loop = loop
        self._happened = happened

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in _IGNORED or (event.is_directory and event.event_type == "modified"):
            return
        for name in (event.src_path, event.dest_path):
            if name:
                path = Path(os.fsdecode(name) if isinstance(name, (str, bytes)) else bytes(name).decode())
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                    self._loop.call_soon_threadsafe(self._happened, path, event.event_type in _WHOLE)


def _files_below(folder: Path) -> Iterator[Path]:
    """Regular files below a folder, hidden ones and links left out."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(parent, name)
            if not name.startswith(".") and not path.is_symlink():
                yield path


def _copy(source: Path, target: Path) -> str:
    """Copy a file and return the sha256 of what was copied. Raises `OSError` where a link has taken its place."""
    digest = hashlib.sha256()
    with (
        open(source, "rb", opener=_not_through_a_link) as reader,
        open(target, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as writer,
    ):
        while block := reader.read(_COPY_BLOCK_BYTES):
            digest.update(block)
            writer.write(block)
    return digest.hexdigest()


def _not_through_a_link(path: str, flags: int) -> int:
    """What was a file a moment ago may be a link by now, to something that nobody offered."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))
