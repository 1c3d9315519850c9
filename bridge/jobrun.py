"""One job while a worker runs it: what the run says becomes messages, files and rows."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bridge import errors
from bridge.disk import FULL_REMEDY
from bridge.growth import Growths
from bridge.ledger import Ledger, Result
from bridge.messages import (
    BridgeMessage,
    JobCancelled,
    JobEventMessage,
    JobFailed,
    JobFinished,
    JobNoted,
    JobPreview,
    JobProduced,
    JobProgress,
    JobQueued,
    JobState,
    JobSteered,
)
from bridge.records import JobRecord
from bridge.store import Store
from bridge.supervisor import ActiveRun, Ending
from engines.draft import Draft
from generators.pipe import Grown, Noted, Previewed, Produced, Progressed, Steered, WorkerMessage

log = logging.getLogger("bridge.jobs")

Tell = Callable[[str, BridgeMessage, bytes], None]
"""Session, message, payload."""
_RETRY_SECS = 1.0
_TOGETHER_SECS = 0.001
"""Results are told so much later at most, so that they and the run's end need only one transaction."""
_MOST_CHARS = 8000


class JobRun:
    """Listens to one run; `on_over` is called once, when the job has its final state or waits again.

    `give_back` gets the spool folder for the next run when nothing but empty folders is left in it: making folders is
    cheap, removing them takes milliseconds on a journalling file system.
    """

    def __init__(
        self,
        record: JobRecord,
        *,
        ledger: Ledger,
        store: Store,
        tell: Tell,
        provenance: Mapping[str, Any],
        growths: Growths,
        spool: Path,
        scratch: Path,
        attempts: int,
        keeps_scratch: bool,
        on_over: Callable[[JobRun, float], None],
        give_back: Callable[[Path], None],
    ) -> None:
        self.record = record
        self.active: ActiveRun | None = None
        self._ledger = ledger
        self._store = store
        self._tell = tell
        self._provenance = provenance
        self._growths = growths
        self.spool = spool
        self._scratch = scratch
        self._attempts = attempts
        self._keeps_scratch = keeps_scratch
        self._on_over = on_over
        self._give_back = give_back
        self._inbox: asyncio.Queue[Produced | Ending] = asyncio.Queue()
        self._results: list[Result] = []
        self._untold: list[tuple[JobProduced, Result]] = []
        self._told = {(r.name, r.asset.digest) for r in ledger.results(record.job_id)} if record.attempts > 1 else set()
        self._failure: errors.ScenecastError | None = None
        self._eta = Eta()
        self.task = asyncio.get_running_loop().create_task(self._settle())

    # --------------------------------------------------------------------- what the supervisor says

    def said(self, message: WorkerMessage) -> None:
        """One word of the run; anything that may take long waits for its turn in `_settle`."""
        job_id, session = self.record.job_id, self.record.session
        if isinstance(message, Progressed):
            eta_secs = self._eta.after(message.fraction, time.monotonic())
            progress = JobProgress(job_id=job_id, fraction=message.fraction, stage=message.stage, eta_secs=eta_secs)
            self._tell(session, progress, b"")
        elif isinstance(message, Previewed):
            preview = JobPreview(
                job_id=job_id,
                width_px=message.width_px,
                height_px=message.height_px,
                media_type=message.media_type,
            )
            self._tell(session, preview, message.data)
        elif isinstance(message, Noted):
            if message.text not in self.record.notes:
                self._try(
                    [JobNoted(seq=0, job_id=job_id, time=0, text=message.text)],
                    notes=[*self.record.notes, message.text],
                )
        elif isinstance(message, Steered):
            self._eta = Eta()  # the speed over a pause says nothing
            self._tell(session, JobSteered(job_id=job_id, steered=self.record.steered), b"")
        elif isinstance(message, Grown):
            self._grew(message)
        elif isinstance(message, Produced):
            self._inbox.put_nowait(message)

    def _grew(self, message: Grown) -> None:
        if Path(message.file).parent != self.spool / "growth":
            self._fail(
                errors.StoreDamaged(f"the worker put a version into {message.file}, expected it in {self.spool}")
            )
            return
        self._tell(self.record.session, self._growths.told(self.record.job_id, message), b"")

    def over(self, ending: Ending) -> None:
        """The worker is done with it."""
        self._inbox.put_nowait(ending)

    # -------------------------------------------------------------------------------- in their turn

    async def _settle(self) -> None:
        while True:
            item = await self._next()
            if isinstance(item, Ending):
                break
            if self._failure is None:
                await self._adopt(item)
        clean = self._failure is None and item.outcome == "finished"
        self._growths.over(self.record.job_id, finished=clean and not self.record.cancelled_by)
        await self._tidy(clean, again=self._is_tried_again(item))
        while True:
            try:
                self._conclude(item)
                break
            except errors.StoreFull as error:
                # the outcome must be written down; until it is, the job counts as running and nothing is told
                log.error("the end of a job waits for disk space: %s", error, extra={"job": self.record.job_id})
                await asyncio.sleep(_RETRY_SECS)
            except Exception:  # then it ends as a failure, which is less to write down
                log.exception("the end of a job cannot be written down", extra={"job": self.record.job_id})
                self._untold.clear()
                self._failure = errors.InternalError("the bridge could not write down how the job ended")
                await asyncio.sleep(_RETRY_SECS)
        self._on_over(self, item.device_secs)
        if clean:
            self._give_back(self.spool)

    async def _tidy(self, clean: bool, *, again: bool) -> None:
        """Remove what the run leaves, before its end is told: whoever hears of it finds nothing left over."""
        if not clean:
            await asyncio.to_thread(shutil.rmtree, self.spool, ignore_errors=True)
        if self._scratch.exists() and not (again and self._keeps_scratch):
            await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)

    def _is_tried_again(self, ending: Ending) -> bool:
        died = self._failure is None and not self.record.cancelled_by and ending.outcome == "died"
        return died and self.record.attempts < self._attempts

    async def _next(self) -> Produced | Ending:
        """What comes next; results that wait to be told are told with it when it comes at once, else without it."""
        if self._untold and self._inbox.empty():
            try:
                async with asyncio.timeout(_TOGETHER_SECS):
                    return await self._inbox.get()
            except TimeoutError:
                self._try([])
        return await self._inbox.get()

    async def _adopt(self, message: Produced) -> None:
        folder = Path(message.folder)
        try:
            if folder.parent != self.spool:
                raise errors.StoreDamaged(f"the worker put a result into {folder}, expected it inside {self.spool}")
            draft = msgspec.convert(message.draft, Draft)
            provenance = self._provenance
            if self.record.steered == "finishing":
                provenance = {**provenance, "finished_early": True}
            row = await self._store.adopt_asset(draft, folder, provenance)
        except (msgspec.ValidationError, OSError) as error:
            self._fail(errors.InternalError(f"result {message.name!r} cannot be taken over: {error}"))
            return
        except errors.ScenecastError as error:
            self._fail(error)
            return
        except Exception as error:  # whatever a worker hands over, its job comes to an end
            log.exception("a result cannot be taken over", extra={"job": self.record.job_id})
            self._fail(errors.InternalError(f"result {message.name!r} cannot be taken over: {error!r}"))
            return
        result = Result(message.name, row, provenance)
        self._results.append(result)
        if (result.name, row.digest) not in self._told:
            event = JobProduced(seq=0, job_id=self.record.job_id, time=0, asset=row, name=message.name)
            self._untold.append((event, result))

    def _try(self, events: list[JobEventMessage], **changes: Any) -> None:
        try:
            self._commit(events, **changes)
        except errors.StoreFull as error:
            self._fail(error)

    def _fail(self, error: errors.ScenecastError) -> None:
        """The rest of the run is of no use: have it stopped, and remember why."""
        self._failure = self._failure or error
        if self.active:
            self.active.cancel(0.5)

    def _commit(self, events: list[JobEventMessage], **changes: Any) -> None:
        """Write down `events` after those of results that wait to be told, then tell them all."""
        told = [*(event for event, _ in self._untold), *events]
        if not told and not changes:
            return
        self._ledger.change(self.record, told, [result for _, result in self._untold], **changes)
        self._untold.clear()
        for event in told:
            self._tell(self.record.session, event, b"")

    # ----------------------------------------------------------------------------------- the outcome

    def _conclude(self, ending: Ending) -> None:
        record, now = self.record, time.time()
        run_secs = record.run_secs + ending.device_secs
        if record.cancelled_by:
            cancelled = JobCancelled(seq=0, job_id=record.job_id, time=0, by=record.cancelled_by)
            self._commit([cancelled], state=JobState.CANCELLED, ended=now, run_secs=run_secs)
        elif self._failure is None and ending.outcome == "finished" and self._results:
            assets = [result.asset for result in self._results]
            finished = JobFinished(seq=0, job_id=record.job_id, time=0, assets=assets, run_secs=ending.device_secs)
            if record.attempts > 1:
                # what an earlier attempt left and this one did not make again is no result of the job
                self._ledger.keep_results(record, self._results)
            # what was stopped early is not what the same request asks for next time
            key = "" if record.steered == "finishing" else record.key
            self._commit([finished], state=JobState.FINISHED, ended=now, run_secs=run_secs, key=key)
        elif self._is_tried_again(ending):
            reason = f"attempt {record.attempts} of {self._attempts}: {ending.words}"[:_MOST_CHARS]
            queued = JobQueued(seq=0, job_id=record.job_id, time=0, reason=reason)
            self._commit([queued], state=JobState.QUEUED, run_secs=run_secs)
        else:
            self._commit_failure(self._failure or failure_of(ending), run_secs)

    def _commit_failure(self, error: errors.ScenecastError, run_secs: float) -> None:
        message = error.message[:_MOST_CHARS]
        failed = JobFailed(
            seq=0,
            job_id=self.record.job_id,
            time=0,
            code=error.code,
            message=message,
            remedy=error.remedy[:_MOST_CHARS],
        )
        changes: dict[str, Any] = {
            "error_code": error.code,
            "error": message,
            "ended": time.time(),
            "run_secs": run_secs,
        }
        self._commit([failed], state=JobState.FAILED, **changes)


def failure_of(ending: Ending) -> errors.ScenecastError:
    """The error that a run's unhappy end is told as."""
    if ending.outcome == "timed_out":
        return errors.TimedOut(ending.words, remedy="ask for less, or try again when the machine has less to do")
    if ending.outcome == "died":
        return errors.WorkerDied(ending.words, remedy="ask for less; the last words may tell what it was")
    if ending.outcome == "finished":
        return errors.GeneratorFailed("the generator ended without a result")
    if ending.cause == "disk":
        return errors.StoreFull(f"the disk is full: {ending.words}", remedy=FULL_REMEDY)
    return errors.GeneratorFailed(ending.words or "the generator stopped by itself", remedy=ending.remedy)


class Eta:
    """Seconds left, from a moving mean of the speed."""

    def __init__(self) -> None:
        self._fraction = 0.0
        self._time_secs: float | None = None
        self._speed = 0.0

    def after(self, fraction: float, now_secs: float) -> float | None:
        """Seconds left when `fraction` is done at `now_secs`; None while the speed is not known."""
        if self._time_secs is None or fraction < self._fraction:
            self._fraction, self._time_secs, self._speed = fraction, now_secs, 0.0
            return None
        passed_secs, done = now_secs - self._time_secs, fraction - self._fraction
        if passed_secs > 0 and done > 0:
            speed = done / passed_secs
            self._speed = speed if self._speed == 0 else 0.7 * self._speed + 0.3 * speed
            self._fraction, self._time_secs = fraction, now_secs
        return (1.0 - fraction) / self._speed if self._speed > 0 else None
