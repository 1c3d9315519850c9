# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the panel and the bridge: what was asked, where it stands, what has arrived and waits for its place.

Everything goes on in `tick`, which never waits. What matters is kept in the slot's file, so that the next Blender
goes on where this one stopped.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from . import json_file
from .arrivals import Arrivals, Placement
from .client_core import (
    Client,
    ConnectionState,
    Generator,
    Job,
    Preview,
    ScenecastError,
    WatchedFile,
)
from .controls import SEED_MAX
from .delivered import Delivered
from .growth import WISH
from .history import History
from .landing import sweep
from .runs import Made, Order, Run, Source, taken_up
from .sending import Sending
from .slots import Slot
from .targets import CAMERA_MATRIX, Target

HOST = "blender"
START = "start"
"""Name of the optional input with which a generator goes on from an earlier result."""
RUNS_KEPT = 40
SAVE_SECS = 0.5
BUDGET_SECS = 0.004
"""How long a turn goes on by default: what is begun then is finished, which may take a millisecond or two more."""
PREVIEW_PX = 160
MakeClient = Callable[[Any], Client]
"""From a bookmark, or None, to a client that begins to connect by itself."""


class Hub:
    """The add-on's one session with the bridge."""

    def __init__(
        self,
        slot: Slot,
        make_client: MakeClient,
        history: History,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.runs: list[Run] = []
        """The newest first."""
        self.previews: dict[str, Preview] = {}
        """The newest picture of each run, by its key."""
        self.changes = 0
        """Grows with everything that a panel would show differently."""
        self.trouble = ""
        """What keeps the session from being written down; empty when nothing does."""
        self.history = history
        self._slot = slot
        self._clock = clock
        self._make_client = make_client
        self._jobs: dict[str, Job] = {}
        self._sendings: dict[str, Sending] = {}
        self._arrivals = Arrivals(slot.received)
        self._saved_at = 0.0
        self._saved: Any = None
        self._shown: Any = None
        tree = json_file.read(slot.path)
        self.runs += taken_up(tree.get("runs", ()) if isinstance(tree, dict) else ())
        sweep(slot.received, (made.digest[:32] for run in self.runs for made in run.assets))
        sources = [one for run in self.runs if not run.over for one in run.order.inputs.values()]
        sweep(slot.inputs, (os.path.basename(os.path.dirname(one.path)) for one in sources))
        self.client = self._open(tree.get("bookmark") if isinstance(tree, dict) else None)
        for run in self.runs:
            if run.state == "sending":
                self._begin(run)

    def _open(self, bookmark: Any) -> Client:
        try:
            client = self._make_client(bookmark)
        except (ScenecastError, KeyError, TypeError, ValueError):  # a bookmark that this client cannot read
            client = self._make_client(None)
        self._find_jobs(client)
        return client

    # ------------------------------------------------------------------------------- the artist

    def submit(self, order: Order, *, later: bool = False) -> Run:
        """Ask for something; inputs that the bridge does not have are sent first. Returns at once.

        `later` only lists it, as `capturing`, until `captured` says that its inputs are there.
        """
        run = Run(order, created=self._clock(), seed=order.seed)
        self.runs.insert(0, run)
        self._trim()
        self.history.asked(order)
        if later:
            run.state = "capturing"
        else:
            self._begin(run)
        self.changes += 1
        self.save()
        return run

    def capturing(self, key: str, fraction: float, stage: str) -> None:
        """How far the taking of a run's inputs out of the scene has come."""
        run = self.run(key)
        run.fraction, run.stage = fraction, stage
        self.changes += 1

    def captured(self, key: str, inputs: dict[str, Source]) -> None:
        """The inputs are there: send them, then ask."""
        run = self.run(key)
        run.order = replace(run.order, inputs={**run.order.inputs, **inputs})
        run.fraction, run.stage = 0.0, ""
        self._begin(run)
        self.changes += 1

    def not_captured(self, key: str, message: str, remedy: str) -> None:
        """The inputs cannot be had."""
        self.run(key).fail(message, remedy)
        self.changes += 1

    def again(self, key: str, *, new_seed: bool = False) -> Run:
        """Ask for the same once more, with the seed it had or with another."""
        run = self.run(key)
        seed = random.randrange(SEED_MAX + 1) if new_seed else run.seed if run.seed is not None else run.order.seed
        return self.submit(replace(run.order, seed=seed))

    def cancel(self, key: str) -> None:
        """Ask for a run's end; it is over when its state says so."""
        run = self.run(key)
        if run.over:
            return
        run.cancelling = True
        if key in self._sendings:
            self._sendings.pop(key).stop("cancelled")
        job = self._jobs.get(key)
        if run.state == "receiving" or job is None:
            self._arrivals.stop(key)
            self._drop(run, "cancelled")
        else:
            self.client.cancel(job)
        self.changes += 1

    def dismiss(self, key: str) -> None:
        """Take a run that is over off the list; what it made stays, and so does its place in the history."""
        run = self.run(key)
        if run.over:
            self._forget(run)
            self.changes += 1
            self.save()

    def place_again(self, key: str, target: Target) -> None:
        """Queue all that a run made for placement there, fetching what is no longer on this disk."""
        run = self.run(key)
        for made in run.assets:
            run.misplaced.pop(made.digest, None)
            if not self._arrivals.want(run, made.digest, target):
                self._arrivals.expect(run, made.digest, self.client.start_fetch(made.digest, HOST))
        self.changes += 1

    def steer(self, key: str, action: str) -> None:
        """`pause`, `resume` or `finish` a run; its `steered` says when it does."""
        job = self._jobs.get(key)
        if job is not None and not job.over:
            {"pause": job.pause, "resume": job.resume, "finish": job.finish}[action]()
            self.changes += 1

    def further(self, key: str, target: Target) -> Run:
        """Go on from what a run made: the same again, with that as its start, and placed there."""
        run = self.run(key)
        made = run.assets[0]
        start = Source(made.name or run.title, kind=made.kind, digest=made.digest)
        return self.submit(replace(run.order, inputs={**run.order.inputs, START: start}, target=target))

    def reconnect(self) -> None:
        """Try to reach the bridge now."""
        self.client.reconnect()

    def reopen(self, make_client: MakeClient) -> None:
        """Go on with another address or token."""
        bookmark = self.client.bookmark()
        self.client.close()
        self._make_client = make_client
        self._jobs.clear()
        self._arrivals.drop_fetches()
        self.client = self._open(bookmark)
        self.changes += 1

    def bring_here(self, key: str, file: str) -> None:
        """What was asked for in another .blend belongs to this one from now on."""
        self.run(key).order = replace(self.run(key).order, file=file)
        self.changes += 1

    def file_renamed(self, old: str, new: str) -> None:
        """The open .blend has got another name: what was asked in it belongs to it still."""
        for run in self.runs:
            if run.order.file == old:
                run.order = replace(run.order, file=new)
        self.changes += 1

    # ------------------------------------------------------------------------------ what there is

    @property
    def state(self) -> ConnectionState:
        """Whether there is a conversation with the bridge."""
        return self.client.state

    @property
    def generators(self) -> list[Generator]:
        """Those of the catalog that take jobs; empty until the first welcome."""
        return [row for row in self.client.generators if row.jobs]

    @property
    def live_generators(self) -> list[Generator]:
        """Those of the catalog that work live."""
        return [row for row in self.client.generators if row.live is not None]

    @property
    def watched(self) -> list[WatchedFile]:
        """Files in watched folders that may be inputs."""
        return self.client.watched

    def steers(self, run: Run) -> list[str]:
        """What may be asked of a run on its way, and `further` of one that is done and can be gone on from."""
        if run.state == "done" and run.assets and run.assets[0].kind == "field":
            return ["view"] if self.viewer is not None else []
        if run.state == "done":
            takes = [port.name for port in self._row(run.order.generator, "takes") or ()]
            return ["further"] if START in takes and run.assets else []
        return list(self._row(run.order.generator, "steers") or ()) if run.state == "running" else []

    @property
    def viewer(self) -> Generator | None:
        """The generator that renders a field through a camera that is given to it, where the bridge has one."""
        fitting = (
            row
            for row in self.generators
            if row.available and row.gives[:1] == ["image"] and [port.kinds for port in row.takes] == [["field"]]
        )
        return next((row for row in fitting if CAMERA_MATRIX in row.params.get("properties", {})), None)

    @property
    def growing(self) -> list[tuple[Run, Job]]:
        """The runs whose clouds are watched."""
        pairs = [(run, self._jobs.get(run.key)) for run in self.runs if not run.over]
        return [(run, job) for run, job in pairs if job is not None and job.cloud is not None]

    def _row(self, generator: str, field: str) -> Any:
        """Of the catalog's row of a generator; None when it has none."""
        return next((getattr(row, field) for row in self.client.generators if row.id == generator), None)

    def run(self, key: str) -> Run:
        """One run. Raises KeyError."""
        for run in self.runs:
            if run.key == key:
                return run
        raise KeyError(key)

    def delivered(self, key: str) -> list[Delivered]:
        """What has arrived of a run."""
        return [one for name, one in self._arrivals.delivered.items() if name[0] == key]

    # ------------------------------------------------------------------------------- going on

    def tick(self, budget_secs: float = BUDGET_SECS) -> bool:
        """Do what can be done now for about so long; True when more is waiting."""
        end = time.perf_counter() + budget_secs
        more = self.client.pump(budget_secs)
        self.changes += self._arrivals.step(end, self._not_arrived)
        for run in self.runs:
            if not run.over:
                self._follow(run, end)
        shown = (self.client.state.status, self.client.state.cause, len(self.client.generators), len(self.watched))
        if shown != self._shown:
            self._shown = shown
            self.changes += 1
        if self._clock() - self._saved_at >= SAVE_SECS:
            self.save()
        return more or self._arrivals.busy or any(sending.packing for sending in self._sendings.values())

    def next_placement(self, file: str, *, only_wanted: bool = False) -> Placement | None:
        """Take the next result that belongs into the open file, in the order of arrival.

        `only_wanted` takes those alone that `place_again` was called for.
        """
        for run in self.runs if not only_wanted else ():
            if run.state == "done" and run.order.file == file:
                self._expect_unplaced(run)
        return self._arrivals.next(file, only_wanted=only_wanted)

    def has_unplaced(self, key: str) -> bool:
        """Whether something of this run is here and waits for its place."""
        return self._arrivals.waits(key)

    def placed(self, placement: Placement, message: str) -> None:
        """It is in the scene."""
        run = self.run(placement.key)
        run.landed[placement.delivered.digest] = message
        run.misplaced.pop(placement.delivered.digest, None)
        self.changes += 1

    def note(self, key: str, text: str) -> None:
        """Something the artist should know about a result."""
        run = self.run(key)
        if text not in run.notes:
            run.notes.append(text)
            self.changes += 1

    def not_placed(self, placement: Placement, message: str, remedy: str) -> None:
        """It could not be placed; it stays at hand."""
        self.run(placement.key).misplaced[placement.delivered.digest] = [message, remedy]
        self.changes += 1

    def save(self) -> None:
        """Write down what the next Blender needs, when anything of it has changed."""
        tree = {"bookmark": self.client.bookmark(), "runs": [run.to_tree() for run in self.runs]}
        self._saved_at = self._clock()
        if tree == self._saved:
            return
        try:
            json_file.write(self._slot.path, tree)
            self._saved, self.trouble = tree, ""
        except OSError as error:
            self.trouble = f"This session cannot be kept: {error.strerror} ({self._slot.path.parent})"

    def close(self) -> None:
        """End the conversation. Running jobs go on in the bridge, and the next Blender picks them up."""
        self.save()
        for sending in self._sendings.values():
            sending.stop("Blender was closed")
        self._arrivals.close()
        self.client.close()
        self._slot.release()

    # --------------------------------------------------------------------------------- inside

    def _begin(self, run: Run) -> None:
        """Send the inputs that the bridge does not have, or else the request."""
        try:
            sending = Sending(self.client, run, self._slot.inputs)
        except ScenecastError as error:
            run.fail(error.message, error.remedy or "Pick the input again.")
            return
        if sending.needed:
            run.state, self._sendings[run.key] = "sending", sending
        else:
            self._send(run)

    def _send(self, run: Run) -> None:
        order = run.order
        try:
            job = self.client.submit(
                order.generator,
                order.params,
                inputs={port: source.digest for port, source in order.inputs.items()},
                host=HOST,
                seed=order.seed,
                preview_px=PREVIEW_PX,
                preview_media_type="image/raw",
                growth=WISH if self._row(order.generator, "grows") else None,
                label=(order.label or order.hint)[:200],
            )
        except ScenecastError as error:
            run.fail(error.message, error.remedy)
            return
        run.state, run.request_id, self._jobs[run.key] = "submitting", job.request_id, job

    def _follow(self, run: Run, end: float) -> None:
        before = run.standing
        if run.state == "sending":
            self._follow_sending(run, end)
        job = self._jobs.get(run.key)
        if job is not None and run.state != "receiving" and not run.over:
            self._copy(run, job)
        if run.state == "receiving":
            self._receive(run)
        if before != run.standing:
            self.changes += 1

    def _follow_sending(self, run: Run, end: float) -> None:
        sending = self._sendings.get(run.key)
        if sending is None:
            return
        if sending.step(end):
            del self._sendings[run.key]
            run.fraction, run.stage = 0.0, ""
            self._send(run)
        elif sending.error is not None:
            run.fail(sending.error.message, sending.error.remedy)
            self._sendings.pop(run.key).stop("another input could not be sent")

    def _copy(self, run: Run, job: Job) -> None:
        """What the job says now."""
        run.job_id, run.seed, run.ahead = (
            job.id or run.job_id,
            job.seed if job.seed is not None else run.seed,
            job.ahead,
        )
        run.fraction, run.stage, run.eta_secs, run.steered = job.fraction, job.stage, job.eta_secs, job.steered
        run.notes, run.reused, run.run_secs = list(job.notes), job.reused, job.run_secs
        run.cancelling = run.cancelling or job.cancel_wanted
        run.assets = [Made(row.digest, row.kind, row.name) for row in job.assets]
        if job.preview is not None and self.previews.get(run.key) is not job.preview:
            self.previews[run.key] = job.preview
            self.changes += 1
        if not job.over:
            run.state = job.state  # type: ignore[assignment]
            return
        run.ended = job.durable[-1].time if job.durable else self._clock()
        if job.state == "finished":
            run.state, run.fraction = "receiving", 0.0
            for made, reply in zip(run.assets, self.client.deliver(job), strict=True):
                self._arrivals.expect(run, made.digest, reply)
            return
        error = job.error
        self._drop(run, "cancelled" if job.state == "cancelled" else "failed")
        if job.state == "failed" and error is not None:
            run.fail(error.message, error.remedy, getattr(error, "code", ""))

    def _receive(self, run: Run) -> None:
        """All files of a finished run: asked for where they are not on their way, and counted."""
        active = self.client.protocol.transfers.active.values()
        digests = {made.digest for made in run.assets}
        sizes = [(one.received_bytes, sum(file.row.size_bytes for file in one.files))
                 for one in active if one.announced.digest in digests]  # fmt: skip
        if sizes:
            run.fraction = sum(got for got, _ in sizes) / max(1, sum(size for _, size in sizes))
        for made in run.assets:
            if not self._arrivals.expects((run.key, made.digest)):
                self._arrivals.expect(run, made.digest, self.client.start_fetch(made.digest, HOST))
        if all((run.key, made.digest) in self._arrivals.delivered for made in run.assets):
            self._drop(run, "done")
            self.history.made(run)

    def _expect_unplaced(self, run: Run) -> None:
        """What an earlier Blender received and did not place is fetched anew."""
        for made in run.assets:
            done = made.digest in run.landed or made.digest in run.misplaced
            if not done and not self._arrivals.expects((run.key, made.digest)):
                self._arrivals.expect(run, made.digest, self.client.start_fetch(made.digest, HOST))

    def _not_arrived(self, run: Run, digest: str, error: ScenecastError) -> None:
        if run.over:
            run.misplaced[digest] = [error.message, error.remedy]
        else:
            self._arrivals.stop(run.key)
            run.fail(error.message, error.remedy, getattr(error, "code", ""))

    def _drop(self, run: Run, state: Any) -> None:
        """Nothing more comes for it."""
        run.state, run.eta_secs, run.cancelling = state, None, False
        self._jobs.pop(run.key, None)

    def _forget(self, run: Run) -> None:
        self._drop(run, run.state)
        self.runs.remove(run)
        self.previews.pop(run.key, None)
        self._arrivals.forget(run.key)

    def _trim(self) -> None:
        over: Iterable[Run] = [run for run in self.runs[RUNS_KEPT:] if run.over and not self.has_unplaced(run.key)]
        for run in over:
            self._forget(run)

    def _find_jobs(self, client: Client) -> None:
        """Bind what was asked for in an earlier conversation to the jobs of this one."""
        jobs = client.open_jobs
        for run in self.runs:
            if run.over or run.state in ("capturing", "sending", "receiving"):
                continue
            found = [job for job in jobs if (run.job_id and job.id == run.job_id)
                     or (run.request_id and job.request_id == run.request_id)]  # fmt: skip
            if found:
                self._jobs[run.key] = found[0]
                found[0].to_the_end = WISH.final  # a bookmark does not say; the finished cloud comes as files
            else:
                run.fail("Scenecast lost track of this request when Blender was closed", "Press Retry.")
