"""The newest version of every cloud that grows, and its changes since what a client has.

A run tells of a version and where its file lies; older ones it removes by itself. The final version is kept for a
while after the job is over; later it is made again from the asset, so that whoever watched can always come to the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bridge.errors import StoreDamaged, UnknownJob
from bridge.ledger import Result
from bridge.messages import CHUNK_BYTES, GrowthFiles, GrowthGet, JobGrown, JobState
from bridge.records import JobRecord
from bridge.store import Store
from bridge.transfers import Source
from engines.kinds import Kind
from generators.pipe import Grown

KEPT_JOBS = 8
KEPT_BYTES = 512 << 20
"""Final versions are kept up to these, the newest first; one is always kept."""
FIRST_CHUNK_BYTES, FIRST_CHUNK_PART = 16 << 10, 22
"""The first chunk is a twenty-second of a version, into which its sketch fits: a twenty-fifth of its rows."""
TRIES = 5
RETRY_SECS = 0.05


@dataclass(frozen=True)
class Snapshot:
    """One version on disk."""

    stream: str
    version: int
    count: int
    sh_degree: int
    file: Path
    final: bool


@dataclass(frozen=True)
class Growth:
    """The answer to `growth.get`; with `source` the file's chunks are to follow, and then `release` be called."""

    message: GrowthFiles
    source: Source | None = None
    release: Callable[[], None] | None = None

    @property
    def plan(self) -> list[tuple[int, int, int]]:
        """The file's chunks: small ones first, so that there is something to draw at once."""
        chunks, done = [], 0
        size = min(CHUNK_BYTES, max(FIRST_CHUNK_BYTES, self.message.size_bytes // FIRST_CHUNK_PART))
        while done < self.message.size_bytes:
            taken = min(size, self.message.size_bytes - done)
            chunks.append((0, done, taken))
            done, size = done + taken, min(CHUNK_BYTES, 2 * size)
        return chunks


class Records(Protocol):
    """What is asked of the ledger."""

    def job(self, job_id: str) -> JobRecord | None:
        """One job."""

    def results(self, job_id: str) -> list[Result]:
        """A job's assets in the order they were made."""


class Growths:
    """All growing clouds of the bridge; they lie in the spool while they grow, then in a folder of their own."""

    def __init__(self, ledger: Records, store: Store) -> None:
        self._ledger = ledger
        self._store = store
        self._folder = store.root / "growth"
        self._newest: dict[str, Snapshot] = {}
        self._kept: OrderedDict[str, int] = OrderedDict()
        """Bytes of final versions by job, the oldest first."""
        self._making: dict[str, asyncio.Task[Snapshot | None]] = {}

    def start(self) -> None:
        """Forget what an earlier life of the bridge has left."""
        shutil.rmtree(self._folder, ignore_errors=True)

    # ------------------------------------------------------------------------------- what runs say

    def told(self, job_id: str, message: Grown) -> JobGrown:
        """A run has a newer version; what its client is to be told."""
        self._newest[job_id] = Snapshot(
            message.stream, message.version, message.count, message.sh_degree, Path(message.file), message.final
        )
        return self.standing(job_id)[0]

    def standing(self, job_id: str) -> list[JobGrown]:
        """What a client that comes back is to be told of a job, in at most one message."""
        newest = self._newest.get(job_id)
        if newest is None:
            return []
        told = JobGrown(
            job_id=job_id, stream=newest.stream, version=newest.version, count=newest.count,
            sh_degree=newest.sh_degree, final=newest.final,
        )  # fmt: skip
        return [told]

    def over(self, job_id: str, *, finished: bool) -> None:
        """The run is over: its final version is taken out of the spool, anything else forgotten."""
        newest = self._newest.pop(job_id, None)
        if newest is None:
            return
        if finished and newest.final:
            with contextlib.suppress(OSError):  # it can be made again from the asset
                self._keep(job_id, newest)
        shutil.rmtree(newest.file.parent, ignore_errors=True)

    def _keep(self, job_id: str, final: Snapshot) -> None:
        self._folder.mkdir(exist_ok=True)
        place = self._folder / f"{job_id}{final.file.suffix}"
        if final.file != place:
            final.file.replace(place)
        self._newest[job_id] = Snapshot(final.stream, final.version, final.count, final.sh_degree, place, True)
        self._kept[job_id] = place.stat().st_size
        while len(self._kept) > KEPT_JOBS or (sum(self._kept.values()) > KEPT_BYTES and len(self._kept) > 1):
            old, _ = self._kept.popitem(last=False)
            self._newest.pop(old).file.unlink(missing_ok=True)

    # ----------------------------------------------------------------------------- what clients ask

    async def files(self, session: str, request: GrowthGet, *, by_path: bool) -> Growth:
        """What changed since the version a client has. Raises `UnknownJob`, `StoreDamaged`, `StoreFull`."""
        record = self._ledger.job(request.job_id)
        if record is None or record.session != session:
            raise UnknownJob(f"this client has no job {request.job_id}", path="$.job_id")
        for _ in range(TRIES):
            newest = self._newest.get(request.job_id) or await self._of_finished(record)
            try:
                return await self._since(request, newest, by_path)
            except FileNotFoundError:  # replaced a moment ago, which we are about to be told
                await asyncio.sleep(RETRY_SECS)
        raise StoreDamaged(f"the newest version of job {request.job_id} is not where it was", remedy="ask again")

    async def _since(self, request: GrowthGet, newest: Snapshot | None, by_path: bool) -> Growth:
        if newest is None:
            return Growth(GrowthFiles(request_id=request.request_id, job_id=request.job_id, stream="none", version=0))
        have = request.have if request.stream == newest.stream else 0
        message = GrowthFiles(
            request_id=request.request_id, job_id=request.job_id, stream=newest.stream, version=newest.version,
            since=have, count=newest.count, final=newest.final,
        )  # fmt: skip
        if have >= newest.version:
            return Growth(message)
        if by_path:
            message.size_bytes, message.path = newest.file.stat().st_size, str(newest.file)
            return Growth(message)
        from engines import growth  # numpy: only a bridge with such a client loads it

        self._folder.mkdir(exist_ok=True)
        target = self._folder / f"cut-{secrets.token_hex(8)}"
        cutting = asyncio.get_running_loop().run_in_executor(None, growth.cut, newest.file, have, target)
        try:
            message.size_bytes = await asyncio.shield(cutting)
        except BaseException:  # whoever asked is gone, and the thread goes on
            cutting.add_done_callback(lambda done: _remove_cut(done, target))
            raise
        return Growth(message, Source(target, message.size_bytes), lambda: target.unlink(missing_ok=True))

    async def _of_finished(self, record: JobRecord) -> Snapshot | None:
        """The final version of a finished job, made from its first cloud; asked for twice it is made once."""
        if record.state is not JobState.FINISHED:
            return None
        job_id = record.job_id
        task = self._making.get(job_id)
        if task is None:
            task = self._making[job_id] = asyncio.create_task(self._make(job_id))
            task.add_done_callback(lambda _: self._making.pop(job_id, None))
        return await asyncio.shield(task)

    async def _make(self, job_id: str) -> Snapshot | None:
        cloud = next((result for result in self._ledger.results(job_id) if result.asset.kind == Kind.SPLATS), None)
        if cloud is None:
            return None
        manifest = self._store.manifest(cloud.asset.digest)

        def write() -> Snapshot:
            from engines import growth, neutral
            from engines.assets import Splats

            asset = neutral.read(manifest, self._store.path)
            if not isinstance(asset, Splats):
                raise StoreDamaged(f"asset {cloud.asset.digest} is listed as splats and holds {asset.kind}")
            version = growth.whole(asset)
            self._folder.mkdir(exist_ok=True)
            place = self._folder / f"{job_id}{growth.SUFFIX}"
            growth.write(version, place)
            degree = round((asset.sh.shape[1]) ** 0.5) - 1
            return Snapshot(f"asset-{cloud.asset.digest[:16]}", version.number, version.count, degree, place, True)

        final = await asyncio.to_thread(write)
        self._keep(job_id, final)
        return final


def _remove_cut(done: asyncio.Future[int], target: Path) -> None:
    """What nobody will send is removed; why it could not be made has been told to whoever still waited."""
    if not done.cancelled():
        done.exception()
    target.unlink(missing_ok=True)
