"""How a live view keeps up with a moving camera: it picks the best way of drawing that is quick enough, and sharpens
when the camera rests."""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from generators.live.frames import Camera, LiveContext, Picture

MOVING_MS = 30.0
"""What a picture may take while the camera moves: twenty a second, with room for the way to the artist."""
EASILY = 0.8
"""A better way of drawing is taken up again when it takes no more than this share of that."""
REST_SECS = 0.08
"""So long after the last frame the camera rests."""
LONG_MS = 250.0
"""A best picture that takes longer is preceded by one that takes no more than a quarter of that."""
BETWEEN = 0.25
REMEMBERED_SECS = 2.0
"""A way that was too slow is not tried again for so long: pictures that change between two ways flicker."""
_LOOK_SECS = 0.002
_SAMPLES = 5


def never() -> bool:
    """For pictures that are wanted whatever comes."""
    return False


def shortest_ms(draw: Callable[[], object]) -> float:
    """The shorter of two times that a picture takes."""
    taken = []
    for _ in range(2):
        began = time.perf_counter()
        draw()
        taken.append(1000 * (time.perf_counter() - began))
    return min(taken)


class Pace:
    """Which of several ways of drawing, from the best to the quickest, is taken while the camera moves.

    `typical_ms` is what each took once. How much slower or quicker they are just now, on this view and beside whatever
    else runs, is the middle one of the last few measurements, so that one hiccup of the machine changes nothing.
    """

    def __init__(
        self, typical_ms: Sequence[float], budget_ms: float = MOVING_MS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.budget_ms = budget_ms
        self._typical_ms = [max(ms, 1e-3) for ms in typical_ms]
        self._now: deque[float] = deque([1.0], maxlen=_SAMPLES)
        self._last: list[tuple[float, float]] = [(0.0, -math.inf) for _ in typical_ms]
        self._measured = list(self._last)
        """The lesser of a way's last two measurements, and when it was."""
        self._clock = clock
        self._way = 0

    def took(self, way: int, ms: float) -> None:
        """Remember what a picture took."""
        self._now.append(ms / self._typical_ms[way])
        last, when = self._last[way]
        again = self._clock() - when < REMEMBERED_SECS
        self._measured[way] = (min(ms, last) if again else ms, self._clock())
        self._last[way] = (ms, self._clock())

    def between(self) -> int:
        """The best way that is much quicker than a best picture that takes long, or 0."""
        costs = self.costs_ms()
        return _first(costs, BETWEEN * costs[0]) if costs[0] > LONG_MS else 0

    def costs_ms(self) -> list[float]:
        """What a picture of each way is going to take: by the rule, or as just measured if that was more."""
        now, clock = statistics.median(self._now), self._clock()
        return [
            max(typical * now, ms if clock - when < REMEMBERED_SECS else 0.0)
            for typical, (ms, when) in zip(self._typical_ms, self._measured, strict=True)
        ]

    def choose(self) -> int:
        """The best way that fits the budget, or the last; a better one than before only where it fits easily."""
        costs = self.costs_ms()
        fits = _first(costs, self.budget_ms)
        if fits < self._way:
            fits = min(self._way, _first(costs, EASILY * self.budget_ms))
        self._way = fits
        return fits


def _first(costs_ms: Sequence[float], limit_ms: float) -> int:
    return next((way for way, cost in enumerate(costs_ms) if cost <= limit_ms), len(costs_ms) - 1)


class Draw(Protocol):
    """Draws one view in one of the ways, of which 0 is the best."""

    def __call__(
        self, camera: Camera, params: Any, way: int, given_up: Callable[[], bool] = never
    ) -> NDArray[np.uint8] | None:
        """uint8 sRGB [H, W, 3 | 4], or None once `given_up()` said so."""


class CoarseToFine:
    """Answers frames: while the camera or a parameter moves as well as time allows, and in the best way at rest.

    `typical_ms` is what each way of `draw` takes, from the best to the quickest.
    """

    def __init__(
        self, context: LiveContext, draw: Draw, typical_ms: Sequence[float], budget_ms: float = MOVING_MS
    ) -> None:
        self.pace = Pace(typical_ms, budget_ms)
        self._context, self._draw = context, draw
        self._last: tuple[Camera, Any] | None = None

    def __call__(self, camera: Camera, params: Any) -> Iterator[Picture]:
        """A picture, and a better one when that was rough and no newer frame comes."""
        moves = self._last is None or self._last[1] != params or not camera.same_view(self._last[0])
        self._last = (camera, params)
        if moves:
            way = self.pace.choose()
            yield from self._picture(camera, params, way, never)
            if way == 0 or not rests(self._context):
                return
            if 0 < (between := self.pace.between()) < way:
                yield from self._picture(camera, params, between, self._context.newer)
                if self._context.newer():
                    return
        # a host may say the same again and again: what did not move is not given up, or it would never be sharp
        yield from self._picture(camera, params, 0, self._context.newer if moves else never)

    def _picture(self, camera: Camera, params: Any, way: int, given_up: Callable[[], bool]) -> Iterator[Picture]:
        began = time.perf_counter()
        pixels = self._draw(camera, params, way, given_up)
        if pixels is not None:
            self.pace.took(way, 1000 * (time.perf_counter() - began))
            yield Picture(pixels, rough=way > 0)


def rests(context: LiveContext) -> bool:
    """Wait until the camera rests; False as soon as a newer frame comes."""
    until = time.monotonic() + REST_SECS
    while not context.newer():
        if time.monotonic() >= until:
            return True
        time.sleep(_LOOK_SECS)
    return False
