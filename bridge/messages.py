"""Every message of the protocol, declared once; the docs, the vectors and the other languages come from here.

A message is a MessagePack map whose `type` field names it. A frame is one websocket binary message: either such a
map alone, or `uint32 header_bytes` (MessagePack 0xce, five bytes in all), the map, and then a raw payload that
never enters the codec (`payload = True` below). New fields get defaults, no field is reordered or retyped, unknown
fields are skipped.

The bounds stand here so that a frame is refused by its declaration; what msgspec cannot express (finite numbers,
integers within ±2^53, depth of free-form values) is checked by `bridge.wire`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

PROTOCOL = 1
SUBPROTOCOL = "scenecast.v1"
DEFAULT_PORT = 7263

MAX_FRAME_BYTES = 1 << 20
"""No websocket message is larger, in either direction."""
CHUNK_BYTES = 256 << 10
"""Payload of an asset or upload chunk; the last one of a file may be shorter."""
MAX_HEADER_BYTES = 256 << 10
MAX_INTEGER = 2**53 - 1
"""Beyond this a JavaScript number is no longer exact."""
MAX_DEPTH = 16
"""Nesting allowed inside free-form values."""


class Lane(StrEnum):
    """How a message queues for a session that reads slowly."""

    CONTROL = "control"
    """Never dropped, never behind the others."""
    LIVE = "live"
    """Only the newest per `latest_by` is kept."""
    ASSET = "asset"
    """Sent under credit, one chunk at a time."""


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


Natural = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Name = Annotated[str, Meta(max_length=256)]
Text = Annotated[str, Meta(max_length=16384)]
Id = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+$(?!\n)")]
"""Made by either side; compared, never parsed."""
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
"""Lower-case hexadecimal SHA-256."""
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Values = Annotated[dict[Annotated[str, Meta(max_length=128)], Any], Meta(max_length=256)]
"""Free-form values by name; checked against the generator's declaration, not here."""
Formats = Annotated[dict[Name, Name], Meta(max_length=16)]
"""Format name by kind of asset, where the host's own preference is not wanted."""


class Message(msgspec.Struct, kw_only=True, tag_field="type"):
    """Base of all messages."""

    lane: ClassVar[Lane] = Lane.CONTROL
    latest_by: ClassVar[str] = ""
    """The field whose value names the slot in which a LIVE message replaces an older one."""
    payload: ClassVar[bool] = False
    """True when raw bytes follow the header."""


class Part(msgspec.Struct, kw_only=True):
    """Base of the structures inside messages."""


# ------------------------------------------------------------------------------------------ parts


class Limits(Part):
    """What this bridge accepts; told in the welcome so that a client need not guess."""

    frame_bytes: Natural = MAX_FRAME_BYTES
    chunk_bytes: Natural = CHUNK_BYTES
    upload_bytes: Natural = 0
    """Largest file that may be uploaded."""
    queued_jobs: Natural = 0
    """Jobs one session may have waiting."""
    credit_bytes: Natural = 0
    """Asset bytes the bridge sends ahead of `asset.credit`."""


class PortRow(Part):
    """One input of a generator."""

    name: Name
    kinds: list[Name]
    optional: bool = False
    help: Text = ""


class LiveRow(Part):
    """What a live generator wants to be sent with every frame: `colour`, `depth`, `normal`, `camera`."""

    wants: list[Name]
    """Channels it cannot do without."""
    optional: list[Name] = []
    """Channels that make its answer better."""
    refines: bool = False
    """True: it answers roughly while frames keep coming, and in full when they rest."""


class GeneratorRow(Part):
    """One generator, as the catalog shows it; a panel draws itself from this."""

    id: Id
    title: Text
    promise: Text
    gives: list[Name]
    takes: list[PortRow] = []
    params: dict[str, Any] = {}
    """JSON Schema of the parameters: types, bounds, defaults, titles, units and interface hints."""
    version: int = 1
    available: bool = True
    reason: Text = ""
    """Why it is not available, as a sentence with the remedy."""
    memory_gb: float = 0.0
    gpu_memory_gb: float = 0.0
    grows: bool = False
    """True: its cloud can be watched while it grows; see `growth` in `job.submit`."""
    steers: list[Name] = []
    """What `job.steer` can ask of a run: `pause` (and so `resume`), `finish`."""
    jobs: bool = True
    """False: it only works live, and is not submitted."""
    live: LiveRow | None = None
    """Present when it can be opened live."""


class HostRow(Part):
    """A host the bridge can deliver to, and the formats it knows there, by kind."""

    name: Name
    title: Text
    formats: dict[str, list[str]]


class WatchedFile(Part):
    """A file in a watched folder that may be used as an input."""

    name: Name
    """Path relative to the watched folder, with forward slashes."""
    folder: Name
    """Title of the watched folder."""
    digest: Digest
    kind: Name
    size_bytes: Natural


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


class GrowthWish(Part):
    """How a client wants to watch a cloud grow: it is told of versions by `job.grown` and asks by `growth.get`."""

    per_sec: Annotated[float, Meta(gt=0, le=30)] = 1.0
    """New versions a second at most."""
    splats_max: Natural = 0
    """The most important splats only, until the cloud is finished; 0 for all."""
    sh_degree: Annotated[int, Meta(ge=0, le=3)] = 3
    """Degree of the harmonics at most, until the cloud is finished; 0 needs a quarter of the bytes of 3."""


class FileRow(Part):
    """One delivered file."""

    name: Name
    """File name without folders, safe on every platform."""
    role: Name
    """What it is for: `base_color`, `orm`, `mesh`, `manifest` …; an array part keeps its own name."""
    media_type: Name
    size_bytes: Natural
    sha256: Digest
    colour_space: Name = ""
    path: str | None = None
    """Where a client on the same disk opens it; read-only. Absent: the bytes follow in chunks."""
    dtype: Name = ""
    """numpy dtype of an array part, as `<f4`."""
    shape: list[int] = []
    offset: Natural = 0
    """Where an array part's numbers begin in its file."""


class AssetRow(Part):
    """One produced asset."""

    digest: Digest
    kind: Name
    name: Name = ""
    size_bytes: Natural = 0


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


# ------------------------------------------------------------------------------------ live: parts

Side = Annotated[int, Meta(ge=1, le=4096)]
Angle = Annotated[float, Meta(ge=0.0, le=179.0)]


class LiveCamera(Part):
    """Whence a frame is seen, in the neutral convention: right-handed, +Y up, metres."""

    world_from_camera: Annotated[list[float], Meta(min_length=16, max_length=16)]
    """4×4, row by row; the camera looks along its own -Z, its +Y is up in the picture."""
    fov_y_deg: Angle = 50.0
    """Angle between the picture's lower and upper edge; of no account when orthographic."""
    fov_x_deg: Angle = 0.0
    """Angle between its left and right edge; 0 for square pixels."""
    centre_x: float = 0.0
    """Where the line of sight meets the picture: 0 the middle, 1 the right edge."""
    centre_y: float = 0.0
    """0 the middle, 1 the upper edge."""
    near_m: float = 0.1
    far_m: float = 1000.0
    height_m: Annotated[float, Meta(ge=0.0)] = 0.0
    """Height of an orthographic picture; 0 for a perspective one."""


class LivePicture(Part):
    """One channel of a frame; its pixels lie in the frame's bytes, row by row, without gaps."""

    channel: Literal["colour", "depth", "normal"]
    offset: Natural
    size_bytes: Natural
    """Width × height × components × bytes of the dtype: colour has 3 or 4 components, depth 1, normal 3."""
    dtype: Literal["u1", "<f2", "<f4"] = "u1"
    space: Literal["", "srgb", "linear", "metres", "window", "world", "camera"] = ""
    """Colour: `srgb` (the default for u1) or `linear`. Depth along the line of sight: `metres` (the default; 0 or
    infinite where there is nothing) or `window`, as OpenGL's depth buffer has it, 0..1 between near and far.
    Normal: `world` (the default, neutral axes) or `camera`; as u1 it is 255 × (n + 1) / 2."""
    bottom_up: bool = False
    """True when the first row is the lowest, as OpenGL reads it."""


# ------------------------------------------------------------------------------- client to bridge


class Hello(Message, tag="hello"):
    """Opens the conversation; nothing else is answered before it."""

    protocol: int
    client: Name
    """Program and version, for the log: `scenecast-blender 0.1.0`."""
    host: Name = "python"
    host_version: Name = ""
    session: Annotated[str, Meta(max_length=128)] = ""
    """The session to take up again; empty for a new one."""
    cursor: Natural = 0
    """Sequence number of the last event seen in that session; the later ones are sent again."""
    disk_proof: Annotated[str, Meta(max_length=128)] = ""
    """What the file named in the discovery file says, when the client could read it: they share a disk."""


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


class AssetFetch(Message, tag="asset.fetch"):
    """Asks for an asset's files in a host's conventions; answered by `asset.files`."""

    request_id: Id
    digest: Digest
    host: Name
    formats: Formats = {}
    progressive: bool = False
    """As in `Deliver`."""


class AssetStop(Message, tag="asset.stop"):
    """Stops the chunks of one transfer."""

    transfer: Id


class AssetCredit(Message, tag="asset.credit"):
    """So many payload bytes of chunks have been taken off the socket since the last credit."""

    size_bytes: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]


class UploadOffer(Message, tag="upload.offer"):
    """Offers a file as an input; answered by `upload.state`."""

    request_id: Id
    digest: Digest
    size_bytes: Natural
    media_type: Name
    name: Name = ""


class UploadChunk(Message, tag="upload.chunk"):
    """The next bytes of an offered file; the payload follows."""

    payload: ClassVar[bool] = True
    upload: Id
    offset: Natural


class CatalogGet(Message, tag="catalog.get"):
    """Asks for the catalog again; answered by `catalog`."""

    request_id: Id


class StoreCollect(Message, tag="store.collect"):
    """Removes results that are no longer needed, the least recently used first; answered by `store.collected`.

    What is being used, what accepted jobs still need, and what arrives meanwhile stays.
    """

    request_id: Id
    down_to_bytes: Natural | None = None
    """Remove assets until so much is left; absent: only files that no asset needs."""
    dry_run: bool = False
    """Only say what would be removed."""


class Ping(Message, tag="ping"):
    """Asks for a `pong` with the same id: proof that the bridge, not only its kernel, is alive."""

    id: Natural


class LiveOpen(Message, tag="live.open"):
    """Opens a live session: frames in, pictures out, the newest wins; answered by `live.opened`.

    It belongs to the connection and ends with it.
    """

    request_id: Id
    generator: Id
    params: Values = {}
    inputs: Annotated[dict[Name, Digest], Meta(max_length=64)] = {}
    """Digests of assets, by port name."""
    seed: Seed | None = None
    width_px: Side = 512
    """The largest width a frame will have, and the answers' own where a frame names none."""
    height_px: Side = 512
    reply: Literal["image/raw", "image/jpeg"] = "image/raw"
    """`image/raw` is sRGB in 8 bits, row by row."""
    alpha: bool = False
    """True: raw answers have four components."""
    bottom_up: bool = False
    """True: the first row of a raw answer is the lowest."""


class LiveFrame(Message, tag="live.frame"):
    """The newest state of what the client sees; whatever of an older one has not been begun is forgotten.

    Parameters and camera that are not named stand as they were, and so do all pictures when none is named. The bytes
    of the pictures may come in several messages of the same `frame`, each with the `offset` at which the one before
    ended; the fields of the first count. With no pictures the payload is empty.
    """

    lane: ClassVar[Lane] = Lane.LIVE
    latest_by: ClassVar[str] = "live"
    payload: ClassVar[bool] = True
    live: Id
    frame: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    """Counts up; answers name it."""
    offset: Natural = 0
    size_bytes: Natural = 0
    """All bytes of the frame's pictures together."""
    width_px: Annotated[int, Meta(ge=0, le=4096)] = 0
    """0: as opened. All pictures of a frame have its size."""
    height_px: Annotated[int, Meta(ge=0, le=4096)] = 0
    params: Values = {}
    camera: LiveCamera | None = None
    pictures: Annotated[list[LivePicture], Meta(max_length=8)] = []


class LiveClose(Message, tag="live.close"):
    """Ends a live session; answered by `live.closed` when nothing of it runs any more."""

    live: Id


class JobSteer(Message, tag="job.steer"):
    """Pauses, resumes or finishes a job; answered by `job.steered`, or by `refused` under the job's id.

    A paused job keeps what it has done and leaves the device to others. To finish is to call it good enough: the run
    stops where it is and delivers that.
    """

    job_id: Id
    action: Literal["pause", "resume", "finish"]
    any_owner: bool = False
    """Set by a person who means another client's job."""


class GrowthGet(Message, tag="growth.get"):
    """Asks for what has changed in a growing cloud; answered by `growth.files`.

    Ask again when `job.grown` tells of a newer version and the last answer has been applied: the newest wins, and the
    client sets the pace.
    """

    request_id: Id
    job_id: Id
    stream: Annotated[str, Meta(max_length=128)] = ""
    """Of the version one has; versions of another stream count for nothing."""
    have: Natural = 0
    """The version that has been applied in full; 0 for none."""


# ------------------------------------------------------------------------------- bridge to client


class Welcome(Message, tag="welcome"):
    """Answers the hello."""

    protocol: int
    server: Name
    session: Id
    """To be kept: a client that comes back with it misses nothing."""
    resumed: bool
    """False when the session was new or no longer known; then earlier events are gone."""
    shares_disk: bool
    """True: files are handed over as paths."""
    limits: Limits
    generators: list[GeneratorRow]
    hosts: list[HostRow]
    watched: list[WatchedFile] = []
    seq: Natural = 0
    """Sequence number of the newest event in the session; those after the hello's cursor follow now."""


class Catalog(Message, tag="catalog"):
    """The catalog as it is now; sent when asked, and by itself when it has changed."""

    generators: list[GeneratorRow]
    watched: list[WatchedFile] = []
    request_id: Annotated[str, Meta(max_length=128)] = ""


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


class JobPage(Message, tag="job.page"):
    """Answers `job.list`."""

    request_id: Id
    jobs: list[JobRow]
    more: bool = False


class JobRated(Message, tag="job.rated"):
    """The rating is kept."""

    request_id: Id


class AssetFiles(Message, tag="asset.files"):
    """The files of an asset for one host: by path, or with chunks to follow."""

    digest: Digest
    kind: Name
    host: Name
    files: list[FileRow]
    meta: dict[str, Any] = {}
    """What the neutral form says beside its arrays: tile size, frame rate, loops …"""
    provenance: dict[str, Any] = {}
    """Generator, version, parameters, seed and inputs that made it."""
    name: Name = ""
    transfer: Annotated[str, Meta(max_length=128)] = ""
    """Names the chunks that follow; empty when every file has a path."""
    request_id: Annotated[str, Meta(max_length=128)] = ""
    """Of the `asset.fetch`; empty when sent by the job's own wish."""
    job_id: Annotated[str, Meta(max_length=128)] = ""
    """Of the job that produced it, when sent by the job's own wish."""


class AssetChunk(Message, tag="asset.chunk"):
    """The next bytes of one file of a transfer; the payload follows."""

    lane: ClassVar[Lane] = Lane.ASSET
    payload: ClassVar[bool] = True
    transfer: Id
    file: Natural
    """Index into `asset.files`."""
    offset: Natural


class UploadState(Message, tag="upload.state"):
    """Answers an offer, and tells when the file is complete."""

    request_id: Id
    digest: Digest
    done: bool
    """True when the file is in the store; `asset` then says what it is."""
    upload: Annotated[str, Meta(max_length=128)] = ""
    """Names the chunks to send; empty when none are wanted."""
    offset: Natural = 0
    """Where to begin: an upload that was cut off goes on."""
    asset: AssetRow | None = None


class StoreCollected(Message, tag="store.collected"):
    """Answers `store.collect`."""

    request_id: Id
    assets: Natural
    files: Natural
    freed_bytes: Natural
    left_bytes: Natural
    """What the results still in the store take."""


class Pong(Message, tag="pong"):
    """Answers a ping."""

    id: Natural


class Refused(Message, tag="refused"):
    """A message could not be obeyed; the connection stays open unless `fatal`."""

    code: Name
    message: Text
    """What was expected and what came."""
    path: Name = ""
    """Where in the message, as `$.params.size_px`."""
    remedy: Text = ""
    request_id: Annotated[str, Meta(max_length=128)] = ""
    """The request, job, upload, transfer or live session that it is about; empty when it could not be read."""
    fatal: bool = False


class Closing(Message, tag="closing"):
    """The bridge is about to stop; accepted jobs are kept and run when it is back."""

    reason: Text = ""


class JobSteered(Message, tag="job.steered"):
    """How a job stands now; also sent after the welcome for each unfinished job that is steered."""

    job_id: Id
    steered: Name = ""
    """`paused`, `finishing`, or empty: it goes on."""


class JobGrown(Message, tag="job.grown"):
    """A newer version of a growing cloud can be had; only for clients whose submit had a `growth` wish."""

    lane: ClassVar[Lane] = Lane.LIVE
    latest_by: ClassVar[str] = "job_id"
    job_id: Id
    stream: Id
    version: Natural
    count: Natural
    """Splats in it."""
    sh_degree: Natural = 0
    final: bool = False
    """True: this version is the finished asset."""


class GrowthFiles(Message, tag="growth.files"):
    """The newest version of a growing cloud, as the changes since another; the page on growing clouds has the format.

    A file by path holds every row, with the version in which it last changed; one in chunks the changed rows alone.
    """

    request_id: Id
    job_id: Id
    stream: Id
    version: Natural
    since: Natural = 0
    """Applies to this version; 0: forget what was there, or to be told that there is nothing yet when `version` is
    0 too."""
    count: Natural = 0
    """Splats in the version."""
    final: bool = False
    """True: with it the cloud is the finished asset, bit for bit."""
    size_bytes: Natural = 0
    """Of the file; 0 for none, when `version` is what the client has."""
    path: str | None = None
    """Where a client on the same disk opens the file, soon: it goes when there are newer ones. Then ask again."""
    transfer: Annotated[str, Meta(max_length=128)] = ""
    """Names the chunks of the file, its index being 0, where it has no path."""


class LiveOpened(Message, tag="live.opened"):
    """The session is there; frames may be sent at once, and are answered when its state is `ready`."""

    request_id: Id
    live: Id
    per_sec: float = 60.0
    """Frames a second that are worked on at most."""
    frame_bytes: Natural = 0
    """Bytes the pictures of one frame may have together."""


class LiveImage(Message, tag="live.image"):
    """The answer to a frame. A large one comes in several messages, each with the `offset` it continues at."""

    lane: ClassVar[Lane] = Lane.LIVE
    latest_by: ClassVar[str] = "live"
    payload: ClassVar[bool] = True
    live: Id
    frame: Natural
    """The frame it shows; older ones that got no answer were replaced by it."""
    width_px: Natural
    height_px: Natural
    media_type: Name
    components: Natural = 3
    """Of a raw one."""
    offset: Natural = 0
    size_bytes: Natural = 0
    """All bytes of this answer together."""
    rough: bool = False
    """True: a better picture of the same frame follows, unless a newer frame comes first."""
    run_ms: float = 0.0
    """Time the generator took for it."""


class LiveState(Message, tag="live.state"):
    """How a live session stands."""

    live: Id
    stage: Literal["loading", "ready", "stalled", "restarted"]
    """`restarted`: its worker died for the reason in `text`, and a new one is being loaded; the newest frame is
    done again by itself."""
    text: Text = ""
    frame: Natural = 0
    """Frames up to this one will get no further answer."""


class LiveClosed(Message, tag="live.closed"):
    """The session is over and nothing of it runs any more."""

    live: Id
    code: Name = ""
    """Empty when the client asked for it."""
    reason: Text = ""
    remedy: Text = ""


ClientMessage = (
    Hello
    | JobSubmit
    | JobCancel
    | JobList
    | JobRate
    | AssetFetch
    | AssetStop
    | AssetCredit
    | UploadOffer
    | UploadChunk
    | CatalogGet
    | StoreCollect
    | Ping
    | JobSteer
    | GrowthGet
    | LiveOpen
    | LiveFrame
    | LiveClose
)
JobEventMessage = JobQueued | JobStarted | JobNoted | JobProduced | JobFinished | JobFailed | JobCancelled
BridgeMessage = (
    Welcome
    | Catalog
    | JobAccepted
    | JobEventMessage
    | JobProgress
    | JobPreview
    | JobPage
    | JobRated
    | AssetFiles
    | AssetChunk
    | UploadState
    | StoreCollected
    | Pong
    | Refused
    | Closing
    | JobSteered
    | JobGrown
    | GrowthFiles
    | LiveOpened
    | LiveImage
    | LiveState
    | LiveClosed
)
