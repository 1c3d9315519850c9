"""The bridge's own cost: latency of jobs, movement of assets, control beside them, stalled clients, restarts."""

from __future__ import annotations

import asyncio
import itertools
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks import loopback
from benchmarks.figures import Figure, secs
from benchmarks.serving import Served, empty_folder, serving, start
from benchmarks.slow_reader import echoes_while_reading, stall
from python_client import Client
from python_client.jobs import Job

BENCH = "bridge"
LARGE_BYTES = 64 << 20
_seeds = itertools.count(1)


def run() -> Iterator[Figure]:
    """Every figure of the bridge, on one private bridge after another."""
    with serving() as served:
        served.settle()
        yield from _latency(served)
        yield from _large(served)
        yield from _stalled(served)
        yield from _swapped(served)
    yield from _restart()


def _figure(name: str, value: float, unit: str, against: str, limit: float) -> Figure:
    return Figure(BENCH, name, value, unit, against, limit)


# ---------------------------------------------------------------------------------- latency


def _submit(client: Client, size_px: int, channels: int = 3) -> Job:
    values = {"size_px": size_px, "channels": channels}
    return client.submit("image.blank", values, host="neutral", preview_px=0, seed=next(_seeds))


def _accept_secs(client: Client) -> float:
    """From the request to the acceptance, on a link that has nothing else to do."""
    began = time.perf_counter()
    job = _submit(client, 8)
    client.drive(lambda: bool(job.id), 10, "being accepted")
    accepted = time.perf_counter() - began
    job.result()
    return accepted


def _decoded(client: Client, size_px: int) -> None:
    """From the request to pixels of one's own in memory."""
    array = _submit(client, size_px).result().array("pixels")
    pixels = np.frombuffer(array.data, dtype=array.dtype).reshape(array.shape).copy()
    if pixels.shape != (size_px, size_px, 3):
        raise RuntimeError(f"expected a picture of {size_px} px, got {pixels.shape}")


def _latency(served: Served) -> Iterator[Figure]:
    echo_ms = statistics.median(loopback.echo_secs()) * 1e3
    for way, shares in (("path", True), ("socket", False)):
        with served.connect(share_disk=shares) as client:
            _submit(client, 8).result()  # the worker has started and imported the generator
            if shares:
                ping_ms = statistics.median(secs(client.ping, rounds=300)) * 1e3
                yield _figure("control echo, idle (p50)", ping_ms, "ms", "blocking loopback echo, same run", echo_ms)
                accept_ms = statistics.median(_accept_secs(client) for _ in range(200)) * 1e3
                yield _figure("submit → accepted (p50)", accept_ms, "ms", "limit ≤ 0.5 ms", 0.5)
            small_ms = _median_ms(lambda: _decoded(client, 64), 100)
            yield _figure(f"submit → 64² image decoded, by {way} (p50)", small_ms, "ms", "ComfyUI 2.1 ms", 2.1)
            yield _figure(f"submit → 64² image decoded, by {way} (p50)", small_ms, "ms", "goal < 1 ms", 1.0)
            large_ms = _median_ms(lambda: _decoded(client, 1024), 30)
            yield _figure(f"submit → 1024² image decoded, by {way} (p50)", large_ms, "ms", "goal < 10 ms", 10.0)


def _median_ms(work: Callable[[], object], rounds: int) -> float:
    return statistics.median(secs(work, rounds=rounds, warmup=3)) * 1e3


# ------------------------------------------------------------------------------ large assets


def _large(served: Served) -> Iterator[Figure]:
    with served.connect() as client:
        asset = _submit(client, 4096, 4).result()[0]
        by_path_ms = _median_ms(lambda: _opened(client, asset.digest), 30)
        yield _figure("64 MiB by path, asked → mapped (p50)", by_path_ms, "ms", "limit < 1 ms", 1.0)
    limits = {
        "blocking loopback TCP into a reused buffer, same run (goal ≥ 0.70)": loopback.transfer_secs(LARGE_BYTES),
        "blocking loopback TCP into a new file, as beyond 256 MiB": loopback.transfer_secs(LARGE_BYTES, to_file=True),
    }
    with served.connect(share_disk=False) as client:
        times = secs(lambda: client.fetch(asset.digest, "neutral"), rounds=7)
        for against, limit_times in limits.items():
            rate, limit = (LARGE_BYTES / 1e9 / statistics.median(spent) for spent in (times, limit_times))
            yield _figure("64 MiB in chunks (p50)", rate, "GB/s", against, limit)
        echoes = _echoes_during(client, asset.digest, rounds=8)
        yield _figure("control echo during 64 MiB (p50)", statistics.median(echoes) * 1e3, "ms", "limit ≤ 4 ms", 4.0)
        yield _figure("control echo during 64 MiB (max)", max(echoes) * 1e3, "ms", "limit ≤ 10 ms", 10.0)
    echoes = asyncio.run(echoes_while_reading(served, asset.digest, bytes_per_sec=100e6))
    p50_ms = statistics.median(echoes) * 1e3
    yield _figure("control echo, reader at 100 MB/s (p50)", p50_ms, "ms", "limit ≤ 30 ms", 30.0)


def _opened(client: Client, digest: str) -> None:
    client.fetch(digest, "neutral").array("pixels")


def _echoes_during(client: Client, digest: str, *, rounds: int) -> list[float]:
    """Round trips of pings sent every 4 ms while the asset arrives on the same connection."""
    protocol = client.protocol
    times: list[float] = []
    for _ in range(rounds):
        reply = client.start_fetch(digest, "neutral")
        sent_at, number, next_at = 0.0, 0, time.perf_counter()
        while not reply.done:
            now = time.perf_counter()
            if number and protocol.ponged >= number:
                times.append(now - sent_at)
                number = 0
            if not number and now >= next_at:
                sent_at, number, next_at = now, protocol.ping(), now + 0.004
            if not client.connection.step():
                client.connection.wait(0.002)
        if reply.error is not None:
            raise reply.error
    return times


# ------------------------------------------------------------------------------ stalled reader


def _stalled(served: Served) -> Iterator[Figure]:
    with served.connect() as healthy:
        digest = _submit(healthy, 4096, 4).result()[0].digest
        before = peak = served.resident_bytes()
        echoes: list[float] = []
        stalled = threading.Thread(target=lambda: asyncio.run(stall(served, digest, secs=8.0, asks=32)))
        stalled.start()
        while stalled.is_alive():
            echoes.append(healthy.ping())
            peak = max(peak, served.resident_bytes())
            time.sleep(0.005)
    grown_mib = (peak - before) / (1 << 20)
    yield _figure("server growth beside a client that never reads, 8 s", grown_mib, "MiB", "limit ≤ 16 MiB", 16.0)
    worst_ms = sorted(echoes)[int(len(echoes) * 0.99)] * 1e3
    yield _figure("healthy client's echo beside it (p99)", worst_ms, "ms", "limit < 10 ms", 10.0)


# ---------------------------------------------------------------------- a worker that was killed


def _swapped(served: Served, rounds: int = 5) -> Iterator[Figure]:
    """What the next job waits when the worker dies: the warm spare takes over."""
    times = []
    with served.connect() as client:
        for _ in range(rounds):
            served.settle()
            began = time.perf_counter()
            crash = client.submit("image.crash", host="neutral", preview_px=0)
            _submit(client, 8).result()
            times.append(time.perf_counter() - began)
            if crash.state != "failed":
                raise RuntimeError("expected the worker to have died")
    swap_ms = statistics.median(times) * 1e3
    yield _figure("worker killed → next job's result, by the spare (p50)", swap_ms, "ms", "limit ≤ 500 ms", 500.0)


# ------------------------------------------------------------------------------------ restart


def _restart(queued: int = 1000) -> Iterator[Figure]:
    with empty_folder() as folder:
        process, served = start(folder)
        with served.connect() as client:
            spawned = time.perf_counter()
            _submit(client, 8).result()
            first_secs = time.perf_counter() - spawned
            jobs = [_submit(client, 2048) for _ in range(queued)]
            client.drive(lambda: bool(jobs[-1].id), 60, "the queue")
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
        began = time.perf_counter()
        process, served = start(folder)
        with served.connect():
            restart_secs = time.perf_counter() - began
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    yield _figure("cold worker: welcome → first result", first_secs, "s", "limit ≤ 5 s (torch import)", 5.0)
    yield _figure(f"restart after kill -9 with {queued} jobs queued", restart_secs, "s", "limit ≤ 0.5 s", 0.5)
