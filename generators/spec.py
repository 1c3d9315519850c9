"""How a generator is declared: what it takes, gives, accepts and needs. Declaring loads nothing heavy."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from engines.kinds import Kind
from generators.located import Located

SEED_MAX = 2**32 - 1
"""Seeds are unsigned 32-bit: every host's integer field can show and send them."""


_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


STEERS = ("pause", "finish")
"""What a run can declare that it may be asked."""


class Params(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of every generator's parameters.

    Fields are `Annotated[type, Meta(ge=…, le=…, title=…, description=…, extra_json_schema={"unit": "px"})]` with a
    default. The bounds are enforced before a job is queued, and the JSON Schema made from them draws the panel.
    `extra_json_schema` keys that panels know: `unit` (px, m, s, Hz, deg, %), `ui` (slider, text, colour, seed),
    `step`, `suggestions` (a list of good values), `advanced` (true hides it behind a fold).
    """


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """One named input of a generator."""

    name: str
    kinds: tuple[Kind, ...]
    """Kinds of asset it accepts."""
    optional: bool = False
    help: str = ""


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Weights a generator cannot run without; shown with size and licence before anything is fetched."""

    name: str
    licence: str
    size_bytes: int


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What must be present; a missing need is a reason in the catalog, never an exception."""

    memory_gb: float = 0.5
    gpu_memory_gb: float = 0.0
    """0 means that it runs without a GPU."""
    modules: tuple[str, ...] = ()
    """Import names of optional packages."""
    weights: tuple[Weights, ...] = ()
    located: tuple[Located, ...] = ()
    """Files and folders that settings name."""


Channel = Literal["colour", "depth", "normal", "camera"]
"""What a client can send with a frame of a live session."""


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """How a generator works live: frames in, pictures out, the newest wins.

    `start` is `"package.module:function"` with the signature `start(request: Request, context: LiveContext) -> Answer`
    (see `generators.live.session`); it loads, and returns the function that answers frames.
    """

    start: str
    wants: tuple[Channel, ...]
    """Channels it cannot do without."""
    optional: tuple[Channel, ...] = ()
    """Channels that make its answer better."""
    refines: bool = False
    """It answers roughly while frames keep coming, and in full when they rest."""
    load_secs: float = 300.0
    """A session that is not ready after this is ended; kernels may have to be compiled first."""
    frame_secs: float = 30.0
    """A frame that takes longer than this ends the session."""


class GeneratorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One generator, as data.

    `run` is `"package.module:function"`, imported by the worker only when a job wants it. The function has the
    signature `run(request: Request, context: Context) -> Iterator[Event]` (see `generators.events`). A generator has
    `run`, or `live`, or both.
    """

    id: str
    """Dotted and lower-case: what it makes, then how (`material.procedural`)."""
    title: str
    promise: str
    """One sentence an artist understands."""
    gives: tuple[Kind, ...]
    params: type[Params]
    run: str = ""
    """Empty for one that only works live."""
    live: Live | None = None
    takes: tuple[Port, ...] = ()
    needs: Needs = Needs()
    version: int = 1
    """Raised when the same request would give other bytes; part of the cache key."""
    attempts: int = 2
    """How often a run may be started when the worker dies under it; 1 means never again."""
    timeout_secs: float = 3600.0
    """A run longer than this is ended."""
    silence_secs: float = 300.0
    """A run that says nothing for this long is ended."""
    resumable: bool = False
    """It leaves what it has done in `Context.scratch` and goes on from there when it is tried again."""
    grows: bool = False
    """It yields `events.Grown` while it works."""
    steers: tuple[str, ...] = ()
    """What may be asked of a run on its way: `pause` (any run that calls `Context.check` can), `finish`."""
    prepare: str = ""
    """`"package.module:function"` without arguments that does what would be slow the first time, such as compiling
    kernels; called once on every machine, in the background (see `generators.prepare`)."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", self.id):
            raise ValueError(f"generator id {self.id!r}: expected lower-case words joined by dots")
        if not self.run and self.live is None:
            raise ValueError(f"generator {self.id}: expected `run`, `live` or both")
        start = self.live.start if self.live else ""
        for name, reference in (("run", self.run), ("live.start", start), ("prepare", self.prepare)):
            if reference and not _REFERENCE.fullmatch(reference):
                raise ValueError(f"generator {self.id}: {name} is {reference!r}, expected 'module:function'")
        if self.run and not self.gives:
            raise ValueError(f"generator {self.id}: expected the kinds of asset that `run` gives")
        if not set(self.steers) <= set(STEERS):
            raise ValueError(f"generator {self.id}: steers {self.steers}, expected some of {STEERS}")


def params_schema(spec: GeneratorSpec) -> dict[str, Any]:
    """JSON Schema (2020-12) of a generator's parameters, flattened to one object with no references."""
    schema, components = msgspec.json.schema_components([spec.params], ref_template="{name}")
    own: dict[str, Any] = components[schema[0]["$ref"]]
    return {"type": "object", **own}


Seed = Annotated[int, Meta(ge=0, le=SEED_MAX)]
