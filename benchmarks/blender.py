"""The Blender add-on: how long a turn of its timer holds the main thread, how quick the live lane is, and a landing."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, note
from benchmarks.serving import Served, serving
from blender_addon.core.delivered import Delivered, DeliveredFile
from blender_addon.core.history import History
from blender_addon.core.hub import BUDGET_SECS, Hub
from blender_addon.core.live_lane import LiveLane
from blender_addon.core.live_pixels import live_floats
from blender_addon.core.live_sheet import sheet
from blender_addon.core.runs import Order, Run
from blender_addon.core.slots import Slot
from engines.asymmetric import asymmetric_material
from engines.export import export
from engines.hosts import host
from engines.parts import parts_from_asset
from python_client import Client

BENCH = "blender"
USUAL_SECS, LONGEST_SECS = 0.006, 0.008
"""What a turn may take: half a frame at 60 Hz is left to Blender even by the longest."""
PICTURE_SECS = 0.016
"""A turn that also shows a live picture: a frame at 60 Hz."""
SIZE_PX, CHANNELS = 4096, 4
"""Noise, which does not compress: 64 MiB of pixels make a PNG of 64 MiB."""
ROUNDS = 3
LIVE_PX, LIVE_SECS = 512, 10.0


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
        yield from _live(served)
    yield from _landing()


def _figures(name: str, rounds: list[Turns]) -> Iterator[Figure]:
    turns = [secs for one in rounds for secs in one.secs]
    best = min(rounds, key=lambda one: one.whole_secs)
    size = f"{best.size_bytes / 2**20:.0f} MiB"
    yield _figure(f"turn while {size} arrive {name}, median", statistics.median(turns), USUAL_SECS)
    worst = min(max(one.secs) for one in rounds)
    yield _figure(f"turn while {size} arrive {name}, longest of the best round", worst, LONGEST_SECS)
    limit = 0.05 if name == "by path" else best.size_bytes / (100 * 2**20)
    yield _figure(f"main thread held in all by {size} {name}", best.whole_secs, limit)


def _live(served: Served) -> Iterator[Figure]:
    """The live lane as the add-on runs it, but for reading the viewport, which needs a window: a solid, painted."""
    views = [_view(turn) for turn in range(4)]
    depth, clip = _depth()
    with tempfile.TemporaryDirectory() as folder:
        hub = _hub(served, Path(folder), share_disk=True)
        while hub.state.status != "connected":
            _turn(hub)
        opened = hub.client.live(
            "live.painterly", width_px=LIVE_PX, height_px=LIVE_PX, reply="image/raw", alpha=True, bottom_up=True
        )  # fmt: skip
        lane, ages, held = LiveLane(opened), [], []
        while opened.state in ("opening", "loading"):
            _turn(hub)
        end, began = time.perf_counter() + LIVE_SECS, time.perf_counter()
        while time.perf_counter() < end and not lane.over:
            at = time.perf_counter()
            more = hub.tick(BUDGET_SECS)
            shown = lane.take()
            if shown and lane.picture is not None:
                live_floats(lane.picture, depth, 0.5)
                sheet(depth, np.eye(4), clip)
            if lane.due():
                view = time.perf_counter()
                number = opened.push(colour=views[opened.pushed % 4].data, bottom_up=True)
                lane.sent(number, number, time.perf_counter() - view)
            secs = time.perf_counter() - at
            if shown and lane.picture is not None:
                ages.append(lane.picture.age_ms / 1000 + secs)
                held.append(secs)
            if not more:
                time.sleep(0.001)
        took = time.perf_counter() - began
        opened.close()
        hub.close()
    if opened.error is not None or len(ages) < 3:
        raise RuntimeError(f"the live lane ended as {opened.state} after {len(ages)} pictures: {opened.error}")
    yield Figure(BENCH, "live lane, pictures a second at 512²", len(ages) / took, "1/s", "promise ≥ 5 /s", 5.0)
    yield _figure("live lane, edit to pixel at 512², median", statistics.median(ages), 0.25)
    yield _figure("turn with a live picture at 512², median", statistics.median(held), PICTURE_SECS)
    yield _figure("turn with a live picture at 512², longest", max(held), 3 * PICTURE_SECS)


def _view(turn: int) -> NDArray[np.uint8]:
    """uint8 [512, 512, 4]: a shaded ball on a plain ground, as a viewport in Solid mode shows one, lit from `turn`."""
    y, x = np.mgrid[-1 : 1 : LIVE_PX * 1j, -1 : 1 : LIVE_PX * 1j]
    inside = x * x + y * y < 0.4
    light = np.clip(0.5 + 0.6 * (x * np.cos(turn) + y * np.sin(turn)), 0, 1)
    grey = np.where(inside, 60 + 150 * light, 63 - 8 * y)
    return np.repeat(grey[..., None], 4, axis=2).astype(np.uint8)


def _depth() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Window depth [512, 512] of that view, and the camera's projection."""
    y, x = np.mgrid[-1 : 1 : LIVE_PX * 1j, -1 : 1 : LIVE_PX * 1j]
    clip = np.array([[2.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, -1.0002, -0.2], [0, 0, -1, 0]])
    away = 5 - np.sqrt(np.maximum(0.4 - x * x - y * y, 0))
    depth = np.where(x * x + y * y < 0.4, 0.5 + 0.5 * (1.0002 - 0.2 / away), 1.0)
    return depth.astype(np.float32), clip


def _landing() -> Iterator[Figure]:
    """A material of 2048² in real Blender, from its files on disk to decoded pictures on an object."""
    python = os.environ.get("BLENDER_BPY_4_5", "")
    if not python:
        note("BLENDER_BPY_4_5 names no Python with Blender as its module: landing is not measured")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "material.json").write_text(_material(folder / "files").to_json(), "utf-8")
        script = Path(__file__).with_name("inside_blender.py")
        subprocess.run([python, str(script), name], check=True, timeout=180, capture_output=True)
        secs = json.loads((folder / "seconds.json").read_text("utf-8"))
    whole = [placed + decoded for placed, decoded in zip(secs["placed"], secs["decoded"], strict=True)]
    yield _figure("material of 2048² landed, until placed, median", statistics.median(secs["placed"]), 0.1)
    yield _figure("material of 2048² landed, until visible, median", statistics.median(whole), 1.0)


def _material(folder: Path) -> Delivered:
    """The asymmetric test material with every map, as a bridge would deliver it."""
    folder.mkdir()
    asset = asymmetric_material(2048)
    files = [
        DeliveredFile(file.file, file.role, file.media_type, file.colour_space or "", str(folder / file.file))
        for file in export(asset, host("blender"), folder)
    ]
    meta, _ = parts_from_asset(asset)
    return Delivered("0" * 64, "material", "bench", meta=dict(meta), files=tuple(files), job_id="bench")


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
