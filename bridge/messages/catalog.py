"""What can be made, for whom, and from what: generators, hosts, watched files."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from bridge.messages.fields import Digest, Id, Message, Name, Natural, Part, Text


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


class CatalogGet(Message, tag="catalog.get"):
    """Asks for the catalog again; answered by `catalog`."""

    request_id: Id


class Catalog(Message, tag="catalog"):
    """The catalog as it is now; sent when asked, and by itself when it has changed."""

    generators: list[GeneratorRow]
    watched: list[WatchedFile] = []
    request_id: Annotated[str, Meta(max_length=128)] = ""
