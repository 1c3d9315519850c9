"""Jobs as they are kept beyond the program's end, and looked up when the bridge has forgotten the session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from . import messages
from .errors import JobFailed
from .growing import GrowingCloud
from .jobs import Job
from .replies import Reply

Bookmark = dict[str, Any]
"""Where a session stands, as JSON values."""


def kept(job: Job) -> dict[str, Any]:
    """An unfinished job as a bookmark holds it."""
    return {
        "job_id": job.id, "generator": job.generator, "label": job.label, "host": job.host,
        "formats": job.formats, "state": job.state, "params": job.params, "grows": job.cloud is not None,
    }  # fmt: skip


def put_back(job: Job, row: Mapping[str, Any]) -> None:
    """What `kept` held of the job."""
    job.generator, job.label, job.host = row["generator"], row["label"], row["host"]
    job.formats, job.state, job.params = row["formats"], row["state"], row["params"]
    job.cloud = GrowingCloud() if row.get("grows") else None


def put_back_submit(job: Job, ask: Mapping[str, Any]) -> None:
    """What a submit that was never answered says of its job."""
    deliver = ask.get("deliver") or {}
    job.host, job.formats = deliver.get("host", ""), deliver.get("formats", {})
    job.label, job.params = ask.get("label", ""), ask.get("params", {})
    job.cloud = GrowingCloud() if ask.get("growth") else None


class Orphans:
    """Unfinished jobs of a session that the bridge has forgotten: they are looked up in its history."""

    def __init__(
        self,
        ask: Callable[[Mapping[str, Any], Reply[Any]], None],
        new_id: Callable[[], str],
        over: Callable[[Job], None],
    ) -> None:
        self.jobs: list[Job] = []
        self._ask = ask
        self._new_id = new_id
        self._over = over
        """Called for each job that turns out to be over."""

    def ask_after(self) -> None:
        """Ask what has become of them, if there are any left."""
        self.jobs = [job for job in self.jobs if not job.over]
        if self.jobs:
            reply: Reply[messages.JobPage] = Reply()
            self._ask({"type": "job.list", "request_id": self._new_id(), "limit": 200, "any_owner": True}, reply)
            reply.then(lambda: self._answered(reply))

    def _answered(self, reply: Reply[messages.JobPage]) -> None:
        if reply.error is not None:
            return
        rows = {row.job_id: row for row in reply.value.jobs}
        for job in self.jobs:
            _settle(job, rows.get(job.id))
            if job.over:
                self._over(job)


def _settle(job: Job, row: Optional[messages.JobRow]) -> None:
    """Bring a job to where the history says it is."""
    if row is None:
        gone = JobFailed("the bridge no longer knows this job", code="request.job", remedy="Submit it again.")
        job.end("failed", gone)
    elif row.state == "finished":
        job.happened(messages.JobFinished(seq=0, job_id=job.id, time=row.ended or 0.0, assets=row.assets))
    elif row.state == "failed":
        job.happened(messages.JobFailed(0, job.id, row.ended or 0.0, row.error_code, row.error))
    elif row.state == "cancelled":
        job.happened(messages.JobCancelled(seq=0, job_id=job.id, time=row.ended or 0.0))
