# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of photographs becomes one zip, a megabyte at a time, so that Blender is never held by a large one."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import IO

from .client_core import ScenecastError, folders

STEP_BYTES = 1 << 20


class Packing:
    """The zip of a folder on its way to disk, byte for byte what `python_client.folders.pack` writes.

    Raises `ScenecastError` from here on and from `step`: no photograph, or a disk that refuses.
    """

    def __init__(self, folder: str, archive: Path) -> None:
        self.folder, self.archive = folder, archive
        self._names = folders.found(folder)
        if not any(name.lower().endswith(folders.PICTURES) for name in self._names):
            remedy = f"Choose one with {', '.join(folders.PICTURES)}."
            raise ScenecastError(f"{folder} holds no photographs", remedy=remedy)
        try:
            self.size_bytes = sum(os.path.getsize(self._path(name)) for name in self._names)
            archive.parent.mkdir(parents=True, exist_ok=True)
            self._zip = zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED)
        except OSError as error:
            raise self._refused(error) from error
        self.packed_bytes = 0
        self._next = 0
        self._source: IO[bytes] | None = None
        self._entry: IO[bytes] | None = None

    def step(self) -> bool:
        """Pack the next megabyte or the rest of one photograph; True when the zip is whole."""
        try:
            if self._source is None or self._entry is None:
                if self._next == len(self._names):
                    self._zip.close()
                    return True
                name = self._names[self._next]
                self._source = open(self._path(name), "rb")  # noqa: SIM115 - closed when its last byte is packed
                self._entry = self._zip.open(_row(name, os.path.getsize(self._path(name))), "w")
            data = self._source.read(STEP_BYTES)
            self._entry.write(data)
            self.packed_bytes += len(data)
            if len(data) < STEP_BYTES:
                self._entry.close()
                self._source.close()
                self._source, self._entry, self._next = None, None, self._next + 1
        except (OSError, ValueError, RuntimeError) as error:
            self.stop()
            raise self._refused(error) from error
        return False

    def stop(self) -> None:
        """Leave off; nothing of the zip stays."""
        for file in (self._entry, self._source):
            if file is not None:
                try:
                    file.close()
                except (OSError, ValueError):
                    continue  # a disk that is full refuses the closing too
        try:
            self._zip.close()
        except (OSError, ValueError):
            pass
        self.archive.unlink(missing_ok=True)

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, *name.split("/"))

    def _refused(self, error: Exception) -> ScenecastError:
        reason = getattr(error, "strerror", None) or str(error)
        return ScenecastError(
            f"{self.folder} cannot be packed: {reason}", remedy="Make room on the disk, or pick another folder."
        )


def _row(name: str, size_bytes: int) -> zipfile.ZipInfo:
    """What does not depend on this computer or this day: the same photographs have the same digest everywhere."""
    row = zipfile.ZipInfo(name)
    row.create_system, row.external_attr, row.file_size = 3, 0o100644 << 16, size_bytes
    return row
