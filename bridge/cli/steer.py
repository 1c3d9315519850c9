"""`scenecast pause | resume | finish`: hold a long job, let it go on, or keep what it has so far."""

from __future__ import annotations

import argparse
import time

from bridge.cli import reach
from bridge.cli.cancel import row_of
from bridge.cli.console import complain, out
from python_client import Client

WAIT_SECS = 15.0
REACHED = {"pause": "paused", "resume": "", "finish": "finishing"}
"""How the job then stands."""
SAID = {
    "pause": "is paused; `scenecast resume` lets it go on",
    "resume": "goes on",
    "finish": "stops here and keeps what it has",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands' arguments."""
    parser.add_argument("job", help="the job's id, as `scenecast jobs` shows it")
    reach.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """0 once the job stands as it should, 1 when it was over or does not heed."""
    action = arguments.command
    with reach.running(arguments) as client:
        row_of(client, arguments.job)
        client.steer(arguments.job, action, any_owner=True)
        return _waited(client, arguments.job, action)


def _waited(client: Client, job_id: str, action: str) -> int:
    end = time.monotonic() + WAIT_SECS
    while time.monotonic() < end:
        row = row_of(client, job_id)
        if client.protocol.refusals:
            raise client.protocol.refusals[-1]
        if row.state in ("finished", "failed", "cancelled"):
            if action == "finish" and row.state == "finished":
                out().print(f"{job_id} is finished")
                return 0
            complain(f"{job_id} was over: it is {row.state}")
            return 1
        if row.steered == REACHED[action]:
            out().print(f"{job_id} {SAID[action]}")
            return 0
        time.sleep(0.05)
    complain(f"{job_id} does not heed it", "look at the bridge's log")
    return 1
