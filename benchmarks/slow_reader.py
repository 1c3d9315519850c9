"""Clients that read slowly or not at all, made of `websockets` and the bridge's own codec."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_socket
from websockets.typing import Subprotocol

from benchmarks.serving import Served
from bridge import wire
from bridge.messages import PROTOCOL, SUBPROTOCOL, AssetChunk, AssetCredit, AssetFetch, AssetFiles, Hello, Ping, Pong

PING_EVERY_SECS = 0.004


@contextlib.asynccontextmanager
async def _connected(served: Served) -> AsyncIterator[ClientConnection]:
    async with connect_socket(
        served.url,
        additional_headers={"Authorization": f"Bearer {served.token}"},
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        compression=None,
        max_queue=2,
        ping_interval=None,
        close_timeout=1,
    ) as socket:
        await socket.send(wire.encode(Hello(protocol=PROTOCOL, client="bench", host="python")))
        await socket.recv()
        yield socket


async def echoes_while_reading(served: Served, digest: str, *, bytes_per_sec: float) -> list[float]:
    """Round trips of pings, in seconds, while the asset is read at that rate on the same connection."""
    times: list[float] = []
    async with _connected(served) as socket:
        await socket.send(wire.encode(AssetFetch(request_id="slow", digest=digest, host="neutral")))
        left, taken, began = -1, 0, time.perf_counter()
        sent: dict[int, float] = {}
        next_at = began
        while left:
            now = time.perf_counter()
            if now >= next_at and len(sent) < 8:
                sent[len(times) + len(sent) + 1] = now
                await socket.send(wire.encode(Ping(id=len(times) + len(sent))))
                next_at = now + PING_EVERY_SECS
            message, payload = wire.decode_bridge(_bytes(await socket.recv()))
            if isinstance(message, Pong):
                times.append(time.perf_counter() - sent.pop(message.id))
            elif isinstance(message, AssetFiles):
                left = sum(row.size_bytes for row in message.files)
            elif isinstance(message, AssetChunk):
                left -= len(payload)
                taken += len(payload)
                await socket.send(wire.encode(AssetCredit(size_bytes=len(payload))))
                # sleeping until the moment a reader of that rate would be done keeps the mean rate exact
                await asyncio.sleep(max(0.0, began + taken / bytes_per_sec - time.perf_counter()))
    return times


async def stall(served: Served, digest: str, *, secs: float, asks: int) -> None:
    """Ask for the asset many times, send pings all the while, and never read."""
    with contextlib.suppress(OSError, Exception):  # the bridge may, and should, give such a client up
        async with _connected(served) as socket:
            for number in range(asks):
                await socket.send(wire.encode(AssetFetch(request_id=f"r{number}", digest=digest, host="neutral")))
            end = time.perf_counter() + secs
            number = 0
            while time.perf_counter() < end:
                number += 1
                await asyncio.wait_for(socket.send(wire.encode(Ping(id=number))), 1)
                await asyncio.sleep(0.001)


def _bytes(frame: str | bytes) -> bytes:
    if isinstance(frame, str):
        raise TypeError("the bridge sent text")
    return frame
