"""The Blender add-on without Blender: how long one turn of its timer holds the main thread while results arrive."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.serving import Served, serving
from blender_addon.core.history import History
from blender_addon.core.hub import Hub
from blender_addon.core.runs import Order, Run
from blender_addon.core.slots import Slot
from python_client import Client

BENCH = "blender"
BUDGET_SECS = 0.006
LONGEST_SECS = 0.016
"""A frame at 60 Hz: a longer turn could be seen."""
SIZE_PX, CHANNELS = 4096, 4
"""Noise, which does not compress: 64 MiB of pixels make a PNG of 64 MiB."""
ROUNDS = 3


@dataclass
class Turns:
    """What the turns of one transfer took."""

    secs: list[float] = field(default_factory=list)
    whole_secs: float = 0.0
    size_bytes: int = 0


def run() -> Iterator[Figure]:
    """Every figure of the add-on's turns, on one private bridge."""
    with serving() as served:
        served.settle()
        _received(served, share_disk=True)  # written for Blender once, then taken from the bridge's cache
        for name, share_disk in (("by path", True), ("by socket", False)):
            rounds = [_received(served, share_disk=share_disk) for _ in range(ROUNDS)]
            yield from _figures(name, rounds)
        yield from _idle(served)


def _figures(name: str, rounds: list[Turns]) -> Iterator[Figure]:
    turns = [secs for one in rounds for secs in one.secs]
    best = min(rounds, key=lambda one: one.whole_secs)
    size = f"{best.size_bytes / 2**20:.0f} MiB"
    yield _figure(f"turn while {size} arrive {name}, median", statistics.median(turns), BUDGET_SECS)
    worst = min(max(one.secs) for one in rounds)
    yield _figure(f"turn while {size} arrive {name}, longest of the best round", worst, LONGEST_SECS)
    limit = 0.05 if name == "by path" else best.size_bytes / (100 * 2**20)
    yield _figure(f"main thread held in all by {size} {name}", best.whole_secs, limit)


def _idle(served: Served) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        hub = _hub(served, Path(folder), share_disk=True)
        times = [_turn(hub) for _ in range(2000)]
        hub.close()
    yield _figure("turn with nothing to do, median", statistics.median(times), 0.0005)


def _received(served: Served, *, share_disk: bool) -> Turns:
    """Ask for the large picture, and time every turn from its end to its last byte."""
    with tempfile.TemporaryDirectory(dir=served.folder) as folder:
        hub = _hub(served, Path(folder), share_disk=share_disk)
        while hub.state.status != "connected":
            _turn(hub)
        params = {"size_px": SIZE_PX, "channels": CHANNELS}
        asked = hub.submit(Order("image.blank", params=params, seed=1, file="bench"))
        turns = Turns()
        while not asked.over:
            secs = _turn(hub)
            if asked.state == "receiving" or asked.over:
                turns.secs.append(secs)
                turns.whole_secs += secs
        _check(asked, hub, turns)
        hub.close()
    return turns


def _check(asked: Run, hub: Hub, turns: Turns) -> None:
    if asked.state != "done":
        raise RuntimeError(f"the transfer ended as {asked.state}: {asked.error}")
    files = [Path(file.path) for delivered in hub.delivered(asked.key) for file in delivered.files]
    turns.size_bytes = sum(path.stat().st_size for path in files)


def _turn(hub: Hub) -> float:
    began = time.perf_counter()
    more = hub.tick(BUDGET_SECS)
    secs = time.perf_counter() - began
    if not more:
        time.sleep(0.001)
    return secs


def _hub(served: Served, folder: Path, *, share_disk: bool) -> Hub:
    def make_client(bookmark: Any) -> Client:
        return Client(
            served.url, served.token, host="blender", bookmark=bookmark, disk_proof=_proof(served, share_disk)
        )

    return Hub(Slot(folder), make_client, History(folder / "history.json"))


def _proof(served: Served, share_disk: bool) -> str:
    return (served.folder / "store" / "proof").read_text("ascii").strip() if share_disk else ""


def _figure(name: str, secs: float, limit_secs: float) -> Figure:
    return Figure(BENCH, name, secs * 1000, "ms", f"limit ≤ {limit_secs * 1000:g} ms", limit_secs * 1000)
