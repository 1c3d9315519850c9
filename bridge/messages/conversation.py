"""How a conversation begins, is kept alive, refuses and ends."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from bridge.messages.catalog import GeneratorRow, HostRow, WatchedFile
from bridge.messages.fields import CHUNK_BYTES, MAX_FRAME_BYTES, Id, Message, Name, Natural, Part, Text


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


class Ping(Message, tag="ping"):
    """Asks for a `pong` with the same id: proof that the bridge, not only its kernel, is alive."""

    id: Natural


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
