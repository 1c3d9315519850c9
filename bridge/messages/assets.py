"""What was made, and its bytes on their way out and in; and making room for more."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Meta

from bridge.messages.fields import MAX_INTEGER, Digest, Formats, Id, Lane, Message, Name, Natural, Part


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
    """Of the file; the asset is called the same, without the extension of a format that is known."""


class UploadChunk(Message, tag="upload.chunk"):
    """The next bytes of an offered file; the payload follows."""

    payload: ClassVar[bool] = True
    upload: Id
    offset: Natural


class StoreCollect(Message, tag="store.collect"):
    """Removes results that are no longer needed, the least recently used first; answered by `store.collected`.

    What is being used, what accepted jobs still need, and what arrives meanwhile stays.
    """

    request_id: Id
    down_to_bytes: Natural | None = None
    """Remove assets until so much is left; absent: only files that no asset needs."""
    dry_run: bool = False
    """Only say what would be removed."""


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
