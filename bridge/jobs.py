"""The only thing sessions talk to about jobs: accept, cancel, list, rate, and tell what happens.

Whatever is accepted is in the ledger before `submit` returns. Events reach the `listener` after their commit, never
from inside the call that caused them, so that an answer can go out before the events that follow it.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bridge import errors
from bridge.acceptance import accepted_record, fingerprint
from bridge.dispatch import SCRATCH, Dispatcher, reuse_events
from bridge.growth import Growths
from bridge.ledger import Ledger, Result
from bridge.messages import (
    AssetRow,
    BridgeMessage,
    Deliver,
    GeneratorRow,
    JobAccepted,
    JobCancel,
    JobCancelled,
    JobEventMessage,
    JobFailed,
    JobList,
    JobPage,
    JobQueued,
    JobRate,
    JobRated,
    JobRow,
    JobState,
    JobSteer,
    JobSteered,
    JobSubmit,
    LiveRow,
    PortRow,
    StoreCollect,
    StoreCollected,
)
from bridge.records import FINAL_STATES, JobRecord
from bridge.store import Store
from bridge.supervisor import Supervisor
from generators.catalog import Catalog
from generators.pipe import DeviceRow
from generators.spec import GeneratorSpec

Listener = Callable[[str, BridgeMessage, bytes | memoryview], None]
"""Session id, message, payload (empty when there is none); called on the loop, must not block."""

_DEVICE_KIND = "device_kind"


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """Limits on jobs."""

    queued_jobs: int = 1000
    """Jobs that one session may have waiting."""


class Jobs:
    """Accepts, orders, runs and remembers jobs."""

    def __init__(
        self, *, ledger: Ledger, store: Store, supervisor: Supervisor, catalog: Catalog,
        settings: JobSettings | None = None,
    ) -> None:  # fmt: skip
        self.listener: Listener = lambda session, message, payload: None
        self.settings = settings or JobSettings()
        self.catalog = catalog
        self.growths = Growths(ledger, store)
        self._ledger = ledger
        self._store = store
        self._supervisor = supervisor
        self._dispatcher = Dispatcher(
            ledger=ledger, store=store, supervisor=supervisor, catalog=catalog, growths=self.growths, tell=self._tell,
            on_running_changed=self._learn_device,
        )  # fmt: skip
        self._accepted = 0
        self._device_kind = ""

    async def start(self) -> None:
        """Take the store over, put the jobs of an interrupted life back into the queue, and begin to work.

        Does not wait for workers: jobs are accepted at once. Raises `StoreInUse`.
        """
        self._store.claim()
        self.growths.start()
        self._device_kind = self._ledger.fact(_DEVICE_KIND)
        for record in self._ledger.unfinished():
            self._recover(record)
        await asyncio.to_thread(self._tidy_scratch)
        self._dispatcher.start()
        await self._supervisor.start()

    async def stop(self, grace_secs: float) -> None:
        """Begin nothing more, let what runs finish for `grace_secs`, put the rest back into the queue, end workers."""
        going_on = self._dispatcher.stop()
        if going_on and grace_secs > 0:
            await asyncio.wait([run.task for run in going_on], timeout=grace_secs)
        await self._supervisor.stop()
        for run in list(self._dispatcher.running.values()):
            run.task.cancel()
            await asyncio.wait([run.task])
            if run.record.state is JobState.RUNNING:
                self._put_back(run.record)
        self._store.release()

    def _put_back(self, record: JobRecord) -> None:
        """A run that the bridge's stop has ended: its job waits again, unless it was being cancelled."""
        event: JobEventMessage
        if record.cancelled_by:
            event = JobCancelled(seq=0, job_id=record.job_id, time=0, by=record.cancelled_by)
            self._ledger.change(record, [event], state=JobState.CANCELLED, ended=time.time())
        else:
            event = JobQueued(seq=0, job_id=record.job_id, time=0, reason="the bridge was stopped")
            # it was no fault of the run, so the attempt does not count
            self._ledger.change(record, [event], state=JobState.QUEUED, attempts=record.attempts - 1)
        self.listener(record.session, event, b"")

    # ------------------------------------------------------------------------------------- sessions

    def open_session(self, *, client: str, host: str, session: str) -> tuple[str, bool, int]:
        """Take a session up again, or open a new one: its id, whether it was known, and its newest event's number."""
        seq = self._ledger.open_session(session, client=client, host=host) if session else None
        if seq is not None:
            return session, True, seq
        session = secrets.token_urlsafe(18)
        self._ledger.add_session(session, client=client, host=host)
        return session, False, 0

    def events_after(self, session: str, cursor: int, limit: int = -1) -> list[JobEventMessage]:
        """The session's events above `cursor`, in order, exactly as first told; the first `limit` unless that is -1."""
        return self._ledger.events_after(session, cursor, limit)

    # ---------------------------------------------------------------------------------------- asking

    def submit(self, session: str, request: JobSubmit) -> JobAccepted:
        """Accept a job; it is durable when this returns. Raises leaves of `RequestError` and `LimitError`.

        The same request again gives the same job. Work that is done already is answered from the store.
        """
        earlier = self._ledger.job_by_request(session, request.request_id)
        if earlier is not None:
            return _again(earlier, request)
        if self._dispatcher.waiting(session) >= self.settings.queued_jobs:
            raise errors.QueueFull(
                f"{self.settings.queued_jobs} jobs of this client are waiting, and no more may",
                remedy="wait until one has begun, or cancel some",
            )
        record = accepted_record(
            session, request, self.catalog, self._store, self._supervisor.devices, self._device_kind
        )
        if self._supervisor.trouble:
            raise errors.GeneratorUnavailable(self._supervisor.trouble, remedy="see the bridge's log")
        record.created = time.time()
        queued: JobEventMessage = JobQueued(seq=0, job_id=record.job_id, time=0)
        results = [] if request.fresh else self._dispatcher.reusable(record.key)
        if results:
            record.state, record.ended = JobState.FINISHED, record.created
        self._add(record, [queued, *(reuse_events(record, results) if results else ())], results)
        ahead = 0
        if not results:
            self._dispatcher.wait(record)
            ahead = self._dispatcher.queue.ahead(session, record.priority) + len(self._dispatcher.running)
        return JobAccepted(
            request_id=request.request_id, job_id=record.job_id, state=record.state, seed=record.seed, ahead=ahead
        )

    def cancel(self, session: str, request: JobCancel) -> None:
        """End a job; `job.cancelled` follows when nothing of it runs any more.

        Raises `UnknownJob` for another session's job unless `any_owner`, `RequestError` for one that is over.
        """
        record = self._unfinished(session, request)
        self._dispatcher.cancel(record, by="its client" if record.session == session else "another client")

    def steer(self, session: str, request: JobSteer) -> None:
        """Pause, resume or finish a job; `job.steered` follows.

        Raises `UnknownJob` for another session's job unless `any_owner`, `RequestError` for one that is over or
        whose generator does not do that.
        """
        record = self._unfinished(session, request)
        spec = self.catalog.specs.get(record.generator)
        wanted = "pause" if request.action == "resume" else request.action
        if spec is None or wanted not in spec.steers:
            raise errors.RequestError(
                f"{record.generator} cannot be asked to {request.action}", path="$.action",
                remedy="cancel the job instead, or let it run",
            )  # fmt: skip
        self._dispatcher.steer(record, request.action)

    def standing(self, session: str) -> list[BridgeMessage]:
        """What is true now of a session's jobs and told by no event: which are steered, and which clouds have grown."""
        messages: list[BridgeMessage] = []
        for record in self._dispatcher.unfinished.values():
            if record.session == session:
                if record.steered:
                    messages.append(JobSteered(job_id=record.job_id, steered=record.steered))
                messages += self.growths.standing(record.job_id)
        return messages

    def _unfinished(self, session: str, request: JobCancel | JobSteer) -> JobRecord:
        record = self._dispatcher.unfinished.get(request.job_id) or self._ledger.job(request.job_id)
        if record is None or (record.session != session and not request.any_owner):
            raise errors.UnknownJob(f"this client has no job {request.job_id}", path="$.job_id")
        if record.state in FINAL_STATES:
            raise errors.RequestError(f"job {request.job_id} is over: it is {record.state}", path="$.job_id")
        return record

    def page(self, session: str, request: JobList) -> JobPage:
        """A page of the history, newest first."""
        owner = None if request.any_owner else session
        records = self._ledger.page(
            session=owner, before=request.before, states=request.states, limit=request.limit + 1
        )
        rows = [
            job_row(record, self._ledger.results(record.job_id), mine=record.session == session)
            for record in records[: request.limit]
        ]
        return JobPage(request_id=request.request_id, jobs=rows, more=len(records) > request.limit)

    def rate(self, session: str, request: JobRate) -> JobRated:
        """Keep the user's judgement of one asset. Raises `UnknownJob`, `UnknownAsset`."""
        if self._ledger.job(request.job_id) is None:
            raise errors.UnknownJob(f"there is no job {request.job_id}", path="$.job_id")
        if all(result.asset.digest != request.digest for result in self._ledger.results(request.job_id)):
            raise errors.UnknownAsset(f"job {request.job_id} made no asset {request.digest}", path="$.digest")
        self._ledger.rate(request.job_id, request.digest, request.score, request.tags)
        return JobRated(request_id=request.request_id)

    def deliver_wish(self, job_id: str) -> Deliver | None:
        """How the client wants a job's assets sent without asking; None when it will ask."""
        record = self._dispatcher.unfinished.get(job_id) or self._ledger.job(job_id)
        return record.deliver if record else None

    async def collect(self, request: StoreCollect) -> StoreCollected:
        """Remove what is no longer needed, but nothing that an unfinished job takes."""
        keep = {digest for record in self._dispatcher.unfinished.values() for digest in record.inputs.values()}
        done = await self._store.collect(keep=keep, down_to_bytes=request.down_to_bytes, dry_run=request.dry_run)
        return StoreCollected(
            request_id=request.request_id,
            assets=done.assets,
            files=done.files,
            freed_bytes=done.freed_bytes,
            left_bytes=done.left_bytes,
        )

    # --------------------------------------------------------------------------------------- telling

    @property
    def devices(self) -> list[DeviceRow]:
        """The devices in use; empty until the first worker is ready."""
        return self._supervisor.devices

    def generator_rows(self) -> list[GeneratorRow]:
        """The catalog as messages show it, with the reason for what cannot run here."""
        return [
            GeneratorRow(
                id=row.spec.id,
                title=row.spec.title,
                promise=row.spec.promise,
                gives=[kind.value for kind in row.spec.gives],
                takes=[
                    PortRow(name=p.name, kinds=[kind.value for kind in p.kinds], optional=p.optional, help=p.help)
                    for p in row.spec.takes
                ],
                params=dict(row.schema),
                version=row.spec.version,
                available=not (row.reason or self._supervisor.trouble),
                reason=row.reason or self._supervisor.trouble,
                memory_gb=row.spec.needs.memory_gb,
                gpu_memory_gb=row.spec.needs.gpu_memory_gb,
                grows=row.spec.grows,
                steers=list(row.spec.steers),
                jobs=bool(row.spec.run),
                live=_live_row(row.spec),
            )
            for row in self.catalog.rows(self._supervisor.devices)
        ]

    def figures(self) -> dict[str, float]:
        """Gauges and counters, by name."""
        waiting = {f"jobs_waiting_{name}": count for name, count in self._dispatcher.queue.by_class().items()}
        return {
            "jobs_accepted_total": self._accepted,
            "jobs_running": len(self._dispatcher.running),
            "store_bytes": self._store.used_bytes,
            "store_export_bytes": self._store.exports.used_bytes,
            **waiting,
            **self._supervisor.figures(),
        }

    def _tell(self, session: str, message: BridgeMessage, payload: bytes) -> None:
        asyncio.get_running_loop().call_soon(self._pass_on, session, message, payload)

    def _pass_on(self, session: str, message: BridgeMessage, payload: bytes) -> None:
        self.listener(session, message, payload)

    def _learn_device(self) -> None:
        """Remember what kind of device work runs on, so that results are found again before a worker is up."""
        kind = self._supervisor.devices[0].kind
        if kind != self._device_kind:
            self._device_kind = kind
            self._ledger.remember(_DEVICE_KIND, kind)

    def _add(self, record: JobRecord, events: list[JobEventMessage], results: list[Result]) -> None:
        self._ledger.add_job(record, events, results)
        self._accepted += 1
        for result in results:
            self._store.touch(result.asset.digest)
        for event in events:
            self._tell(record.session, event, b"")

    def _recover(self, record: JobRecord) -> None:
        """Put a job of an interrupted life where it belongs."""
        now, job_id = time.time(), record.job_id
        if record.state is JobState.QUEUED:
            self._dispatcher.wait(record, first=False)
        elif record.cancelled_by:
            cancelled = JobCancelled(seq=0, job_id=job_id, time=0, by=record.cancelled_by)
            self._ledger.change(record, [cancelled], state=JobState.CANCELLED, ended=now)
        elif record.attempts >= self._attempts_of(record):
            words = f"the bridge went down while it ran, {record.attempts} times in all"
            failed = JobFailed(seq=0, job_id=job_id, time=0, code=errors.WorkerDied.code, message=words)
            changes: dict[str, Any] = {"error_code": failed.code, "error": words, "ended": now}
            self._ledger.change(record, [failed], state=JobState.FAILED, **changes)
        else:
            queued = JobQueued(seq=0, job_id=job_id, time=0, reason="the bridge was restarted")
            self._ledger.change(record, [queued], state=JobState.QUEUED)
            self._dispatcher.wait(record)

    def _tidy_scratch(self) -> None:
        """Remove what no job that goes on has left."""
        going_on = {
            job_id
            for job_id, record in self._dispatcher.unfinished.items()
            if (spec := self.catalog.specs.get(record.generator)) is not None and spec.resumable
        }
        for folder in (self._store.root / SCRATCH).glob("*"):
            if folder.name not in going_on:
                shutil.rmtree(folder, ignore_errors=True)

    def _attempts_of(self, record: JobRecord) -> int:
        spec = self.catalog.specs.get(record.generator)
        return spec.attempts if spec else 1

    def _assets(self, record: JobRecord) -> Iterator[AssetRow]:
        return (result.asset for result in self._ledger.results(record.job_id))


def job_row(record: JobRecord, results: Sequence[Result], *, mine: bool) -> JobRow:
    """A job with its results as the history shows it."""
    return JobRow(
        job_id=record.job_id,
        request_id=record.request_id,
        generator=record.generator,
        state=record.state,
        priority=record.priority,
        params=record.params,
        inputs=record.inputs,
        seed=record.seed,
        label=record.label,
        assets=[result.asset for result in results],
        notes=record.notes,
        error_code=record.error_code,
        error=record.error,
        created=record.created,
        started=record.started,
        ended=record.ended,
        mine=mine,
        steered="" if record.state in FINAL_STATES else record.steered,
    )


def _live_row(spec: GeneratorSpec) -> LiveRow | None:
    live = spec.live
    if live is None:
        return None
    return LiveRow(wants=list(live.wants), optional=list(live.optional), refines=live.refines)


def _again(earlier: JobRecord, request: JobSubmit) -> JobAccepted:
    if earlier.fingerprint != fingerprint(request):
        raise errors.RequestReused(
            f"request_id {request.request_id!r} already stands for another request (job {earlier.job_id})",
            path="$.request_id",
            remedy="make a new request_id for every request",
        )
    return JobAccepted(
        request_id=request.request_id,
        job_id=earlier.job_id,
        state=earlier.state,
        seed=earlier.seed,
        duplicate=True,
    )
