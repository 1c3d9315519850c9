"""From the queue to the workers and back: starts what is next, joins equal work, ends what was cancelled."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from bridge import errors
from bridge.acceptance import said_to_client
from bridge.growth import Growths
from bridge.inputs import input_order
from bridge.jobrun import JobRun, Tell
from bridge.ledger import Ledger, Result
from bridge.messages import (
    JobCancelled,
    JobEventMessage,
    JobFailed,
    JobFinished,
    JobProduced,
    JobQueued,
    JobStarted,
    JobState,
    JobSteered,
)
from bridge.provenance import provenance, work_key
from bridge.queue import FairQueue
from bridge.records import FINAL_STATES, JobRecord
from bridge.store import Store
from bridge.supervisor import Ending, Supervisor
from engines.kinds import Kind
from generators.catalog import Catalog, params_type_name
from generators.pipe import DeviceRow, GrowthOrder, PreviewOrder, RunOrder

log = logging.getLogger("bridge.jobs")

PAUSED, FINISHING = "paused", "finishing"
STEERED = {"pause": PAUSED, "resume": "", "finish": FINISHING}
"""What each action makes of a job."""
SCRATCH = "scratch"
"""Folder of the store in which every job has one of its own."""
_AT_ONE_GO = 32
"""Jobs begun, or answered from the store, before other work on the loop gets its turn."""
_DISK_RETRY_SECS = 1.0


class Dispatcher:
    """All unfinished jobs: waiting in the queue, waiting for equal work, or running."""

    def __init__(
        self, *, ledger: Ledger, store: Store, supervisor: Supervisor, catalog: Catalog, growths: Growths, tell: Tell,
        on_running_changed: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.queue = FairQueue()
        self.unfinished: dict[str, JobRecord] = {}
        self.running: dict[str, JobRun] = {}
        self._ledger = ledger
        self._store = store
        self._supervisor = supervisor
        self._catalog = catalog
        self._growths = growths
        self._tell = tell
        self._on_running_changed = on_running_changed
        self._held: set[str] = set()
        """Jobs that were paused before they began, or whose worker or bridge died while they were."""
        self._parked: dict[str, list[str]] = {}
        """Jobs that wait for a running one to do the very same work, by key."""
        self._spools: list[Path] = []
        """Folders of earlier runs, with nothing but empty folders in them."""
        self._stopped = True
        self._due = False

    def start(self) -> None:
        """Begin to hand out jobs whenever a worker is idle."""
        self._stopped = False
        self._supervisor.on_idle = self.wake
        self._supervisor.on_trouble = self._tell_trouble
        self.wake()

    def stop(self) -> list[JobRun]:
        """Hand out nothing more; returns the runs that are still going on."""
        self._stopped = True
        return list(self.running.values())

    def wake(self) -> None:
        """Look soon whether a waiting job can be begun, but after the answer to whoever caused it has gone out."""
        if not self._due and not self._stopped:
            self._due = True
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._pump)

    def wait(self, record: JobRecord, *, first: bool = False) -> None:
        """Let a queued job wait for its turn, or until it is resumed."""
        self.unfinished[record.job_id] = record
        if record.steered == PAUSED:
            self._held.add(record.job_id)
            self._tell(record.session, JobSteered(job_id=record.job_id, steered=PAUSED), b"")
            return
        self.queue.put(record.job_id, record.session, record.priority, first=first)
        self.wake()

    def steer(self, record: JobRecord, action: Literal["pause", "resume", "finish"]) -> None:
        """Pause, resume or finish an unfinished job; `job.steered` follows. Raises `RequestError`, `StoreFull`."""
        run = self.running.get(record.job_id)
        if action == "finish" and run is None and record.attempts == 0:
            raise errors.RequestError(
                f"job {record.job_id} has not begun, so there is nothing to keep yet",
                path="$.action",
                remedy="wait until it has begun, or cancel it",
            )
        if record.steered == FINISHING:
            action = "finish"  # it is on its way out, whatever is asked now
        self._ledger.change(record, steered=STEERED[action])
        if run is not None and run.active:
            run.active.steer(action)
        elif action == "pause":
            if self.queue.remove(record.job_id):
                self._held.add(record.job_id)
        elif record.job_id in self._held:
            self._held.discard(record.job_id)
            self.wait(record, first=True)
        if run is None or action == "finish":
            self._tell(record.session, JobSteered(job_id=record.job_id, steered=record.steered), b"")

    def cancel(self, record: JobRecord, by: str) -> None:
        """End an unfinished job: at once when it waits, else within the grace time. Raises `StoreFull`."""
        run = self.running.get(record.job_id)
        if run is not None:
            if not record.cancelled_by:
                self._ledger.change(record, cancelled_by=by)
            if run.active:
                run.active.cancel(self._supervisor.settings.grace_secs)
            return
        event = JobCancelled(seq=0, job_id=record.job_id, time=0, by=by)
        self._commit(record, [event], state=JobState.CANCELLED, cancelled_by=by, ended=time.time())
        if record.job_id in self._held:
            self._held.discard(record.job_id)
        elif not self.queue.remove(record.job_id):
            self._parked[record.key].remove(record.job_id)
        del self.unfinished[record.job_id]
        shutil.rmtree(self._scratch(record.job_id), ignore_errors=True)

    def waiting(self, session: str) -> int:
        """How many jobs of one session wait, for a worker or for equal work."""
        parked = (self.unfinished[job_id] for ids in self._parked.values() for job_id in ids)
        held = (self.unfinished[job_id] for job_id in self._held)
        return self.queue.waiting(session) + sum(record.session == session for record in (*parked, *held))

    def reusable(self, key: str) -> list[Result]:
        """The assets of a finished job that did the same work, if all of them are still there."""
        done = self._ledger.finished_with_key(key) if key else None
        if done is None:
            return []
        results = self._ledger.results(done.job_id)
        return results if all(self._store.is_whole(result.asset.digest) for result in results) else []

    # ------------------------------------------------------------------------------------ beginning

    def _pump(self) -> None:
        self._due = False
        for _ in range(_AT_ONE_GO):
            device = self._supervisor.idle_device()
            job_id = None if device is None or self._stopped else self.queue.take()
            if device is None or job_id is None:
                return
            record = self.unfinished[job_id]
            try:
                if not self._begin(record, device):
                    self.queue.settle(job_id, 0.0)
            except errors.StoreFull as error:
                log.error("no job is begun: %s", error)
                self.queue.settle(job_id, 0.0)
                self.queue.put(job_id, record.session, record.priority, first=True)
                asyncio.get_running_loop().call_later(_DISK_RETRY_SECS, self.wake)
                return
            except Exception as error:  # the others go on, and this one comes to an end
                log.exception("a job cannot be begun", extra={"job": job_id})
                self._end_unbegun(record, error)
        self.wake()

    def _end_unbegun(self, record: JobRecord, error: Exception) -> None:
        run = self.running.get(record.job_id)
        if run is not None:
            run.over(Ending("failed", words=f"it could not be begun: {error}"))
        else:
            self.queue.settle(record.job_id, 0.0)
            self._refuse(record, errors.InternalError(f"the job could not be begun: {error!r}"))

    def _begin(self, record: JobRecord, device: DeviceRow) -> bool:
        """Give a job to the idle worker of `device`; False when it needed no worker, or waits for equal work."""
        try:
            with said_to_client():
                spec = self._catalog.spec(record.generator)
                self._catalog.check_available(record.generator, self._supervisor.devices)
            whole = {port.name for port in spec.takes if Kind.CAPTURE in port.kinds}
            inputs = {
                name: input_order(self._store, digest, undecoded=name in whole)
                for name, digest in record.inputs.items()
            }
        except errors.RequestError as error:  # it was accepted under another catalog, or its input has been collected
            self._refuse(record, error)
            return False
        key = work_key(spec, record.params, record.inputs, record.seed, device.kind)
        if not record.fresh and self._joined(record, key):
            return False
        run_number = self._supervisor.next_run()
        spool = self._spools.pop() if self._spools else self._store.root / "spool" / f"run{run_number}"
        started = JobStarted(seq=0, job_id=record.job_id, time=0, attempt=record.attempts + 1, device=device.name)
        self._commit(
            record, [started], state=JobState.RUNNING, attempts=record.attempts + 1, key=key, version=spec.version,
            device=device.name, started=time.time(),
        )  # fmt: skip
        scratch = self._scratch(record.job_id)
        run = JobRun(
            record, ledger=self._ledger, store=self._store, growths=self._growths, tell=self._tell, spool=spool,
            scratch=scratch, attempts=spec.attempts, keeps_scratch=spec.resumable,
            provenance=provenance(spec, record.params, record.inputs, record.seed, device.kind), on_over=self._over,
            give_back=self._spools.append,
        )  # fmt: skip
        self.running[record.job_id] = run
        for digest in record.inputs.values():
            self._store.pin(digest)
        order = RunOrder(
            run=run_number, function=spec.run, params_type=params_type_name(spec), params=record.params,
            seed=record.seed, device=device.name, spool=str(spool), inputs=inputs, preview=_preview(record),
            scratch=str(scratch), growth=_growth(record) if spec.grows else None, finish=record.steered == FINISHING,
        )  # fmt: skip
        run.active = self._supervisor.run(order, run, timeout_secs=spec.timeout_secs, silence_secs=spec.silence_secs)
        self._on_running_changed()
        return True

    def _joined(self, record: JobRecord, key: str) -> bool:
        """Take the results of equal work that is done, or wait for that which is going on."""
        results = self.reusable(key)
        if results:
            self._commit_reuse(record, key, results)
            return True
        if any(run.record.key == key for run in self.running.values()):
            if record.key != key:
                self._ledger.change(record, key=key)
            self._parked.setdefault(key, []).append(record.job_id)
            return True
        return False

    def _commit_reuse(self, record: JobRecord, key: str, results: Sequence[Result]) -> None:
        now = time.time()
        events = reuse_events(record, results)
        self._commit(record, events, results, state=JobState.FINISHED, key=key, ended=now)
        for result in results:
            self._store.touch(result.asset.digest)
        del self.unfinished[record.job_id]

    def _refuse(self, record: JobRecord, error: errors.ScenecastError) -> None:
        event = JobFailed(
            seq=0, job_id=record.job_id, time=0, code=error.code, message=error.message, remedy=error.remedy
        )
        changes: dict[str, Any] = {"error_code": error.code, "error": error.message, "ended": time.time()}
        self._commit(record, [event], state=JobState.FAILED, **changes)
        del self.unfinished[record.job_id]

    def _scratch(self, job_id: str) -> Path:
        """The job's own folder, in which a resumable run leaves what it has done."""
        return self._store.root / SCRATCH / job_id

    # --------------------------------------------------------------------------------------- ending

    def _over(self, run: JobRun, device_secs: float) -> None:
        record = run.record
        del self.running[record.job_id]
        for digest in record.inputs.values():
            self._store.unpin(digest)
        self.queue.settle(record.job_id, device_secs)
        if record.state in FINAL_STATES:
            del self.unfinished[record.job_id]
        elif not self._stopped:
            self.wait(record, first=True)
        for job_id in reversed(self._parked.pop(record.key, [])):
            self.wait(self.unfinished[job_id], first=True)
        self._on_running_changed()
        self.wake()

    def _tell_trouble(self, words: str) -> None:
        for record in list(self.unfinished.values()):
            if record.job_id not in self.running:
                self._commit(record, [JobQueued(seq=0, job_id=record.job_id, time=0, reason=words[:8000])])

    def _commit(
        self, record: JobRecord, events: Sequence[JobEventMessage], results: Sequence[Result] = (), **changes: Any
    ) -> None:
        self._ledger.change(record, events, results, **changes)
        for event in events:
            self._tell(record.session, event, b"")


def reuse_events(record: JobRecord, results: Sequence[Result]) -> list[JobEventMessage]:
    """What is told when a job takes the results of an earlier one."""
    produced = [
        JobProduced(seq=0, job_id=record.job_id, time=0, asset=result.asset, name=result.name) for result in results
    ]
    assets = [result.asset for result in results]
    return [*produced, JobFinished(seq=0, job_id=record.job_id, time=0, assets=assets, reused=True)]


def _growth(record: JobRecord) -> GrowthOrder | None:
    wish = record.growth
    if wish is None:
        return None
    return GrowthOrder(per_sec=wish.per_sec, splats_max=wish.splats_max, sh_degree=wish.sh_degree)


def _preview(record: JobRecord) -> PreviewOrder | None:
    wish = record.preview
    if wish is None:
        return None
    return PreviewOrder(size_px=wish.size_px, per_sec=wish.per_sec, media_type=wish.media_type)
