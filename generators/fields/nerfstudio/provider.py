"""`splats.from_photos_nerfstudio`: write a dataset, run `ns-train` and `ns-export`, bring the result home."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from engines.assets import Capture, Clip, Mesh, Splats
from engines.errors import EnginesError
from engines.formats import ply
from engines.formats.registry import Limits
from engines.transforms import NEUTRAL
from generators.events import Event, GeneratorError, Note, Produced, Progress, Request, WatchedContext
from generators.fields.nerfstudio.contract import (
    Method,
    Trained,
    export_command,
    plain,
    progress_of,
    says_memory_ran_out,
    train_command,
    trained_in,
    visible_to,
)
from generators.fields.nerfstudio.dataset import write_dataset
from generators.fields.nerfstudio.process import lines_of
from generators.fields.specs import NERFSTUDIO, NerfstudioParams
from generators.located import found, missing
from generators.radiance.capture import NEUTRAL_FROM_Z_UP, read_capture
from generators.radiance.photographs import load_photographs
from generators.radiance.poses.capture_poses import with_poses
from generators.radiance.seeding import spacing
from generators.splats.moving import Similarity, moved

ENVIRONMENT = {
    "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",  # its exporter loads a checkpoint that its trainer has just written
    "PYTHONUNBUFFERED": "1",
    "COLUMNS": "200",
    "TERM": "dumb",
}
READ, TRAINED = 0.08, 0.92
"""Shares of the run on the progress bar when the data is written and when training is over."""
POINT_OPACITY = 0.95
POINT_SIZE = 0.5
"""Standard deviation of a splat made of a point, in spacings."""


def run(request: Request, context: WatchedContext) -> Iterator[Event]:
    """Splats that nerfstudio has made of `request.inputs["photos"]`, in the photographs' world.

    Raises `GeneratorError` when the environment is missing, fails, or leaves something that cannot be read, and
    `MemoryError` when it fails because the card's memory ran out.
    """
    params, photos = request.params, request.inputs.get("photos")
    if not isinstance(params, NerfstudioParams):
        raise GeneratorError(f"expected NerfstudioParams, got {type(params).__name__}")
    if not isinstance(photos, Capture | Clip):
        raise GeneratorError("no photographs were given; pass a zip or folder of photographs, or a film")
    python = found(NERFSTUDIO)
    if python is None:
        raise GeneratorError(missing(NERFSTUDIO))
    path: Path | None = None
    for event in with_poses(photos, context, seed=request.seed):
        if isinstance(event, Path):
            path = event
        elif isinstance(event, Progress):
            yield Progress(0.5 * READ * event.fraction, event.stage)
        else:
            yield event
    if path is None:
        raise GeneratorError("no poses were found")
    yield Progress(0.5 * READ, "writing nerfstudio's data")
    capture = read_capture(path, context.check)
    photographs, unreadable = load_photographs(capture, longest_side_px=params.resolution_px, check=context.check)
    for one in (*capture.skipped, *unreadable)[:20]:
        yield Note(f"left out: {one.name} ({one.reason})")
    data = write_dataset(photographs, _fresh(context.scratch / "data"), context.check, points=capture.points)
    yield from _train(python, params, request.seed, data, context)
    trained = trained_in(context.scratch / "outputs", params.method)
    yield Progress(TRAINED, "exporting")
    exported = context.scratch / "exported"
    command = export_command(python, params.method, trained.config, exported, points=params.points)
    for _ in _said(command, context):
        pass
    splats = brought_home(exported, params.method, trained)
    yield Note(f"{len(splats.positions):,} splats by nerfstudio's {params.method}, {params.iterations} iterations")
    if params.method == "nerfacto":
        yield Note("nerfacto's field came as coloured points; each was made a round splat")
    yield Produced(splats)


def _fresh(folder: Path) -> Path:
    """A path at which nothing is, whatever an earlier attempt has left there."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _train(python: Path, params: NerfstudioParams, seed: int, data: Path, context: WatchedContext) -> Iterator[Event]:
    output = _fresh(context.scratch / "outputs")
    command = train_command(
        python, params.method, data, output, iterations=params.iterations, seed=seed, flags=params.flags
    )
    yield Progress(READ, f"starting {params.method}")
    for line in _said(command, context):
        share = progress_of(line)
        if share is not None:
            yield Progress(READ + (TRAINED - READ) * share, f"{params.method} {100 * share:.0f} %")


def _said(command: Sequence[str], context: WatchedContext) -> Iterator[str]:
    """A command's lines on the card that the job was given. Raises `GeneratorError`, `MemoryError`."""
    environment = ENVIRONMENT | visible_to(context.device, os.environ)
    ran_out = ""
    try:
        for line in lines_of(command, context.check, folder=context.scratch, environment=environment):
            ran_out = plain(line).strip()[:300] if says_memory_ran_out(line) else ran_out
            yield line
    except GeneratorError as error:
        if ran_out:
            raise MemoryError(f"nerfstudio says: {ran_out}") from error
        raise


def brought_home(folder: Path, method: Method, trained: Trained) -> Splats:
    """The exported file in neutral axes and the photographs' own world. Raises `GeneratorError`."""
    path = folder / ("splat.ply" if method == "splatfacto" else "point_cloud.ply")
    if not path.is_file():
        there = ", ".join(sorted(file.name for file in folder.glob("*"))) or "nothing"
        raise GeneratorError(f"nerfstudio's exporter left no {path.name}, but {there}; is its release 1.1?")
    try:
        asset = ply.decode(path, Limits(), axes=NEUTRAL.axes)  # as the numbers stand; they are turned below
    except EnginesError as error:
        raise GeneratorError(f"nerfstudio's {path.name} cannot be read: {error.message}") from error
    splats = _as_splats(asset) if isinstance(asset, Mesh) else asset
    turn = NEUTRAL_FROM_Z_UP[:3, :3] @ trained.rotation.T
    return moved(splats, Similarity(turn, 1 / trained.scale, -turn @ trained.shift))


def _as_splats(points: Mesh) -> Splats:
    """Each coloured point as a round splat of about half the distance to the next."""
    from engines.colour import srgb_from_linear
    from engines.splat_values import dc_from_colour

    count = len(points.positions)
    if count == 0:
        raise GeneratorError("nerfstudio's point cloud is empty; train longer, or choose another method")
    colours = np.full((count, 3), 0.5, np.float32) if points.colours is None else points.colours[:, :3]
    shown = colours if points.colours is None else srgb_from_linear(colours)
    sizes = (POINT_SIZE * spacing(points.positions)).astype(np.float32)
    return Splats(
        positions=points.positions,
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        scales=np.repeat(sizes[:, None], 3, axis=1),
        opacities=np.full(count, POINT_OPACITY, np.float32),
        sh=np.asarray(dc_from_colour(shown), np.float32)[:, None],
        name="Splats by nerfstudio",
    )
