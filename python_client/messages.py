"""What the bridge says, one class per message; decoded strictly, unknown fields skipped.

The bridge's own declaration is the authority; a test holds this file against it, field by field.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from .decoding import Digest, Fraction, Id, LongId, Name, Natural, Part, Seed, Stage, State, Text, Urgency, Values

PROTOCOL = 1
SUBPROTOCOL = "scenecast.v1"
DEFAULT_PORT = 7263


@dataclass(frozen=True)
class Limits(Part):
    """What the bridge accepts."""

    frame_bytes: Natural = 1 << 20
    chunk_bytes: Natural = 256 << 10
    upload_bytes: Natural = 0
    queued_jobs: Natural = 0
    credit_bytes: Natural = 0


@dataclass(frozen=True)
class Port(Part):
    """One input of a generator."""

    name: Name
    kinds: list[Name]
    optional: bool = False
    help: Text = ""


@dataclass(frozen=True)
class LiveRow(Part):
    """What a live generator wants to be sent with every frame: colour, depth, normal, camera."""

    wants: list[Name]
    optional: list[Name] = field(default_factory=list)
    refines: bool = False


@dataclass(frozen=True)
class Generator(Part):
    """One generator of the catalog; `params` is the JSON Schema a panel draws itself from."""

    id: Id
    title: Text
    promise: Text
    gives: list[Name]
    takes: list[Port] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    available: bool = True
    reason: Text = ""
    memory_gb: float = 0.0
    gpu_memory_gb: float = 0.0
    grows: bool = False
    steers: list[Name] = field(default_factory=list)
    jobs: bool = True
    live: Optional[LiveRow] = None


@dataclass(frozen=True)
class HostRow(Part):
    """A host the bridge delivers to, and the formats it knows there, by kind of asset."""

    name: Name
    title: Text
    formats: dict[str, list[str]]


@dataclass(frozen=True)
class WatchedFile(Part):
    """A file in a watched folder that may be used as an input."""

    name: Name
    folder: Name
    digest: Digest
    kind: Name
    size_bytes: Natural


@dataclass(frozen=True)
class FileRow(Part):
    """One delivered file."""

    name: Name
    role: Name
    media_type: Name
    size_bytes: Natural
    sha256: Digest
    colour_space: Name = ""
    path: Optional[str] = None
    dtype: Name = ""
    shape: list[int] = field(default_factory=list)
    offset: Natural = 0


@dataclass(frozen=True)
class AssetRow(Part):
    """One asset in the bridge's store."""

    digest: Digest
    kind: Name
    name: Name = ""
    size_bytes: Natural = 0


@dataclass(frozen=True)
class JobRow(Part):
    """A job as the history shows it, with all that is needed to ask for it again."""

    job_id: Id
    request_id: Id
    generator: Name
    state: State
    priority: Urgency
    params: Values
    inputs: dict[str, str] = field(default_factory=dict)
    seed: Seed = 0
    label: Name = ""
    assets: list[AssetRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error_code: Name = ""
    error: Text = ""
    created: float = 0.0
    started: Optional[float] = None
    ended: Optional[float] = None
    mine: bool = True
    steered: Name = ""


@dataclass(frozen=True)
class Welcome(Part):
    """Answers the hello."""

    protocol: int
    server: Name
    session: Id
    resumed: bool
    shares_disk: bool
    limits: Limits
    generators: list[Generator]
    hosts: list[HostRow]
    watched: list[WatchedFile] = field(default_factory=list)
    seq: Natural = 0


@dataclass(frozen=True)
class Catalog(Part):
    """The catalog as it is now."""

    generators: list[Generator]
    watched: list[WatchedFile] = field(default_factory=list)
    request_id: LongId = ""


@dataclass(frozen=True)
class JobAccepted(Part):
    """The job is in the bridge's ledger."""

    request_id: Id
    job_id: Id
    state: State
    seed: Seed
    duplicate: bool = False
    ahead: Natural = 0


@dataclass(frozen=True)
class JobEvent(Part):
    """Base of a job's durable events; `seq` counts 1, 2, 3 … within the session."""

    seq: Natural
    job_id: Id
    time: float


@dataclass(frozen=True)
class JobQueued(JobEvent):
    """Waits for its turn."""

    reason: Text = ""


@dataclass(frozen=True)
class JobStarted(JobEvent):
    """A worker has begun."""

    attempt: Natural = 1
    device: Name = ""


@dataclass(frozen=True)
class JobNoted(JobEvent):
    """What the generator assumed, ignored or did not know."""

    text: Text


@dataclass(frozen=True)
class JobProduced(JobEvent):
    """One result is in the store."""

    asset: AssetRow
    name: Name = "result"


@dataclass(frozen=True)
class JobFinished(JobEvent):
    """All results are there."""

    assets: list[AssetRow]
    reused: bool = False
    run_secs: float = 0.0


@dataclass(frozen=True)
class JobFailed(JobEvent):
    """The job is over without all its results."""

    code: Name
    message: Text
    remedy: Text = ""


@dataclass(frozen=True)
class JobCancelled(JobEvent):
    """The job was ended on request."""

    by: Name = ""


@dataclass(frozen=True)
class JobProgress(Part):
    """How far a job has come."""

    job_id: Id
    fraction: Fraction
    stage: Name = ""
    eta_secs: Optional[float] = None


@dataclass(frozen=True)
class JobPreview(Part):
    """A picture of the result so far; the frame's payload holds its bytes."""

    job_id: Id
    width_px: Natural
    height_px: Natural
    media_type: Name


@dataclass(frozen=True)
class JobPage(Part):
    """A page of the history, newest first."""

    request_id: Id
    jobs: list[JobRow]
    more: bool = False


@dataclass(frozen=True)
class JobRated(Part):
    """The rating is kept."""

    request_id: Id


@dataclass(frozen=True)
class AssetFiles(Part):
    """The files of an asset for one host: by path, or with chunks to follow."""

    digest: Digest
    kind: Name
    host: Name
    files: list[FileRow]
    meta: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    name: Name = ""
    transfer: LongId = ""
    request_id: LongId = ""
    job_id: LongId = ""


@dataclass(frozen=True)
class AssetChunk(Part):
    """The next bytes of one file of a transfer; the frame's payload holds them."""

    transfer: Id
    file: Natural
    offset: Natural


@dataclass(frozen=True)
class UploadState(Part):
    """Answers an offer, and tells when the file is complete."""

    request_id: Id
    digest: Digest
    done: bool
    upload: LongId = ""
    offset: Natural = 0
    asset: Optional[AssetRow] = None


@dataclass(frozen=True)
class StoreCollected(Part):
    """Answers `store.collect`."""

    request_id: Id
    assets: Natural
    files: Natural
    freed_bytes: Natural
    left_bytes: Natural


@dataclass(frozen=True)
class Pong(Part):
    """Answers a ping."""

    id: Natural


@dataclass(frozen=True)
class RefusedMessage(Part):
    """A message could not be obeyed."""

    code: Name
    message: Text
    path: Name = ""
    remedy: Text = ""
    request_id: LongId = ""
    fatal: bool = False


@dataclass(frozen=True)
class Closing(Part):
    """The bridge is about to stop; accepted jobs are kept."""

    reason: Text = ""


@dataclass(frozen=True)
class JobSteered(Part):
    """How a job stands: `paused`, `finishing`, or empty when it goes on."""

    job_id: Id
    steered: Name = ""


@dataclass(frozen=True)
class JobGrown(Part):
    """A newer version of a growing cloud can be had."""

    job_id: Id
    stream: Id
    version: Natural
    count: Natural
    sh_degree: Natural = 0
    final: bool = False


@dataclass(frozen=True)
class GrowthFiles(Part):
    """The newest version of a growing cloud, as the changes since another."""

    request_id: Id
    job_id: Id
    stream: Id
    version: Natural
    since: Natural = 0
    count: Natural = 0
    final: bool = False
    size_bytes: Natural = 0
    path: Optional[str] = None
    transfer: LongId = ""


@dataclass(frozen=True)
class LiveOpened(Part):
    """A live session is there."""

    request_id: Id
    live: Id
    per_sec: float = 60.0
    frame_bytes: Natural = 0


@dataclass(frozen=True)
class LiveImage(Part):
    """The answer to a frame of a live session, or a piece of it; the frame's payload holds its bytes."""

    live: Id
    frame: Natural
    width_px: Natural
    height_px: Natural
    media_type: Name
    components: Natural = 3
    offset: Natural = 0
    size_bytes: Natural = 0
    rough: bool = False
    run_ms: float = 0.0


@dataclass(frozen=True)
class LiveState(Part):
    """How a live session stands."""

    live: Id
    stage: Stage
    text: Text = ""
    frame: Natural = 0


@dataclass(frozen=True)
class LiveClosed(Part):
    """A live session is over and nothing of it runs any more."""

    live: Id
    code: Name = ""
    reason: Text = ""
    remedy: Text = ""


MESSAGES: dict[str, type[Part]] = {
    "welcome": Welcome,
    "catalog": Catalog,
    "job.accepted": JobAccepted,
    "job.queued": JobQueued,
    "job.started": JobStarted,
    "job.noted": JobNoted,
    "job.produced": JobProduced,
    "job.finished": JobFinished,
    "job.failed": JobFailed,
    "job.cancelled": JobCancelled,
    "job.progress": JobProgress,
    "job.preview": JobPreview,
    "job.page": JobPage,
    "job.rated": JobRated,
    "asset.files": AssetFiles,
    "asset.chunk": AssetChunk,
    "upload.state": UploadState,
    "store.collected": StoreCollected,
    "pong": Pong,
    "refused": RefusedMessage,
    "closing": Closing,
    "live.opened": LiveOpened,
    "live.image": LiveImage,
    "live.state": LiveState,
    "live.closed": LiveClosed,
    "job.steered": JobSteered,
    "job.grown": JobGrown,
    "growth.files": GrowthFiles,
}
WITH_PAYLOAD = ("job.preview", "asset.chunk", "live.image")
