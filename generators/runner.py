"""One run inside a worker: import the function, give it its inputs, pass its events on, catch once."""

from __future__ import annotations

import errno
import importlib
import math
import os
import re
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from engines.assets import Asset, Capture, Splats
from engines.errors import EnginesError
from engines.importance import order_of, sorted_splats
from engines.kinds import Kind
from engines.neutral import WHOLE_FILE, manifest_from_bytes, read, write
from generators.device import ran_out_of_memory
from generators.events import Cancelled, Event, GeneratorError, Grown, Note, Preview, Produced, Progress, Request
from generators.growth import Publisher
from generators.pacing import Pacer
from generators.pipe import Ended, InputOrder, LiveOrder, Noted, Progressed, RunOrder, WorkerMessage
from generators.pipe import Produced as ProducedMessage
from generators.previews import PreviewPress
from generators.steering import Helm

MOST_NOTES = 64
MOST_PRODUCED = 1024
_MOST_NOTE_CHARS = 4000
_MOST_STAGE_CHARS = 200
_MOST_MEMORY_CHARS = 400
"""What torch says goes on for a page, with the names of its own settings."""
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class RunContext:
    """What the worker offers to a run; see `events.Context`."""

    def __init__(self, order: RunOrder, helm: Helm, publisher: Publisher | None = None) -> None:
        self.device = order.device
        self.wants_previews = order.preview is not None
        self._helm = helm
        self._publisher = publisher
        self._own = Path(order.spool) / "scratch"
        self._scratch = Path(order.scratch) if order.scratch else self._own

    @property
    def scratch(self) -> Path:
        """A folder of the job's own, made when first asked for; the bridge removes it when the job is over."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch

    @property
    def wants_growth(self) -> bool:
        """Whether a `Grown` would be published now."""
        return self._publisher is not None and self._publisher.due

    @property
    def finishing(self) -> bool:
        """Whether the run is to stop here and give what it has."""
        return self._helm.finishing

    def clear(self) -> None:
        """Remove what the run had for itself alone."""
        if self._own.exists():
            shutil.rmtree(self._own, ignore_errors=True)

    def check(self) -> None:
        """Raise `Cancelled` when the job has been cancelled, wait while it is paused."""
        self._helm.check()


class Teller:
    """Passes one run's events on to the bridge, under limits."""

    def __init__(
        self, order: RunOrder, send: Callable[[WorkerMessage], None], pacer: Pacer, publisher: Publisher | None = None
    ) -> None:
        self._run = order.run
        self._spool = Path(order.spool)
        self._send = send
        self._pacer = pacer
        self._press = PreviewPress(order.run, order.preview) if order.preview else None
        self._publisher = publisher
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
        elif isinstance(event, Grown):
            grown = self._publisher.publish(event.splats, event.ids) if self._publisher else None
            if grown:
                self._send(grown)
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
        asset = self._in_order(event.asset) if isinstance(event.asset, Splats) else event.asset
        draft = msgspec.to_builtins(write(asset, folder), order="deterministic")
        self._send(ProducedMessage(run=self._run, name=event.name, folder=str(folder), draft=draft))

    def _in_order(self, splats: Splats) -> Splats:
        """The cloud as it is stored, in falling importance; whoever watched it grow is told of it as it was."""
        order = order_of(splats)
        if self._publisher is not None and self._publisher.begun:
            self._send(self._publisher.finish(splats, order))
            self._publisher = None
        return sorted_splats(splats, order)


def perform(order: RunOrder, send: Callable[[WorkerMessage], None], pacer: Pacer, helm: Helm) -> Ended:
    """Do the run that `order` describes; whatever the generator raises is caught here, once, and put in words."""
    publisher = Publisher(order.growth, Path(order.spool) / "growth", order.run) if order.growth else None
    context = RunContext(order, helm, publisher)
    events: Iterator[Event] | None = None
    try:
        context.check()
        function = imported(order.function)
        params = msgspec.convert(order.params, imported(order.params_type))
        inputs = {name: _named(name, row) for name, row in order.inputs.items()}
        events = function(Request(params, order.seed, inputs), context)
        teller = Teller(order, send, pacer, publisher)
        for event in events:
            teller.tell(event)
            context.check()
        return Ended(run=order.run, outcome="finished")
    except Cancelled:
        return Ended(run=order.run, outcome="cancelled")
    except Exception as error:  # a generator may raise anything, and the worker is to live on
        return ended_by(order, error)
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


def read_input(order: InputOrder) -> Asset:
    """The neutral asset that an input order points at. Raises `EnginesError`, `OSError`."""
    manifest = manifest_from_bytes(Path(order.manifest).read_bytes())
    if order.undecoded and manifest.kind is Kind.CLIP and [part.name for part in manifest.parts] == [WHOLE_FILE]:
        return Capture(Path(order.parts[manifest.parts[0].digest]), manifest.name)
    return read(manifest, lambda digest: Path(order.parts[digest]))


def _named(name: str, order: InputOrder) -> Asset:
    """The input of that name; what is wrong with it is told by that name: its digest would tell nobody which it is."""
    try:
        return read_input(order)
    except EnginesError as error:
        error.message = f"input {name!r}: {_DIGEST.sub('the file', error.message)}"
        raise


def ended_by(order: RunOrder | LiveOrder, error: Exception) -> Ended:
    """What is told of an exception that ended a run or a live session, once, here."""
    on_gpu = order.device != "cpu"
    if isinstance(error, GeneratorError):
        return Ended(run=order.run, outcome="failed", cause="told", message=str(error))
    if isinstance(error, EnginesError):
        return Ended(run=order.run, outcome="failed", cause="told", message=error.message, remedy=error.remedy)
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return Ended(run=order.run, outcome="failed", cause="disk", message=f"{os.strerror(error.errno or 0)}")
    traceback.print_exception(error, file=sys.stderr)
    if ran_out_of_memory(error):
        message = f"memory ran out on {order.device}: {error}".rstrip(": ")[:_MOST_MEMORY_CHARS]
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
