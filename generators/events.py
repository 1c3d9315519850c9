"""What a running generator says, what it is given, and nothing else; importing this loads no numpy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from engines.assets import Array, Asset
    from generators.spec import Params


@dataclass(frozen=True)
class Progress:
    """How far the run has come: `fraction` 0..1 and the stage in a word or two."""

    fraction: float
    stage: str = ""


@dataclass(frozen=True, eq=False)
class Preview:
    """A picture of the result so far: uint8 sRGB or float32 linear [H, W, 3], best at 128..512 px."""

    pixels: Array


@dataclass(frozen=True)
class Note:
    """A sentence for the artist that is kept with the job: what was assumed, ignored or not known."""

    text: str


@dataclass(frozen=True, eq=False)
class Produced:
    """One finished asset; a run may produce several, each under its own name."""

    asset: Asset
    name: str = "result"


Event = Progress | Preview | Note | Produced


class GeneratorError(Exception):
    """A failure the artist can do something about; the message says what was expected, what came, what to do."""


class Cancelled(Exception):
    """Raised inside a run by `Context.check` once its job has been cancelled."""


@dataclass(frozen=True)
class Request:
    """All that one run needs to know."""

    params: Params
    seed: int
    """0..2^32-1; the same params, inputs, seed and device give the same bytes."""
    inputs: Mapping[str, Asset] = field(default_factory=dict)
    """Neutral assets by port name; optional ports may be absent."""


class Context(Protocol):
    """What the worker offers to a run."""

    device: str
    """The torch device the run owns: "cpu" or "cuda:0"."""
    scratch: Path
    """An empty folder that is removed when the run ends."""
    wants_previews: bool

    def check(self) -> None:
        """Raise `Cancelled` when the job has been cancelled; call it at least every 50 ms of work."""


class Run(Protocol):
    """The signature of a generator's function."""

    def __call__(self, request: Any, context: Context) -> Iterator[Event]:
        """Yield events until done; the last `Produced` ends the useful part of the run."""
