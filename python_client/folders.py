"""A folder of photographs as one zip: the same files give the same bytes, so the bridge sees what it has already."""

from __future__ import annotations

import os
import shutil
import zipfile

from .errors import ScenecastError

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".avif", ".heic", ".heif", ".jfif", ".mpo")
FILMS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
"""Frames are taken from them where poses are found."""
RAW = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw")
"""Large and not read: they stay behind, and a folder that has nothing else is refused here."""
POSES = (
    "cameras.bin",
    "cameras.txt",
    "images.bin",
    "images.txt",
    "points3d.bin",
    "points3d.txt",
    "sparse_pc.ply",
    "metadata",
)
"""The files of a COLMAP model, nerfstudio's points and Record3D's list, in lower case."""
LISTINGS = (".json", ".csv", ".xml")
"""Taken besides, whatever they are called: there are dialects."""
MATRICES = ("pose", "poses", "intrinsic", "intrinsics")
"""Folders whose text files are taken, as ScanNet has them."""
FILES_MAX = 20_000
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date a zip can hold; the files' own would change the digest with every copy."""


def pack(folder: str, path: str) -> None:
    """Write photographs, films and poses below `folder` into a new zip at `path`, stored as they are, sorted by name.

    Hidden files, links that lead out and everything else stay behind. Raises `ScenecastError` when there is neither
    photograph nor film, more than 20 000 files, or something cannot be read or written.
    """
    names = found(folder)
    if not any(name.lower().endswith((*PICTURES, *FILMS)) for name in names):
        if any(file.lower().endswith(RAW) for _, _, files in os.walk(folder) for file in files):
            raise ScenecastError(
                f"{folder} holds camera raw files alone, which are not read",
                remedy="Develop all of them alike to JPEG or 16-bit TIFF.",
            )
        raise ScenecastError(
            f"{folder} holds no photographs",
            remedy=f"Name the folder that has them ({', '.join(PICTURES)}), in it or in folders below.",
        )
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name in names:
                _store(archive, os.path.join(folder, *name.split("/")), name)
    except OSError as error:
        raise ScenecastError(f"{folder} cannot be packed: {error}") from error


def found(folder: str) -> list[str]:
    """The names of the files that belong to a capture, relative, with forward slashes, sorted."""
    root, names = os.path.realpath(folder), []
    for here, folders, files in os.walk(root, onerror=_unreadable):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for file in files:
            whole = os.path.join(here, file)
            inside = os.path.realpath(whole).startswith(os.path.join(root, ""))
            if _belongs(file, os.path.basename(here)) and inside and os.path.isfile(whole):
                names.append(os.path.relpath(whole, root).replace(os.sep, "/"))
                if len(names) > FILES_MAX:
                    raise ScenecastError(
                        f"{folder} holds more than {FILES_MAX} files", remedy="Name the folder of one capture."
                    )
    return sorted(names)


def _belongs(file: str, folder: str) -> bool:
    low = file.lower()
    matrix = low.endswith(".txt") and folder.lower() in MATRICES
    return not low.startswith(".") and (low.endswith((*PICTURES, *FILMS, *LISTINGS)) or low in POSES or matrix)


def _unreadable(error: OSError) -> None:
    raise ScenecastError(f"{error.filename} cannot be read: {error.strerror}") from error


def store_bytes(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a file as it is, with nothing in its entry that changes from one time or system to the next."""
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    archive.writestr(info, content)


def _store(archive: zipfile.ZipFile, path: str, name: str) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = 3  # the attributes below are Unix's; otherwise the bytes would depend on the platform
    info.external_attr = 0o100644 << 16
    info.file_size = os.stat(path).st_size
    with open(path, "rb") as file, archive.open(info, "w") as entry:
        shutil.copyfileobj(file, entry, 1 << 20)
