"""Waits for jobs as a person does: progress bars, notes, and a Ctrl-C that ends the job and not just the wait."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from bridge.cli.console import err
from python_client import Client, Job, events
from python_client.connection import CONNECTED

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

GONE = "the bridge is gone: looking for it again"
GONE_SECS = 30.0
"""How long a cancelled job's end is waited for."""


class Interrupted:
    """Counts Ctrl-C while it is installed; the second one ends the program."""

    def __init__(self) -> None:
        self.times = 0
        self.obeyed = False
        """True once the job was asked to end."""

    def _came(self, number: int, frame: FrameType | None) -> None:
        self.times += 1
        if self.times > 1:
            raise KeyboardInterrupt

    @contextmanager
    def installed(self) -> Iterator[Interrupted]:
        """Take Ctrl-C over, and give it back."""
        before = signal.signal(signal.SIGINT, self._came)
        try:
            yield self
        finally:
            signal.signal(signal.SIGINT, before)


def watch(client: Client, job: Job, *, quiet: bool, interrupted: Interrupted) -> None:
    """Wait until the job is over, showing how far it is; the first Ctrl-C cancels it and waits for its end."""
    from rich.markup import escape

    shown = client.state.status

    def something() -> bool:
        moved = client.state.status != shown or job.unread > 0
        return job.over or moved or (interrupted.times > 0 and not interrupted.obeyed)

    console = err()
    with bars(quiet) as progress:
        task = progress.add_task(escape(job.label or job.generator), total=1.0, stage="waiting")
        while not job.over:
            client.drive(something, GONE_SECS if interrupted.obeyed else None, "the job's end")
            if interrupted.times and not interrupted.obeyed:
                interrupted.obeyed = True
                job.cancel()
                progress.update(task, stage="cancelling")
                console.print("cancelling; press Ctrl-C again to leave without waiting")
            shown = client.state.status
            _show(progress, task, job, connected=shown == CONNECTED)
    if not quiet:
        left = [event.text for event in job.take_events() if isinstance(event, events.Noted)]
        tell(job.notes if progress.disable else left)  # without bars, none was shown on the way


def tell(notes: Iterable[str]) -> None:
    """Print notes, on stderr."""
    from rich.markup import escape

    console = err()
    for text in notes:
        console.print(f"[yellow]note:[/yellow] {escape(text)}")


def _show(progress: Progress, task: TaskID, job: Job, *, connected: bool) -> None:
    from rich.markup import escape

    for event in job.take_events():
        if isinstance(event, events.Noted) and not progress.disable:
            progress.console.print(f"[yellow]note:[/yellow] {escape(event.text)}")
    stage = (job.stage or job.state) if connected else GONE
    progress.update(task, completed=job.fraction, stage=escape(stage))


@contextmanager
def bars(quiet: bool) -> Iterator[Progress]:
    """Progress bars on stderr; nothing where nobody looks."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = err()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        TaskProgressColumn(),
        TextColumn("[dim]{task.fields[stage]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as progress:
        yield progress
