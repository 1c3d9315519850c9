"""Asking for jobs, steering them, and their history."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from bridge.messages.assets import AssetRow
from bridge.messages.fields import Digest, Formats, Id, Message, Name, Natural, Part, Seed, Text, Values
from bridge.messages.growth import GrowthWish


class Priority(StrEnum):
    """Classes of work, the most urgent first; clients take turns inside a class."""

    LIVE = "live"
    PREVIEW = "preview"
    FINAL = "final"
    BATCH = "batch"


class JobState(StrEnum):
    """Where a job stands; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Deliver(Part):
    """Send the files of every produced asset at once, without being asked."""

    host: Name
    """A host's name, or `neutral` for the stored arrays as they are."""
    formats: Formats = {}
    progressive: bool = False
    """For a neutral cloud in chunks: rows of all its arrays together, the most important rows first."""


class PreviewWish(Part):
    """Which previews a client can use."""

    size_px: Annotated[int, Meta(ge=16, le=2048)] = 256
    per_sec: Annotated[float, Meta(gt=0, le=60)] = 4.0
    media_type: Literal["image/jpeg", "image/raw"] = "image/jpeg"
    """`image/raw` is RGB8, rows top first, for hosts without a JPEG decoder."""


class JobRow(Part):
    """A job as the history shows it, with all that is needed to ask for it again."""

    job_id: Id
    request_id: Id
    generator: Name
    state: JobState
    priority: Priority
    params: Values
    inputs: dict[str, str] = {}
    seed: Seed = 0
    label: Name = ""
    assets: list[AssetRow] = []
    notes: list[str] = []
    error_code: Name = ""
    error: Text = ""
    created: float = 0.0
    """Seconds since 1970."""
    started: float | None = None
    ended: float | None = None
    mine: bool = True
    """False when another client submitted it."""
    steered: Name = ""
    """`paused`, or `finishing` when it was asked to stop here and keep what it has; empty otherwise."""


class JobSubmit(Message, tag="job.submit"):
    """Asks for one run of one generator; carries all that the run needs."""

    request_id: Id
    """Made by the client; the same one again answers with the same job."""
    generator: Id
    params: Values = {}
    inputs: Annotated[dict[Name, Digest], Meta(max_length=64)] = {}
    """Digests of assets, by port name."""
    seed: Seed | None = None
    """Absent: the bridge draws one and tells it."""
    priority: Priority = Priority.FINAL
    deliver: Deliver | None = None
    preview: PreviewWish | None = None
    label: Name = ""
    fresh: bool = False
    """Run again even if the same work is already in the store."""
    growth: GrowthWish | None = None
    """Set to watch the cloud while it grows, where the generator's row says `grows`."""


class JobCancel(Message, tag="job.cancel"):
    """Ends a job; answered by its `job.cancelled`, or by `refused` when it is over or another client's."""

    job_id: Id
    any_owner: bool = False
    """Set by a person who means another client's job."""


class JobList(Message, tag="job.list"):
    """Asks for a page of the history, newest first."""

    request_id: Id
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    before: Annotated[str, Meta(max_length=128)] = ""
    """Job id that ended the page before; empty for the newest."""
    states: Annotated[list[JobState], Meta(max_length=5)] = []
    any_owner: bool = False


class JobRate(Message, tag="job.rate"):
    """The user's judgement of one asset of a job."""

    request_id: Id
    job_id: Id
    digest: Digest
    score: Annotated[int, Meta(ge=-1, le=1)]
    """1 kept, 0 no opinion, -1 thrown away."""
    tags: Annotated[list[Name], Meta(max_length=32)] = []


class JobSteer(Message, tag="job.steer"):
    """Pauses, resumes or finishes a job; answered by `job.steered`, or by `refused` under the job's id.

    A paused job keeps what it has done and leaves the device to others. To finish is to call it good enough: the run
    stops where it is and delivers that.
    """

    job_id: Id
    action: Literal["pause", "resume", "finish"]
    any_owner: bool = False
    """Set by a person who means another client's job."""


class JobAccepted(Message, tag="job.accepted"):
    """The job is in the ledger: it will be run or its failure told, whatever happens to either side."""

    request_id: Id
    job_id: Id
    state: JobState
    seed: Seed
    duplicate: bool = False
    """True when the same request_id was accepted before."""
    ahead: Natural = 0
    """Jobs that will probably run first."""


class JobPage(Message, tag="job.page"):
    """Answers `job.list`."""

    request_id: Id
    jobs: list[JobRow]
    more: bool = False


class JobRated(Message, tag="job.rated"):
    """The rating is kept."""

    request_id: Id


class JobSteered(Message, tag="job.steered"):
    """How a job stands now; also sent after the welcome for each unfinished job that is steered."""

    job_id: Id
    steered: Name = ""
    """`paused`, `finishing`, or empty: it goes on."""
