"""One run inside a worker: import the function, give it its inputs, pass its events on, catch once."""

from __future__ import annotations

import errno
import importlib
import math
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from engines.assets import Asset
from engines.errors import EnginesError
from engines.neutral import manifest_from_bytes, read, write
from generators.events import Cancelled, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.pacing import Pacer
from generators.pipe import Ended, InputOrder, Noted, Progressed, RunOrder, WorkerMessage
from generators.pipe import Produced as ProducedMessage
from generators.previews import PreviewPress

MOST_NOTES = 64
MOST_PRODUCED = 1024
_MOST_NOTE_CHARS = 4000
_MOST_STAGE_CHARS = 200
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class RunContext:
    """What the worker offers to a run; see `events.Context`."""

    def __init__(self, order: RunOrder, cancelled: Callable[[int], bool]) -> None:
        self.device = order.device
        self.wants_previews = order.preview is not None
        self._run = order.run
        self._cancelled = cancelled
        self._spool = Path(order.spool)
        self._scratch: Path | None = None

    @property
    def scratch(self) -> Path:
        """An empty folder that is removed when the run ends; made when first asked for."""
        if self._scratch is None:
            self._scratch = self._spool / "scratch"
            self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch

    def clear(self) -> None:
        """Remove what the run had for itself."""
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def check(self) -> None:
        """Raise `Cancelled` when the job has been cancelled."""
        if self._cancelled(self._run):
            raise Cancelled


class Teller:
    """Passes one run's events on to the bridge, under limits."""

    def __init__(self, order: RunOrder, send: Callable[[WorkerMessage], None], pacer: Pacer) -> None:
        self._run = order.run
        self._spool = Path(order.spool)
        self._send = send
        self._pacer = pacer
        self._press = PreviewPress(order.run, order.preview) if order.preview else None
        self._notes = 0
        self._names: set[str] = set()

    def tell(self, event: Event) -> None:
        """Send one event. Raises `GeneratorError` for one that breaks the contract of `generators.events`."""
        if isinstance(event, Progress):
            fraction = min(1.0, max(0.0, event.fraction)) if math.isfinite(event.fraction) else 0.0
            self._pacer.tell(Progressed(run=self._run, fraction=fraction, stage=event.stage[:_MOST_STAGE_CHARS]))
        elif isinstance(event, Preview):
            pressed = self._press.press(event) if self._press else None
            if pressed:
                self._send(pressed)
        elif isinstance(event, Note):
            self._notes += 1
            if self._notes > MOST_NOTES:
                raise GeneratorError(f"the generator wrote more than {MOST_NOTES} notes")
            self._send(Noted(run=self._run, text=event.text[:_MOST_NOTE_CHARS]))
        elif isinstance(event, Produced):
            self._produced(event)
        else:
            raise GeneratorError(f"the generator yielded {type(event).__name__}, expected an event")

    def _produced(self, event: Produced) -> None:
        if event.name in self._names:
            raise GeneratorError(f"the generator gave two results the name {event.name!r}")
        if len(self._names) >= MOST_PRODUCED:
            raise GeneratorError(f"the generator gave more than {MOST_PRODUCED} results")
        folder = self._spool / f"result{len(self._names)}"
        folder.mkdir(parents=True, exist_ok=True)  # an empty one is left by an earlier run
        self._names.add(event.name)
        draft = msgspec.to_builtins(write(event.asset, folder), order="deterministic")
        self._send(ProducedMessage(run=self._run, name=event.name, folder=str(folder), draft=draft))


def perform(
    order: RunOrder, send: Callable[[WorkerMessage], None], pacer: Pacer, cancelled: Callable[[int], bool]
) -> Ended:
    """Do the run that `order` describes; whatever the generator raises is caught here, once, and put in words."""
    context = RunContext(order, cancelled)
    events: Iterator[Event] | None = None
    try:
        context.check()
        function = imported(order.function)
        params = msgspec.convert(order.params, imported(order.params_type))
        inputs = {name: _input(row) for name, row in order.inputs.items()}
        events = function(Request(params, order.seed, inputs), context)
        teller = Teller(order, send, pacer)
        for event in events:
            teller.tell(event)
            context.check()
        return Ended(run=order.run, outcome="finished")
    except Cancelled:
        return Ended(run=order.run, outcome="cancelled")
    except Exception as error:  # a generator may raise anything, and the worker is to live on
        return _failed(order, error)
    finally:
        _close(events)
        pacer.drop()
        context.clear()


def imported(reference: str) -> Any:
    """What `module:name` refers to. Raises `GeneratorError` when it cannot be imported."""
    module, _, name = reference.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for step in name.split("."):
            found = getattr(found, step)
    except (ImportError, AttributeError) as error:
        raise GeneratorError(f"{reference} cannot be imported: {error}") from error
    return found


def _input(order: InputOrder) -> Asset:
    manifest = manifest_from_bytes(Path(order.manifest).read_bytes())
    return read(manifest, lambda digest: Path(order.parts[digest]))


def _failed(order: RunOrder, error: Exception) -> Ended:
    on_gpu = order.device != "cpu"
    if isinstance(error, GeneratorError):
        return Ended(run=order.run, outcome="failed", cause="told", message=str(error))
    if isinstance(error, EnginesError):
        return Ended(run=order.run, outcome="failed", cause="told", message=error.message, remedy=error.remedy)
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return Ended(run=order.run, outcome="failed", cause="disk", message=f"{os.strerror(error.errno or 0)}")
    traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        message = f"memory ran out on {order.device}: {error}".rstrip(": ")
        remedy = "ask for a smaller size, or close other programs that use the device"
        return Ended(run=order.run, outcome="failed", cause="memory", message=message, remedy=remedy, tainted=True)
    # an error of the CUDA runtime stays in its process; nothing that runs there afterwards can be trusted
    message = f"{type(error).__name__}: {error}"[:_MOST_NOTE_CHARS]
    return Ended(run=order.run, outcome="failed", cause="defect", message=message, tainted=on_gpu)


def _close(events: Iterator[Event] | None) -> None:
    close = getattr(events, "close", None)
    if close is None:
        return
    try:
        close()
    except Exception as error:  # the run is already over; what its clean-up raises is for the log
        traceback.print_exception(error, file=sys.stderr)
