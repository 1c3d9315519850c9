# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel says, in plain data: connection, catalog, job rows. Drawing it takes no decision any more."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .client_core import ConnectionState, Generator, Port
from .runs import Run

Tone = Literal["good", "busy", "bad", "still"]
Button = Literal[
    "cancel", "pause", "resume", "finish", "here", "retry", "new_seed", "further", "view", "place", "parameters",
    "copy_error", "dismiss",
]  # fmt: skip

KIND_TITLES = {
    "material": "Material",
    "image": "Image",
    "clip": "Clip",
    "mesh": "Mesh",
    "splats": "Splats",
    "sound": "Sound",
    "field": "Field",
    "capture": "Capture",
    "scene": "Scene",
}
"""Kinds of asset, in the order in which the panel offers them."""
INPUTS_ALONE = ("capture", "field")
"""Kinds that nothing in Blender shows, but of which other generators make what can be shown."""
SEEN = "Ready: look at it, or make others of it"
"""Where a result stands that Blender cannot show, but the bridge can."""
KEPT = "Kept in this file"
"""Where a result stands that is in the file and shown nowhere yet."""
LIVE = "live"
BRIDGE = "The bridge is the program that makes things for you."
START_BRIDGE = "In a terminal, type: scenecast serve"
PLACEABLE = ("material", "image", "clip", "mesh", "splats", "sound")


@dataclass(frozen=True)
class ConnectionRow:
    """The line at the top of the panel, and what stands below it when something is wrong."""

    tone: Tone
    title: str
    cause: str = ""
    remedy: str = ""
    can_retry: bool = False


@dataclass(frozen=True)
class Category:
    """One kind of thing that can be made."""

    kind: str
    title: str
    tip: str


@dataclass(frozen=True)
class GeneratorRow:
    """One generator in the menu; a greyed one says why."""

    id: str
    title: str
    tip: str
    available: bool
    reason: str


@dataclass(frozen=True)
class PortRow:
    """One input, and the kinds of thing it takes in words."""

    name: str
    title: str
    tip: str
    kinds: tuple[str, ...]
    optional: bool


@dataclass(frozen=True)
class JobRow:
    """One run in the list."""

    key: str
    title: str
    """What was asked for, in the artist's words."""
    kind: str
    line: str
    """Where it stands: `relief · 45 % · 3 s left`."""
    tone: Tone
    fraction: float | None
    """0..1 for a progress bar; None for no bar."""
    detail: tuple[str, ...] = ()
    """Further sentences: why it failed and what to do, what the generator noted."""
    buttons: tuple[Button, ...] = ()


def connection_row(state: ConnectionState, *, server: str = "", trouble: str = "") -> ConnectionRow:
    """The connection in words."""
    if state.status == "connected":
        if trouble:
            return ConnectionRow("bad", "Connected", trouble, "Make room on that disk, and let Blender write there.")
        return ConnectionRow("good", f"Connected to {server}" if server else "Connected")
    if state.status == "offline":
        return ConnectionRow("bad", "Offline", can_retry=True)
    if not state.cause:
        return ConnectionRow("busy", "Connecting …")
    if state.cause.startswith("no bridge is running"):
        return ConnectionRow("bad", "No bridge is running", BRIDGE, START_BRIDGE, can_retry=True)
    waits = state.status == "waiting" and state.retry_in_secs >= 1
    title = f"Trying again in {math.ceil(state.retry_in_secs)} s" if waits else "Connecting …"
    return ConnectionRow("bad", title, sentence(state.cause), sentence(state.remedy), can_retry=True)


def kind_of(row: Generator) -> str:
    """What a generator makes first; `live` for one that makes nothing but live pictures."""
    return row.gives[0] if row.gives else LIVE


def categories(generators: Iterable[Generator]) -> list[Category]:
    """What can be made, in a fixed order; kinds this add-on does not know come last, under their own names."""
    given = [(row, kind_of(row)) for row in generators]
    order = {kind: place for place, kind in enumerate(KIND_TITLES)}
    kinds = sorted({kind for _, kind in given}, key=lambda kind: (order.get(kind, len(order)), kind))
    rows = []
    for kind in kinds:
        of_kind = [row.title for row, given_kind in given if given_kind == kind]
        title = KIND_TITLES.get(kind, kind.replace("_", " ").capitalize())
        rows.append(Category(kind, title, f"{title}: {', '.join(of_kind)}"))
    return rows


def generator_rows(generators: Iterable[Generator], kind: str) -> list[GeneratorRow]:
    """The generators of a kind: those that can run here first, each group in the catalog's order."""
    of_kind = [row for row in generators if kind_of(row) == kind]
    of_kind.sort(key=lambda row: not row.available)
    return [
        GeneratorRow(row.id, row.title, row.promise, row.available, "" if row.available else sentence(row.reason))
        for row in of_kind
    ]


def port_rows(ports: Iterable[Port]) -> list[PortRow]:
    """A generator's inputs."""
    return [
        PortRow(port.name, _port_title(port.name), port.help or kinds_in_words(port.kinds), tuple(port.kinds),
                port.optional)
        for port in ports
    ]  # fmt: skip


def shown_ports(rows: Sequence[PortRow], filled: Container[str]) -> list[PortRow]:
    """Those worth showing: of several optional ones that are numbered (`cloud3`), the filled and one empty more."""
    shown, waiting = [], set()
    for row in rows:
        series = row.name.rstrip("0123456789")
        if row.optional and series != row.name and row.name not in filled:
            if series in waiting:
                continue
            waiting.add(series)
        shown.append(row)
    return shown


def kinds_in_words(kinds: Sequence[str]) -> str:
    """`A mesh or a material`."""
    words = [f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}" if kind != "splats" else "splats" for kind in kinds]
    return _capital(" or ".join(words))


def job_row(
    run: Run, *, connected: bool, waits_for: str = "", steers: Sequence[str] = (), elsewhere: str = ""
) -> JobRow:
    """A run as the list shows it; `waits_for` says what a finished one that is not placed is waiting for.

    `elsewhere` names the file it was asked for in when that is not the open one.

    `steers` is what may be asked of it: see `Hub.steers`.
    """
    title = run.title
    kind = run.assets[0].kind if run.assets else run.order.kind
    if run.state == "failed":
        buttons: list[Button] = ["retry", "parameters", "copy_error", "dismiss"]
        told = [text for text in map(sentence, (run.error, run.remedy, *run.notes[-1:])) if text]
        return JobRow(run.key, title, kind, "Failed", "bad", None, tuple(told), tuple(buttons))
    if run.state == "cancelled":
        return JobRow(
            run.key,
            title,
            kind,
            "Cancelled",
            "still",
            None,
            tuple(map(sentence, run.notes[-1:])),
            ("retry", "parameters", "dismiss"),
        )
    if run.state == "done":
        return _done(run, title, kind, waits_for, steers)
    line, fraction = _going_on(run, connected)
    buttons = [*_steering(run, steers), "cancel"] if connected else ["cancel"]
    told = [sentence(note) for note in run.notes[-1:]]
    if elsewhere and kind in PLACEABLE:
        buttons.insert(0, "here")
        told.append(f"Its result goes into {elsewhere}, where it was asked for.")
    return JobRow(run.key, title, kind, line, "busy", fraction, tuple(told), tuple(buttons))


def seconds_in_words(secs: float) -> str:
    """`4 s`, `2 min`, `1 h 5 min`."""
    whole = max(1, math.ceil(secs))
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def when_in_words(then: float, now: float) -> str:
    """`just now`, `5 min ago`, `14:05`, `3 Nov`."""
    gone = now - then
    if gone < 60:
        return "just now"
    if gone < 3600:
        return f"{gone // 60:.0f} min ago"
    at = time.localtime(then)
    return time.strftime("%H:%M", at) if gone < 12 * 3600 else f"{at.tm_mday} {time.strftime('%b', at)}"


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text.strip()
    if not text:
        return ""
    return _capital(text) + ("" if text[-1] in ".!?…:" else ".")


def wrapped(text: str, columns: int) -> list[str]:
    """The text in lines of at most so many characters; a longer word is cut."""
    lines: list[str] = []
    for word in text.split():
        while len(word) > columns:
            lines.append(word[:columns])
            word = word[columns:]
        if lines and len(lines[-1]) + 1 + len(word) <= columns:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def placed_line(kind: str, name: str, message: str) -> str:
    """A placement's message without what the row says already: `Material oak on Cube` becomes `Placed on Cube`."""
    opening = f"{kind} {name} "
    if message.casefold().startswith(opening.casefold()):
        return f"Placed {message[len(opening) :]}"
    if message.casefold() == opening.strip().casefold():
        return KEPT
    return message or f"{name} is in the scene"


def error_text(run: Run) -> str:
    """Everything about a failure, to be pasted into a message to somebody who can help."""
    order = run.order
    lines = [
        f"Scenecast: {order.title or order.generator} ({order.generator}) failed",
        *(line for line in (run.error, run.remedy) if line),
        f"code: {run.code or 'none'}   job: {run.job_id or 'none'}   seed: {run.seed}",
        f"parameters: {order.params}",
        *(f"{problem}: {remedy}" for problem, remedy in run.misplaced.values()),
    ]
    return "\n".join(lines)


def _steering(run: Run, steers: Sequence[str]) -> list[Button]:
    if run.cancelling or run.steered == "finishing":
        return []
    found: list[Button] = []
    if "pause" in steers:
        found.append("resume" if run.steered == "paused" else "pause")
    if "finish" in steers:
        found.append("finish")
    return found


def _done(run: Run, title: str, kind: str, waits_for: str, steers: Sequence[str]) -> JobRow:
    problems = [text for pair in run.misplaced.values() for text in pair if text]
    more: tuple[Button, ...] = ("further", "view")
    again: list[Button] = ["new_seed", *(one for one in more if one in steers), "parameters", "dismiss"]
    if kind in PLACEABLE:
        again.insert(0, "place")
    if problems:
        told = tuple(map(sentence, problems))
        return JobRow(run.key, title, kind, "Not placed", "bad", None, told, (*again, "copy_error"))
    if "view" in steers:
        return JobRow(run.key, title, kind, SEEN, "good", None, tuple(map(sentence, run.notes)), tuple(again))
    if len(run.landed) < len(run.assets):
        line = f"Ready, {waits_for}" if waits_for else "Placing …"
        if kind not in PLACEABLE:
            line = "Ready, an input for others" if kind in INPUTS_ALONE else "Ready; Blender has no place for it"
        return JobRow(run.key, title, kind, line, "good", None, (), tuple(again))
    said = list(dict.fromkeys(run.landed.values()))
    said = [one for one in said if one != KEPT] or said
    line = said[0] if len(said) == 1 else f"{len(run.landed)} results placed" if said else "It made nothing"
    return JobRow(run.key, title, kind, line, "good", None, tuple(map(sentence, run.notes)), tuple(again))


def _going_on(run: Run, connected: bool) -> tuple[str, float | None]:
    if run.cancelling:
        return "Cancelling …", None
    if run.state == "capturing":
        return _capital(run.stage) or "Looking at the scene", run.fraction
    if run.state == "sending":
        sending = _capital(run.stage) or "Sending the input"
        return (sending if connected or run.stage.startswith("packing") else "Waiting for the bridge"), run.fraction
    if not connected:
        return "Waiting for the bridge", run.fraction if run.fraction else None
    if run.state == "submitting":
        return "Asking …", None
    if run.state == "queued":
        ahead = f"{run.ahead} job{'s' if run.ahead != 1 else ''} ahead" if run.ahead else "next in line"
        return f"Waiting, {ahead}", None
    if run.state == "receiving":
        return "Receiving", run.fraction
    if run.steered:
        word = "Paused" if run.steered == "paused" else "Finishing"
        return f"{word} · {run.fraction:.0%}" if run.fraction else word, run.fraction
    left = f"{seconds_in_words(run.eta_secs)} left" if run.eta_secs is not None else ""
    parts = [_capital(run.stage.replace("_", " ")) or "Starting", f"{run.fraction:.0%}" if run.fraction else "", left]
    return " · ".join(part for part in parts if part), run.fraction


def _port_title(name: str) -> str:
    """`Cloud 2` of `cloud2`."""
    return _capital(re.sub(r"(?<=[a-z])(?=\d+$)", " ", name.replace("_", " ")))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
