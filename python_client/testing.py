"""A scripted bridge for tests: speaks the protocol on a real socket, computes nothing, and breaks on request.

    with FakeBridge() as bridge, connect(bridge.url, bridge.token) as scenecast:
        job = scenecast.submit("test.echo", text="hello")
        job.result().save("out")

A script is a function from the submitted message to steps; the default one makes a text file of the parameters.
It runs in threads of its own, so it is for tests, never for hosts.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable, Optional

from . import messages, websocket
from .frames import encode, split
from .testing_growth import FakeGrowth
from .testing_growth import Grows as Grows
from .testing_live import FakeLive
from .testing_script import GENERATOR as GENERATOR
from .testing_script import Hold as Hold
from .testing_script import Made as Made
from .testing_script import Says as Says
from .testing_script import Script as Script
from .testing_script import Step as Step
from .testing_script import echo as echo

CHUNK_BYTES = 256 << 10
WINDOW_BYTES = 2 << 20


class _Job:
    def __init__(self, job_id: str, session: str, message: Mapping[str, Any], steps: Iterator[Step]) -> None:
        self.id, self.session, self.message, self.steps = job_id, session, message, steps
        self.state = "running"
        self.assets: list[dict[str, Any]] = []
        self.growth = FakeGrowth()
        self.steered = ""


class FakeBridge:
    """A bridge on a free loopback port, from `__enter__` to `__exit__`."""

    def __init__(
        self,
        script: Script = echo,
        *,
        generators: Iterable[Mapping[str, Any]] = (GENERATOR,),
        token: str = "token",
        cut_after: Optional[Callable[[], int]] = None,
        piece_bytes: int = 0,
        share_disk: str = "",
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        """`cut_after` gives each connection the number of sent bytes after which it breaks (0: never); it is
        called once per connection. `piece_bytes` sends everything in such small pieces. `share_disk` names a
        folder into which files are written to be handed over by path. `window_bytes` are sent ahead of credit.
        """
        self.window_bytes = window_bytes
        self._script, self._generators, self.token = script, [dict(row) for row in generators], token
        self._cut_after, self._piece_bytes, self._share_disk = cut_after, piece_bytes, share_disk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}"
        self.lock = threading.RLock()
        self.sessions: dict[str, list[dict[str, Any]]] = {}
        """Durable events by session."""
        self.jobs: dict[str, _Job] = {}
        """Jobs by request id."""
        self.files: dict[str, tuple[str, Mapping[str, bytes]]] = {}
        """Kind and files by digest."""
        self.uploads: dict[str, bytearray] = {}
        """Bytes received so far, by digest."""
        self.received: list[dict[str, Any]] = []
        """Every message a client sent, in order."""
        self.live = FakeLive()
        self.connections = 0
        self._lines: dict[str, _Line] = {}
        self._stopped = False
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> FakeBridge:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        for line in list(self._lines.values()):
            line.cut()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()  # after the thread that waits on it

    def _spawn(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped:
            readable, _, _ = select.select([self._listener], [], [], 0.05)
            if readable and not self._stopped:
                connection, _ = self._listener.accept()
                self.connections += 1
                limit = self._cut_after() if self._cut_after else 0
                self._spawn(_Line(self, connection, limit, self._piece_bytes).run)

    # ------------------------------------------------------------------------------- what it does

    def cut(self) -> None:
        """Break every connection now."""
        for line in list(self._lines.values()):
            line.cut()

    def forget(self) -> None:
        """Lose all sessions, as if the ledger were new."""
        with self.lock:
            self.sessions.clear()
            self.jobs.clear()

    def release(self) -> None:
        """Let every held job go on."""
        with self.lock:
            for job in list(self.jobs.values()):
                if job.state == "running":
                    self._run(job)

    def say(self, session: str, message: Mapping[str, Any], payload: bytes = b"") -> None:
        """Send a message to the session's client, if it is connected."""
        line = self._lines.get(session)
        if line is not None:
            line.say(message, payload)

    def _event(self, job: _Job, kind: str, **fields: Any) -> None:
        log = self.sessions.setdefault(job.session, [])
        event = {"type": kind, "seq": len(log) + 1, "job_id": job.id, "time": time.time(), **fields}
        log.append(event)
        self.say(job.session, event)

    def _run(self, job: _Job) -> None:
        for step in job.steps:
            if isinstance(step, Hold):
                return
            if isinstance(step, Made):
                self._made(job, step)
            elif isinstance(step, Grows):
                job.growth.grow(step)
                if job.message.get("growth"):
                    self.say(job.session, job.growth.told(job.id))
            elif step.type in ("job.progress", "job.preview"):
                self.say(job.session, {"type": step.type, "job_id": job.id, **step.fields}, step.payload)
            else:
                self._event(job, step.type, **step.fields)
            if isinstance(step, Says) and step.type == "job.failed":
                job.state = "failed"
                return
        job.state = "finished"
        self._event(job, "job.finished", assets=job.assets)

    def _made(self, job: _Job, made: Made) -> None:
        names = sorted((name, hashlib.sha256(data).hexdigest()) for name, data in made.files.items())
        digest = hashlib.sha256(json.dumps([made.kind, names]).encode()).hexdigest()
        self.files[digest] = (made.kind, made.files)
        asset = {"digest": digest, "kind": made.kind, "name": made.name,
                 "size_bytes": sum(map(len, made.files.values()))}  # fmt: skip
        job.assets.append(asset)
        self._event(job, "job.produced", asset=asset, name=made.name)
        deliver = job.message.get("deliver")
        line = self._lines.get(job.session)
        if deliver and line is not None:
            line.deliver(digest, deliver["host"], job_id=job.id)

    def submit(self, session: str, message: dict[str, Any]) -> None:
        """Accept a job and run its script."""
        with self.lock:
            job = self.jobs.get(message["request_id"])
            duplicate = job is not None
            if job is None:
                job = _Job(f"job-{len(self.jobs) + 1}", session, message, iter(self._script(message)))
                self.jobs[message["request_id"]] = job
            accepted = {"type": "job.accepted", "request_id": message["request_id"], "job_id": job.id,
                        "state": job.state if duplicate else "queued", "seed": message.get("seed", 7),
                        "duplicate": duplicate}  # fmt: skip
            self.say(session, accepted)
            if not duplicate:
                self._event(job, "job.queued")
                self._event(job, "job.started", device="fake")
                self._run(job)

    def cancel(self, session: str, message: dict[str, Any]) -> None:
        """End a held job, or refuse."""
        with self.lock:
            for job in self.jobs.values():
                if job.id == message["job_id"] and job.state == "running":
                    job.state = "cancelled"
                    self._event(job, "job.cancelled", by="you")
                    return
        self.say(session, {"type": "refused", "code": "request.job", "message": "the job is over",
                           "request_id": message["job_id"]})  # fmt: skip

    def steer(self, session: str, message: dict[str, Any]) -> None:
        """Say that a running job is paused, goes on or finishes; its script goes on only by `release`."""
        with self.lock:
            for job in self.jobs.values():
                if job.id == message["job_id"] and job.state == "running":
                    job.steered = {"pause": "paused", "resume": "", "finish": "finishing"}[message["action"]]
                    self.say(session, {"type": "job.steered", "job_id": job.id, "steered": job.steered})
                    return
        self.say(session, {"type": "refused", "code": "request.job", "message": "the job is over",
                           "request_id": message["job_id"]})  # fmt: skip

    def stand(self, line: _Line) -> None:
        """Tell a client that is back how its unfinished jobs stand."""
        for job in self.jobs.values():
            if job.session == line.session and job.state == "running":
                if job.steered:
                    line.say({"type": "job.steered", "job_id": job.id, "steered": job.steered})
                if job.growth.version and job.message.get("growth"):
                    line.say(job.growth.told(job.id))

    def page(self, session: str, message: dict[str, Any]) -> None:
        """The history."""
        rows = [
            {"job_id": job.id, "request_id": request_id, "generator": job.message["generator"], "state": job.state,
             "priority": "final", "params": job.message["params"], "assets": job.assets, "steered": job.steered}
            for request_id, job in self.jobs.items()
        ]  # fmt: skip
        self.say(session, {"type": "job.page", "request_id": message["request_id"], "jobs": rows[::-1]})

    def welcome(self, line: _Line, hello: Mapping[str, Any]) -> None:
        """Answer the hello and tell again what the client has not seen."""
        with self.lock:
            session, cursor = hello.get("session", ""), hello.get("cursor", 0)
            resumed = session in self.sessions and cursor <= len(self.sessions[session])
            if not resumed:
                session, cursor = f"session-{os.urandom(6).hex()}", 0
                self.sessions[session] = []
            older = self._lines.get(session)
            self._lines[session] = line
            line.session = session
            if older is not None:
                older.cut()
            log = self.sessions[session]
            line.shares_disk = bool(self._share_disk)
            line.say({
                "type": "welcome", "protocol": messages.PROTOCOL, "server": "fake 1", "session": session,
                "resumed": resumed, "shares_disk": line.shares_disk, "seq": len(log),
                "limits": {"credit_bytes": self.window_bytes},
                "generators": self._generators, "hosts": [{"name": "unreal", "title": "Unreal", "formats": {}}],
            })  # fmt: skip
            self.stand(line)
            for event in log[cursor:]:
                line.say(event)
                if event["type"] == "job.produced":
                    job = next((job for job in self.jobs.values() if job.id == event["job_id"]), None)
                    if job is not None and job.message.get("deliver"):
                        line.deliver(event["asset"]["digest"], job.message["deliver"]["host"], job_id=job.id)

    def path_of(self, name: str, data: bytes) -> Optional[str]:
        """Where a client on the same disk finds the file; None when the disk is not shared."""
        if not self._share_disk:
            return None
        path = os.path.join(self._share_disk, f"{hashlib.sha256(data).hexdigest()}-{name}")
        with open(path, "wb") as file:
            file.write(data)
        return path


class _Line:
    """One connection of the fake bridge."""

    def __init__(self, bridge: FakeBridge, connection: socket.socket, limit: int, piece_bytes: int) -> None:
        self._bridge, self._socket, self._limit, self._piece_bytes = bridge, connection, limit, piece_bytes
        self._sending = threading.RLock()
        self._sent = 0
        self._credit = bridge.window_bytes
        self._chunks: deque[tuple[dict[str, Any], bytes]] = deque()
        self._data = bytearray()
        self._open = True
        self._offers: dict[str, dict[str, Any]] = {}
        self.session = ""
        self.shares_disk = False

    def cut(self) -> None:
        """Break the connection."""
        self._open = False
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is broken already

    def say(self, message: Mapping[str, Any], payload: bytes = b"") -> None:
        """Send one message; breaks the connection when its time has come."""
        if payload or message["type"] in messages.WITH_PAYLOAD:
            header = websocket.frame(websocket.BINARY, encode(message, payload))
        else:
            header = websocket.frame(websocket.BINARY, encode(message))
        self.send(header)

    def send(self, data: websocket.Bytes) -> None:
        """Send raw bytes in the pieces that were asked for."""
        with self._sending:
            if self._limit and self._sent + len(data) > self._limit:
                data = data[: max(0, self._limit - self._sent)]
            step = self._piece_bytes or len(data) or 1
            try:
                for at in range(0, len(data), step):
                    self._socket.sendall(data[at : at + step])
            except OSError:
                self._open = False
            self._sent += len(data)
            if self._limit and self._sent >= self._limit:
                self.cut()

    def deliver(self, digest: str, host: str, *, job_id: str = "", request_id: str = "") -> None:
        """Announce an asset's files and queue their chunks."""
        kind, files = self._bridge.files[digest]
        transfer = f"t-{os.urandom(4).hex()}"
        rows = []
        for index, (name, data) in enumerate(files.items()):
            row = {"name": name, "role": os.path.splitext(name)[0], "media_type": "application/octet-stream",
                   "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}  # fmt: skip
            path = self._bridge.path_of(name, data) if self.shares_disk else None
            rows.append({**row, "path": path} if path else row)
            for offset in range(0, 0 if path else len(data), CHUNK_BYTES):
                head = {"type": "asset.chunk", "transfer": transfer, "file": index, "offset": offset}
                self._chunks.append((head, data[offset : offset + CHUNK_BYTES]))
        self.say({"type": "asset.files", "digest": digest, "kind": kind, "host": host, "files": rows,
                  "transfer": transfer, "job_id": job_id, "request_id": request_id})  # fmt: skip

    def run(self) -> None:
        """Shake hands, then listen and send chunks until the connection ends."""
        try:
            if self._handshake():
                while self._open:
                    self._turn()
        except (OSError, ValueError):
            pass  # a broken connection is this class's daily bread
        finally:
            self._socket.close()

    def _turn(self) -> None:
        readable, _, _ = select.select([self._socket], [], [], 0 if self._may_send() else 0.01)
        if readable:
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionResetError
            self._data += data
            for opcode, payload in iter(self._frame, None):
                self._hear(opcode, payload)
        if self._may_send():
            head, chunk = self._chunks.popleft()
            self._credit -= len(chunk)
            self.say(head, chunk)

    def _may_send(self) -> bool:
        """As the bridge itself has it: within the window, or a chunk at a time where that is larger."""
        if not self._chunks:
            return False
        return self._credit == self._bridge.window_bytes or len(self._chunks[0][1]) <= self._credit

    def _handshake(self) -> bool:
        while b"\r\n\r\n" not in self._data:
            data = self._socket.recv(4096)
            if not data:
                return False
            self._data += data
        head, _, rest = bytes(self._data).partition(b"\r\n\r\n")
        self._data = bytearray(rest)
        headers = {name.lower(): value.strip() for name, _, value in
                   (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])}  # fmt: skip
        if headers.get("authorization") != f"Bearer {self._bridge.token}":
            words = b"the token is not the one of this run"
            self.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: %d\r\n\r\n%s" % (len(words), words))
            return False
        accept = websocket.accept_for(headers["sec-websocket-key"])
        self.send(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {messages.SUBPROTOCOL}\r\n\r\n".encode()
        )
        return True

    def _frame(self) -> Optional[tuple[int, bytes]]:
        if len(self._data) < 2:
            return None
        count, at = self._data[1] & 127, 2
        if count >= 126:
            at = 4 if count == 126 else 10
            if len(self._data) < at:
                return None
            (count,) = struct.unpack(">H" if at == 4 else ">Q", self._data[2:at])
        if len(self._data) < at + 4 + count:
            return None
        key, opcode = bytes(self._data[at : at + 4]), self._data[0] & 15
        payload = websocket.masked(self._data[at + 4 : at + 4 + count], key)
        del self._data[: at + 4 + count]
        return opcode, payload

    def _hear(self, opcode: int, data: bytes) -> None:
        if opcode == websocket.CLOSE:
            self.send(websocket.frame(websocket.CLOSE, data))
            raise ConnectionResetError
        if opcode != websocket.BINARY:
            return
        message, payload, _ = split(data)
        self._bridge.received.append(message)
        kind = message["type"]
        if kind == "hello":
            self._bridge.welcome(self, message)
        elif kind == "job.submit":
            self._bridge.submit(self.session, message)
        elif kind == "job.cancel":
            self._bridge.cancel(self.session, message)
        elif kind == "job.steer":
            self._bridge.steer(self.session, message)
        elif kind == "growth.get":
            self._grow(message)
        elif kind == "job.list":
            self._bridge.page(self.session, message)
        elif kind == "job.rate":
            self.say({"type": "job.rated", "request_id": message["request_id"]})
        elif kind == "store.collect":
            nothing = {"assets": 0, "files": 0, "freed_bytes": 0, "left_bytes": 0}
            self.say({"type": "store.collected", "request_id": message["request_id"], **nothing})
        elif kind == "ping":
            self.say({"type": "pong", "id": message["id"]})
        elif kind == "asset.fetch":
            self._fetch(message)
        elif kind == "asset.stop":
            self._chunks = deque(one for one in self._chunks if one[0]["transfer"] != message["transfer"])
        elif kind == "asset.credit":
            self._credit += message["size_bytes"]
        elif kind.startswith("live."):
            self._bridge.live.hear(message, bytes(payload), self.say)
        elif kind.startswith("upload."):
            self._upload(message, bytes(payload))
        elif kind == "catalog.get":
            rows = self._bridge._generators
            self.say({"type": "catalog", "generators": rows, "request_id": message["request_id"]})

    def _grow(self, message: dict[str, Any]) -> None:
        with self._bridge.lock:
            job = next((job for job in self._bridge.jobs.values() if job.id == message["job_id"]), None)
            if job is None:
                self.say({"type": "refused", "code": "request.job", "message": "no such job",
                          "request_id": message["request_id"]})  # fmt: skip
                return
            head, data = job.growth.answer(message)
            path = self._bridge.path_of(f"{head['version']}.growth", data) if data and self.shares_disk else None
            transfer = "" if path or not data else f"g-{os.urandom(4).hex()}"
            self.say({**head, "path": path, "transfer": transfer})
            for offset in range(0, len(data) if transfer else 0, CHUNK_BYTES):
                chunk = {"type": "asset.chunk", "transfer": transfer, "file": 0, "offset": offset}
                self._chunks.append((chunk, data[offset : offset + CHUNK_BYTES]))

    def _fetch(self, message: dict[str, Any]) -> None:
        if message["digest"] in self._bridge.files:
            self.deliver(message["digest"], message["host"], request_id=message["request_id"])
        else:
            self.say({"type": "refused", "code": "request.asset", "message": "no such asset",
                      "request_id": message["request_id"]})  # fmt: skip

    def _upload(self, message: dict[str, Any], payload: bytes) -> None:
        uploads = self._bridge.uploads
        if message["type"] == "upload.offer":
            have = uploads.setdefault(message["digest"], bytearray())
            self._offers[message["digest"]] = message
            self._upload_state(message, have)
            return
        digest = message["upload"]
        have = uploads[digest]
        if message["offset"] == len(have):
            have += payload
        offer = self._offers[digest]
        if bytes(have[:7]) == b"refused":
            self.say(
                {"type": "refused", "code": "request.input", "message": "of no known format", "request_id": digest}
            )
        elif len(have) == offer["size_bytes"]:
            self._upload_state(offer, have)

    def _upload_state(self, offer: dict[str, Any], have: bytearray) -> None:
        state: dict[str, Any] = {"type": "upload.state", "request_id": offer["request_id"], "digest": offer["digest"]}
        if len(have) == offer["size_bytes"]:
            asset = {"digest": offer["digest"], "kind": "image", "size_bytes": len(have)}
            self.say({**state, "done": True, "asset": asset})
        else:
            self.say({**state, "done": False, "upload": offer["digest"], "offset": len(have)})
