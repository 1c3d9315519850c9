# SPDX-License-Identifier: GPL-3.0-or-later
"""One place for each Blender that runs at the same time, so that two never go on with the same session.

The first Blender takes slot 1, one started beside it slot 2, and so on. A slot is held by a lock on an open file: it
is free again the moment its Blender ends, however it ends, and the next one goes on where that one stopped.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

MOST = 64


class Slot:
    """The lowest free slot of a folder, held until `release`. Raises OSError when the folder cannot be written."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, MOST + 1):
            file = open(folder / f"session-{number}.lock", "a+b")  # noqa: SIM115 - open is held
            if _locked(file):
                self.number = number
                self.path = folder / f"session-{number}.json"
                """Where this session is kept."""
                self.received = folder / f"received-{number}"
                """Where files that came over the socket are kept."""
                self.inputs = folder / f"inputs-{number}"
                """Where what was taken from the scene waits until it is sent, a folder each."""
                self._file = file
                return
            file.close()
        raise OSError(f"{MOST} Blenders hold all places in {folder}")

    def release(self) -> None:
        """Let the next Blender have it."""
        self._file.close()


def _locked(file: IO[bytes]) -> bool:
    """Whether the lock could be had."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
