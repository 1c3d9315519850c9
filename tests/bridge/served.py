"""A server on a free port with scripted jobs and a real store, and a client made of `websockets` and `msgpack`."""

from __future__ import annotations

import ssl
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bridge.connection import Connection, Registry, Services
from bridge.delivery import Delivery
from bridge.export_process import ExportProcess
from bridge.gate import Gate, host_names
from bridge.growth import Growths
from bridge.live import LiveRoom
from bridge.metrics import Counters
from bridge.server import Server
from bridge.store import Store
from bridge.supervisor import Supervisor
from bridge.uploads import Uploads
from engines import neutral
from engines.assets import Sound
from generators.catalog import Catalog
from tests.bridge.fake_jobs import FakeHouse, FakeJobs
from tests.workplace import PATIENCE_SECS

TOKEN = "t" * 43


class Served:
    """What a test can reach inside the server."""

    def __init__(self, root: Path, *, stall_secs: float = 20.0, hello_secs: float = 10.0, most: int = 100) -> None:
        self.jobs = FakeJobs()
        self.house = FakeHouse(most)
        self.counters = Counters()
        self.registry = Registry()
        self.store = Store(root)
        self.exporter = ExportProcess(timeout_secs=PATIENCE_SECS)
        self.delivery = Delivery(self.store, self.exporter, self.counters, version="test")
        self.uploads = Uploads(self.store, file_bytes=1 << 30, pending_bytes=1 << 30)
        self.live = LiveRoom(supervisor=Supervisor(root), catalog=Catalog([]), store=self.store, counters=self.counters)
        self.services = Services(
            self.jobs, self.house, self.delivery, self.uploads, self.registry, self.counters,
            Growths(self.jobs, self.store), self.live,
        )  # fmt: skip
        self.jobs.listener = self.registry.tell
        self.port = 0
        self.server = Server(
            name="scenecast test",
            make_gate=lambda port: Gate(TOKEN, host_names(port, "127.0.0.1"), frozenset({"https://panel.example"})),
            make_connection=lambda: Connection(self.services),
            counters=self.counters,
            figures=self.counters.figures,
            sessions=most,
            stall_secs=stall_secs,
            hello_secs=hello_secs,
        )

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def asset(self, size_bytes: int = 4096, name: str = "noise") -> str:
        """Store an asset of one float32 array of about that size; returns its digest."""
        folder = self.store.temporary()
        folder.mkdir()
        samples = np.random.default_rng(size_bytes).random((max(1, size_bytes // 4), 1), dtype=np.float32)
        draft = neutral.write(Sound(samples, name=name), folder)
        return (await self.store.adopt_asset(draft, folder, {"generator": "test"})).digest


@asynccontextmanager
async def served(root: Path, **options: Any) -> AsyncIterator[Served]:
    one = Served(root, **options)
    one.port = await one.server.bind("127.0.0.1", 0, None)
    await one.server.begin()
    try:
        yield one
    finally:
        await one.server.stop("the test is over", 2.0)
        await one.delivery.stop()
        await one.exporter.stop()


class Client:
    """Says and hears maps; knows nothing of the bridge's own code."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []

    async def say(self, kind: str, payload: bytes | None = None, **fields: Any) -> None:
        header: bytes = msgpack.packb({"type": kind, **fields})
        if payload is not None:
            header = b"\xce" + struct.pack(">I", len(header)) + header + payload
        await self.socket.send(header)

    async def hear(self) -> dict[str, Any]:
        """The next message; its payload, if any, under `payload`."""
        frame = await self.socket.recv()
        assert isinstance(frame, bytes)
        if frame[0] == 0xCE:
            size = int.from_bytes(frame[1:5], "big")
            message: dict[str, Any] = msgpack.unpackb(frame[5 : 5 + size])
            message["payload"] = frame[5 + size :]
        else:
            message = msgpack.unpackb(frame)
        self.heard.append(message)
        return message

    async def hear_until(self, *kinds: str) -> dict[str, Any]:
        """The next message of one of these kinds; the others are in `heard`."""
        while True:
            message = await self.hear()
            if message["type"] in kinds:
                return message

    async def ask(self, kind: str, answer: str, payload: bytes | None = None, **fields: Any) -> dict[str, Any]:
        await self.say(kind, payload, **fields)
        return await self.hear_until(answer, "refused")

    async def hello(self, **fields: Any) -> dict[str, Any]:
        return await self.ask("hello", "welcome", **{"protocol": 1, "client": "test", **fields})

    async def take_files(self, files: Mapping[str, Any]) -> list[bytes]:
        """Take all chunks of a transfer, giving credit for each."""
        parts = [bytearray(row["size_bytes"]) for row in files["files"]]
        left = sum(map(len, parts))
        while left:
            chunk = await self.hear_until("asset.chunk", "refused")
            assert chunk["type"] == "asset.chunk", chunk
            assert chunk["transfer"] == files["transfer"]
            data = chunk["payload"]
            parts[chunk["file"]][chunk["offset"] : chunk["offset"] + len(data)] = data
            left -= len(data)
            await self.say("asset.credit", size_bytes=len(data))
        return [bytes(part) for part in parts]


@asynccontextmanager
async def client(
    url: str,
    *,
    token: str = TOKEN,
    hello: bool = True,
    tls: ssl.SSLContext | None = None,
    **fields: Any,
) -> AsyncIterator[Client]:
    """A connected client; with `hello` it has been welcomed, `fields` being those of its hello."""
    async with connect(
        url,
        additional_headers={"Authorization": f"Bearer {token}"},
        subprotocols=[Subprotocol("scenecast.v1")],
        compression=None,
        max_size=None,
        proxy=None,
        ssl=tls,
    ) as socket:
        one = Client(socket)
        if hello:
            await one.hello(**fields)
        yield one
