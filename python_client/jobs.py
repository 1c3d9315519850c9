"""One job as its client sees it: where it stands, what it said, what it made."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from . import events, messages
from .errors import JobCancelled, JobFailed, ScenecastError
from .replies import Reply

if TYPE_CHECKING:
    from .growing import GrowingCloud
    from .results import Result
    from .transfers import Delivery

OVER = ("finished", "failed", "cancelled")


class Driver:
    """What a job asks of its client; `Client` is one."""

    def drive(self, until: Callable[[], bool], timeout_secs: Optional[float], what: str) -> None:
        """Pump until the condition holds. Raises `WaitTimeout`, or why the connection cannot be had."""
        raise NotImplementedError

    def cancel(self, job: Job) -> None:
        """Ask the bridge to end the job."""
        raise NotImplementedError

    def steer(self, job: Job, action: str) -> None:
        """Ask the bridge to pause, resume or finish the job."""
        raise NotImplementedError

    def deliver(self, job: Job) -> list[Reply[Delivery]]:
        """See that the files of all the job's assets are here or on their way."""
        raise NotImplementedError


class Job:
    """A submitted job. Reading its attributes costs nothing; `wait`, `result` and iterating block."""

    def __init__(self, driver: Driver, *, request_id: str = "", generator: str = "", label: str = "") -> None:
        self.request_id = request_id
        self.id = ""
        """The bridge's name for it; empty until it is accepted."""
        self.generator = generator
        self.label = label
        self.params: dict[str, Any] = {}
        self.state = "submitting"
        """submitting, then queued, running, and at last finished, failed or cancelled."""
        self.seed: Optional[int] = None
        self.ahead = 0
        """Jobs that will probably run first, told when it was accepted."""
        self.fraction = 0.0
        self.stage = ""
        self.eta_secs: Optional[float] = None
        self.preview: Optional[events.Preview] = None
        """The newest preview."""
        self.notes: list[str] = []
        self.assets: list[messages.AssetRow] = []
        self.reused = False
        self.run_secs = 0.0
        self.error: Optional[ScenecastError] = None
        self.host = ""
        """Whose conventions the files are delivered in; empty for none asked."""
        self.formats: dict[str, str] = {}
        self.deliveries: dict[str, Reply[Delivery]] = {}
        """Files by the digest of their asset, here or on their way."""
        self.names: dict[str, str] = {}
        """The name under which each asset was produced, by digest."""
        self.cancel_wanted = False
        self.steered = ""
        """`paused`, or `finishing` when it stops where it is and keeps what it has; empty when it goes its way."""
        self.cloud: Optional[GrowingCloud] = None
        """The cloud as it grows, when the submit asked to watch it."""
        self.on_grown: Optional[Callable[[GrowingCloud], None]] = None
        """Called while pumping whenever more of the cloud is here: within a version after every piece of it."""
        self.to_the_end = True
        """Whether the last version of the cloud is wanted too, and not only those on the way."""
        self.growth_error: Optional[ScenecastError] = None
        """Why the newest version could not be taken; the next one makes it good."""
        self.durable: list[messages.JobEvent] = []
        """Every durable event, in order."""
        self._unread: deque[events.Event] = deque()
        self._driver = driver

    def __repr__(self) -> str:
        return f"<Job {self.id or self.request_id} {self.generator} {self.state} {self.fraction:.0%}>"

    @property
    def over(self) -> bool:
        """True when nothing more will happen to it."""
        return self.state in OVER

    @property
    def unread(self) -> int:
        """How many events `take_events` would give."""
        return len(self._unread)

    def take_events(self) -> list[events.Event]:
        """The events since the last call, in order; of unread progress and previews only the newest."""
        taken = list(self._unread)
        self._unread.clear()
        return taken

    def __iter__(self) -> Iterator[events.Event]:
        """Every event until the job is over, waiting for the next one."""
        while True:
            yield from self.take_events()
            if self.over:
                yield from self.take_events()
                return
            self._driver.drive(lambda: bool(self._unread) or self.over, None, "the job's next event")

    def wait(self, timeout_secs: Optional[float] = None) -> str:
        """Block until the job is over; its last state. Raises `WaitTimeout`."""
        self._driver.drive(lambda: self.over, timeout_secs, f"job {self.id or self.request_id}")
        return self.state

    def result(self, timeout_secs: Optional[float] = None) -> Result:
        """Block until the files are here. Raises `JobFailed`, `JobCancelled`, `WaitTimeout`, `Refused`."""
        from .results import Result

        self.wait(timeout_secs)
        if self.error is not None:
            raise self.error
        replies = self._driver.deliver(self)
        self._driver.drive(lambda: all(reply.done for reply in replies), timeout_secs, "the job's files")
        return Result(self, [reply.value for reply in replies])

    def cancel(self) -> None:
        """Ask the bridge to end it; it is over when `state` says so."""
        self._driver.cancel(self)

    def pause(self) -> None:
        """Ask the bridge to let it stand still; `steered` says when it does."""
        self._driver.steer(self, "pause")

    def resume(self) -> None:
        """Ask the bridge to let it go on."""
        self._driver.steer(self, "resume")

    def finish(self) -> None:
        """Call it good enough: it stops where it is and delivers that."""
        self._driver.steer(self, "finish")

    def stands(self, message: messages.JobSteered) -> None:
        """It was paused, resumed or is finishing."""
        if not self.over and message.steered != self.steered:
            self.steered = message.steered
            self.tell(events.Steered(message.steered))

    def accepted(self, message: messages.JobAccepted) -> None:
        """The bridge has it in its ledger."""
        self.id, self.seed, self.ahead = message.job_id, message.seed, message.ahead
        if self.state == "submitting":
            self.state = "queued"

    def end(self, state: str, error: Optional[ScenecastError] = None) -> None:
        """It is over."""
        self.state, self.error, self.eta_secs, self.steered = state, error, None, ""

    def tell(self, event: events.Event) -> None:
        """Keep an event for whoever reads them; a live one replaces its unread elder."""
        if isinstance(event, (events.Progress, events.Preview, events.Grown)):
            self._unread = deque(old for old in self._unread if type(old) is not type(event))
        self._unread.append(event)

    def progressed(self, message: messages.JobProgress) -> None:
        """How far it has come."""
        if not self.over:
            self.fraction, self.stage, self.eta_secs = message.fraction, message.stage, message.eta_secs
            self.tell(events.Progress(message.fraction, message.stage, message.eta_secs))

    def previewed(self, message: messages.JobPreview, data: bytes) -> None:
        """A picture of the result so far."""
        if not self.over:
            self.preview = events.Preview(message.width_px, message.height_px, message.media_type, data)
            self.tell(self.preview)

    def happened(self, message: messages.JobEvent) -> None:
        """A durable event; the caller has seen to it that none comes twice."""
        self.durable.append(message)
        self.id = message.job_id
        event = _APPLY[type(message)](self, message)
        if event is not None:
            self.tell(event)


def _queued(job: Job, message: messages.JobQueued) -> Optional[events.Event]:
    job.state, job.fraction, job.eta_secs = "queued", 0.0, None
    return events.Queued(message.reason)


def _started(job: Job, message: messages.JobStarted) -> Optional[events.Event]:
    job.state = "running"
    return events.Started(message.attempt, message.device)


def _noted(job: Job, message: messages.JobNoted) -> Optional[events.Event]:
    if message.text in job.notes:  # said again by a second attempt
        return None
    job.notes.append(message.text)
    return events.Noted(message.text)


def _produced(job: Job, message: messages.JobProduced) -> Optional[events.Event]:
    job.names[message.asset.digest] = message.name
    if all(row.digest != message.asset.digest for row in job.assets):
        job.assets.append(message.asset)
    return events.Produced(message.asset, message.name)


def _finished(job: Job, message: messages.JobFinished) -> Optional[events.Event]:
    job.assets = list(message.assets)
    job.reused, job.run_secs, job.fraction = message.reused, message.run_secs, 1.0
    job.end("finished")
    return events.Finished(tuple(message.assets), message.reused, message.run_secs)


def _failed(job: Job, message: messages.JobFailed) -> Optional[events.Event]:
    job.end("failed", JobFailed(message.message, code=message.code, remedy=message.remedy))
    return events.Failed(message.code, message.message, message.remedy)


def _cancelled(job: Job, message: messages.JobCancelled) -> Optional[events.Event]:
    job.end("cancelled", JobCancelled(f"job {job.id} was cancelled" + (f" by {message.by}" if message.by else "")))
    return events.Cancelled(message.by)


_APPLY: Mapping[type, Callable[[Job, Any], Optional[events.Event]]] = {
    messages.JobQueued: _queued,
    messages.JobStarted: _started,
    messages.JobNoted: _noted,
    messages.JobProduced: _produced,
    messages.JobFinished: _finished,
    messages.JobFailed: _failed,
    messages.JobCancelled: _cancelled,
}


class JobTable:
    """All jobs of a session, by the bridge's id; events may come before the acceptance they belong to."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.by_id: dict[str, Job] = {}

    def named(self, job_id: str) -> Job:
        """The job of that id; one submitted elsewhere or earlier is made known by its first event."""
        job = self.by_id.get(job_id)
        if job is None:
            job = self.by_id[job_id] = Job(self._driver)
            job.id = job_id
        return job

    def claim(self, job: Job, message: messages.JobAccepted) -> None:
        """Bind a submitted job to its id, together with what was told of that id before."""
        earlier = self.by_id.get(message.job_id)
        self.by_id[message.job_id] = job
        job.accepted(message)
        if earlier is not None and earlier is not job:
            for event in earlier.durable:
                job.happened(event)
            for digest, reply in earlier.deliveries.items():
                job.deliveries.setdefault(digest, reply)

    def unfinished(self) -> tuple[Job, ...]:
        """Jobs that are not over."""
        return tuple(job for job in self.by_id.values() if not job.over)
