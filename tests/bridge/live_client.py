"""A bridge with live generators that are fakes, and one live session as a client of maps and bytes sees it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bridge.app import Bridge
from bridge.live_session import LiveSession
from bridge.settings import checked
from generators.catalog import Catalog
from tests import fakes, live_fakes
from tests.bridge.served import Client, client
from tests.workplace import PATIENCE_SECS

SIDE = 16
PIXELS = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
EYE = [1.0, 0, 0, 7, 0, 1, 0, 8, 0, 0, 1, 9, 0, 0, 0, 1]


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(PATIENCE_SECS):
            await work

    asyncio.run(limited())


@asynccontextmanager
async def opened(root: Path, **values: Any) -> AsyncIterator[tuple[Bridge, Client]]:
    settings = checked({"data_dir": str(root), "port": 0, "grace_secs": 0.5, "prepare": False, **values})
    catalog = Catalog.from_specs(*fakes.SPECS, *live_fakes.SPECS)
    bridge = Bridge(settings, catalog=catalog, workers=fakes.quick_workers(), announce=False)
    async with bridge as one, client(one.url, token=one.token) as me:
        yield one, me


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECS):
        while not condition():
            await asyncio.sleep(0.005)


class Live:
    """One live session as a client of maps and bytes sees it."""

    def __init__(self, me: Client, live: str) -> None:
        self.me, self.id, self.number = me, live, 0

    @classmethod
    async def open(cls, me: Client, generator: str = "live.mirror", *, ready: bool = True, **fields: Any) -> Live:
        request = {"request_id": os.urandom(4).hex(), "generator": generator, "width_px": SIDE, "height_px": SIDE}
        answer = await me.ask("live.open", "live.opened", **{**request, **fields})
        assert answer["type"] == "live.opened", answer
        live = cls(me, answer["live"])
        if ready:
            await live.state("ready")
        return live

    async def state(self, stage: str) -> dict[str, Any]:
        while True:
            message = await self.me.hear_until("live.state", "live.closed")
            assert message["type"] == "live.state", message
            if message["live"] == self.id and message["stage"] == stage:
                return message

    async def send(self, colour: np.ndarray[Any, Any] | None = PIXELS, **fields: Any) -> int:
        self.number += 1
        data = b"" if colour is None else colour.tobytes()
        pictures = [] if colour is None else [{"channel": "colour", "offset": 0, "size_bytes": len(data)}]
        message = {"frame": self.number, "pictures": pictures, "size_bytes": len(data), **fields}
        await self.me.say("live.frame", data, live=self.id, **message)
        return self.number

    async def image(self, frame: int = 0) -> dict[str, Any]:
        """The answer to that frame or a newer one."""
        while True:
            message = await self.me.hear_until("live.image", "live.closed", "refused")
            assert message["type"] == "live.image", message
            if message["frame"] >= frame:
                return message

    async def refused(self) -> dict[str, Any]:
        refused = await self.me.hear_until("refused")
        assert refused["request_id"] == self.id
        return refused

    async def close(self) -> dict[str, Any]:
        await self.me.say("live.close", live=self.id)
        return await self.me.hear_until("live.closed")


def session_of(one: Bridge, live: Live) -> LiveSession:
    return one._live.sessions[live.id]
