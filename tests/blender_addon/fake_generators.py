"""Generators that only the panel's tests need: what they make tells what they were given."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta

from engines.assets import Capture, Image, Splats
from engines.asymmetric import asymmetric_splats
from engines.field_lattice import field_from_grid
from engines.kinds import Kind
from generators.events import (
    Context,
    Event,
    GeneratorError,
    Grown,
    Note,
    Produced,
    Progress,
    Request,
    WatchedContext,
)
from generators.live.frames import Answer, Frame, LiveContext, Picture
from generators.spec import GeneratorSpec, Live, Params, Port


def count(request: Request, context: Context) -> Iterator[Event]:
    """A picture one pixel high and as wide as there are photographs in the capture."""
    capture = request.inputs["photos"]
    if not isinstance(capture, Capture):
        raise GeneratorError("expected a capture")
    with zipfile.ZipFile(capture.path) as archive:
        names = archive.namelist()
    photographs = [name for name in names if name.endswith((".png", ".jpg"))]
    yield Note(f"{len(photographs)} photographs, poses {'there' if 'transforms.json' in names else 'missing'}")
    yield Produced(Image(np.zeros((1, max(1, len(photographs)), 3), np.uint8), name="counted"))


COUNT = GeneratorSpec(
    id="fake.count",
    title="Fake that counts photographs",
    promise="Tells how many photographs it got.",
    gives=(Kind.IMAGE,),
    params=Params,
    takes=(Port(name="photos", kinds=(Kind.CAPTURE,)),),
    run="tests.blender_addon.fake_generators:count",
)


class InvertParams(Params):
    """How much of it."""

    amount: Annotated[float, Meta(ge=0, le=1, title="Amount")] = 1.0
    sleep_secs: Annotated[float, Meta(ge=0, le=10)] = 0.0
    journal: str = ""
    """A file that is there while the session is."""
    refuses: bool = False


def start_inverting(request: Request, context: LiveContext) -> Answer:
    """Gives each frame's colours back inverted, and tells in the lower left pixel what else came with it."""
    params = request.params
    if isinstance(params, InvertParams) and params.journal:
        Path(params.journal).write_text("here")

    def answer(frame: Frame) -> Iterator[Picture]:
        if frame.params.refuses:
            raise GeneratorError("the fake was told to refuse")
        time.sleep(frame.params.sleep_secs)
        if frame.colour is None:
            raise GeneratorError("no colours came")
        share = np.float32(frame.params.amount)
        pixels = (255 * share + frame.colour * (1 - 2 * share)).astype(np.uint8)
        pixels[-1, 0] = (
            0 if frame.depth is None else np.isfinite(frame.depth).mean() * 255,
            0 if frame.normal is None else 255,
            0 if frame.camera is None else 255 * (frame.camera.world_from_camera[1, 3] > 0),
        )
        yield Picture(pixels)

    return answer


INVERT = GeneratorSpec(
    id="fake.invert",
    title="Fake that inverts",
    promise="Shows the viewport in opposite colours.",
    gives=(Kind.IMAGE,),
    params=InvertParams,
    live=Live(
        start="tests.blender_addon.fake_generators:start_inverting",
        wants=("colour",),
        optional=("depth", "normal", "camera"),
    ),
)


class GrowParams(Params):
    """How long it takes."""

    versions: Annotated[int, Meta(ge=1, le=1000)] = 4
    step_secs: Annotated[float, Meta(ge=0, le=10)] = 0.5
    allowed: Annotated[str, Meta(extra_json_schema={"advanced": True})] = ""
    """A file that holds how many versions may come by now; none is waited for when this is empty."""


def grow(request: Request, context: WatchedContext) -> Iterator[Event]:
    """The asymmetric cloud, a larger part of it with every version, some of it in other places at first."""
    params = request.params
    if not isinstance(params, GrowParams):
        raise GeneratorError(f"expected GrowParams, got {type(params).__name__}")
    whole = asymmetric_splats()
    for version in range(params.versions):
        count = min(len(whole.positions), 200 * (version + 1))
        yield Progress((version + 1) / params.versions, f"version {version + 1}")
        yield Grown(part_of(whole, count), np.arange(count, dtype=np.int64))
        until = time.monotonic() + params.step_secs
        while time.monotonic() < until or (not context.finishing and _waits(params.allowed, version, context)):
            context.check()
            time.sleep(0.01)
        if context.finishing:
            break
    yield Grown(whole, np.arange(len(whole.positions), dtype=np.int64))
    yield Produced(whole)


def _waits(allowed: str, version: int, context: WatchedContext) -> bool:
    """Whether the version after this one may not come yet, or would not be published."""
    return bool(allowed) and (int(Path(allowed).read_text("utf-8")) <= version + 1 or not context.wants_growth)


def part_of(splats: Splats, count: int) -> Splats:
    """Its first splats."""
    return replace(
        splats,
        positions=splats.positions[:count],
        rotations=splats.rotations[:count],
        scales=splats.scales[:count],
        opacities=splats.opacities[:count],
        sh=splats.sh[:count],
    )


GROW = GeneratorSpec(
    id="fake.cloud",
    title="Fake cloud",
    promise="A cloud that grows.",
    gives=(Kind.SPLATS,),
    params=GrowParams,
    takes=(Port(name="start", kinds=(Kind.SPLATS,), optional=True),),
    run="tests.blender_addon.fake_generators:grow",
    grows=True,
    steers=("pause", "finish"),
)


class HoldParams(Params):
    """What it waits for."""

    until: str = ""
    """A file that has to be there before it ends."""


def hold(request: Request, context: Context) -> Iterator[Event]:
    """Waits, and then makes a picture."""
    params = request.params
    if not isinstance(params, HoldParams):
        raise GeneratorError(f"expected HoldParams, got {type(params).__name__}")
    yield Progress(0.5, "waiting")
    while not Path(params.until).exists():
        context.check()
        time.sleep(0.01)
    yield Produced(Image(np.zeros((8, 8, 3), np.uint8), name="held"))


HOLD = GeneratorSpec(
    id="fake.hold",
    title="Fake that waits",
    promise="Waits until it is told to go on.",
    gives=(Kind.IMAGE,),
    params=HoldParams,
    run="tests.blender_addon.fake_generators:hold",
)


class ViewParams(Params):
    """A camera."""

    width_px: int = 64
    height_px: int = 48
    fov_y_deg: float = 45.0
    world_from_camera: list[float] = []


def make_field(request: Request, context: Context) -> Iterator[Event]:
    """A small ball of mist."""
    across = np.linspace(-1, 1, 12, dtype=np.float32)
    x, y, z = np.meshgrid(across, across, across, indexing="ij")
    density = np.where(x * x + y * y + z * z < 0.8, np.float32(20), np.float32(0))
    sh = np.zeros((*density.shape, 1, 3), np.float32)
    yield Produced(field_from_grid(density, sh, low_m=(-1.0, -1.0, -1.0), pitch_m=2 / 11, name="ball of mist"))


def view_field(request: Request, context: Context) -> Iterator[Event]:
    """A picture as large as asked for; the note says where the camera stands and which way it looks."""
    params = request.params
    if not isinstance(params, ViewParams):
        raise GeneratorError(f"expected ViewParams, got {type(params).__name__}")
    camera = np.array(params.world_from_camera).reshape(4, 4)
    numbers = [round(float(value), 3) + 0.0 for value in (*camera[:3, 3], *-camera[:3, 2], params.fov_y_deg)]
    yield Note(" ".join(f"{number:g}" for number in numbers))
    yield Produced(Image(np.zeros((params.height_px, params.width_px, 3), np.uint8), name="view"))


FIELD = GeneratorSpec(
    id="fake.field",
    title="Fake field",
    promise="A ball of mist.",
    gives=(Kind.FIELD,),
    params=Params,
    run="tests.blender_addon.fake_generators:make_field",
)
VIEW = GeneratorSpec(
    id="fake.view",
    title="Fake view of a field",
    promise="Tells which camera it was given.",
    gives=(Kind.IMAGE,),
    params=ViewParams,
    takes=(Port(name="field", kinds=(Kind.FIELD,)),),
    run="tests.blender_addon.fake_generators:view_field",
)
SPECS = (COUNT, INVERT, GROW, HOLD, FIELD, VIEW)
