"""One job as the ledger keeps it, column for column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from bridge.messages import Deliver, GrowthWish, JobState, PreviewWish, Priority

FINAL_STATES = frozenset({JobState.FINISHED, JobState.FAILED, JobState.CANCELLED})


class PlanStep(msgspec.Struct, frozen=True, kw_only=True):
    """One generator of a job's plan; today a plan has exactly one."""

    generator: str
    version: int


class JobRecord(msgspec.Struct, kw_only=True):
    """A row of the table `job`; fields are its columns, in order. Only the ledger writes to one."""

    number: int = 0
    """Counts all jobs of this ledger; 0 until the row is written."""
    job_id: str
    session: str
    request_id: str
    fingerprint: str
    """sha256 of the request as it came, to tell a repeated request from another under the same id."""
    generator: str
    version: int
    plan: tuple[PlanStep, ...]
    params: dict[str, Any]
    """All of them, defaults filled in."""
    inputs: dict[str, str]
    seed: int
    priority: Priority
    label: str
    key: str
    """Key of the work (see `bridge.provenance`); empty while the device is not known."""
    fresh: bool
    deliver: Deliver | None
    preview: PreviewWish | None
    state: JobState = JobState.QUEUED
    attempts: int = 0
    """How often a worker has begun."""
    cancelled_by: str = ""
    """Set when somebody asked for the end of it, so that a restart does not forget."""
    notes: list[str] = []
    error_code: str = ""
    error: str = ""
    device: str = ""
    run_secs: float = 0.0
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    growth: GrowthWish | None = None
    steered: str = ""
    """`paused`, or `finishing` when it is to stop where it is and keep what it has."""


COLUMNS = tuple(field.name for field in msgspec.structs.fields(JobRecord))
_JSON: dict[str, msgspec.json.Decoder[Any]] = {
    "plan": msgspec.json.Decoder(tuple[PlanStep, ...]),
    "params": msgspec.json.Decoder(dict[str, Any]),
    "inputs": msgspec.json.Decoder(dict[str, str]),
    "deliver": msgspec.json.Decoder(Deliver | None),
    "preview": msgspec.json.Decoder(PreviewWish | None),
    "growth": msgspec.json.Decoder(GrowthWish | None),
    "notes": msgspec.json.Decoder(list[str]),
}
_ENUMS = {"priority": Priority, "state": JobState}
_encode = msgspec.json.Encoder(order="deterministic").encode


def column(name: str, value: Any) -> Any:
    """A field's value as SQLite holds it."""
    if name in _JSON:
        return _encode(value).decode()
    return value.value if name in _ENUMS else value


def record_from(row: Sequence[Any]) -> JobRecord:
    """The record in a row that was selected with `COLUMNS`."""
    values = dict(zip(COLUMNS, row, strict=True))
    for name, decoder in _JSON.items():
        values[name] = decoder.decode(values[name])
    for name, enum in _ENUMS.items():
        values[name] = enum(values[name])
    values["fresh"] = bool(values["fresh"])
    return JobRecord(**values)
