"""The files of a capture, from a folder or a zip, without ever leaving either and without unpacking anything."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Protocol, Self

from generators.events import GeneratorError

FILES_MAX = 20_000
FILE_BYTES_MAX = 512 * 2**20
TOTAL_BYTES_MAX = 16 * 2**30
RATIO_MAX = 200
"""Photographs hardly shrink in a zip; more than this, on a file of any size, is a bomb."""
RATIO_FREE_BYTES = 1 * 2**20
"""Small files (camera tables as text) may shrink as much as they like."""


class CaptureError(GeneratorError):
    """A capture that cannot be used; the message says why and what to do."""


def clean_name(name: str) -> str:
    """A path inside a capture in plain form, or `CaptureError` when it points outside of it."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]) or "\0" in name:
        raise CaptureError(f"{name!r} points outside the capture; use paths relative to it, without '..'")
    return str(path)


def listed_name(name: str) -> str:
    """A path as a listing has it, made relative: listings carry the folders of the machine that wrote them.

    It serves to look a file up among those of the capture, never to open one.
    """
    parts = PurePosixPath(name.replace("\\", "/").replace("\0", "")).parts
    plain = [part for part in parts if part not in ("/", "//", "..", ".")]
    if plain and plain[0].endswith(":"):
        plain = plain[1:]
    return str(PurePosixPath(*plain)) if plain else ""


class Source(Protocol):
    """Named files; names use forward slashes and are relative to the root."""

    names: frozenset[str]

    def read(self, name: str) -> bytes:
        """All bytes of one file; `CaptureError` when it is damaged, too large or outside."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class FolderSource:
    """A folder on disk; links that lead out of it do not exist for us."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        names = []
        for path in self._root.rglob("*"):
            if path.is_file() and path.resolve().is_relative_to(self._root):
                names.append(path.relative_to(self._root).as_posix())
                if len(names) > FILES_MAX:
                    raise CaptureError(f"{root} holds more than {FILES_MAX} files; point at the capture's own folder")
        self.names = frozenset(names)

    def read(self, name: str) -> bytes:
        """See `Source.read`."""
        if name not in self.names:
            raise CaptureError(f"{name} is not part of this capture")
        path = self._root / name
        try:
            if path.stat().st_size > FILE_BYTES_MAX:
                raise CaptureError(f"{name} is larger than {FILE_BYTES_MAX >> 20} MiB")
            return path.read_bytes()
        except OSError as error:
            raise CaptureError(f"{name} cannot be read: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class ZipSource:
    """A zip archive, judged by its directory before a byte is decompressed and never written to disk."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise CaptureError(f"{path.name} is not a readable zip archive: {error}") from error
        try:
            self._entries = _checked(self._zip)
        except CaptureError:
            self._zip.close()
            raise
        self.names = frozenset(self._entries)

    def read(self, name: str) -> bytes:
        """See `Source.read`; zipfile hands out no more than the size that was checked."""
        entry = self._entries.get(name)
        if entry is None:
            raise CaptureError(f"{name} is not part of this capture")
        try:
            return self._zip.read(entry)
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
            raise CaptureError(f"{name} is damaged in the archive: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()


class JoinedSource:
    """One capture, and beside it the files of another in a folder of their own."""

    def __init__(self, first: Source, other: Source, folder: str) -> None:
        self._other = {f"{folder}/{name}": name for name in other.names}
        taken = self._other.keys() & first.names
        if taken:
            raise CaptureError(f"the capture holds {sorted(taken)[0]} already; rename its folder {folder}")
        self._first, self._second = first, other
        self.names = first.names | self._other.keys()

    def read(self, name: str) -> bytes:
        """See `Source.read`."""
        return self._second.read(self._other[name]) if name in self._other else self._first.read(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def _checked(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    entries: dict[str, zipfile.ZipInfo] = {}
    total = 0
    infos = archive.infolist()
    if len(infos) > FILES_MAX:
        raise CaptureError(f"the archive lists {len(infos)} files; at most {FILES_MAX} are read")
    for info in infos:
        if not info.filename:
            raise CaptureError("the archive holds a file without a name; pack the photographs once more")
        name = clean_name(info.filename)
        if info.is_dir() or stat.S_ISLNK(info.external_attr >> 16):
            continue
        if info.flag_bits & 0x1:
            raise CaptureError(f"{name} is encrypted; pack the photographs without a password")
        if info.file_size > FILE_BYTES_MAX:
            raise CaptureError(
                f"{name} would unpack to {info.file_size >> 20} MiB; the limit is {FILE_BYTES_MAX >> 20}"
            )
        if info.file_size > max(RATIO_FREE_BYTES, RATIO_MAX * info.compress_size):
            raise CaptureError(
                f"{name} would unpack to {info.file_size} bytes from {info.compress_size}: not a photograph"
            )
        total += info.file_size
        if total > TOTAL_BYTES_MAX:
            raise CaptureError(f"the archive would unpack to more than {TOTAL_BYTES_MAX >> 30} GiB")
        if name in entries:
            raise CaptureError(f"{name} is in the archive twice; which one is meant cannot be known")
        entries[name] = info
    return entries


def open_source(path: Path) -> Source:
    """The files under a folder or in a zip; `CaptureError` when it is neither."""
    if path.is_dir():
        return FolderSource(path)
    if path.is_file():
        return ZipSource(path)
    raise CaptureError(f"{path} does not exist; expected a folder or a zip of photographs")
