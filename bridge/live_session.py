"""One live session: the newest frame to its worker, the answers back, and an end that is told truly."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from bridge import errors
from bridge.acceptance import said_to_client
from bridge.live_frames import FRAME_BYTES_PER_PX, FRAME_LIMIT_BYTES, Intake
from bridge.live_memory import LiveMemory
from bridge.messages import BridgeMessage, LiveClosed, LiveFrame, LiveImage, LiveOpen, LiveState
from bridge.metrics import Counters
from bridge.process import WorkerProcess
from bridge.refusals import refusal
from bridge.supervisor import Supervisor
from generators.catalog import Catalog, params_type_name
from generators.pipe import (
    DeviceRow,
    Ended,
    Framed,
    InputOrder,
    LiveOrder,
    Loaded,
    NewerOrder,
    Noted,
    Pictured,
    TakenOrder,
    WorkerMessage,
)
from generators.spec import GeneratorSpec, Live

log = logging.getLogger("bridge.live")

Stage = Literal["waiting", "loading", "ready", "ending", "over"]
STALLED_SECS = 2.0
"""After so long the client is told that a frame takes its time."""
END_SECS = 0.5
"""Time a worker has to end by itself before it is killed."""
_MOST_CHARS = 8000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a session is to be, checked."""

    live_id: str
    spec: GeneratorSpec
    live: Live
    request: LiveOpen
    params: Mapping[str, Any]
    inputs: Mapping[str, InputOrder]
    seed: int
    per_sec: float
    spool: Path
    """A folder of its own, removed at the end."""


class LiveSession:
    """A tenant of one worker. `tell` reaches the client; `on_over` comes once, when nothing of it runs any more."""

    def __init__(
        self, plan: Plan, *, supervisor: Supervisor, catalog: Catalog, counters: Counters,
        tell: Callable[[BridgeMessage, bytes], None], on_over: Callable[[LiveSession], None],
    ) -> None:  # fmt: skip
        """Raises `OSError` where no memory can be had."""
        self.plan = plan
        self._supervisor, self._catalog, self._counters = supervisor, catalog, counters
        self._tell, self._on_over = tell, on_over
        self._loop = asyncio.get_running_loop()
        request = plan.request
        pixels = request.width_px * request.height_px
        self._memory = LiveMemory(
            plan.spool.parent, frame_bytes=min(pixels * FRAME_BYTES_PER_PX, FRAME_LIMIT_BYTES), answer_bytes=pixels * 4
        )
        self._intake = Intake(
            self._memory, width_px=request.width_px, height_px=request.height_px, wants=plan.live.wants,
            params=plan.params, check_params=self._checked, generator=plan.spec.id,
        )  # fmt: skip
        self.stage: Stage = "waiting"
        self._process: WorkerProcess | None = None
        self._run = 0
        self._restarted = False
        self._reason: errors.ScenecastError | None = None
        """Why it is being ended; None when the client asked for it."""
        self._at_work = 0
        """The frame that the worker has; 0 for none."""
        self._shown = 0
        """The newest frame that was answered."""
        self._newer_told = 0
        self._stalled = False
        self._due_secs = 0.0
        self._notes = ""
        """What its worker says of itself, for as long as it runs."""
        self._clocks: dict[str, asyncio.TimerHandle] = {}

    @property
    def frame_bytes(self) -> int:
        """What the pictures of one frame may take together."""
        return self._memory.frame_bytes

    @property
    def worker_pid(self) -> int:
        """Process id of its worker; 0 while it has none."""
        return self._process.pid if self._process else 0

    # -------------------------------------------------------------------------- from the client

    def begin(self) -> None:
        """Ask for a worker."""
        if self.stage == "waiting":
            self._say_state("loading", "waiting for a worker")
            self._supervisor.lend(self)

    def feed(self, message: LiveFrame, payload: memoryview) -> None:
        """Take a frame, or a further piece of one. Raises `BadPicture` or `BadParameter`; the session goes on."""
        if self.stage not in ("ending", "over") and self._intake.take(message, payload):
            self._pump()

    def close(self, reason: errors.ScenecastError | None = None) -> None:
        """End it; `live.closed` follows when nothing of it runs any more."""
        if self.stage in ("ending", "over"):
            return
        self.stage, self._reason = "ending", reason
        self._stop_clocks()
        if self._process is not None:
            self._process.close_orders()
            self._start_clock("end", END_SECS, lambda: self._kill("its live session was closed"))
        else:
            self._supervisor.give_up(self)
            self._finish()

    def bury(self) -> None:
        """Its worker was ended with all others."""
        self.mute()
        self._finish()

    def mute(self) -> None:
        """The client is gone: nothing is told any more."""
        self._tell = lambda message, payload: None

    def _checked(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        with said_to_client():
            params: Mapping[str, Any] = msgspec.to_builtins(self._catalog.check(self.plan.spec.id, values))
        return params

    # ------------------------------------------------------------------- to and from the worker

    def _pump(self) -> None:
        """Hand the newest frame over when the worker is free and its turn has come."""
        if self.stage != "ready" or not self._intake.waits or self._process is None:
            return
        if self._at_work:
            if self._newer_told <= self._at_work:
                self._newer_told = self._intake.number
                self._process.send(NewerOrder(run=self._run, frame=self._intake.number))
            return
        now = self._loop.time()
        if now < self._due_secs:
            if "turn" not in self._clocks:
                self._start_clock("turn", self._due_secs - now, self._pump)
            return
        self._due_secs = max(now, self._due_secs + 1 / self.plan.per_sec)
        order = self._intake.hand_over(self._run)
        self._at_work, self._stalled = order.frame, False
        self._process.send(order)
        self._counters.live_frames_total += 1
        self._start_clock("stall", STALLED_SECS, self._tell_stall)

    def moved_in(self, process: WorkerProcess, device: DeviceRow) -> None:
        """A worker is there: load the generator in it."""
        if self.stage != "waiting":
            process.close_orders()
            return
        plan, request = self.plan, self.plan.request
        self._process, self._run, self.stage = process, self._supervisor.next_run(), "loading"
        process.send(
            LiveOrder(
                run=self._run, function=plan.live.start, params_type=params_type_name(plan.spec),
                params=dict(self._intake.params), seed=plan.seed, device=device.name, spool=str(plan.spool),
                width_px=request.width_px, height_px=request.height_px, media_type=request.reply, alpha=request.alpha,
                bottom_up=request.bottom_up, memory=self._memory.path, memory_bytes=self._memory.size_bytes,
                answers=self._memory.answers, answer_bytes=self._memory.answer_bytes, inputs=dict(plan.inputs),
            )
        )  # fmt: skip
        self._say_state("loading", f"loading {plan.spec.title}")
        limit_secs = plan.live.load_secs
        self._start_clock("limit", limit_secs, lambda: self._kill(f"it was not ready within {limit_secs:g} s"))

    def said(self, message: WorkerMessage) -> None:
        """A word of the worker."""
        if message.run != self._run or self.stage in ("ending", "over"):
            return
        match message:
            case Loaded():
                self.stage, self._notes = "ready", message.notes
                self._stop_clocks()
                self._say_state("ready", self._notes)
                self._pump()
            case Noted() if self.stage == "loading":
                self._say_state("loading", message.text)
            case Pictured():
                self._show(message)
            case Framed():
                self._framed(message)
            case Ended():
                self._stop_clocks()
                self.close(errors.GeneratorFailed(f"{self.plan.spec.title} cannot go on: {message.message}",
                                                  remedy=message.remedy))  # fmt: skip
            case _:
                pass

    def over(self, words: str) -> None:
        """The worker has ended: as it was to, or by itself; then it is replaced, once."""
        self._stop_clocks()
        self._process = None
        if self.stage == "over":
            return
        if self.stage == "ending":
            self._finish()
            return
        log.warning("live session lost its worker", extra={"live": self.plan.live_id, "why": words})
        self._counters.live_workers_lost_total += 1
        if self._restarted:
            reason = f"{self.plan.spec.title} was restarted once and failed again: {words}"
            self.stage, self._reason = "ending", errors.WorkerDied(reason[:_MOST_CHARS], remedy="open it again")
            self._finish()
            return
        self._restarted, self.stage, self._at_work = True, "waiting", 0
        self._intake.again()
        self._say_state("restarted", words)
        self._supervisor.lend(self)

    def _show(self, message: Pictured) -> None:
        """Pass an answer on; the worker may use its place again."""
        places, room = self._memory.answers, self._memory.answer_bytes
        if not 0 <= message.place < len(places) or message.size_bytes > room or self._process is None:
            self._kill("it named a place for answers that does not exist")
            return
        data = self._memory.read(places[message.place], message.size_bytes)
        self._process.send(TakenOrder(run=self._run, place=message.place))
        self._shown = message.frame
        image = LiveImage(
            live=self.plan.live_id, frame=message.frame, width_px=message.width_px, height_px=message.height_px,
            media_type=self.plan.request.reply, components=message.components, size_bytes=len(data),
            rough=message.rough, run_ms=round(message.run_ms, 3),
        )  # fmt: skip
        self._counters.live_images_total += 1
        self._tell(image, data)

    def _framed(self, message: Framed) -> None:
        self._stop_clocks("stall", "limit")
        frame, self._at_work = self._at_work, 0
        if message.fault:
            self._tell(refusal(errors.GeneratorFailed(message.fault), request_id=self.plan.live_id), b"")
        if self._stalled or (self._shown < frame and not self._intake.waits):
            self._say_state("ready", self._notes, frame=frame)
        self._stalled = False
        self._pump()

    def _tell_stall(self) -> None:
        self._stalled = True
        limit_secs = self.plan.live.frame_secs
        self._say_state("stalled", f"frame {self._at_work} has taken {STALLED_SECS:g} s so far")
        left_secs = max(0.0, limit_secs - STALLED_SECS)
        self._start_clock("limit", left_secs, lambda: self._kill(f"one frame took longer than {limit_secs:g} s"))

    # --------------------------------------------------------------------------------- its end

    def _kill(self, because: str) -> None:
        if self._process is not None:
            self._process.kill(because)

    def _finish(self) -> None:
        """Nothing of it runs any more: tell so, and give everything back."""
        self._stop_clocks()
        self.stage = "over"
        self._memory.close()
        self._counters.live_frames_replaced_total += self._intake.replaced
        shutil.rmtree(self.plan.spool, ignore_errors=True)
        reason = self._reason
        closed = LiveClosed(live=self.plan.live_id)
        if reason is not None:
            closed = LiveClosed(
                live=self.plan.live_id, code=type(reason).code, reason=reason.message[:_MOST_CHARS],
                remedy=reason.remedy,
            )  # fmt: skip
        log.info("live session over", extra={"live": self.plan.live_id, "reason": closed.reason or "asked"})
        self._tell(closed, b"")
        self._on_over(self)

    def _say_state(self, stage: Literal["loading", "ready", "stalled", "restarted"], text: str = "", *, frame: int = 0
    ) -> None:  # fmt: skip
        state = LiveState(live=self.plan.live_id, stage=stage, text=text[:_MOST_CHARS], frame=frame)
        self._tell(state, b"")

    def _start_clock(self, name: str, secs: float, then: Callable[[], None]) -> None:
        def due() -> None:
            self._clocks.pop(name, None)
            then()

        self._stop_clocks(name)
        self._clocks[name] = self._loop.call_later(secs, due)

    def _stop_clocks(self, *names: str) -> None:
        for name in names or list(self._clocks):
            clock = self._clocks.pop(name, None)
            if clock is not None:
                clock.cancel()
