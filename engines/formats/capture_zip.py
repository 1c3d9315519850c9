"""A capture as the zip it came in: its directory is checked, nothing is unpacked, and it leaves as it was (APPNOTE)."""

from __future__ import annotations

import io
import re
import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from engines.assets import Capture
from engines.conventions import Host
from engines.errors import DamagedFile, TooLarge
from engines.formats.registry import ExportedFile, Format, Limits
from engines.kinds import Kind

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".avif", ".heic", ".heif", ".jfif", ".mpo")
"""Extensions, in lower case, of the files that count as photographs."""
FILMS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
"""And of those that may stand in for them."""

_ASIDE = re.compile(r"(masks?|depths?|depth_maps?|normals?|thumbs?|thumbnails?|images_\d+)", re.IGNORECASE)
_DIRECTORY_MAX_BYTES = 8 << 20
"""More than 20 000 entries with long names need; what claims more is not read into memory."""
_PHOTOGRAPH_MAX_BYTES = 512 << 20
_DAMAGE = (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, RuntimeError, OverflowError)
"""What `zipfile` raises on bytes that are no sound archive."""


def encode(asset: Capture, folder: Path, stem: str, *, host: Host, provenance: str = "") -> list[ExportedFile]:
    """Copy the zip to `stem.zip`, byte for byte: photographs have the same form in every host.

    Provenance is left out, so that the copy has the digest of what was uploaded.
    """
    path = folder / f"{stem}.zip"
    shutil.copyfile(asset.path, path)
    return [ExportedFile(path.name, "capture", "application/zip", None, path.stat().st_size)]


def decode(path: Path, limits: Limits) -> Capture:
    """The capture in a zip, its directory checked; no photograph is decompressed. Raises `DamagedFile`, `TooLarge`."""
    photograph_names(path, limits)
    return Capture(path, path.stem)


def photograph_names(path: Path, limits: Limits) -> tuple[str, ...]:
    """The names of the photographs in a zip, sorted, after all of its directory has been found in order.

    Raises `DamagedFile` when it is no archive, leads outside of itself, is encrypted, lists a file twice or holds
    neither photograph nor film, and `TooLarge` for too many entries or too much in them.
    """
    with opened(path) as archive:
        return tuple(info.filename for info in _photographs(archive, path, limits))


def first_photographs(path: Path, limits: Limits, count: int) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of up to `count` photographs, spread evenly over their sorted names. Raises as above."""
    with opened(path) as archive:
        infos = _photographs(archive, path, limits)
        infos = [info for info in infos if not lies_aside(info.filename)] or infos
        chosen = min(count, len(infos))
        for place in range(chosen):
            info = infos[place * len(infos) // chosen]
            try:
                yield info.filename, archive.read(info)
            except (*_DAMAGE, OSError) as error:
                raise DamagedFile(f"{info.filename} in {path.name} is damaged: {error}") from error


def names_in(path: Path) -> frozenset[str]:
    """The names of all files in a zip, none of them believed yet. Raises `DamagedFile`, `TooLarge`."""
    with opened(path) as archive:
        return frozenset(archive.namelist())


class _Bounded(io.FileIO):
    """A file that hands out no more at once than an archive's directory may take."""

    def read(self, size: int | None = -1, /) -> bytes:
        """See `io.FileIO.read`; `zipfile` asks for the whole directory in one piece."""
        wanted = _DIRECTORY_MAX_BYTES + 1 if size is None or size < 0 else min(size, _DIRECTORY_MAX_BYTES + 1)
        data = super().read(wanted) or b""
        if len(data) > _DIRECTORY_MAX_BYTES:
            raise TooLarge(f"the archive's directory is larger than {_DIRECTORY_MAX_BYTES >> 20} MiB")
        return data


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive whose directory is of bearable size. Raises `DamagedFile` for what is none, `TooLarge`."""
    with _Bounded(path) as file:
        try:
            archive = zipfile.ZipFile(file)
        except (*_DAMAGE, OSError) as error:
            raise DamagedFile(f"{path.name} is not a readable zip archive: {error}") from error
        with archive:
            yield archive


def _photographs(archive: zipfile.ZipFile, path: Path, limits: Limits) -> list[zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > limits.max_entries:
        raise TooLarge(f"{path.name} lists {len(infos)} files, the limit is {limits.max_entries}")
    total = sum(info.file_size for info in infos)
    if max(total, path.stat().st_size) > limits.max_file_bytes:
        raise TooLarge(f"{path.name} unpacks to {total} bytes, the limit is {limits.max_file_bytes}")
    for info in infos:
        _check(info, path.name)
    names = {info.filename: info for info in infos if not info.is_dir()}
    if len(names) != sum(not info.is_dir() for info in infos):
        raise DamagedFile(f"{path.name} lists a file twice; which one is meant cannot be known")
    found = [names[name] for name in sorted(names) if is_photograph(name)]
    if not found and not any(name.lower().endswith(FILMS) for name in names):
        raise DamagedFile(
            f"{path.name} is an archive without a single photograph or film in it",
            remedy=f"pack pictures ({', '.join(PICTURES)}), with transforms.json or a COLMAP model if there is one",
        )
    return found


def _check(info: zipfile.ZipInfo, archive: str) -> None:
    name = info.filename
    if not name:
        raise DamagedFile(f"{archive} holds a file without a name", remedy="pack the photographs once more")
    inner = PurePosixPath(name.replace("\\", "/"))
    if inner.is_absolute() or ".." in inner.parts or (inner.parts and ":" in inner.parts[0]):
        raise DamagedFile(f"{archive} holds {name!r}, which points outside of it", remedy="pack it from its own folder")
    if info.file_size > _PHOTOGRAPH_MAX_BYTES:
        raise TooLarge(f"{name} in {archive} unpacks to {info.file_size} bytes, the limit is {_PHOTOGRAPH_MAX_BYTES}")
    if info.flag_bits & 0x1:
        raise DamagedFile(f"{name} in {archive} is encrypted", remedy="pack the photographs without a password")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise DamagedFile(f"{name} in {archive} is a link, not a file", remedy="pack the files themselves")


def lies_aside(name: str) -> bool:
    """Whether a file lies in a folder for masks, depth, normals, thumbnails or shrunk copies, by the usual names."""
    return any(_ASIDE.fullmatch(part) for part in PurePosixPath(name).parts[:-1])


def is_photograph(name: str) -> bool:
    """Whether a file of that name inside a capture counts as a photograph; hidden ones do not."""
    inner = PurePosixPath(name)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in inner.parts)
    return inner.suffix.lower() in PICTURES and not hidden


FORMATS = (
    Format(
        name="zip",
        title="Zip of photographs",
        kinds=(Kind.CAPTURE,),
        extension=".zip",
        media_type="application/zip",
        encode="engines.formats.capture_zip:encode",
        decode="engines.formats.capture_zip:decode",
    ),
)
