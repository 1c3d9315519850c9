"""What a running generator says, what it is given, and nothing else; importing this loads no numpy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from engines.assets import Array, Asset, Splats
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
class Grown:
    """The cloud as it is now; worth yielding when `WatchedContext.wants_growth`, and once more right before `Produced`.

    `ids` int64 [N] >= 0 names each splat for as long as it lives; without them a splat is known by its row.
    """

    splats: Splats
    ids: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Produced:
    """One finished asset; a run may produce several, each under its own name."""

    asset: Asset
    name: str = "result"


Event = Progress | Preview | Note | Grown | Produced


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
    """A folder of the job's own, removed when the job is over; empty, but that a resumable generator finds there
    what an earlier attempt left."""
    wants_previews: bool

    def check(self) -> None:
        """Raise `Cancelled` when the job has been cancelled, wait while it is paused.

        To be called at least every 50 ms of work.
        """


class WatchedContext(Context, Protocol):
    """What the worker offers besides, to a run that can be watched or finished early."""

    @property
    def wants_growth(self) -> bool:
        """True when somebody watches the cloud grow and a new version is due: do not make one otherwise."""

    @property
    def finishing(self) -> bool:
        """True once the artist has called the result good enough: stop here, and produce what there is."""


class Run(Protocol):
    """The signature of a generator's function."""

    def __call__(self, request: Any, context: Context) -> Iterator[Event]:
        """Yield events until done; the last `Produced` ends the useful part of the run."""
