"""The growing clouds that a client watches: asks for newer versions, one at a time for each job, and puts them in.

The next question goes out when the last answer has been put in, so the newest version wins, nothing piles up, and a
client that is busy simply sees fewer of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from . import events, messages
from .errors import BadMessage, ScenecastError, TransferFailed
from .growing import Delta, FileDelta
from .replies import Reply

if TYPE_CHECKING:
    from .jobs import Job

TRIES = 3
"""So often a version that cannot be taken is asked for again; after that the next newer one is."""
Ask = Callable[[Mapping[str, Any], Reply[Any]], None]
"""Says a request now and on every new connection until it is answered."""


class _Watch:
    """One cloud: what is known of it, and what is on its way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.told: tuple[str, int] = ("", 0)
        """Stream and version that can be had."""
        self.wanted = False
        """The newest is to be asked for, whatever has been told."""
        self.failures = 0
        """Versions in a row that could not be taken."""
        self.asked: Optional[Reply[Any]] = None
        self.answer: Optional[messages.GrowthFiles] = None
        self.delta: Optional[Delta] = None
        self.file: Optional[FileDelta] = None

    @property
    def busy(self) -> bool:
        """Whether a version is asked for or coming in."""
        return self.asked is not None or self.answer is not None

    def drop(self) -> None:
        """Give up what is coming in."""
        if self.file is not None:
            self.file.close()
        self.answer, self.delta, self.file = None, None, None


class Watches:
    """All of them, by job."""

    def __init__(self, ask: Ask, new_id: Callable[[], str], stop: Callable[[str], None]) -> None:
        self._ask = ask
        self._new_id = new_id
        self._stop = stop
        """Ends a transfer of the bridge."""
        self._watches: dict[str, _Watch] = {}

    def told(self, job: Job, message: messages.JobGrown) -> None:
        """A newer version can be had."""
        if job.cloud is not None and (job.to_the_end or not message.final):
            watch = self._watch(job)
            watch.told = message.stream, message.version
            self._go_on(watch)

    def over(self, job: Job) -> None:
        """The job is over: see that its cloud comes to the end, or give it up."""
        if job.cloud is None or not job.id:
            return
        watch = self._watch(job)
        if job.state == "finished" and job.to_the_end and any(row.kind == "splats" for row in job.assets):
            watch.wanted = True
            self._go_on(watch)
            return
        if watch.answer is not None and watch.answer.transfer:
            self._stop(watch.answer.transfer)
        watch.drop()
        self._watches.pop(job.id, None)

    def lost(self) -> None:
        """The connection is gone: what was coming in is asked for again, from what has been put in whole."""
        for watch in self._watches.values():
            if watch.answer is not None:
                watch.drop()
                watch.wanted = True
                self._go_on(watch)

    def chunk(self, message: messages.AssetChunk, payload: memoryview) -> bool:
        """Bytes of a transfer; False when it is none of these."""
        for watch in list(self._watches.values()):
            if watch.answer is not None and watch.answer.transfer == message.transfer:
                if watch.delta is None or message.file:
                    raise BadMessage(f"chunk for file {message.file} of a growing cloud", path="$.file")
                self._put_in(watch, lambda delta=watch.delta: delta.feed(payload))  # type: ignore[misc]
                return True
        return False

    def refused(self, transfer: str, error: ScenecastError) -> bool:
        """A transfer cannot go on; False when it is none of these."""
        for watch in list(self._watches.values()):
            if transfer and watch.answer is not None and watch.answer.transfer == transfer:
                self._failed(watch, error)
                return True
        return False

    def work(self) -> bool:
        """Read one piece of a version that lies on the shared disk; False when there is none."""
        for watch in list(self._watches.values()):
            if watch.file is not None:
                self._put_in(watch, watch.file.step)
                return True
        return False

    def _watch(self, job: Job) -> _Watch:
        return self._watches.setdefault(job.id, _Watch(job))

    def _go_on(self, watch: _Watch) -> None:
        """Ask for the newest version when it is not here and not on its way."""
        cloud = watch.job.cloud
        if cloud is None or watch.busy:
            return
        if cloud.final and (watch.wanted or watch.told == (cloud.stream, cloud.version)):
            watch.wanted = False
            return
        if not watch.wanted and (not watch.told[1] or watch.told == (cloud.stream, cloud.version)):
            return
        watch.wanted = False
        reply: Reply[messages.GrowthFiles] = Reply()
        watch.asked = reply
        ask = {"type": "growth.get", "request_id": self._new_id(), "job_id": watch.job.id,
               "stream": cloud.stream, "have": cloud.version}  # fmt: skip
        self._ask(ask, reply)
        reply.then(lambda: self._answered(watch, reply))

    def _answered(self, watch: _Watch, reply: Reply[messages.GrowthFiles]) -> None:
        watch.asked = None
        cloud = watch.job.cloud
        if reply.error is not None or cloud is None:
            watch.job.growth_error = reply.error
            return
        told = reply.value
        if self._watches.get(watch.job.id) is not watch:  # it was given up while the answer was on its way
            if told.transfer:
                self._stop(told.transfer)
            return
        watch.told = told.stream, told.version
        if not told.size_bytes:
            return
        if told.since and (told.stream, told.since) != (cloud.stream, cloud.version):
            self._failed(watch, TransferFailed(f"changes since version {told.since} came, here is {cloud.version}"))
            return
        watch.answer = told
        if told.path is None:
            watch.delta = Delta(cloud, told)
            return
        try:
            watch.file = FileDelta(cloud, told, told.path)
        except OSError:  # replaced a moment ago by a newer one
            watch.drop()
            watch.wanted = True
            self._go_on(watch)

    def _put_in(self, watch: _Watch, feed: Callable[[], bool]) -> None:
        try:
            changed = feed()
        except (TransferFailed, OSError) as error:
            self._failed(watch, error)
            return
        cloud, told = watch.job.cloud, watch.answer
        if cloud is None or told is None:
            return
        complete = (cloud.stream, cloud.version) == (told.stream, told.version)
        if complete:
            watch.drop()
            watch.failures, watch.job.growth_error = 0, None
            watch.job.tell(events.Grown(cloud.version, cloud.count, cloud.final))
        if (changed or complete) and watch.job.on_grown is not None:
            watch.job.on_grown(cloud)
        if complete:
            self._go_on(watch)

    def _failed(self, watch: _Watch, error: Exception) -> None:
        """Remember why, forget which version is here, and ask for all of it again, a few times."""
        if watch.answer is not None and watch.answer.transfer:
            self._stop(watch.answer.transfer)
        watch.drop()
        watch.job.growth_error = error if isinstance(error, ScenecastError) else TransferFailed(str(error))
        if watch.job.cloud is not None:
            watch.job.cloud.stream, watch.job.cloud.version = "", 0
        watch.failures += 1
        if watch.failures <= TRIES:
            watch.wanted = True
            self._go_on(watch)
