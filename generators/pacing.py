"""Progress at a steady pace: the first at once, then the newest ten times a second, none ever lost for good."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from generators.pipe import Progressed

INTERVAL_SECS = 0.1


class Pacer:
    """Sends the newest progress at most every `INTERVAL_SECS`; one held back goes out by itself when it is due.

    A generator may say a hundred thousand times a second how far it is; the pipe never sees more than ten. What was
    said last before a long silence still arrives, because a thread sends it.
    """

    def __init__(self, send: Callable[[Progressed], None]) -> None:
        self._send = send
        self._changed = threading.Condition()
        self._held: Progressed | None = None
        self._due_secs = 0.0
        self._thread: threading.Thread | None = None

    def tell(self, progress: Progressed) -> None:
        """Send `progress` now, or keep it until it is due in place of an older one."""
        with self._changed:
            now = time.monotonic()
            if self._held is None and now >= self._due_secs:
                self._due_secs = now + INTERVAL_SECS
                self._send(progress)
                return
            waiting = self._held is not None
            self._held = progress
            if self._thread is None:
                self._thread = threading.Thread(target=self._deliver, name="progress", daemon=True)
                self._thread.start()
            elif not waiting:
                self._changed.notify()

    def drop(self) -> None:
        """Forget what is held back: the run is over, and the next one may speak at once."""
        with self._changed:
            self._held = None
            self._due_secs = 0.0

    def _deliver(self) -> None:
        while True:
            with self._changed:
                while self._held is None:
                    self._changed.wait()
                delay = self._due_secs - time.monotonic()
                if delay > 0:
                    self._changed.wait(delay)
                    continue
                self._due_secs = time.monotonic() + INTERVAL_SECS
                held, self._held = self._held, None
                self._send(held)
