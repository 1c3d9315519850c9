"""kill -9 of the bridge and its workers at random moments, under load, over the real socket.

The client is `websockets` and `msgpack` and knows nothing of the bridge's code. After every kill the bridge is
started again on the same folder, the client takes its sessions up again, and at the end every promise is checked
against what the client has seen, against a replay, and against the files on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests import fakes

TERMINAL = ("job.finished", "job.failed", "job.cancelled")
EVENTS = ("job.queued", "job.started", "job.noted", "job.produced", *TERMINAL)
OUTSTANDING = 6
"""Unfinished jobs a client keeps up."""
SETTLE_SECS = 120.0
ORPHAN_SECS = 60.0
"""How long the kernel may take to end what was killed, on the slowest machine."""
GROWING = {"steps": 40, "step_secs": 0.005, "splats": 500}
"""The same resumable work again and again: however often it is killed, it is to end as the same cloud."""


@dataclass
class Tally:
    """What was done, and what went wrong."""

    bridge_kills: int = 0
    worker_kills: int = 0
    young_kills: int = 0
    """Of the bridge before it was ready."""
    found_running: int = 0
    """Kills after which the ledger showed a job that had been running."""
    restarts_secs: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return self.bridge_kills + self.worker_kills


class Client:
    """One session: what it asked, what it was promised, what it was told."""

    def __init__(self, name: str, folder: Path, tally: Tally, seed: int) -> None:
        self.name = name
        self.tally = tally
        self.random = random.Random(seed)
        self.journal = folder / f"journal-{name}"
        self.session = ""
        self.cursor = 0
        self.requests: dict[str, dict[str, Any]] = {}
        self.accepted: dict[str, str] = {}
        self.told: dict[int, dict[str, Any]] = {}
        self.ends: dict[str, dict[str, Any]] = {}
        self.lines_at_end: dict[str, int] = {}
        self.socket: ClientConnection | None = None

    def violation(self, words: str) -> None:
        self.tally.violations.append(f"{self.name}: {words}")

    # -------------------------------------------------------------------------------------- wire

    async def say(self, message: dict[str, Any]) -> None:
        if self.socket is None:
            raise ConnectionError("not connected")
        await self.socket.send(msgpack.packb(message))

    async def hear(self) -> dict[str, Any]:
        if self.socket is None:
            raise ConnectionError("not connected")
        while True:
            frame = await self.socket.recv()
            if isinstance(frame, bytes) and frame[0] != 0xCE:
                message: dict[str, Any] = msgpack.unpackb(frame)
                self.take(message)
                return message

    def take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "job.accepted":
            known = self.accepted.setdefault(message["request_id"], message["job_id"])
            if known != message["job_id"]:
                self.violation(f"request {message['request_id']} was job {known}, now is {message['job_id']}")
        elif kind in EVENTS:
            self.take_event(message)
        elif kind == "refused" and message["code"] not in ("request.invalid",):
            self.violation(f"refused: {message}")

    def take_event(self, event: dict[str, Any]) -> None:
        seq = event["seq"]
        if self.told.setdefault(seq, event) != event:
            self.violation(f"event {seq} was {self.told[seq]}, now is {event}")
        if seq == self.cursor + 1:
            self.cursor = seq
        elif seq > self.cursor:
            self.violation(f"after event {self.cursor} came {seq}")
        if event["type"] in TERMINAL:
            if self.ends.setdefault(event["job_id"], event) != event:
                self.violation(f"job {event['job_id']} ended twice")
            self.lines_at_end.setdefault(event["job_id"], self.lines()[event["job_id"]])

    def lines(self) -> Counter[str]:
        """How often the runs of each of this client's jobs came to their end, by job id."""
        text = self.journal.read_text() if self.journal.exists() else ""
        runs = Counter(text.split())
        return Counter({job_id: runs[request] for request, job_id in self.accepted.items()})

    # -------------------------------------------------------------------------------------- load

    async def connect(self, ready: dict[str, Any]) -> None:
        self.socket = await connect(
            ready["url"],
            additional_headers={"Authorization": f"Bearer {ready['token']}"},
            subprotocols=[Subprotocol("scenecast.v1")],
            compression=None,
            max_size=None,
            proxy=None,
        )
        hello = {"type": "hello", "protocol": 1, "client": self.name, "session": self.session, "cursor": self.cursor}
        await self.say(hello)
        welcome = await self.hear()
        if self.session and not welcome["resumed"]:
            self.violation("the session was forgotten")
        self.session = welcome["session"]
        for request_id, request in self.requests.items():
            if request_id not in self.accepted:
                await self.say(request)

    def new_request(self) -> dict[str, Any]:
        pick = self.random
        number = len(self.requests)
        request_id = f"{self.name}-{number}"
        if pick.random() < 0.1:
            return {
                "type": "job.submit", "request_id": request_id, "generator": "fake.grow", "params": GROWING, "seed": 7,
                "fresh": True, "growth": {"per_sec": 30.0},
            }  # fmt: skip
        twin = pick.random() < 0.15
        params: dict[str, Any] = {
            "size_px": pick.choice([8, 64, 400]),
            "assets": pick.choice([1, 1, 1, 4]),
            "sleep_secs": pick.choice([0.0, 0.0, 0.01, 0.05, 0.2]),
        }
        if twin:
            params = {"size_px": 32, "sleep_secs": 0.05}
        else:
            params |= {"journal": str(self.journal), "label": request_id}
        if pick.random() < 0.03:
            params["dies"] = pick.choice(["kill", "segfault"])
        if pick.random() < 0.03:
            params["raises"] = "defect"
        priority = pick.choice(["final", "preview", "batch", "live"])
        seed = 7 if twin else number
        request = {"type": "job.submit", "request_id": request_id, "generator": "fake.script", "params": params}
        return {**request, "priority": priority, "seed": seed}

    async def work(self) -> None:
        """Keep jobs coming, cancel one now and then, until the bridge is gone."""
        try:
            while True:
                while len(self.requests) - len(self.ends) < OUTSTANDING:
                    request = self.new_request()
                    self.requests[request["request_id"]] = request
                    await self.say(request)
                heard = await self.hear()
                if heard["type"] == "job.accepted" and self.random.random() < 0.08:
                    await self.say({"type": "job.cancel", "job_id": heard["job_id"]})
        except (ConnectionClosed, ConnectionError, OSError):
            return

    async def finish(self) -> None:
        """Hear of everything that was accepted, or of nothing more for `SETTLE_SECS`."""
        try:
            async with asyncio.timeout(SETTLE_SECS):
                while len(self.accepted) < len(self.requests) or set(self.accepted.values()) - set(self.ends):
                    await self.hear()
        except TimeoutError:
            missing = set(self.requests) - set(self.accepted)
            open_jobs = set(self.accepted.values()) - set(self.ends)
            self.violation(f"never accepted: {missing}; never ended: {open_jobs}")

    async def replay(self, ready: dict[str, Any]) -> None:
        """A second look from the beginning: the same events under the same numbers, the same jobs for requests."""
        told = self.told
        self.cursor, self.told, newest = 0, {}, max(self.told, default=0)
        await self.connect(ready)
        while self.cursor < newest:
            await self.hear()
        if self.told != told:
            self.violation("the replay is not what was told live")
        for request in self.requests.values():
            await self.say(request)
            answer = await self.hear()
            if answer["type"] != "job.accepted" or not answer["duplicate"]:
                self.violation(f"repeating {request['request_id']} gave {answer}")

    async def close(self) -> None:
        if self.socket is not None:
            await self.socket.close()
            self.socket = None


class House:
    """The bridge's process on its folder."""

    def __init__(self, folder: Path, tally: Tally) -> None:
        self.folder = folder
        self.tally = tally
        self.process: subprocess.Popen[str] | None = None
        self.family: list[psutil.Process] = []

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.campaigns.fake_bridge", str(self.folder)]
        environment = {**os.environ, **fakes.ENVIRONMENT, "SCENECAST_RUNTIME_DIR": str(self.folder / "runtime")}
        with (self.folder / "stderr.log").open("a") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, cwd=fakes.ROOT
            )
        return self.process

    async def ready(self) -> dict[str, Any]:
        began = time.perf_counter()
        process = self.start()
        if process.stdout is None:
            raise RuntimeError("no pipe")
        line = await asyncio.to_thread(process.stdout.readline)
        self.tally.restarts_secs.append(time.perf_counter() - began)
        if not line:
            raise RuntimeError(f"the bridge did not start:\n{(self.folder / 'stderr.log').read_text()[-4000:]}")
        ready: dict[str, Any] = json.loads(line)
        return ready

    def note_family(self) -> None:
        if self.process is not None:
            known = {child.pid for child in self.family}
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.family += [child for child in children if child.pid not in known]

    def kill_worker(self, pick: random.Random) -> None:
        self.note_family()
        workers = [child for child in self.family if _is_worker(child)]
        if workers:
            with contextlib.suppress(ProcessLookupError):  # it was told to die, and has just done so
                os.kill(pick.choice(workers).pid, signal.SIGKILL)
                self.tally.worker_kills += 1

    async def kill_bridge(self) -> None:
        """kill -9, then see that nothing of it lives on and that the ledger is sound."""
        if self.process is None:
            return
        self.note_family()
        self.process.kill()
        await asyncio.to_thread(self.process.wait)
        if self.process.stdout:
            self.process.stdout.close()
        self.tally.bridge_kills += 1
        self.process = None
        await self.expect_no_orphans()
        ledger = next(iter(self.folder.glob("ledger.db")), None)
        if ledger is not None:
            with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as db:
                (count,) = db.execute("SELECT count(*) FROM job WHERE state = 'running'").fetchone()
                self.tally.found_running += count > 0
                if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                    self.tally.violations.append("the ledger is damaged")
            db.close()

    async def expect_no_orphans(self) -> None:
        until = time.monotonic() + ORPHAN_SECS
        while (alive := [child for child in self.family if _lives(child)]) and time.monotonic() < until:
            await asyncio.sleep(0.02)
        self.tally.violations += [f"orphan process {child.pid}: {_command(child)}" for child in alive]
        self.family = []

    async def stop(self) -> None:
        if self.process is None:
            return
        self.note_family()
        self.process.terminate()
        if await asyncio.to_thread(self.process.wait, 120) != 0:
            self.tally.violations.append(f"a graceful stop ended with {self.process.returncode}")
        if self.process.stdout:
            self.process.stdout.close()
        await self.expect_no_orphans()


async def campaign(folder: Path, kills: int, seed: int) -> tuple[Tally, list[Client]]:
    pick, tally = random.Random(seed), Tally()
    house = House(folder, tally)
    clients = [Client(f"client{index}", folder, tally, seed + index) for index in range(2)]
    try:
        while tally.kills < kills:
            if pick.random() < 0.12 and tally.bridge_kills:
                house.start()
                await asyncio.sleep(pick.uniform(0.0, 0.6))
                await house.kill_bridge()
                tally.young_kills += 1
                continue
            ready = await house.ready()
            for client in clients:
                await client.connect(ready)
            work = [asyncio.create_task(client.work()) for client in clients]
            for _ in range(pick.choice([0, 1, 2, 2, 3])):
                await moment(pick, clients)
                house.kill_worker(pick)
            await moment(pick, clients)
            await house.kill_bridge()
            await asyncio.gather(*work)
            for client in clients:
                await client.close()
        ready = await house.ready()
        for client in clients:
            await client.connect(ready)
            await client.finish()
            await client.close()
            await client.replay(ready)
            await client.close()
        await house.stop()
    finally:
        if house.process is not None and house.process.poll() is None:
            house.process.kill()
            house.process.wait()
    return tally, clients


async def moment(pick: random.Random, clients: list[Client]) -> None:
    """Some time later: mostly in the middle of work, now and then before any has begun."""
    if pick.random() < 0.8:
        goal = sum(len(client.told) for client in clients) + pick.randint(1, 40)
        until = time.monotonic() + 4.0
        while sum(len(client.told) for client in clients) < goal and time.monotonic() < until:
            await asyncio.sleep(0.002)
    await asyncio.sleep(pick.uniform(0.0, 0.1))


def check_files(folder: Path, tally: Tally, clients: list[Client]) -> None:
    """Every blob hashes to its name, every finished job's assets are whole, nothing temporary is left."""
    store = folder / "store"
    for blob in (store / "blobs").rglob("*"):
        if blob.is_file() and hashlib.sha256(blob.read_bytes()).hexdigest() != blob.name:
            tally.violations.append(f"blob {blob.name} is damaged")
    for name in ("tmp", "spool", "uploads"):
        left = [str(path) for path in (store / name).rglob("*") if path.is_file()]
        tally.violations += [f"left over: {path}" for path in left]
    for client in clients:
        for end in client.ends.values():
            for asset in end.get("assets", ()):
                manifest = store / "blobs" / asset["digest"][:2] / asset["digest"]
                parts = json.loads(manifest.read_bytes())["parts"] if manifest.exists() else {"": {"digest": "?"}}
                if any(not (store / "blobs" / p["digest"][:2] / p["digest"]).exists() for p in parts.values()):
                    client.violation(f"asset {asset['digest']} is not whole")


def check_ledger(folder: Path, tally: Tally, clients: list[Client]) -> int:
    """Every promise against the rows themselves; returns the number of jobs."""
    db = sqlite3.connect(folder / "ledger.db")
    rows = db.execute("SELECT session, request_id, job_id, state FROM job").fetchall()
    jobs = Counter((session, request) for session, request, _, _ in rows)
    tally.violations += [f"{key} is {count} jobs" for key, count in jobs.items() if count != 1]
    tally.violations += [f"{job_id} is {state}" for _, _, job_id, state in rows if state in ("queued", "running")]
    ends = dict(
        db.execute(
            f"SELECT job_id, count(*) FROM event WHERE type IN ({','.join('?' * 3)}) GROUP BY job_id", TERMINAL
        ).fetchall()
    )
    tally.violations += [
        f"{job_id} has {ends.get(job_id, 0)} ends" for _, _, job_id, _ in rows if ends.get(job_id) != 1
    ]
    by_request = {(session, request): job_id for session, request, job_id, _ in rows}
    for client in clients:
        for request, job_id in client.accepted.items():
            if by_request.get((client.session, request)) != job_id:
                client.violation(f"accepted request {request} is not job {job_id} in the ledger")
        lines = client.lines()
        for job_id, count in client.lines_at_end.items():
            if lines[job_id] != count:
                client.violation(f"job {job_id} ran again after its end was told")
    db.close()
    clouds = {
        end["assets"][0]["digest"]
        for client in clients
        for request, job_id in client.accepted.items()
        if client.requests[request]["generator"] == "fake.grow"
        and (end := client.ends.get(job_id, {})).get("type") == "job.finished"
    }
    if len(clouds) > 1:
        tally.violations.append(f"the same cloud, interrupted or not, came out as {sorted(clouds)}")
    tally.violations += [f"left over: {path}" for path in (folder / "store" / "scratch").glob("*")]
    return len(rows)


def run_campaign(folder: Path, kills: int, seed: int) -> Tally:
    began = time.perf_counter()
    tally, clients = asyncio.run(campaign(folder, kills, seed))
    check_files(folder, tally, clients)
    jobs = check_ledger(folder, tally, clients)
    ends = Counter(end["type"].removeprefix("job.") for client in clients for end in client.ends.values())
    print(
        f"\nkill campaign, seed {seed}: {tally.kills} kills ({tally.bridge_kills} bridge, of which {tally.young_kills}"
        f" before it was ready; {tally.worker_kills} worker), {tally.found_running} times with a job running;"
        f" {jobs} jobs: {dict(ends)}; {sum(len(c.told) for c in clients)} events;"
        f" start to ready median {statistics.median(tally.restarts_secs):.2f} s;"
        f" {time.perf_counter() - began:.0f} s in all; {len(tally.violations)} violations"
    )
    return tally


def test_a_few_kills(tmp_path: Path) -> None:
    tally = run_campaign(tmp_path, kills=6, seed=1)
    assert tally.kills >= 6
    assert not tally.violations, "\n".join(tally.violations[:20])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_kills(tmp_path: Path) -> None:
    tally = run_campaign(tmp_path, kills=220, seed=int(os.environ.get("KILL_SEED", "20")))
    assert tally.bridge_kills >= 60 and tally.worker_kills >= 60
    assert tally.found_running > 0, "no kill hit a running job, so the campaign proves little"
    assert not tally.violations, "\n".join(tally.violations[:20])


def _is_worker(process: psutil.Process) -> bool:
    return _lives(process) and "generators.worker" in _command(process)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return "gone"
