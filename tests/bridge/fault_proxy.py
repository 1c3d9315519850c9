"""A TCP proxy that hurts connections: cuts them after so many bytes, slices what it passes on, or delays it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What one connection suffers."""

    cut_bytes: int = 1 << 62
    """Both directions end, in the middle of a write, once so many bytes have passed."""
    slice_bytes: int = 0
    """Written in pieces of 1 to so many bytes; 0 for whole."""
    delay_secs: float = 0.0


@asynccontextmanager
async def fault_proxy(port: Callable[[], int], next_fault: Callable[[], Fault]) -> AsyncIterator[int]:
    """The port of a proxy to `port()`; every new connection asks for its fault."""

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            serving.add(task)
            task.add_done_callback(serving.discard)
        fault = next_fault()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port())
        except BaseException:
            writer.transport.abort()
            raise
        left = [fault.cut_bytes]

        async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(1 << 16):
                    await asyncio.sleep(fault.delay_secs)
                    left[0] -= len(data)
                    if left[0] < 0:
                        sink.write(data[: random.randrange(len(data))])
                        await sink.drain()
                        break
                    step = fault.slice_bytes or len(data)
                    while data:
                        size = random.randint(1, step) if fault.slice_bytes else step
                        sink.write(data[:size])
                        await sink.drain()
                        data = data[size:]
            except ConnectionError:
                pass
            finally:
                for one in (writer, far_writer):
                    one.transport.abort() if left[0] < 0 else one.close()

        try:
            await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))
        finally:  # nothing waits for a reader any more, or its socket would outlive the loop
            writer.transport.abort()
            far_writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await asyncio.sleep(0)  # aborted transports let go of their sockets in the next turn
