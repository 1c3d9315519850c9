# SPDX-License-Identifier: GPL-3.0-or-later
"""One request of the artist from the click to the place in the scene, as data that outlives Blender."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from .targets import Target

RunState = Literal[
    "capturing", "sending", "submitting", "queued", "running", "receiving", "done", "failed", "cancelled"
]
OVER: tuple[RunState, ...] = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Source:
    """Something that becomes an input: known to the bridge by digest, or sent from a file or from memory."""

    title: str
    kind: str = ""
    digest: str = ""
    path: str = ""
    data: bytes = b""
    media_type: str = ""


@dataclass(frozen=True)
class Made:
    """One asset that a run made."""

    digest: str
    kind: str
    name: str


@dataclass(frozen=True)
class Order:
    """All that is needed to ask for something, and to ask for it again."""

    generator: str
    params: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Source] = field(default_factory=dict)
    """By port. Their bytes are not kept beyond the sending."""
    seed: int | None = None
    target: Target = field(default_factory=Target)
    title: str = ""
    """Of the generator, as it was called then."""
    label: str = ""
    """The artist's own words for it; empty when there were none."""
    hint: str = ""
    """What to call it until the result has a name."""
    kind: str = ""
    """Of the asset that is expected first."""
    file: str = ""
    """The .blend it was asked for in; results wait until that one is open, or are placed by hand."""


@dataclass
class Run:
    """Where one order stands."""

    order: Order
    key: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    state: RunState = "submitting"
    created: float = 0.0
    ended: float = 0.0
    request_id: str = ""
    job_id: str = ""
    seed: int | None = None
    """What the bridge used."""
    ahead: int = 0
    fraction: float = 0.0
    stage: str = ""
    eta_secs: float | None = None
    cancelling: bool = False
    steered: str = ""
    """`paused`, or `finishing` when it stops where it is and keeps what it has."""
    error: str = ""
    remedy: str = ""
    code: str = ""
    notes: list[str] = field(default_factory=list)
    assets: list[Made] = field(default_factory=list)
    landed: dict[str, str] = field(default_factory=dict)
    """What became of each asset's placement, one sentence by digest."""
    misplaced: dict[str, list[str]] = field(default_factory=dict)
    """By digest, why an asset could not be placed, and what to do."""
    reused: bool = False
    run_secs: float = 0.0

    @property
    def title(self) -> str:
        """What the artist knows it by: the words typed, or else what was made."""
        made = next((made.name for made in self.assets if made.name), "")
        return self.order.label or made or self.order.hint or self.order.title or self.order.generator

    @property
    def over(self) -> bool:
        """True when nothing more will come from the bridge for it."""
        return self.state in OVER

    @property
    def standing(self) -> tuple[object, ...]:
        """What the list shows of it; equal while nothing has changed."""
        counts = (len(self.notes), len(self.assets))
        return (self.state, self.fraction, self.stage, self.eta_secs, self.ahead, self.steered, *counts)

    def fail(self, message: str, remedy: str = "", code: str = "") -> None:
        """It ends here."""
        self.state, self.error, self.remedy, self.code = "failed", message, remedy, code
        self.eta_secs = None

    def to_tree(self) -> dict[str, Any]:
        """As JSON values, without the bytes of inputs and what changes by the second."""
        inputs = {port: replace(source, data=b"") for port, source in self.order.inputs.items()}
        still = replace(
            self, order=replace(self.order, inputs=inputs), fraction=0.0, stage="", eta_secs=None, steered=""
        )
        tree = asdict(still)
        for row in tree["order"]["inputs"].values():
            del row["data"]
        return tree

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Run:
        """What `to_tree` gave; unknown fields are skipped. Raises KeyError, TypeError or ValueError."""
        said = dict(tree["order"])
        target = _known(Target, said["target"])
        if target.get("location_m") is not None:
            target["location_m"] = tuple(target["location_m"])
        said["target"] = Target(**target)
        said["inputs"] = {port: Source(**_known(Source, row)) for port, row in said["inputs"].items()}
        rest = _known(cls, tree)
        rest["order"] = Order(**_known(Order, said))
        rest["assets"] = [Made(**_known(Made, row)) for row in rest.get("assets", ())]
        return cls(**rest)


def taken_up(rows: Iterable[Mapping[str, Any]]) -> list[Run]:
    """The runs of an earlier Blender; those whose input went with it have failed, what cannot be read is left out."""
    runs = []
    for row in rows:
        try:
            run = Run.from_tree(row)
        except (KeyError, TypeError, ValueError) as error:
            print(f"Scenecast: an earlier request could not be read: {error!r}")
            continue
        gone = [one for one in run.order.inputs.values() if not one.digest and not one.path]
        if run.state == "capturing" or (run.state == "sending" and gone):
            run.fail("Blender was closed before the input had been sent", "Ask for it again.")
        runs.append(run)
    return runs


def _known(kind: type, row: Mapping[str, Any]) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in row.items() if name in names}
