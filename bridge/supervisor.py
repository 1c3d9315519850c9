"""Keeps one worker per device and a warm spare, feeds them, and ends those that do not answer.

A worker that has loaded torch is worth 1.5 s. So when one has to be killed, the spare takes its place at once and a
new spare is started behind it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from bridge.process import CALM_THREADS, WorkerProcess
from generators.pipe import CancelOrder, DeviceRow, Ended, Ready, RunOrder, Steered, SteerOrder, WorkerMessage

log = logging.getLogger("bridge.supervisor")

_BACKOFF_SECS = (0.0, 0.2, 1.0, 5.0, 30.0)
"""Waits before another start, after so many workers in a row that never became ready."""
_STUCK_SECS = 10.0
"""A killed worker may take so long to be gone."""


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """How workers are started and ended."""

    early: tuple[str, ...] = ("torch",)
    """Modules that a worker imports before it is ready; without torch no GPU is looked for."""
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Cores torch may use in a worker."""
    devices: tuple[str, ...] = ()
    """Names of the devices to use; empty: every GPU, or the processor when there is none."""
    spares: int = 1
    grace_secs: float = 2.0
    """How long a cancelled run may take to stop by itself."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the bridge's own environment."""


@dataclass(frozen=True)
class Ending:
    """How a run ended; `words` says why where it did not finish."""

    outcome: Literal["finished", "cancelled", "failed", "died", "timed_out"]
    cause: str = ""
    words: str = ""
    remedy: str = ""
    device_secs: float = 0.0


class RunListener(Protocol):
    """Who is told what a run says."""

    def said(self, message: WorkerMessage) -> None:
        """One word of the run, in order."""

    def over(self, ending: Ending) -> None:
        """The run is over and nothing of it goes on; comes exactly once, after its last word."""


class Tenant(Protocol):
    """Who borrows a whole worker for itself, until its process ends."""

    def moved_in(self, process: WorkerProcess, device: DeviceRow) -> None:
        """The worker is yours now; it has loaded what it loads early and has nothing to do."""

    def said(self, message: WorkerMessage) -> None:
        """One word of it."""

    def over(self, words: str) -> None:
        """The process has ended, as `words` say; comes exactly once, after its last word."""


class ActiveRun:
    """One run on one worker, with its clocks."""

    def __init__(
        self, order: RunOrder, worker: _Worker, listener: RunListener, timeout_secs: float, silence_secs: float
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.order = order
        self.worker = worker
        self.listener = listener
        self.began_secs = self._loop.time()
        self._heard_secs = self.began_secs
        self._timeout_secs = timeout_secs
        self._silence_secs = silence_secs
        self.timed_out = ""
        self.cancelled = False
        self.paused_at_secs: float | None = None
        """Since when it stands still; None while it goes on."""
        self._grace: asyncio.TimerHandle | None = None
        self._watch = self._loop.call_later(min(timeout_secs, silence_secs), self._look)

    def heard(self) -> None:
        """The run gave a sign of life."""
        self._heard_secs = self._loop.time()

    def cancel(self, grace_secs: float) -> None:
        """Ask it to stop, and kill its worker when it has not after `grace_secs`."""
        if self.cancelled:
            return
        self.cancelled = True
        self.worker.process.send(CancelOrder(run=self.order.run))
        self._grace = self._loop.call_later(
            grace_secs, self.worker.process.kill, f"it did not stop within {grace_secs:g} s of being cancelled"
        )

    def steer(self, action: Literal["pause", "resume", "finish"]) -> None:
        """Have it stand still, go on, or stop here and give what it has; it does so at its next safe place."""
        self.worker.process.send(SteerOrder(run=self.order.run, action=action))

    def stands_still(self, paused: bool) -> None:
        """It has come to a halt, or goes on: its clocks stand still with it."""
        if paused and self.paused_at_secs is None:
            self.paused_at_secs = self._loop.time()
            self._watch.cancel()
        elif not paused and self.paused_at_secs is not None:
            stood_secs = self._loop.time() - self.paused_at_secs
            self.paused_at_secs = None
            self.began_secs += stood_secs
            self._heard_secs += stood_secs
            self._look()

    def close(self) -> float:
        """Stop the clocks; returns how long the run had the device, in seconds."""
        self._watch.cancel()
        if self._grace:
            self._grace.cancel()
        return (self._loop.time() if self.paused_at_secs is None else self.paused_at_secs) - self.began_secs

    def _look(self) -> None:
        now = self._loop.time()
        left = min(self.began_secs + self._timeout_secs, self._heard_secs + self._silence_secs) - now
        if left > 0:
            self._watch = self._loop.call_later(left, self._look)
            return
        if now - self.began_secs >= self._timeout_secs:
            self.timed_out = f"the run took longer than {self._timeout_secs:g} s"
        else:
            self.timed_out = f"the run said nothing for {self._silence_secs:g} s"
        self.worker.process.kill(self.timed_out)


class _Worker:
    """A process and what it is doing."""

    process: WorkerProcess

    def __init__(self) -> None:
        self.stage: Literal["starting", "ready", "lent", "leaving"] = "starting"
        self.tenant: Tenant | None = None
        self.run: ActiveRun | None = None
        self.sent_home = False
        """It was asked to end because there are enough others."""


class Supervisor:
    """All workers. `on_idle` is called whenever a device may have become free or the devices became known."""

    def __init__(self, spool: Path, settings: WorkerSettings | None = None) -> None:
        self.settings = settings or WorkerSettings()
        self.on_idle: Callable[[], None] = lambda: None
        self.on_trouble: Callable[[str], None] = lambda words: None
        self.devices: list[DeviceRow] = []
        """The devices in use; empty until the first worker is ready."""
        self.torch_version = ""
        self.trouble = ""
        """Why no worker can be started at present; empty when all is well."""
        self.deaths = 0
        self._spool = spool
        self._workers: set[_Worker] = set()  # at work, spare, paused and leaving
        self._posts: dict[str, _Worker] = {}
        self._waiting: list[Tenant] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._failed_starts = 0
        self._retry: asyncio.TimerHandle | None = None
        self._stopping = False
        self._all_over = asyncio.Event()
        self._runs = 0

    async def start(self) -> None:
        """Begin to start workers; does not wait for them."""
        self._stopping = False
        self._staff()

    async def stop(self) -> None:
        """End all workers, with whatever they run, and wait until they are gone. No listener hears of it."""
        self._stopping = True
        if self._retry:
            self._retry.cancel()
            self._retry = None
        if self._starting:
            await asyncio.gather(*self._starting, return_exceptions=True)
        for worker in list(self._workers):
            if worker.run:
                worker.run.close()
                worker.run = None
                worker.process.kill("the bridge stops")
            else:
                worker.process.close_orders()
        try:
            async with asyncio.timeout(1.0):
                await self._gone()
        except TimeoutError:
            for worker in list(self._workers):
                worker.process.kill("the bridge stops")
            await self._see_off()

    async def _see_off(self) -> None:
        """Wait for killed workers, but not for ever: one that is stuck in a driver cannot be ended by anybody."""
        try:
            async with asyncio.timeout(_STUCK_SECS):
                await self._gone()
        except TimeoutError:
            log.error("workers %s do not end, and are left to the system", self.pids())

    async def _gone(self) -> None:
        while self._workers:
            self._all_over.clear()
            await self._all_over.wait()

    def idle_device(self) -> DeviceRow | None:
        """A device whose worker is ready and has nothing to do."""
        for row in self.devices:
            worker = self._posts.get(row.name)
            if worker and worker.run is None:
                return row
        return None

    def next_run(self) -> int:
        """A number for the next run; none is used twice."""
        self._runs += 1
        return self._runs

    def run(self, order: RunOrder, listener: RunListener, *, timeout_secs: float, silence_secs: float) -> ActiveRun:
        """Give `order` to the idle worker of `order.device`."""
        worker = self._posts[order.device]
        if worker.run is not None:
            raise ValueError(f"the worker of {order.device} already has a run")
        worker.run = ActiveRun(order, worker, listener, timeout_secs, silence_secs)
        worker.process.send(order)
        return worker.run

    def lend(self, tenant: Tenant) -> None:
        """Give a spare to a tenant, as soon as there is one and no device waits for it; another is started behind."""
        self._waiting.append(tenant)
        self._staff()

    def give_up(self, tenant: Tenant) -> None:
        """The tenant that waits for a worker no longer wants one."""
        if tenant in self._waiting:
            self._waiting.remove(tenant)

    def figures(self) -> dict[str, float]:
        """Gauges and counters about workers."""
        return {
            "workers": len(self._workers),
            "workers_ready": sum(worker.stage == "ready" for worker in self._workers),
            "workers_busy": sum(worker.run is not None for worker in self._workers),
            "workers_lent": sum(worker.stage == "lent" for worker in self._workers),
            "worker_deaths_total": self.deaths,
        }

    def pids(self) -> list[int]:
        """Process ids of all workers."""
        return [worker.process.pid for worker in self._workers]

    # ------------------------------------------------------------------------------- staffing

    def _staff(self) -> None:
        """Put ready workers to devices without one, then start as many as are missing."""
        if self._stopping:
            return
        spares = [worker for worker in self._workers if self._is_spare(worker)]
        for row in self.devices:
            if row.name not in self._posts and spares:
                self._posts[row.name] = spares.pop()
        while self._waiting and spares:
            self._move_in(self._waiting.pop(0), spares.pop())
        open_posts = max(1, len(self.devices)) - len(self._posts)
        coming = len(self._starting) + sum(worker.stage == "starting" for worker in self._workers)
        if not self.devices:
            missing = 1 - coming
        elif open_posts > 0:
            missing = open_posts - coming
        else:  # a spare is started only when no device waits for it
            missing = self.settings.spares + len(self._waiting) - len(spares) - coming
        if self._retry is None:
            for _ in range(missing):
                task = asyncio.get_running_loop().create_task(self._start_one())
                self._starting.add(task)
                task.add_done_callback(self._started)

    def _is_spare(self, worker: _Worker) -> bool:
        return worker.stage == "ready" and worker.run is None and worker not in self._posts.values()

    def _step_aside(self, worker: _Worker) -> None:
        """A paused run keeps its worker but not its device: a spare takes the post, and other jobs go on."""
        for name in [name for name, posted in self._posts.items() if posted is worker]:
            del self._posts[name]
        self._staff()
        self.on_idle()

    def _send_home(self, worker: _Worker) -> None:
        """What a worker does that has finished its run beside the posts: take one, be a spare, or end."""
        self._staff()
        if self._is_spare(worker) and sum(map(self._is_spare, self._workers)) > self.settings.spares:
            worker.stage, worker.sent_home = "leaving", True
            worker.process.close_orders()

    def _move_in(self, tenant: Tenant, worker: _Worker) -> None:
        worker.stage, worker.tenant = "lent", tenant
        tenant.moved_in(worker.process, self.devices[0])

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._start_failed(f"it cannot be started: {task.exception()}")

    async def _start_one(self) -> None:
        settings = self.settings
        command = (
            *(sys.executable, "-P", "-m", "generators.worker"),
            *(str(os.getpid()), str(settings.threads), ",".join(settings.early)),
        )
        worker = _Worker()
        worker.process = await WorkerProcess.start(
            command,
            {**CALM_THREADS, **os.environ, **settings.environment},
            self._spool,
            lambda message: self._said(worker, message),
            lambda: self._ended(worker),
        )
        self._workers.add(worker)

    def _start_failed(self, words: str) -> None:
        self._failed_starts += 1
        wait_secs = _BACKOFF_SECS[min(self._failed_starts, len(_BACKOFF_SECS) - 1)]
        log.error("worker did not become ready: %s", words, extra={"failed_starts": self._failed_starts})
        if self._failed_starts >= len(_BACKOFF_SECS) - 1:
            self.trouble = f"no worker can be started: {words}"
            self.on_trouble(self.trouble)
        if not self._stopping:
            self._retry = asyncio.get_running_loop().call_later(wait_secs, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._staff()

    # ------------------------------------------------------------------------- what workers say

    def _said(self, worker: _Worker, message: WorkerMessage) -> None:
        if isinstance(message, Ready):
            self._is_ready(worker, message)
            return
        if worker.tenant is not None:
            worker.tenant.said(message)
            return
        run = worker.run
        if run is None or message.run != run.order.run:
            return
        run.heard()
        if isinstance(message, Steered):
            run.stands_still(message.paused)
        if not isinstance(message, Ended):
            run.listener.said(message)
            if isinstance(message, Steered) and message.paused:
                self._step_aside(worker)
            return
        worker.run = None
        device_secs = run.close()
        if message.tainted or run.timed_out:
            self._dismiss(worker)
            worker.process.kill("it may be in a bad state after an error")
        run.listener.over(Ending(message.outcome, message.cause, message.message, message.remedy, device_secs))
        if self._is_spare(worker):
            self._send_home(worker)
        self.on_idle()

    def _is_ready(self, worker: _Worker, message: Ready) -> None:
        worker.stage = "ready"
        self._failed_starts = 0
        self.trouble = ""
        if not self.devices:
            self.devices = self._chosen(message.devices)
            self.torch_version = message.torch_version
            log.info("devices: %s", ", ".join(row.name for row in self.devices))
        self._staff()
        self.on_idle()

    def _chosen(self, found: list[DeviceRow]) -> list[DeviceRow]:
        if self.settings.devices:
            chosen = [row for row in found if row.name in self.settings.devices]
            if not chosen:
                wanted, there = ", ".join(self.settings.devices), ", ".join(row.name for row in found)
                log.warning("the setting devices names %s, here are %s: %s is used", wanted, there, found[-1].name)
            return chosen or found[-1:]
        return [row for row in found if row.kind != "cpu"] or found

    def _dismiss(self, worker: _Worker) -> None:
        worker.stage = "leaving"
        for name in [name for name, posted in self._posts.items() if posted is worker]:
            del self._posts[name]

    def _ended(self, worker: _Worker) -> None:
        never_ready = worker.stage == "starting"
        self._workers.discard(worker)
        self._all_over.set()
        self._dismiss(worker)
        run, worker.run = worker.run, None
        process = worker.process
        if self._stopping:
            return
        if worker.tenant is not None:
            self._staff()
            worker.tenant.over(_died(process))
            return
        if not worker.sent_home:
            self.deaths += 1
            log.warning("worker %d %s", process.pid, process.end_in_words(), extra={"worker": process.pid})
        if never_ready:
            self._start_failed(f"it {process.end_in_words()}\n{process.last_words}".rstrip())
        self._staff()
        if run is not None:
            run.listener.over(_ending_of(run, process, run.close()))
        self.on_idle()


def _ending_of(run: ActiveRun, process: WorkerProcess, device_secs: float) -> Ending:
    if run.timed_out:
        return Ending("timed_out", words=run.timed_out, device_secs=device_secs)
    if run.cancelled:
        return Ending("cancelled", words=process.end_in_words(), device_secs=device_secs)
    return Ending("died", words=_died(process), device_secs=device_secs)


def _died(process: WorkerProcess) -> str:
    words = f"the worker {process.end_in_words()}"
    return f"{words}. Its last words:\n{process.last_words}" if process.last_words else words
