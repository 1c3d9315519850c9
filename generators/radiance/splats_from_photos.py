"""`splats.from_photos`: read a capture, seed a cloud, train it while the artist watches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.assets import Capture, Clip
from generators.events import Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.radiance import checkpoint
from generators.radiance.archive import CaptureError
from generators.radiance.capture import Skipped, read_capture
from generators.radiance.photographs import Photograph, held_out, load_photographs
from generators.radiance.poses.capture_poses import with_poses
from generators.radiance.rasterizer.compositing import composite_backward
from generators.radiance.rasterizer.kernels import compiled_before
from generators.radiance.specs import SplatsFromPhotosParams
from generators.radiance.trainer import Trainer, TrainerSettings

PREVIEW_SECS = 1.0
PREVIEW_SIDE_PX = 320
SCORE_SECS = 5.0
CHECKPOINT_SECS = 15.0
CHECKPOINT_NAME = "splats_from_photos.npz"
NAMED_MAX = 20
PREPARING = "preparing kernels (first time only)"
"""Said while the inner loops are compiled: about a minute, once on each machine."""
PLACED = 0.4
"""Share of the run on the progress bar that finding poses takes, where none are given."""
LOADED, SEEDED = 0.04, 0.08
"""Share of the run that reading and seeding take on the progress bar."""


def run(request: Request, context: Context) -> Iterator[Event]:
    """Splats from `request.inputs["photos"]`: a `Capture` whose path is a zip or a folder, or a film.

    Camera poses are found first where none are given. Raises `GeneratorError` when the photographs cannot be used.
    """
    params = request.params
    if not isinstance(params, SplatsFromPhotosParams):
        raise GeneratorError(f"expected SplatsFromPhotosParams, got {type(params).__name__}")
    path, placed = None, 0.0
    for event in with_poses(_photos(request), context, seed=request.seed):
        if isinstance(event, Path):
            path = event
        elif isinstance(event, Progress):
            placed = PLACED
            yield Progress(PLACED * event.fraction, event.stage)
        else:
            yield event
    if path is None:
        raise GeneratorError("no poses were found")
    for event in _from_posed(params, request.seed, path, context):
        yield Progress(placed + (1 - placed) * event.fraction, event.stage) if isinstance(event, Progress) else event


def _from_posed(params: SplatsFromPhotosParams, seed: int, path: Path, context: Context) -> Iterator[Event]:
    yield Progress(0.0, "reading photographs")
    capture = read_capture(path, context.check)
    context.check()
    photographs, unreadable = load_photographs(capture, longest_side_px=params.resolution_px, check=context.check)
    context.check()
    yield from _left_out((*capture.skipped, *unreadable), len(photographs))
    kept = list(held_out(len(photographs), params.hold_out_every))
    views = [photograph for photograph, held in zip(photographs, kept, strict=True) if not held]
    judged = [photograph for photograph, held in zip(photographs, kept, strict=True) if held] or views[:1]
    first_time = context.device == "cpu" and not compiled_before(composite_backward)
    yield Progress(LOADED, PREPARING if first_time else "finding depth")
    trainer = Trainer(views, _settings(params, seed), points=capture.points, device=context.device)
    saved = context.scratch / CHECKPOINT_NAME
    if saved.exists():
        checkpoint.load(trainer, saved)
        yield Note(f"taken up again at iteration {trainer.iteration}")
    context.check()
    yield Progress(SEEDED, PREPARING if first_time else f"{len(trainer.parameters):,} seeds")
    if context.wants_previews:
        yield Preview(preview(trainer, judged[0]))
    yield from _train(trainer, context, judged, saved)
    quality = trainer.evaluate(judged)
    seen = "held-out" if params.hold_out_every else "training"
    yield Note(
        f"{len(trainer.parameters):,} splats from {len(views)} photographs; "
        f"{seen} views {quality.psnr:.1f} dB PSNR, {quality.ssim:.3f} SSIM"
    )
    if capture.unit_m is None:
        yield Note("the capture does not say how large the scene is; its own units were taken for metres")
    yield Produced(trainer.splats("Splats from photographs"))


def _photos(request: Request) -> Capture | Clip:
    photos = request.inputs.get("photos")
    if not isinstance(photos, Capture | Clip):
        raise GeneratorError("no photographs were given; pass a zip or folder of photographs, or a film")
    return photos


def _settings(params: SplatsFromPhotosParams, seed: int) -> TrainerSettings:
    return TrainerSettings(
        iterations=params.iterations,
        splats_max=params.splats_max,
        sh_degree=params.sh_degree,
        strategy=params.strategy,
        antialiased=params.antialiased,
        exposure=params.exposure,
        background=params.background,
        seed=seed,
    )


def _left_out(skipped: tuple[Skipped, ...], used: int) -> Iterator[Event]:
    """Say which photographs are not used; never drop one in silence."""
    if skipped:
        named = "; ".join(f"{one.name} ({one.reason})" for one in skipped[:NAMED_MAX])
        more = f"; and {len(skipped) - NAMED_MAX} more" if len(skipped) > NAMED_MAX else ""
        yield Note(f"{used} of {used + len(skipped)} listed photographs are used. Left out: {named}{more}")


def _train(trainer: Trainer, context: Context, judged: list[Photograph], saved: Path) -> Iterator[Event]:
    """Take steps until done, with a picture every second, a score every five and a checkpoint every fifteen."""
    pictured = scored = kept = time.monotonic()
    score = ""
    while not trainer.done:
        context.check()
        trainer.step()
        now = time.monotonic()
        if now - kept > CHECKPOINT_SECS:
            checkpoint.save(trainer, saved)
            kept = time.monotonic()
        if now - scored > SCORE_SECS:
            score = f" {trainer.evaluate(judged[:3]).psnr:.1f} dB"
            scored = time.monotonic()
        if now - pictured > PREVIEW_SECS:
            fraction = SEEDED + (1 - SEEDED) * trainer.fraction
            yield Progress(fraction, f"training {len(trainer.parameters):,} splats{score}")
            if context.wants_previews:
                yield Preview(preview(trainer, judged[0]))
            pictured = time.monotonic()


def preview(trainer: Trainer, view: Photograph) -> NDArray[np.uint8]:
    """The cloud as that photograph's camera sees it, uint8 sRGB [H, W, 3], 320 px at most."""
    camera = view.camera
    scale = min(1.0, PREVIEW_SIDE_PX / max(camera.width, camera.height))
    small = camera.resized(max(1, round(camera.width * scale)), max(1, round(camera.height * scale)))
    image = np.clip(trainer.render(small), 0.0, 1.0)
    return np.ascontiguousarray((image.transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8))


__all__ = ["CaptureError", "preview", "run"]
