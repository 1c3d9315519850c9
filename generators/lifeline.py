"""A worker's tie to its bridge: orders in, messages out, and the end of the one as the end of the other."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading

from generators.pipe import (
    CancelOrder,
    Ended,
    FrameOrder,
    Frames,
    LiveOrder,
    NewerOrder,
    PipeDamaged,
    Ready,
    RunOrder,
    SteerOrder,
    TakenOrder,
    WorkerMessage,
    WorkerOrder,
    frame,
    order_from,
)
from generators.steering import Helm

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
        self._helms: dict[int, Helm] = {}
        self.runs: queue.SimpleQueue[RunOrder | LiveOrder] = queue.SimpleQueue()
        self.frames: queue.SimpleQueue[FrameOrder] = queue.SimpleQueue()
        """What a live session is to answer; never more than one waits."""
        self.newest_frame = 0
        """The newest frame of a live session that the bridge has."""
        self.taken: queue.SimpleQueue[int] = queue.SimpleQueue()
        """Places of answers that may be written again."""

    def send(self, message: WorkerMessage) -> None:
        """Write one message whole; a bridge that no longer listens ends this process."""
        data = memoryview(frame(message))
        with self._sending:
            try:
                while data:
                    data = data[os.write(self._answers, data) :]
            except BrokenPipeError:
                os._exit(0)

    def helm(self, run: int) -> Helm:
        """What the bridge has to say to that run on its way."""
        return self._helms[run]

    def forget(self, run: int) -> None:
        """The run is over; a late word about it means nothing."""
        self._helms.pop(run, None)

    def listen(self) -> None:
        """Read orders for ever, in a thread of its own, so that cancelling and ending need no generator's help."""
        frames = Frames()
        while data := os.read(self._orders, _READ_BYTES):
            try:
                for body in frames.feed(data):
                    order = order_from(body)
                    self._hear(order)
            except PipeDamaged as error:
                print(f"worker: {error}", file=sys.stderr, flush=True)
                os._exit(3)
        os._exit(0)

    def _hear(self, order: WorkerOrder) -> None:
        match order:
            case CancelOrder():
                if (helm := self._helms.get(order.run)) is not None:
                    helm.cancel()
            case SteerOrder():
                if (helm := self._helms.get(order.run)) is not None:
                    helm.steer(order.action)
            case FrameOrder():
                self.frames.put(order)
            case NewerOrder():
                self.newest_frame = order.frame
            case TakenOrder():
                self.taken.put(order.place)
            case RunOrder():
                self._helms[order.run] = Helm(order.run, self.send, finish=order.finish)
                self.runs.put(order)
            case LiveOrder():
                self.runs.put(order)


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
        if isinstance(order, LiveOrder):
            from generators.live.session import answer_frames

            answer_frames(order, link)
            return
        ended: Ended = perform(order, link.send, pacer, link.helm(order.run))
        link.forget(order.run)
        link.send(ended)


def _prepare(threads: int, early: tuple[str, ...]) -> Ready:
    import importlib

    from generators.device import found_devices, prepare_torch

    version = prepare_torch(threads) if "torch" in early else ""
    for name in early:
        importlib.import_module(name)
    return Ready(run=0, devices=found_devices(with_torch=bool(version)), torch_version=version)
