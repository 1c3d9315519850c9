"""Generators that do as their parameters tell them, good and bad, for tests of everything around a generator.

A worker imports this file as `tests.fakes`, so it needs the repository's root on its path (`ENVIRONMENT`).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from bridge.supervisor import WorkerSettings
from engines.assets import Image, Splats
from engines.kinds import Kind
from generators.events import (
    Cancelled,
    Context,
    Event,
    GeneratorError,
    Grown,
    Note,
    Preview,
    Produced,
    Progress,
    Request,
    WatchedContext,
)
from generators.spec import GeneratorSpec, Needs, Params, Port

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


class ScriptParams(Params):
    """What the fake is to do, in this order."""

    note: str = ""
    progress: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    previews: Annotated[int, Meta(ge=0, le=1000)] = 0
    preview_px: Annotated[int, Meta(ge=1, le=8192)] = 64
    prints: str = ""
    assets: Annotated[int, Meta(ge=0, le=2000)] = 1
    size_px: Annotated[int, Meta(ge=1, le=8192)] = 8
    sleep_secs: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    step_secs: Annotated[float, Meta(gt=0, le=10)] = 0.005
    """Length of the steps between which a sleeping fake looks whether it has been cancelled."""
    waits_for: str = ""
    """A file before which it does not go on."""
    raises: str = ""
    """`told`, `defect`, `memory`, `disk`, `same name`, `not an event`."""
    dies: str = ""
    """`kill`, `segfault`, `exit`, `abort`, `nonsense`, `closes`; with `dies_until` only on the first attempts."""
    dies_until: str = ""
    """A file in which attempts are counted; from the second attempt on the fake behaves."""
    deaf: bool = False
    """Never looks whether it has been cancelled."""
    journal: str = ""
    """A file that gets one line, the label, when the run has come to its end."""
    label: str = ""
    child: bool = False
    """Starts a process of its own that would outlive it."""


def run(request: Request, context: Context) -> Iterator[Event]:
    params: ScriptParams = request.params  # type: ignore[assignment]
    if params.note:
        yield Note(params.note)
    if params.prints:
        print(params.prints)
        os.write(1, params.prints.encode() + b"\n")
        sys.stdout.flush()
    if params.child:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    for index in range(params.progress):
        yield Progress((index + 1) / params.progress, f"step {index}")
    for index in range(params.previews):
        yield Preview(np.full((params.preview_px, params.preview_px, 3), index % 256, np.uint8))
    _sleep(params, context)
    _maybe_die(params)
    _maybe_raise(params)
    if params.raises == "same name":
        yield Produced(_picture(params, request.seed, 0), "twin")
        yield Produced(_picture(params, request.seed, 1), "twin")
    if params.raises == "not an event":
        yield "hello"  # type: ignore[misc]
    for index in range(params.assets):
        yield Produced(_picture(params, request.seed, index), f"result{index}")
    if params.journal:
        with open(params.journal, "a") as file:
            file.write(params.label + "\n")


def _picture(params: ScriptParams, seed: int, index: int) -> Image:
    random = np.random.default_rng([seed, index])
    return Image(random.integers(0, 256, (params.size_px, params.size_px, 3), np.uint8), name=f"picture {index}")


def _sleep(params: ScriptParams, context: Context) -> None:
    until = time.monotonic() + params.sleep_secs
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, params.step_secs))
        _check(params, context)
    while params.waits_for and not os.path.exists(params.waits_for):
        time.sleep(params.step_secs)
        _check(params, context)


def _check(params: ScriptParams, context: Context) -> None:
    try:
        context.check()
    except Cancelled:
        if not params.deaf:
            raise


def _maybe_die(params: ScriptParams) -> None:
    if params.dies_until:
        with open(params.dies_until, "a+") as file:
            file.seek(0)
            earlier = len(file.read())
            file.write("x")
        if earlier:
            return
    if params.dies == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif params.dies == "segfault":
        ctypes.string_at(0)
    elif params.dies == "exit":
        print("going now", file=sys.stderr, flush=True)
        os._exit(7)
    elif params.dies == "abort":
        os.abort()
    elif params.dies == "nonsense":
        for descriptor in range(3, 32):
            try:
                os.write(descriptor, b"\xff" * 64)
            except OSError:
                continue
        time.sleep(60)
    elif params.dies == "closes":
        os.closerange(3, 32)
        time.sleep(60)


def _maybe_raise(params: ScriptParams) -> None:
    if params.raises == "told":
        raise GeneratorError("the fake was told to fail: expected nothing, got this")
    if params.raises == "defect":
        raise ZeroDivisionError("a slip in the fake")
    if params.raises == "memory":
        raise MemoryError("a lot was wanted")
    if params.raises == "disk":
        raise OSError(28, "No space left on device")


def repaint(request: Request, context: Context) -> Iterator[Event]:
    """Gives its input back, inverted."""
    picture = request.inputs["picture"]
    if not isinstance(picture, Image):
        raise GeneratorError("expected a picture")
    yield Produced(Image(255 - picture.pixels, name="inverted"))


class GrowParams(Params):
    """A cloud that gains, loses and moves splats; what is done so far is kept in the scratch folder."""

    steps: Annotated[int, Meta(ge=1, le=100_000)] = 20
    step_secs: Annotated[float, Meta(ge=0, le=1)] = 0.0
    splats: Annotated[int, Meta(ge=1, le=100_000)] = 50
    holds_at: int = -1
    """Goes no further than this step before there is the file `holds_for`, unless it is to finish."""
    holds_for: str = ""
    dies_at: int = -1
    """Kills its process before that step, on the first attempt."""
    journal: str = ""
    """A file that gets one line for each step: attempt's process and step."""


def grow(request: Request, context: WatchedContext) -> Iterator[Event]:
    params: GrowParams = request.params  # type: ignore[assignment]
    kept = context.scratch / "step"
    first = int(kept.read_text()) if kept.exists() else 0
    if first:
        yield Note(f"taken up again at step {first}")
    splats, ids = _cloud(params, request.seed, first)
    for step in range(first, params.steps):
        context.check()
        while step == params.holds_at and not (context.finishing or os.path.exists(params.holds_for)):
            time.sleep(0.005)
            context.check()
        if context.finishing:
            yield Note(f"finished early at step {step}")
            break
        if step == params.dies_at and not first:
            os.kill(os.getpid(), signal.SIGKILL)
        if params.journal:
            with open(params.journal, "a") as file:
                file.write(f"{os.getpid()} {step}\n")
        splats, ids = _cloud(params, request.seed, step + 1)
        kept.write_text(str(step + 1))
        if context.wants_growth:
            yield Grown(splats, ids)
        yield Progress((step + 1) / params.steps, f"step {step}")
        time.sleep(params.step_secs)
    yield Grown(splats, ids)
    yield Produced(splats)


def _cloud(params: GrowParams, seed: int, step: int) -> tuple[Splats, NDArray[np.int64]]:
    """The cloud after so many steps: splat number n lives from step n to n + 30, and every third moves now and then."""
    ids = np.arange(max(0, step - 10), step + params.splats)
    random = np.random.default_rng([seed, step])
    every = np.random.default_rng(seed).random((int(ids[-1]) + 1, 12), np.float32)[ids] + np.float32(0.1)
    every[:, :3] += np.where(ids % 3 == step % 3, random.random(len(ids)), 0)[:, None].astype(np.float32)
    turn = every[:, 3:7] / np.linalg.norm(every[:, 3:7], axis=1, keepdims=True)
    opacity = np.minimum(every[:, 10], 1)
    sh = np.repeat(every[:, None, 9:12], 4, axis=1)
    return Splats(every[:, :3].copy(), turn, every[:, 7:10].copy(), opacity, np.ascontiguousarray(sh)), ids


GROW = GeneratorSpec(
    id="fake.grow",
    title="Fake that grows a cloud",
    promise="Grows, and can be paused.",
    gives=(Kind.SPLATS,),
    params=GrowParams,
    run="tests.fakes:grow",
    timeout_secs=600.0,
    silence_secs=300.0,
    resumable=True,
    grows=True,
    steers=("pause", "finish"),
)
SCRIPT = GeneratorSpec(
    id="fake.script",
    title="Fake",
    promise="Does as it is told.",
    gives=(Kind.IMAGE,),
    params=ScriptParams,
    run="tests.fakes:run",
    timeout_secs=600.0,
    silence_secs=300.0,
)
HASTY = GeneratorSpec(
    id="fake.hasty",
    title="Fake with little patience",
    promise="Is ended when it takes too long.",
    gives=(Kind.IMAGE,),
    params=ScriptParams,
    run="tests.fakes:run",
    timeout_secs=0.6,
    silence_secs=60.0,
)
SILENT = GeneratorSpec(
    id="fake.silent",
    title="Fake that must talk",
    promise="Is ended when it says nothing.",
    gives=(Kind.IMAGE,),
    params=ScriptParams,
    run="tests.fakes:run",
    timeout_secs=60.0,
    silence_secs=0.3,
)
REPAINT = GeneratorSpec(
    id="fake.repaint",
    title="Fake that takes a picture",
    promise="Gives a picture back, inverted.",
    gives=(Kind.IMAGE,),
    params=Params,
    takes=(Port(name="picture", kinds=(Kind.IMAGE,)),),
    run="tests.fakes:repaint",
)
ABSENT = GeneratorSpec(
    id="fake.absent",
    title="Fake whose function is missing",
    promise="Cannot be imported.",
    gives=(Kind.IMAGE,),
    params=Params,
    run="tests.fakes:no_such_function",
)
HUGE = GeneratorSpec(
    id="fake.huge",
    title="Fake that needs a large GPU",
    promise="Never runs in a test.",
    gives=(Kind.IMAGE,),
    params=Params,
    run="tests.fakes:run",
    needs=Needs(gpu_memory_gb=10_000.0),
)
SPECS = (GROW, SCRIPT, HASTY, SILENT, REPAINT, ABSENT, HUGE)


def quick_workers(**changes: object) -> WorkerSettings:
    """Workers that are ready in a fifth of a second, because they do not load torch."""
    values: dict[str, object] = {"early": (), "threads": 1, "environment": ENVIRONMENT, "grace_secs": 0.3, **changes}
    return WorkerSettings(**values)  # type: ignore[arg-type]
