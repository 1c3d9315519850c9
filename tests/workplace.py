"""A whole bridge without its socket: store, ledger, workers and jobs in one folder, for tests and campaigns."""

from __future__ import annotations

import asyncio
import itertools
import select
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bridge.jobs import Jobs, JobSettings
from bridge.ledger import Ledger
from bridge.messages import BridgeMessage, JobAccepted, JobCancelled, JobEvent, JobFailed, JobFinished, JobSubmit
from bridge.store import Store
from bridge.supervisor import Supervisor, WorkerSettings
from generators.catalog import Catalog
from tests import fakes

M = TypeVar("M")
TERMINAL = (JobFinished, JobFailed, JobCancelled)
PATIENCE_SECS = 120.0
"""How long anything may take on the slowest machine; a test that passes never waits for it."""


def act(story: Coroutine[Any, Any, None]) -> None:
    """Run a test's story in a loop of its own."""

    async def limited() -> None:
        async with asyncio.timeout(PATIENCE_SECS):
            await story

    asyncio.run(limited())


class Workplace:
    """Jobs with all that they stand on, and everything the listener was told."""

    def __init__(
        self,
        root: Path,
        *,
        workers: WorkerSettings | None = None,
        catalog: Catalog | None = None,
        settings: JobSettings | None = None,
        quota_bytes: int | None = None,
    ) -> None:
        self.store = Store(root, quota_bytes=quota_bytes)
        self.ledger = Ledger(root / "ledger.sqlite3")
        self.supervisor = Supervisor(root / "spool", workers or fakes.quick_workers())
        self.jobs = Jobs(
            ledger=self.ledger,
            store=self.store,
            supervisor=self.supervisor,
            catalog=catalog or Catalog.from_specs(*fakes.SPECS),
            settings=settings,
        )
        self.jobs.listener = self._heard
        self.heard: list[tuple[str, BridgeMessage, bytes]] = []
        self._news = asyncio.Event()
        self._numbers = itertools.count(1)
        self.session = self.open()

    def open(self, session: str = "") -> str:
        return self.jobs.open_session(client="test", host="python", session=session)[0]

    def submit(self, session: str = "", generator: str = "fake.script", **request: Any) -> JobAccepted:
        params = request.pop("params", {})
        request.setdefault("request_id", f"request{next(self._numbers)}")
        request.setdefault("seed", 1)
        submit = JobSubmit(generator=generator, params=params, **request)
        return self.jobs.submit(session or self.session, submit)

    def of(self, job_id: str, kind: type[M]) -> list[M]:
        return [m for _, m, _ in self.heard if isinstance(m, kind) and getattr(m, "job_id", "") == job_id]

    def events(self, session: str = "") -> list[JobEvent]:
        return [m for owner, m, _ in self.heard if owner == (session or self.session) and isinstance(m, JobEvent)]

    async def until(self, condition: Callable[[], object], patience_secs: float = PATIENCE_SECS) -> None:
        """Wait for `condition`, looked at after everything that is heard."""
        async with asyncio.timeout(patience_secs):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def end_of(self, job_id: str) -> Any:
        """The terminal event of a job."""
        await self.until(lambda: self.of(job_id, TERMINAL))  # type: ignore[arg-type]
        (event,) = self.of(job_id, TERMINAL)  # type: ignore[arg-type, var-annotated]
        return event

    async def started(self, job_id: str) -> None:
        from bridge.messages import JobStarted

        await self.until(lambda: self.of(job_id, JobStarted))

    async def ready(self, workers: int = 2) -> None:
        """Wait until so many workers are ready (one at work and the spare)."""
        async with asyncio.timeout(PATIENCE_SECS):
            while self.supervisor.figures()["workers_ready"] < workers:
                await asyncio.sleep(0.01)

    async def until_workers(self, workers: int) -> None:
        """Wait until there are exactly so many workers."""
        async with asyncio.timeout(PATIENCE_SECS):
            while self.supervisor.figures()["workers"] != workers:
                await asyncio.sleep(0.01)

    def _heard(self, session: str, message: BridgeMessage, payload: bytes | memoryview) -> None:
        self.heard.append((session, message, bytes(payload)))
        self._news.set()


@asynccontextmanager
async def working(root: Path, *, grace_secs: float = 0.0, **options: Any) -> AsyncIterator[Workplace]:
    """A started workplace, stopped at the end."""
    place = Workplace(root, **options)
    try:
        await place.jobs.start()
        yield place
        await place.jobs.stop(grace_secs)
    finally:
        await place.supervisor.stop()
        place.store.release()
        place.ledger.close()


def stand_still_until_the_first_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts the first process is busy until that has spoken, and hears of it while it is still starting."""
    connect = asyncio.SelectorEventLoop.connect_read_pipe
    pipes: list[Any] = []

    async def late(loop: Any, factory: Any, pipe: Any) -> Any:
        pipes.append(pipe)
        connected = await connect(loop, factory, pipe)
        if len(pipes) == 1:  # the answers of the first process
            select.select([pipe], [], [])
        for _ in range(10):
            await asyncio.sleep(0)
        return connected

    monkeypatch.setattr(asyncio.SelectorEventLoop, "connect_read_pipe", late)
