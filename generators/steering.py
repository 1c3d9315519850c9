"""Who holds the wheel of one run: cancel, pause, resume and finish, said by the bridge and heeded between steps."""

from __future__ import annotations

import threading
from collections.abc import Callable

from generators.events import Cancelled
from generators.pipe import Steered, WorkerMessage


class Helm:
    """One run's orders on the way. The bridge's words come from another thread than the run's questions."""

    def __init__(self, run: int, tell: Callable[[WorkerMessage], None], *, finish: bool = False) -> None:
        self.run = run
        self.cancelled = False
        self.finishing = finish
        """The run is to stop at the first chance and give what it has."""
        self._paused = False
        self._tell = tell
        self._changed = threading.Condition()

    def cancel(self) -> None:
        """Have the next question answered with `Cancelled`, also while the run is paused."""
        with self._changed:
            self.cancelled = True
            self._changed.notify_all()

    def steer(self, action: str) -> None:
        """`pause`, `resume` or `finish`; the last also lets a paused run go on to its end."""
        with self._changed:
            self._paused = action == "pause"
            if action == "finish":
                self.finishing = True
            self._changed.notify_all()

    def check(self) -> None:
        """Go on; raises `Cancelled` when the run is to end, waits while it is paused. Called on the run's thread."""
        if self.cancelled:
            raise Cancelled
        if self._paused:
            self._stand_still()

    def _stand_still(self) -> None:
        self._tell(Steered(run=self.run, paused=True))
        with self._changed:
            while self._paused and not self.cancelled:
                self._changed.wait()
        if self.cancelled:
            raise Cancelled
        self._tell(Steered(run=self.run, paused=False))
