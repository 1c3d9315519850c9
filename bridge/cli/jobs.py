"""`scenecast jobs`: the history, newest first."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bridge import messages, settings
from bridge.cli import reach
from bridge.cli.console import out, print_json
from bridge.jobs import job_row
from bridge.ledger import Ledger
from bridge.messages import JobState
from python_client import BridgeNotFound
from python_client.messages import JobRow

Row = JobRow | messages.JobRow
PAGE = 50
"""So many are shown where not all are asked for."""

TABLE_COLUMNS = 120
"""On a narrower terminal each job has a line of its own, and what is said of it the next."""
COLOURS = {"finished": "green", "failed": "red", "cancelled": "yellow", "running": "cyan", "queued": "dim"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--all", action="store_true", help="every page, not only the newest 50")
    parser.add_argument("--state", action="append", default=[], choices=sorted(COLOURS), help="only in this state")
    parser.add_argument("--json", action="store_true", help="print JSON")
    reach.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the jobs of all clients."""
    rows = _rows(arguments)
    if arguments.json:
        print_json([msgspec.to_builtins(row) for row in rows])
    else:
        _table(rows)
    return 0


def _rows(arguments: argparse.Namespace) -> Sequence[Row]:
    """The history as the running bridge tells it, else as it was written down."""
    try:
        client = reach.running(arguments)
    except BridgeNotFound:
        if arguments.url:
            raise
        return _written(settings.load().data_path, arguments)
    rows: list[JobRow] = []
    with client:
        while True:
            page = client.jobs(
                limit=200 if arguments.all else PAGE,
                states=arguments.state,
                any_owner=True,
                before=rows[-1].job_id if rows else "",
            )
            rows += page
            if not arguments.all or not page:
                return rows


def _written(data: Path, arguments: argparse.Namespace) -> Sequence[Row]:
    """The ledger's own pages; it may be read while the bridge of another command writes it."""
    if not (data / "ledger.db").exists():
        return []
    ledger = Ledger(data / "ledger.db")
    try:
        states = [JobState(state) for state in arguments.state]
        records = ledger.page(session=None, before="", states=states, limit=-1 if arguments.all else PAGE)
        return [job_row(record, ledger.results(record.job_id), mine=False) for record in records]
    finally:
        ledger.close()


def _table(rows: Sequence[Row]) -> None:
    from rich.markup import escape
    from rich.table import Table

    console = out()
    narrow = console.width < TABLE_COLUMNS
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("job", "when", "secs", "state", "generator", ""):
        table.add_column(column, no_wrap=column != "")
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.created))
        secs = f"{(row.ended or time.time()) - row.started:.1f}" if row.started else ""
        words = row.error or row.label or str(row.params.get("prompt", ""))
        state = f"[{COLOURS.get(row.state, 'white')}]{row.steered or row.state}[/]"
        table.add_row(row.job_id, when, secs, state, escape(row.generator), escape(words))
        if narrow:
            console.print(
                f"{row.job_id}  {when}  {state}  {escape(row.generator)}  [dim]{f'{secs} s' if secs else ''}[/dim]"
            )
            console.print(f"    {escape(words)}" if words else "", end="\n" if words else "")
    if not rows or not narrow:
        console.print(table if rows else "[dim]no jobs yet[/dim]")
