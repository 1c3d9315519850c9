"""Live generators that do as their parameters tell them, good and bad; a worker imports this as `tests.live_fakes`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Annotated

import numpy as np
from msgspec import Meta

from engines.assets import Array, Image
from engines.kinds import Kind
from generators.events import GeneratorError, Request
from generators.live.frames import Answer, Frame, LiveContext, Picture
from generators.spec import GeneratorSpec, Live, Needs, Params, Port


class LiveScript(Params):
    """What the fake does with each frame."""

    gain: Annotated[float, Meta(ge=0, le=4)] = 1.0
    frame_secs: Annotated[float, Meta(ge=0, le=100)] = 0.0
    load_secs: Annotated[float, Meta(ge=0, le=100)] = 0.0
    dies: str = ""
    """`kill` in a frame; `start` while loading; with `dies_until` only until that file is there."""
    dies_until: str = ""
    raises: str = ""
    """`told` or `defect` in a frame, `start` while loading."""
    gives_up: bool = False
    """Looks whether a newer frame waits, and gives up for it."""
    rough_first: bool = False
    wrong: bool = False
    """Answers with something that is no picture."""
    notes: str = ""
    """What it says of itself while it loads."""


def start(request: Request, context: LiveContext) -> Answer:
    script: LiveScript = request.params  # type: ignore[assignment]
    picture = request.inputs.get("picture")
    context.tell("the fake is loading")
    if script.notes:
        context.note(script.notes)
    time.sleep(script.load_secs)
    if script.raises == "start":
        raise GeneratorError("the fake was told not to start")
    if script.dies == "start":
        _die(script)
    return _Fake(context, picture if isinstance(picture, Image) else None)


class _Fake:
    def __init__(self, context: LiveContext, picture: Image | None) -> None:
        self._context = context
        self._picture = picture

    def __call__(self, frame: Frame) -> Iterator[Picture]:
        script: LiveScript = frame.params
        if script.dies == "kill":
            _die(script)
        if script.raises == "told":
            raise GeneratorError("the fake was told to fail: expected nothing, got this")
        if script.raises == "defect":
            raise ZeroDivisionError("a slip in the fake")
        pixels = self._pixels(frame)
        if script.rough_first:
            yield Picture(np.ascontiguousarray(pixels[::2, ::2]), rough=True)
        end = time.monotonic() + script.frame_secs
        while time.monotonic() < end:
            time.sleep(min(0.005, max(0.0, end - time.monotonic())))
            if script.gives_up and self._context.newer():
                return
        if script.wrong:
            pixels = pixels[..., 0]
        yield Picture(pixels)

    def _pixels(self, frame: Frame) -> Array:
        if self._picture is not None:
            return np.ascontiguousarray(self._picture.pixels[..., :3])
        if frame.colour is not None:
            gain = np.float32(frame.params.gain)
            codes: Array = np.clip(frame.colour * gain, 0, 255).astype(np.uint8)
            return codes
        grey = np.zeros((frame.height_px, frame.width_px, 3), np.uint8)
        if frame.depth is not None:
            grey[...] = np.where(np.isfinite(frame.depth), np.clip(frame.depth * 10, 0, 254), 255)[..., None]
        if frame.normal is not None:
            grey[...] = (np.clip(frame.normal, -1, 1) * 127 + 128).astype(np.uint8)
        if frame.camera is not None:
            grey[0, 0, :] = np.clip(frame.camera.world_from_camera[:3, 3], 0, 255)
        return grey


def _die(script: LiveScript) -> None:
    if script.dies_until and os.path.exists(script.dies_until):
        return
    if script.dies_until:
        with open(script.dies_until, "w") as file:
            file.write("x")
    print("the fake dies now", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def _spec(name: str, live: Live, **more: object) -> GeneratorSpec:
    values: dict[str, object] = {"title": name, "promise": "Does as it is told.", "gives": (), "params": LiveScript}
    return GeneratorSpec(id=f"live.{name}", live=live, **{**values, **more})  # type: ignore[arg-type]


START = "tests.live_fakes:start"
MIRROR = _spec("mirror", Live(start=START, wants=("colour",), optional=("camera",), frame_secs=120.0, load_secs=120.0))
SURFACE = _spec("surface", Live(start=START, wants=("depth", "camera"), optional=("normal",)))
VIEW = _spec("view", Live(start=START, wants=("camera",), refines=True),
             takes=(Port(name="picture", kinds=(Kind.IMAGE,)),))  # fmt: skip
SLOW_START = _spec("slow_start", Live(start=START, wants=("colour",), load_secs=0.5))
HASTY = _spec("hasty", Live(start=START, wants=("colour",), frame_secs=2.2))
BOTH = _spec("both", Live(start=START, wants=("colour",)), gives=(Kind.IMAGE,), run="tests.fakes:run")
HUGE = _spec("huge", Live(start=START, wants=("colour",)), needs=Needs(gpu_memory_gb=10_000.0))
SPECS = (MIRROR, SURFACE, VIEW, SLOW_START, HASTY, BOTH, HUGE)
