"""The client: one object that finds the bridge, keeps the conversation and runs jobs.

Inside a host program call `pump` from a timer: it never waits and keeps to its budget. In a script use the blocking
calls; they pump by themselves. Nothing here starts a thread.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Callable, Optional, TypeVar, Union

from . import discovery, messages
from .bookmarks import Bookmark
from .connection import CONNECTED, Connection, ConnectionState, Endpoint
from .errors import ConnectionFailed, ProtocolError, Refused, ScenecastError, WaitTimeout
from .growing import GrowingCloud, Growth
from .jobs import Driver, Job
from .live import LivePicture, LiveSession
from .protocol import Protocol
from .replies import Reply
from .results import Asset
from .transfers import Delivery
from .uploads import Source, Upload

VERSION = "0.1.0"
GIVE_UP_ATTEMPTS = 8
"""A blocking call gives up after so many failed attempts in a row (about ten seconds)."""
T = TypeVar("T")
Input = Union[str, "os.PathLike[str]", messages.AssetRow, messages.WatchedFile, Asset, Job, bytes]


class Client(Driver):
    """One session with a bridge. `connect` makes one that is connected already."""

    def __init__(
        self,
        url: str = "",
        token: str = "",
        *,
        fingerprint: str = "",
        disk_proof: str = "",
        name: str = f"scenecast-python {VERSION}",
        host: str = "python",
        host_version: str = "",
        bookmark: Optional[Bookmark] = None,
        share_disk: bool = True,
        verify: Optional[bool] = None,
    ) -> None:
        """Without a `url` the bridge is looked for, again at every attempt.

        With a `url` its `token` is needed, unless it is one of this user's own; `disk_proof` is what the bridge's
        proof file says, when this program can read it and wants paths instead of bytes.

        `host` is the program this runs in, and whose conventions files are delivered in unless a job says
        otherwise ("python": neutral arrays). `share_disk=False` has bytes sent even where a path would do.
        `verify` says whether what arrives is hashed and compared, which costs half a second per gigabyte; left out,
        that is done for bytes from another machine only.
        """
        self._fixed = Endpoint(url, token, fingerprint, disk_proof) if url else None
        self._share_disk = share_disk
        self.host = host
        self.protocol = Protocol(
            self, client=name, host=host, host_version=host_version, bookmark=bookmark, verify=verify
        )
        self.connection = Connection(self.protocol, self._endpoint)
        self.connection.start()

    def _endpoint(self) -> Endpoint:
        if self._fixed is None:
            return self._own(discovery.find())
        if self._fixed.token:
            return self._fixed
        mine = [one for one in discovery.look()[0] if one.url.rstrip("/") == self._fixed.url.rstrip("/")]
        return self._own(mine[0]) if mine else self._fixed

    def _own(self, found: discovery.Discovered) -> Endpoint:
        proof = found.disk_proof() if self._share_disk else ""
        return Endpoint(found.url, found.token, found.certificate_sha256, proof)

    # ------------------------------------------------------------------------------ for hosts

    @property
    def state(self) -> ConnectionState:
        """Whether there is a conversation, and if not, why and what to do."""
        return self.connection.state

    def pump(self, budget_secs: float = 0.006) -> bool:
        """Do what can be done now for at most so long, give or take one chunk; True when more is waiting.

        Never waits and raises nothing for a connection that fails: look at `state`.
        """
        end = time.perf_counter() + budget_secs
        while self.connection.step():
            if time.perf_counter() >= end:
                return True
        return False

    def bookmark(self) -> Bookmark:
        """Where this session stands, as JSON values: `connect(bookmark=…)` goes on from there, missing nothing."""
        return self.protocol.bookmark()

    def reconnect(self) -> None:
        """Try now instead of at the end of the pause."""
        self.connection.start()

    def close(self) -> None:
        """End the conversation; running jobs go on in the bridge. Files in the client's own folder are removed."""
        self.connection.stop()
        self.protocol.spool.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------- what there is

    @property
    def generators(self) -> list[messages.Generator]:
        """The catalog, as the bridge told it last."""
        return self.protocol.generators

    @property
    def hosts(self) -> list[messages.HostRow]:
        """The hosts the bridge delivers to."""
        return self.protocol.hosts

    @property
    def watched(self) -> list[messages.WatchedFile]:
        """Files in watched folders that may be used as inputs."""
        return self.protocol.watched

    def generator(self, generator_id: str) -> messages.Generator:
        """One row of the catalog. Raises `ScenecastError` naming those there are."""
        for row in self.generators:
            if row.id == generator_id:
                return row
        known = ", ".join(row.id for row in self.generators) or "none"
        raise ScenecastError(f"the bridge has no generator {generator_id!r}", remedy=f"It has: {known}.")

    # ------------------------------------------------------------------------------- asking

    def submit(
        self,
        generator: str,
        values: Optional[Mapping[str, Any]] = None,
        *,
        inputs: Optional[Mapping[str, Input]] = None,
        host: Optional[str] = None,
        formats: Optional[Mapping[str, str]] = None,
        seed: Optional[int] = None,
        priority: str = "final",
        preview_px: int = 256,
        preview_per_sec: float = 4.0,
        preview_media_type: str = "image/jpeg",
        label: str = "",
        fresh: bool = False,
        growth: Union[Growth, bool, None] = None,
        on_grown: Optional[Callable[[GrowingCloud], None]] = None,
        **more: Any,
    ) -> Job:
        """Ask for one run of a generator; returns at once, connected or not, and is sent exactly once in effect.

        Parameters go by name or in `values`. `host` is whose conventions the files are wanted in (a host's name,
        or "neutral" for arrays). An input is a digest, an asset row, a finished job, an `Asset`, or a file or folder
        of photographs to be uploaded first, which blocks. `preview_px=0` asks for no previews. `fresh` runs again
        what is in the store. `growth` watches a cloud of splats while it grows (`True`, or a `Growth` that bounds it):
        it is `job.cloud`, and `on_grown` is called whenever more of it has come.
        """
        message: dict[str, Any] = {"generator": generator, "params": {**(values or {}), **more}, "priority": priority}
        if inputs:
            message["inputs"] = {port: self._digest(source) for port, source in inputs.items()}
        if seed is not None:
            message["seed"] = seed
        if label:
            message["label"] = label
        if fresh:
            message["fresh"] = True
        if preview_px:
            message["preview"] = {
                "size_px": preview_px, "per_sec": float(preview_per_sec), "media_type": preview_media_type,
            }  # fmt: skip
        if growth or on_grown:
            wish = growth if isinstance(growth, Growth) else Growth()
            message["growth"] = wish.wish()
        wanted = host if host is not None else "neutral" if self.host == "python" else self.host
        job = self.protocol.submit(message, host=wanted, formats=formats or {})
        job.on_grown = on_grown
        job.to_the_end = not isinstance(growth, Growth) or growth.final
        return job

    def live(
        self,
        generator: str,
        params: Optional[Mapping[str, Any]] = None,
        *,
        inputs: Optional[Mapping[str, Input]] = None,
        width_px: int = 512,
        height_px: int = 512,
        seed: Optional[int] = None,
        reply: str = "image/raw",
        alpha: bool = False,
        bottom_up: bool = False,
        on_image: Optional[Callable[[LivePicture], None]] = None,
    ) -> LiveSession:
        """Open a generator live: push what the artist sees, take the newest picture; returns at once.

        The size is the largest a frame will have. `reply` is "image/raw" (8-bit sRGB rows; four components with
        `alpha`, the lowest row first with `bottom_up`) or "image/jpeg". Inputs as in `submit`: a file is uploaded
        first, which blocks.
        """
        ask: dict[str, Any] = {
            "generator": generator, "params": dict(params or {}), "width_px": width_px, "height_px": height_px,
            "reply": reply, "alpha": alpha, "bottom_up": bottom_up,
        }  # fmt: skip
        if inputs:
            ask["inputs"] = {port: self._digest(source) for port, source in inputs.items()}
        if seed is not None:
            ask["seed"] = seed
        return self.protocol.lives.start(ask, on_image)

    def _digest(self, source: Input) -> str:
        if isinstance(source, (messages.AssetRow, messages.WatchedFile, Asset)):
            return source.digest
        if isinstance(source, Job):
            source.wait()
            if source.error is not None:
                raise source.error
            if not source.assets:
                raise ScenecastError(f"{source!r} made nothing that could be an input")
            return source.assets[0].digest
        if isinstance(source, str) and re.fullmatch(r"[0-9a-f]{64}", source):
            return source
        return self.upload(source).digest

    def start_upload(self, source: Source, *, name: str = "", media_type: str = "") -> Upload:
        """Offer a file as an input without waiting; skipped by the bridge when it has it already.

        A folder goes as one zip of the photographs in it and the JSON or COLMAP files with their poses; it is packed
        before this returns. Raises `ScenecastError` when it holds no photograph.
        """
        return self.protocol.upload(source, name=name, media_type=media_type)

    def start_fetch(
        self,
        digest: str,
        host: str = "neutral",
        formats: Optional[Mapping[str, str]] = None,
        *,
        progressive: bool = False,
    ) -> Reply[Delivery]:
        """Ask for an asset's files without waiting.

        `progressive` has a neutral cloud of splats come with its most important rows first: `partial` of the answer
        then gives its `first_rows` long before all are there. Files that come by path are whole at once, and lie in
        the same order.
        """
        return self.protocol.fetch(digest, host, formats or {}, progressive=progressive)

    def cancel(self, job: Union[Job, str], *, any_owner: bool = False) -> None:
        """Ask the bridge to end a job, by handle or id; `any_owner` when it is knowingly another client's."""
        self.protocol.cancel(job if isinstance(job, Job) else self.protocol.jobs.named(job), any_owner=any_owner)

    def steer(self, job: Union[Job, str], action: str, *, any_owner: bool = False) -> None:
        """Ask the bridge to `pause`, `resume` or `finish` a job, by handle or id; `job.steered` follows."""
        self.protocol.steer(job if isinstance(job, Job) else self.protocol.jobs.named(job), action, any_owner=any_owner)

    def deliver(self, job: Job) -> list[Reply[Delivery]]:
        """See that the files of all the job's assets are here or on their way; does not wait."""
        return self.protocol.deliver(job)

    @property
    def open_jobs(self) -> list[Job]:
        """The jobs of this session that are known here, also those of an earlier run of this program."""
        return self.protocol.all_jobs()

    # ----------------------------------------------------------------------------- blocking

    def drive(self, until: Callable[[], bool], timeout_secs: Optional[float], what: str) -> None:
        """Pump until the condition holds.

        Raises `WaitTimeout` after `timeout_secs`, the connection's error when it cannot be had for about ten
        seconds, and at once what no waiting will heal: a refused token, another protocol.
        """
        end = None if timeout_secs is None else time.monotonic() + timeout_secs
        while not until():
            if self.connection.step():
                continue
            if until():
                return
            self._raise_hopeless()
            left = 0.25 if end is None else end - time.monotonic()
            if left <= 0:
                raise WaitTimeout(f"{what} took longer than {timeout_secs:g} s", remedy="It goes on all the same.")
            self.connection.wait(left)

    def _raise_hopeless(self) -> None:
        connection, error = self.connection, self.connection.error
        if connection.state.status == "offline":
            raise ConnectionFailed("the client is closed", remedy="Make a new one with `connect`.")
        if error is None:
            return
        final = isinstance(error, (Refused, ProtocolError)) or getattr(error, "status", 0) in (401, 403, 421)
        if (final and connection.attempts >= 1) or connection.attempts >= GIVE_UP_ATTEMPTS:
            raise error

    def wait_connected(self, timeout_secs: Optional[float] = None) -> None:
        """Block until the bridge has welcomed us. Raises why it cannot be had."""
        self.drive(lambda: self.state.status == CONNECTED, timeout_secs, "connecting")

    def _ask(self, message: dict[str, Any], timeout_secs: Optional[float]) -> Any:
        reply: Reply[Any] = Reply()
        self.protocol.request({**message, "request_id": self.protocol.new_id()}, reply)
        return self._wait_for(reply, timeout_secs, str(message["type"]))

    def _wait_for(self, reply: Reply[T], timeout_secs: Optional[float], what: str) -> T:
        self.drive(lambda: reply.done, timeout_secs, what)
        return reply.value

    def upload(
        self, source: Source, *, name: str = "", media_type: str = "", timeout_secs: Optional[float] = None
    ) -> messages.AssetRow:
        """Bring a file, or a folder of photographs, to the bridge, unless it is there; the asset it became."""
        return self._wait_for(self.start_upload(source, name=name, media_type=media_type), timeout_secs, "the upload")

    def fetch(
        self,
        asset: Union[str, messages.AssetRow, Asset],
        host: str = "neutral",
        formats: Optional[Mapping[str, str]] = None,
        *,
        timeout_secs: Optional[float] = None,
    ) -> Asset:
        """An asset's files in a host's conventions."""
        digest = asset if isinstance(asset, str) else asset.digest
        return Asset(self._wait_for(self.start_fetch(digest, host, formats), timeout_secs, "the files"))

    def jobs(
        self,
        *,
        limit: int = 50,
        states: Sequence[str] = (),
        any_owner: bool = False,
        before: str = "",
        timeout_secs: Optional[float] = None,
    ) -> list[messages.JobRow]:
        """The history, newest first: this session's jobs, or with `any_owner` everybody's."""
        ask = {"type": "job.list", "limit": limit, "states": list(states), "any_owner": any_owner, "before": before}
        page: messages.JobPage = self._ask(ask, timeout_secs)
        return page.jobs

    def rate(
        self, job: Union[Job, str], score: int, *, digest: str = "", tags: Sequence[str] = (),
        timeout_secs: Optional[float] = None,
    ) -> None:  # fmt: skip
        """Keep the user's judgement of a job's asset, its first unless `digest` says which: 1 kept, -1 thrown away."""
        handle = job if isinstance(job, Job) else self.protocol.jobs.named(job)
        chosen = digest or (handle.assets[0].digest if handle.assets else "")
        if not chosen:
            raise ScenecastError("there is no asset to rate", remedy="Wait for the result, or name its digest.")
        ask = {"type": "job.rate", "job_id": handle.id, "digest": chosen, "score": score, "tags": list(tags)}
        self._ask(ask, timeout_secs)

    def collect(
        self, *, down_to_bytes: Optional[int] = None, dry_run: bool = False, timeout_secs: Optional[float] = None
    ) -> messages.StoreCollected:
        """Remove results from the bridge's store, the least recently used first, until `down_to_bytes` are left.

        Without a size only files go that no asset needs. In a `dry_run` the answer says what would be removed.
        """
        ask: dict[str, Any] = {"type": "store.collect", "dry_run": dry_run}
        if down_to_bytes is not None:
            ask["down_to_bytes"] = down_to_bytes
        answer: messages.StoreCollected = self._ask(ask, timeout_secs)
        return answer

    def refresh(self, *, timeout_secs: Optional[float] = None) -> list[messages.Generator]:
        """Ask for the catalog again."""
        self._ask({"type": "catalog.get"}, timeout_secs)
        return self.generators

    def ping(self, *, timeout_secs: float = 5.0) -> float:
        """Seconds for a message to the bridge and back."""
        began, number = time.perf_counter(), self.protocol.ping()
        self.drive(lambda: self.protocol.ponged >= number, timeout_secs, "the answer to a ping")
        return time.perf_counter() - began


def connect(url: str = "", token: str = "", *, timeout_secs: Optional[float] = 15.0, **options: Any) -> Client:
    """A client that the bridge has welcomed; options as for `Client`.

    Raises `BridgeNotFound`, `Unreachable`, `HandshakeRefused`, `WrongCertificate` or `Refused`, with the remedy.
    """
    client = Client(url, token, **options)
    try:
        client.drive(lambda: client.connection.attempts > 0 or client.connection.connected, timeout_secs, "connecting")
        if not client.connection.connected and client.connection.error is not None:
            raise client.connection.error
    except BaseException:
        client.close()
        raise
    return client
