"""Empty files made ahead of need: making one may cost a millisecond on a busy disk, renaming one costs 20 µs."""

from __future__ import annotations

import os
import secrets
import threading
from collections import deque
from pathlib import Path

MOST = 64
_LOW = 16


class Blanks:
    """A stock of empty files in `folder`, filled by a thread of its own whenever it runs low."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stock: deque[str] = deque()
        self._filling: threading.Thread | None = None

    def take(self) -> str:
        """The path of an empty file that is now the caller's, to be written and renamed. Raises `OSError`."""
        if len(self._stock) <= _LOW and (self._filling is None or not self._filling.is_alive()):
            self._filling = threading.Thread(target=self._fill, name="blanks", daemon=True)
            self._filling.start()
        try:
            return self._stock.popleft()
        except IndexError:
            return self._made()

    def _made(self) -> str:
        path = f"{self._folder}/{secrets.token_hex(8)}"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return path

    def _fill(self) -> None:
        try:
            while len(self._stock) < MOST:
                self._stock.append(self._made())
        except OSError:  # a full disk: whoever needs the next one is told
            return
