# SPDX-License-Identifier: GPL-3.0-or-later
"""Results between the bridge and the scene: asked for, put on disk, queued for their place."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .client_core import Delivery, Reply, ScenecastError
from .delivered import Delivered
from .landing import Landing
from .runs import Run
from .targets import Target

Name = tuple[str, str]
"""A run's key and an asset's digest."""


@dataclass(frozen=True)
class Placement:
    """A result that is here and belongs into the scene."""

    key: str
    delivered: Delivered
    target: Target


class Arrivals:
    """All results of all runs that are here or on their way."""

    def __init__(self, folder: Path) -> None:
        self.delivered: dict[Name, Delivered] = {}
        self._folder = folder
        self._fetches: dict[Name, tuple[Run, Reply[Delivery]]] = {}
        self._landings: deque[Landing] = deque()
        self._wanted: dict[Name, Target] = {}
        self._ready: deque[tuple[Name, Run]] = deque()

    @property
    def busy(self) -> bool:
        """Whether files wait to be written."""
        return bool(self._landings)

    def expect(self, run: Run, digest: str, reply: Reply[Delivery]) -> None:
        """The files of this asset are on their way."""
        self._fetches[run.key, digest] = (run, reply)

    def expects(self, name: Name) -> bool:
        """Whether an asset is on its way or here."""
        landing = any((one.run.key, one.digest) == name for one in self._landings)
        return name in self.delivered or name in self._fetches or landing

    def want(self, run: Run, digest: str, target: Target) -> bool:
        """Have it placed there as soon as it is here; False when it has to be fetched."""
        name = (run.key, digest)
        self._wanted[name] = target
        here = self.delivered.get(name)
        if here is None or not all(os.path.exists(file.path) for file in here.files):
            return False
        self._queue(name, run)
        return True

    def step(self, end: float, failed: Callable[[Run, str, ScenecastError], None]) -> bool:
        """Go on until `time.perf_counter()` is `end`; whether anything has arrived or failed."""
        moved = False
        for name, (run, reply) in list(self._fetches.items()):
            if reply.done:
                del self._fetches[name]
                moved = True
                if reply.error is None:
                    self._landings.append(Landing(run, name[1], reply.value, self._folder))
                else:
                    self._wanted.pop(name, None)
                    failed(run, name[1], reply.error)
        while self._landings and time.perf_counter() < end:
            moved |= self._land(self._landings[0], failed)
        return moved

    def next(self, file: str, *, only_wanted: bool) -> Placement | None:
        """Take the first result that belongs into the open file, or that `want` was called for."""
        for entry in self._ready:
            name, run = entry
            wanted = self._wanted.get(name)
            if wanted is not None or (run.order.file == file and not only_wanted):
                self._ready.remove(entry)
                self._wanted.pop(name, None)
                return Placement(run.key, self.delivered[name], wanted or run.order.target)
        return None

    def waits(self, key: str) -> bool:
        """Whether something of this run is here and not placed."""
        return any(name[0] == key for name, _ in self._ready)

    def stop(self, key: str) -> None:
        """Take nothing more for this run."""
        for name in [name for name in self._fetches if name[0] == key]:
            del self._fetches[name]
        for landing in [one for one in self._landings if one.run.key == key]:
            landing.stop()
            self._landings.remove(landing)

    def forget(self, key: str) -> None:
        """The run is gone: so is everything of it."""
        self.stop(key)
        self._ready = deque(entry for entry in self._ready if entry[0][0] != key)
        for kept in (self.delivered, self._wanted):
            for name in [name for name in kept if name[0] == key]:
                del kept[name]

    def close(self) -> None:
        """Let go of everything that is half written; the next Blender fetches it anew."""
        for landing in self._landings:
            landing.stop()
        self._landings.clear()

    def drop_fetches(self) -> None:
        """The client is another one: nothing is on its way any more."""
        self._fetches.clear()

    def _land(self, landing: Landing, failed: Callable[[Run, str, ScenecastError], None]) -> bool:
        name = (landing.run.key, landing.digest)
        try:
            if not landing.step():
                return False
        except OSError as error:
            self._landings.popleft()
            self._wanted.pop(name, None)
            problem = f"What arrived cannot be written to {self._folder}: {error.strerror}"
            failed(landing.run, landing.digest, ScenecastError(problem, remedy="Make room on that disk."))
            return True
        self._landings.popleft()
        self.delivered[name] = landing.delivered()
        if name in self._wanted or landing.digest not in landing.run.landed:
            self._queue(name, landing.run)
        return True

    def _queue(self, name: Name, run: Run) -> None:
        if all(waiting != name for waiting, _ in self._ready):
            self._ready.append((name, run))
