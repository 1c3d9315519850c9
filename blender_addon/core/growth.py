# SPDX-License-Identifier: GPL-3.0-or-later
"""Which growing clouds have news, and when they are worth putting into the scene."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .client_core import GrowingCloud, Growth, Job
from .delivered import Delivered
from .runs import Run

WISH = Growth(per_sec=1.0, splats_max=100_000, sh_degree=0, final=False)
"""How a cloud is watched: Blender draws one colour per splat, and more points hold it for too long."""
LEAST_SECS = 0.4
PAUSE = 12.0
"""After a version has held Blender, so many times as long goes by before the next one."""


@dataclass
class _Shown:
    changes: int = 0
    number: int = -1
    times: int = 0
    not_before: float = 0.0
    gone: bool = False


@dataclass(frozen=True)
class News:
    """A cloud that has changed since it was shown."""

    run: Run
    cloud: GrowingCloud
    making: Delivered
    """What is known of it so far."""
    again: bool
    """It has been in the scene before."""


class Growing:
    """What of each run's cloud is in the scene."""

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._shown: dict[str, _Shown] = {}
        self._settled: set[str] = set()
        self._clock = clock

    def news(self, runs: Iterable[tuple[Run, Job]], file: str) -> News | None:
        """The first cloud that has changed and has had its pause; in the file it was asked for in, at the cursor."""
        for run, job in runs:
            cloud, shown = job.cloud, self._shown.setdefault(run.key, _Shown())
            if cloud is None or not cloud.slots or shown.gone or run.cancelling:
                continue
            if run.order.file != file or run.order.target.kind not in ("auto", "cursor"):
                continue
            # Of the first version every piece is worth seeing; of later ones the whole, or splats would come and go.
            # The finished one comes as the result itself, its rows wider than those on the way.
            new = cloud.version != shown.number or (not cloud.version and cloud.changes != shown.changes)
            if new and cloud.sh_degree == WISH.sh_degree and not cloud.final and self._clock() >= shown.not_before:
                return News(run, cloud, _making(run, cloud), bool(shown.times))
        return None

    def shown(self, news: News, *, there: bool, held_secs: float) -> None:
        """It was put into the scene, or, when it is not `there`, the artist has taken it away."""
        shown = self._shown[news.run.key]
        shown.changes, shown.gone = news.cloud.changes, not there
        shown.number = news.cloud.version
        shown.times += 1
        shown.not_before = self._clock() + max(LEAST_SECS, PAUSE * held_secs)

    def file_opened(self) -> None:
        """Another scene: nothing was put into it yet, and nothing taken away."""
        self._shown.clear()
        self._settled.clear()

    def versions(self, key: str) -> int:
        """How often a run's cloud was put into the scene."""
        shown = self._shown.get(key)
        return shown.times if shown is not None else 0

    def ended(self, runs: Iterable[Run], file: str) -> list[Run]:
        """Take the runs of this file that have ended without a result: what was shown of them is to be settled, once.

        Also those that an earlier Blender has shown.
        """
        over = [
            run for run in runs
            if run.state in ("failed", "cancelled") and run.order.file == file and run.key not in self._settled
        ]  # fmt: skip
        self._settled.update(run.key for run in over)
        for run in over:
            self._shown.pop(run.key, None)
        return over


def _making(run: Run, cloud: GrowingCloud) -> Delivered:
    return Delivered(
        digest=f"growing {cloud.stream} {cloud.version}",
        kind="splats",
        name=run.title,
        job_id=run.job_id,
        generator=run.order.generator,
        seed=run.seed,
        params=dict(run.order.params),
    )
