"""Whose job is next: urgent classes first, and inside a class the session that has had the least device time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from bridge.messages import Priority

_CLASSES = tuple(Priority)
_FIRST_GUESS_SECS = 1.0


@dataclass
class _Line:
    """One session's waiting jobs in one class."""

    jobs: deque[str] = field(default_factory=deque)
    spent_secs: float = 0.0
    """Device time charged so far, on the class's own clock."""


class FairQueue:
    """Waiting jobs by priority class and session.

    Inside a class the session with the least charged device time goes next (start-time fair queueing, Goyal, Vin and
    Cheng 1996): a guess is charged when a job is taken and put right when its time is known. A session that comes
    back after a pause starts level with the others; it cannot save time up.
    """

    def __init__(self) -> None:
        self._classes: dict[Priority, dict[str, _Line]] = {priority: {} for priority in _CLASSES}
        self._clock_secs: dict[Priority, float] = dict.fromkeys(_CLASSES, 0.0)
        self._mean_secs = _FIRST_GUESS_SECS
        self._charged: dict[str, tuple[Priority, str, float]] = {}
        self._where: dict[str, tuple[Priority, str]] = {}

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._where

    def put(self, job_id: str, session: str, priority: Priority, *, first: bool = False) -> None:
        """Let a job wait; `first` puts it before the session's others (it has been started before)."""
        line = self._classes[priority].get(session)
        if line is None:
            line = self._classes[priority][session] = _Line()
        if not line.jobs:
            line.spent_secs = max(line.spent_secs, self._clock_secs[priority])
        if first:
            line.jobs.appendleft(job_id)
        else:
            line.jobs.append(job_id)
        self._where[job_id] = (priority, session)

    def take(self) -> str | None:
        """The next job, which now waits no longer; None when nothing waits."""
        for priority in _CLASSES:
            waiting = [(line.spent_secs, session) for session, line in self._classes[priority].items() if line.jobs]
            if not waiting:
                continue
            self._clock_secs[priority], session = min(waiting)
            line = self._classes[priority][session]
            job_id = line.jobs.popleft()
            line.spent_secs += self._mean_secs
            del self._where[job_id]
            self._charged[job_id] = (priority, session, self._mean_secs)
            return job_id
        return None

    def settle(self, job_id: str, device_secs: float) -> None:
        """Put the charge for a taken job right: it has used `device_secs`, perhaps none."""
        charged = self._charged.pop(job_id, None)
        if charged is None:
            return
        priority, session, guess_secs = charged
        line = self._classes[priority][session]
        line.spent_secs += device_secs - guess_secs
        if device_secs > 0:
            self._mean_secs += 0.2 * (device_secs - self._mean_secs)
        running = any(charge[:2] == (priority, session) for charge in self._charged.values())
        if not line.jobs and not running and line.spent_secs <= self._clock_secs[priority]:
            del self._classes[priority][session]

    def remove(self, job_id: str) -> bool:
        """Take a job out of turn (it was cancelled); False when it does not wait."""
        where = self._where.pop(job_id, None)
        if where is None:
            return False
        priority, session = where
        self._classes[priority][session].jobs.remove(job_id)
        return True

    def waiting(self, session: str) -> int:
        """How many jobs of one session wait."""
        return sum(len(lines[session].jobs) for lines in self._classes.values() if session in lines)

    def ahead(self, session: str, priority: Priority) -> int:
        """How many waiting jobs will probably go before the last one of this session in this class."""
        more_urgent = _CLASSES[: _CLASSES.index(priority)]
        count = sum(len(line.jobs) for other in more_urgent for line in self._classes[other].values())
        own = self._classes[priority].get(session)
        position = len(own.jobs) if own else 0
        for name, line in self._classes[priority].items():
            count += max(0, position - 1) if name == session else min(len(line.jobs), position)
        return count

    def by_class(self) -> dict[Priority, int]:
        """How many jobs wait in every class."""
        return {priority: sum(len(line.jobs) for line in lines.values()) for priority, lines in self._classes.items()}
