"""Every message of the protocol, declared once; the docs, the vectors and the other languages come from here.

A message is a MessagePack map whose `type` field names it. A frame is one websocket binary message: either such a
map alone, or `uint32 header_bytes` (MessagePack 0xce, five bytes in all), the map, and then a raw payload that
never enters the codec (`payload = True` in the declaration). New fields get defaults, no field is reordered or
retyped, unknown fields are skipped.
"""

from __future__ import annotations

from bridge.messages.assets import (
    AssetChunk,
    AssetCredit,
    AssetFetch,
    AssetFiles,
    AssetRow,
    AssetStop,
    FileRow,
    StoreCollect,
    StoreCollected,
    UploadChunk,
    UploadOffer,
    UploadState,
)
from bridge.messages.catalog import Catalog, CatalogGet, GeneratorRow, HostRow, LiveRow, PortRow, WatchedFile
from bridge.messages.conversation import Closing, Hello, Limits, Ping, Pong, Refused, Welcome
from bridge.messages.fields import (
    CHUNK_BYTES,
    DEFAULT_PORT,
    MAX_DEPTH,
    MAX_FRAME_BYTES,
    MAX_HEADER_BYTES,
    MAX_INTEGER,
    PROTOCOL,
    SUBPROTOCOL,
    Digest,
    Formats,
    Fraction,
    Id,
    Lane,
    Message,
    Name,
    Natural,
    Part,
    Seed,
    Text,
    Values,
)
from bridge.messages.growth import GrowthFiles, GrowthGet, GrowthWish, JobGrown
from bridge.messages.job_events import (
    JobCancelled,
    JobEvent,
    JobFailed,
    JobFinished,
    JobNoted,
    JobPreview,
    JobProduced,
    JobProgress,
    JobQueued,
    JobStarted,
)
from bridge.messages.jobs import (
    Deliver,
    JobAccepted,
    JobCancel,
    JobList,
    JobPage,
    JobRate,
    JobRated,
    JobRow,
    JobState,
    JobSteer,
    JobSteered,
    JobSubmit,
    PreviewWish,
    Priority,
)
from bridge.messages.live import (
    Angle,
    LiveCamera,
    LiveClose,
    LiveClosed,
    LiveFrame,
    LiveImage,
    LiveOpen,
    LiveOpened,
    LivePicture,
    LiveState,
    Side,
)

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
PARTS: tuple[type[Part], ...] = (
    Limits,
    PortRow,
    LiveRow,
    GeneratorRow,
    HostRow,
    WatchedFile,
    Deliver,
    PreviewWish,
    GrowthWish,
    FileRow,
    AssetRow,
    JobRow,
    LiveCamera,
    LivePicture,
)
"""The structures inside messages, in the order in which the page shows them."""

__all__ = [
    "CHUNK_BYTES",
    "DEFAULT_PORT",
    "MAX_DEPTH",
    "MAX_FRAME_BYTES",
    "MAX_HEADER_BYTES",
    "MAX_INTEGER",
    "PARTS",
    "PROTOCOL",
    "SUBPROTOCOL",
    "Angle",
    "AssetChunk",
    "AssetCredit",
    "AssetFetch",
    "AssetFiles",
    "AssetRow",
    "AssetStop",
    "BridgeMessage",
    "Catalog",
    "CatalogGet",
    "ClientMessage",
    "Closing",
    "Deliver",
    "Digest",
    "FileRow",
    "Formats",
    "Fraction",
    "GeneratorRow",
    "GrowthFiles",
    "GrowthGet",
    "GrowthWish",
    "Hello",
    "HostRow",
    "Id",
    "JobAccepted",
    "JobCancel",
    "JobCancelled",
    "JobEvent",
    "JobEventMessage",
    "JobFailed",
    "JobFinished",
    "JobGrown",
    "JobList",
    "JobNoted",
    "JobPage",
    "JobPreview",
    "JobProduced",
    "JobProgress",
    "JobQueued",
    "JobRate",
    "JobRated",
    "JobRow",
    "JobStarted",
    "JobState",
    "JobSteer",
    "JobSteered",
    "JobSubmit",
    "Lane",
    "Limits",
    "LiveCamera",
    "LiveClose",
    "LiveClosed",
    "LiveFrame",
    "LiveImage",
    "LiveOpen",
    "LiveOpened",
    "LivePicture",
    "LiveRow",
    "LiveState",
    "Message",
    "Name",
    "Natural",
    "Part",
    "Ping",
    "Pong",
    "PortRow",
    "PreviewWish",
    "Priority",
    "Refused",
    "Seed",
    "Side",
    "StoreCollect",
    "StoreCollected",
    "Text",
    "UploadChunk",
    "UploadOffer",
    "UploadState",
    "Values",
    "WatchedFile",
    "Welcome",
]
