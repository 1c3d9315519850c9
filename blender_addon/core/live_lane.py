# SPDX-License-Identifier: GPL-3.0-or-later
"""One live preview: when the next view is to be sent, which view a picture shows, how quick it all is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .client_core import LivePicture, LiveSession
from .panel_model import ConnectionRow, sentence

PER_SEC = 20.0
"""Views sent in a second at most."""
PAUSE = 2.0
"""After a view has held Blender, so many times as long goes by before the next one: the hand comes first."""
REMEMBERED = 16
_WINDOW_SECS = 2.0
_STAGES = {
    "opening": "Opening …",
    "loading": "Loading …",
    "restarted": "Starting again …",
    "stalled": "The picture takes long …",
    "closing": "Stopping …",
}


@dataclass(frozen=True)
class Speed:
    """What the artist gets."""

    per_sec: float
    """Pictures in a second, over the last two."""
    latency_ms: float
    """From the reading of a view to its picture; the median of the same pictures."""


class LiveLane:
    """A live session and the views it was sent."""

    def __init__(self, session: LiveSession, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self.session = session
        self.picture: LivePicture | None = None
        """The newest picture."""
        self.view: Any = None
        """The view it was made from."""
        self.held_ms = 0.0
        """How long the last view held Blender."""
        self._clock = clock
        self._views: dict[int, Any] = {}
        self._taken: deque[tuple[float, float]] = deque()
        self._not_before = 0.0

    @property
    def over(self) -> bool:
        """True when nothing of it runs any more."""
        return self.session.over

    @property
    def lost(self) -> bool:
        """True while the bridge is away: what is shown is out of date."""
        return self.session.state in ("lost", "opening")

    def due(self) -> bool:
        """Whether a view that is read now would be sent at once, and Blender has had its rest since the last."""
        return self._clock() >= self._not_before and self.session.wants_frame

    def sent(self, number: int, view: Any, held_secs: float) -> None:
        """That frame shows this view; reading it held Blender for so long."""
        self._views[number] = view
        for old in sorted(self._views)[:-REMEMBERED]:
            del self._views[old]
        self.held_ms = held_secs * 1000
        self._not_before = self._clock() - held_secs + max(1 / PER_SEC, (1 + PAUSE) * held_secs)

    def take(self) -> bool:
        """Take the newest picture; True when there is another one to be shown."""
        picture = self.session.take_image()
        if picture is None:
            return False
        known = [number for number in self._views if number <= picture.frame]
        if not known:
            return False
        self.picture, self.view = picture, self._views[max(known)]
        self._taken.append((self._clock(), picture.age_ms))
        return True

    def speed(self) -> Speed:
        """How quick it is just now."""
        while self._taken and self._taken[0][0] < self._clock() - _WINDOW_SECS:
            self._taken.popleft()
        ages = sorted(age for _, age in self._taken)
        return Speed(len(ages) / _WINDOW_SECS, ages[len(ages) // 2] if ages else 0.0)

    def row(self) -> ConnectionRow:
        """How it stands, for the panel."""
        state, fault = self.session.state, self.session.fault
        if state == "lost":
            return ConnectionRow("busy", "Waiting for the bridge", sentence(self.session.text))
        if state in _STAGES:
            return ConnectionRow("busy", _STAGES[state], sentence(self.session.text))
        if fault is not None:
            return ConnectionRow("bad", "No picture", sentence(fault.message), sentence(fault.remedy))
        speed = self.speed()
        if not speed.per_sec:
            return ConnectionRow("good", "Live", sentence(self.session.text))
        often = f"{speed.per_sec:.0f} a second · " if speed.per_sec >= 1 else ""
        return ConnectionRow("good", f"Live · {often}{speed.latency_ms:.0f} ms", sentence(self.session.text))
