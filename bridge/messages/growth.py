"""Clouds that are watched while they grow."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from bridge.messages.fields import Id, Lane, Message, Natural, Part


class GrowthWish(Part):
    """How a client wants to watch a cloud grow: it is told of versions by `job.grown` and asks by `growth.get`."""

    per_sec: Annotated[float, Meta(gt=0, le=30)] = 1.0
    """New versions a second at most."""
    splats_max: Natural = 0
    """The most important splats only, until the cloud is finished; 0 for all."""
    sh_degree: Annotated[int, Meta(ge=0, le=3)] = 3
    """Degree of the harmonics at most, until the cloud is finished; 0 needs a quarter of the bytes of 3."""


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
