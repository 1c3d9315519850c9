"""What a job says while it runs, as the caller sees it: one class per event, each printing as one line of prose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from .messages import AssetRow


@dataclass(frozen=True)
class Queued:
    """The job waits for its turn; `reason` says why it waits again."""

    reason: str = ""

    def __str__(self) -> str:
        return f"queued: {self.reason}" if self.reason else "queued"


@dataclass(frozen=True)
class Started:
    """A worker has begun."""

    attempt: int
    device: str

    def __str__(self) -> str:
        again = f", attempt {self.attempt}" if self.attempt > 1 else ""
        return f"started on {self.device or 'a worker'}{again}"


@dataclass(frozen=True)
class Progress:
    """How far the job has come: 0..1, the stage in a word or two, the seconds left when they are known."""

    fraction: float
    stage: str = ""
    eta_secs: Optional[float] = None

    def __str__(self) -> str:
        left = "" if self.eta_secs is None else f", {self.eta_secs:.0f} s left"
        return f"{self.fraction:4.0%} {self.stage}{left}"


@dataclass(frozen=True)
class Preview:
    """A picture of the result so far: JPEG bytes, or RGB8 rows top first when `media_type` is image/raw."""

    width_px: int
    height_px: int
    media_type: str
    data: bytes

    def __str__(self) -> str:
        return f"preview {self.width_px}×{self.height_px} px, {len(self.data) / 1000:.0f} kB"


@dataclass(frozen=True)
class Grown:
    """A newer version of the growing cloud is here in full; the last one is final."""

    version: int
    count: int
    final: bool

    def __str__(self) -> str:
        return f"version {self.version}{', the last' if self.final else ''}: {self.count} splats"


@dataclass(frozen=True)
class Steered:
    """How the job stands: `paused`, `finishing`, or empty when it goes on."""

    steered: str

    def __str__(self) -> str:
        return self.steered or "goes on"


@dataclass(frozen=True)
class Noted:
    """A sentence of the generator: what it assumed, ignored or did not know."""

    text: str

    def __str__(self) -> str:
        return f"note: {self.text}"


@dataclass(frozen=True)
class Produced:
    """One result is in the bridge's store."""

    asset: AssetRow
    name: str

    def __str__(self) -> str:
        return f"produced {self.asset.kind} {self.name!r}"


@dataclass(frozen=True)
class Finished:
    """All results are there; `reused` when an earlier identical job had made them."""

    assets: tuple[AssetRow, ...]
    reused: bool
    run_secs: float

    def __str__(self) -> str:
        return "finished, taken from an earlier run" if self.reused else f"finished in {self.run_secs:.1f} s"


@dataclass(frozen=True)
class Failed:
    """The job is over without all its results."""

    code: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"failed: {self.message}" + (f" {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class Cancelled:
    """The job was ended on request, and nothing of it runs any more."""

    by: str = ""

    def __str__(self) -> str:
        return f"cancelled by {self.by}" if self.by else "cancelled"


Event = Union[Queued, Started, Progress, Preview, Grown, Steered, Noted, Produced, Finished, Failed, Cancelled]
