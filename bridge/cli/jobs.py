"""`scenecast jobs`: the history, newest first."""

from __future__ import annotations

import argparse
import dataclasses
import time

from bridge.cli import reach
from bridge.cli.console import out, print_json
from python_client.messages import JobRow

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
    rows: list[JobRow] = []
    with reach.running_or_private(arguments, quiet=True) as client:
        while True:
            page = client.jobs(
                limit=200 if arguments.all else 50,
                states=arguments.state,
                any_owner=True,
                before=rows[-1].job_id if rows else "",
            )
            rows += page
            if not arguments.all or not page:
                break
    if arguments.json:
        print_json([dataclasses.asdict(row) for row in rows])
    else:
        _table(rows)
    return 0


def _table(rows: list[JobRow]) -> None:
    from rich.markup import escape
    from rich.table import Table

    console = out()
    narrow = console.width < TABLE_COLUMNS
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("job", "when", "secs", "state", "generator", ""):
        table.add_column(column, no_wrap=column != "")
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.created))
        secs = f"{row.ended - row.started:.1f}" if row.started and row.ended else ""
        words = row.error or row.label or str(row.params.get("prompt", ""))
        state = f"[{COLOURS.get(row.state, 'white')}]{row.steered or row.state}[/]"
        table.add_row(row.job_id, when, secs, state, escape(row.generator), escape(words))
        if narrow:
            console.print(f"{row.job_id}  {when}  {state}  {escape(row.generator)}  [dim]{secs} s[/dim]")
            console.print(f"    {escape(words)}" if words else "", end="\n" if words else "")
    if not rows or not narrow:
        console.print(table if rows else "[dim]no jobs yet[/dim]")
