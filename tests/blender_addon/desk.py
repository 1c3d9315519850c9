"""A hub at a scripted bridge, and the ways requests go there."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from blender_addon.core.arrivals import Placement
from blender_addon.core.history import History
from blender_addon.core.hub import Hub
from blender_addon.core.slots import Slot
from python_client import Client
from python_client.testing import FakeBridge, Hold, Made, Says, Step
from tests.workplace import PATIENCE_SECS

LARGE = random.Random(1).randbytes(5_000_000)
FILE = "/scenes/house.blend"
FILES = {"base_color.png": b"colour", "description.json": b"{}"}


def material(message: Mapping[str, Any]) -> Iterator[Step]:
    yield Says("job.progress", {"fraction": 0.5, "stage": "relief", "eta_secs": 3.0})
    yield Says("job.preview", {"width_px": 1, "height_px": 1, "media_type": "image/raw"}, b"\xff\x00\x00")
    yield Says("job.noted", {"text": "no such stone, took granite"})
    yield Made("material", FILES, "granite")


def held(message: Mapping[str, Any]) -> Iterator[Step]:
    yield Says("job.progress", {"fraction": 0.25, "stage": "waiting"})
    yield Hold()
    yield from material(message)


def large(message: Mapping[str, Any]) -> Iterator[Step]:
    yield Made("mesh", {"mesh.glb": LARGE, "small.txt": b"small"}, "rock")


def broken(message: Mapping[str, Any]) -> Iterator[Step]:
    yield Says("job.failed", {"code": "limit.store", "message": "the store is full", "remedy": "Run scenecast gc."})


class Desk:
    """A hub in a folder of its own, and the means to end it and open the next."""

    def __init__(self, folder: Path, bridge: FakeBridge, **options: Any) -> None:
        self.folder, self.bridge, self.options = folder, bridge, options
        self.open()

    def open(self) -> None:
        self.slot = Slot(self.folder)
        self.history = History(self.folder / "history.json")
        self.hub = Hub(self.slot, self.make_client, self.history)

    def make_client(self, bookmark: Any) -> Client:
        return Client(self.bridge.url, self.bridge.token, host="blender", bookmark=bookmark, **self.options)

    def restart(self) -> None:
        self.hub.close()
        self.open()

    def crash(self) -> None:
        """Blender is gone without a word; its lock goes with it."""
        self.hub.save()
        self.hub.client.connection._drop()
        self.hub.client.protocol.spool.close()
        self.slot.release()
        self.open()

    def until(self, condition: Callable[[], object], secs: float = PATIENCE_SECS) -> None:
        end = time.monotonic() + secs
        while not condition():
            assert time.monotonic() < end, ([(run.state, run.error) for run in self.hub.runs], self.hub.state)
            if not self.hub.tick(0.006):
                time.sleep(0.001)

    def placement(self, **options: Any) -> Placement:
        found: list[Placement] = []

        def look() -> bool:
            one = self.hub.next_placement(FILE, **options)
            if one is not None:
                found.append(one)
            return bool(found)

        self.until(look)
        return found[0]
