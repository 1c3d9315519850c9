"""What a job says while it is worked on: durable events by number, and what only matters now."""

from __future__ import annotations

from typing import ClassVar

from bridge.messages.assets import AssetRow
from bridge.messages.fields import Fraction, Id, Lane, Message, Name, Natural, Text


class JobEvent(Message):
    """Base of the durable events of a job.

    `seq` counts 1, 2, 3 … within the session that submitted the job; none is ever skipped or reused.
    """

    seq: Natural
    job_id: Id
    time: float
    """Seconds since 1970."""


class JobQueued(JobEvent, tag="job.queued"):
    """Waits for its turn, for the first time or again."""

    reason: Text = ""
    """Why again: the worker died, or the bridge was restarted."""


class JobStarted(JobEvent, tag="job.started"):
    """A worker has begun."""

    attempt: Natural = 1
    device: Name = ""


class JobNoted(JobEvent, tag="job.noted"):
    """The generator says what it assumed, ignored or did not know."""

    text: Text


class JobProduced(JobEvent, tag="job.produced"):
    """One result is in the store."""

    asset: AssetRow
    name: Name = "result"


class JobFinished(JobEvent, tag="job.finished"):
    """All results are there."""

    assets: list[AssetRow]
    reused: bool = False
    """True when the results of an earlier identical job were taken."""
    run_secs: float = 0.0


class JobFailed(JobEvent, tag="job.failed"):
    """The job is over without all its results."""

    code: Name
    message: Text
    remedy: Text = ""


class JobCancelled(JobEvent, tag="job.cancelled"):
    """The job was ended on request, and nothing of it runs any more."""

    by: Name = ""


class JobProgress(Message, tag="job.progress"):
    """How far a job has come; only the newest per job is worth sending."""

    lane: ClassVar[Lane] = Lane.LIVE
    latest_by: ClassVar[str] = "job_id"
    job_id: Id
    fraction: Fraction
    stage: Name = ""
    eta_secs: float | None = None


class JobPreview(Message, tag="job.preview"):
    """A picture of the result so far; the payload holds its bytes."""

    lane: ClassVar[Lane] = Lane.LIVE
    latest_by: ClassVar[str] = "job_id"
    payload: ClassVar[bool] = True
    job_id: Id
    width_px: Natural
    height_px: Natural
    media_type: Name
