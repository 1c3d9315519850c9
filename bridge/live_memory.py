"""Memory that the bridge shares with one live worker: places for three frames and two answers.

On Linux it has no name (memfd) and cannot be cut short by the worker; elsewhere it is a file in the spool folder. It is
as large as the largest frame allows, but takes real memory only where something was written.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
from pathlib import Path

FRAME_PLACES = 3
"""One that the worker reads, one that is complete and waits, one that is being filled."""
ANSWER_PLACES = 2
_PAGE_BYTES = 4096
_F_ADD_SEALS, _SEAL_SEAL, _SEAL_SHRINK, _SEAL_GROW = 1033, 1, 2, 4
"""From Linux' fcntl.h; Python names them only in some builds."""


class LiveMemory:
    """The memory of one live session. Raises `OSError` where none can be had."""

    def __init__(self, folder: Path, *, frame_bytes: int, answer_bytes: int) -> None:
        self.frame_bytes, self.answer_bytes = _whole_pages(frame_bytes), _whole_pages(answer_bytes)
        self.frames = [place * self.frame_bytes for place in range(FRAME_PLACES)]
        """Where the places for frames begin."""
        behind = FRAME_PLACES * self.frame_bytes
        self.answers = [behind + place * self.answer_bytes for place in range(ANSWER_PLACES)]
        self.size_bytes = behind + ANSWER_PLACES * self.answer_bytes
        self._file: Path | None = None
        if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
            self._descriptor = os.memfd_create("scenecast-live", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            self.path = f"/proc/{os.getpid()}/fd/{self._descriptor}"
        else:
            self._file = folder / f"live-{secrets.token_hex(8)}"
            self.path = str(self._file.absolute())
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            self._descriptor = os.open(self.path, flags, 0o600)
        try:
            os.ftruncate(self._descriptor, self.size_bytes)
            self._seal()
            self._map = mmap.mmap(self._descriptor, self.size_bytes)
        except BaseException:
            os.close(self._descriptor)
            self._remove()
            raise
        self._view = memoryview(self._map)

    def write(self, at: int, data: bytes | memoryview) -> None:
        """Put bytes at a place in the memory."""
        self._view[at : at + len(data)] = data

    def read(self, at: int, size: int) -> bytes:
        """A copy of bytes in the memory."""
        return bytes(self._view[at : at + size])

    def close(self) -> None:
        """Give the memory back."""
        self._view.release()
        self._map.close()
        os.close(self._descriptor)
        self._remove()

    def _seal(self) -> None:
        """A worker that made it shorter would take the bridge down with a bus error."""
        if self._file is None:
            import fcntl

            fcntl.fcntl(self._descriptor, _F_ADD_SEALS, _SEAL_SEAL | _SEAL_SHRINK | _SEAL_GROW)

    def _remove(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # the spool is emptied at the next start
                self._file.unlink()


def _whole_pages(size: int) -> int:
    return -(-size // _PAGE_BYTES) * _PAGE_BYTES
