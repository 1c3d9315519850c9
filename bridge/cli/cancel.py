"""`scenecast cancel`: end a job, whoever submitted it."""

from __future__ import annotations

import argparse
import time

from bridge.cli import reach
from bridge.cli.console import UsageError, complain, out
from python_client import Client
from python_client.messages import JobRow

WAIT_SECS = 15.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("job", help="the job's id, as `scenecast jobs` shows it")
    reach.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """0 once nothing of the job runs any more, 1 when it was over or does not end."""
    with reach.running(arguments) as client:
        client.cancel(arguments.job, any_owner=True)
        end = time.monotonic() + WAIT_SECS
        while time.monotonic() < end:
            if client.protocol.refusals:
                raise client.protocol.refusals[-1]
            state = row_of(client, arguments.job).state
            if state == "cancelled":
                out().print(f"{arguments.job} is cancelled")
                return 0
            if state in ("finished", "failed"):
                complain(f"{arguments.job} was over before it could be cancelled: it is {state}")
                return 1
            time.sleep(0.05)
    complain(f"{arguments.job} has not ended within {WAIT_SECS:.0f} s", "look at the bridge's log")
    return 1


def row_of(client: Client, job_id: str) -> JobRow:
    """The job in the history of all clients. Raises `UsageError` when there is none of that id."""
    before = ""
    while page := client.jobs(limit=200, any_owner=True, before=before):
        for row in page:
            if row.job_id == job_id:
                return row
        before = page[-1].job_id
    raise UsageError(f"there is no job {job_id!r}", remedy="see `scenecast jobs --all`")
