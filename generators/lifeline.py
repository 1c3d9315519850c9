"""A worker's tie to its bridge: orders in, messages out, and the end of the one as the end of the other."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading

from generators.pipe import CancelOrder, Ended, Frames, PipeDamaged, Ready, RunOrder, WorkerMessage, frame, order_from

_PR_SET_PDEATHSIG = 1
_READ_BYTES = 1 << 16


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the process `parent` ends (Linux; elsewhere the pipe's end does)."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os._exit(0)


class Link:
    """The two pipes of a worker; safe to use from any of its threads."""

    def __init__(self, orders: int, answers: int) -> None:
        self._orders = orders
        self._answers = answers
        self._sending = threading.Lock()
        self._cancelled: set[int] = set()
        self.runs: queue.SimpleQueue[RunOrder] = queue.SimpleQueue()

    def send(self, message: WorkerMessage) -> None:
        """Write one message whole; a bridge that no longer listens ends this process."""
        data = memoryview(frame(message))
        with self._sending:
            try:
                while data:
                    data = data[os.write(self._answers, data) :]
            except BrokenPipeError:
                os._exit(0)

    def is_cancelled(self, run: int) -> bool:
        """True once the bridge has cancelled that run."""
        return run in self._cancelled

    def forget(self, run: int) -> None:
        """The run is over; a late word about it means nothing."""
        self._cancelled.discard(run)

    def listen(self) -> None:
        """Read orders for ever, in a thread of its own, so that cancelling and ending need no generator's help."""
        frames = Frames()
        while data := os.read(self._orders, _READ_BYTES):
            try:
                for body in frames.feed(data):
                    order = order_from(body)
                    if isinstance(order, CancelOrder):
                        self._cancelled.add(order.run)
                    else:
                        self.runs.put(order)
            except PipeDamaged as error:
                print(f"worker: {error}", file=sys.stderr, flush=True)
                os._exit(3)
        os._exit(0)


def serve(orders: int, answers: int, *, threads: int, early: tuple[str, ...]) -> None:
    """Load what is to be loaded early, say so, then do one run after the other.

    `early` names modules; `torch` among them also means that GPUs are looked for.
    """
    link = Link(orders, answers)
    threading.Thread(target=link.listen, name="orders", daemon=True).start()
    ready = _prepare(threads, early)
    from generators.pacing import Pacer
    from generators.runner import perform

    pacer = Pacer(link.send)
    link.send(ready)
    while True:
        order = link.runs.get()
        ended: Ended = perform(order, link.send, pacer, link.is_cancelled)
        link.forget(order.run)
        link.send(ended)


def _prepare(threads: int, early: tuple[str, ...]) -> Ready:
    import importlib

    from generators.device import found_devices, prepare_torch

    version = prepare_torch(threads) if "torch" in early else ""
    for name in early:
        importlib.import_module(name)
    return Ready(run=0, devices=found_devices(with_torch=bool(version)), torch_version=version)
