"""`field.from_photos`: read a capture, train a radiance field while the artist watches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.assets import Capture, Clip
from generators.beside import Beside
from generators.events import Event, GeneratorError, Note, Preview, Produced, Progress, Request, WatchedContext
from generators.fields import checkpoint
from generators.fields.settings import FieldSettings
from generators.fields.specs import FieldFromPhotosParams
from generators.fields.trainer import FieldTrainer
from generators.fields.training import train_rays
from generators.radiance.archive import CaptureError
from generators.radiance.capture import Skipped, read_capture
from generators.radiance.photographs import Photograph, held_out, load_photographs
from generators.radiance.poses.capture_poses import on_posed
from generators.radiance.rasterizer.kernels import compiled_before

PREVIEW_SECS, SCORE_SECS, CHECKPOINT_SECS = 1.0, 8.0, 15.0
PREVIEW_SIDE_PX = 320
SHARE = 10.0
"""What is done beside training waits so many times as long as it has taken."""
CHECKPOINT_NAME = "field_from_photos.npz"
NAMED_MAX = 20
LOADED = 0.04
"""Share of the run on the progress bar that reading takes."""
CELLS = {
    "coarse": (128, (0.4, 0.6), (4096, 8192)),
    "medium": (256, (0.3, 0.32, 0.38), (4096, 8192, 16384)),
    "fine": (512, (0.2, 0.22, 0.26, 0.32), (4096, 8192, 16384, 16384)),
}
"""Cells across the finest lattice, shares of the run and pixels a step of each level."""


def run(request: Request, context: WatchedContext) -> Iterator[Event]:
    """A field from `request.inputs["photos"]`: a `Capture` whose path is a zip or a folder, or a film.

    Camera poses are found first where none are given. Raises `GeneratorError` when the photographs cannot be used.
    """
    params, photos = request.params, request.inputs.get("photos")
    if not isinstance(params, FieldFromPhotosParams):
        raise GeneratorError(f"expected FieldFromPhotosParams, got {type(params).__name__}")
    if not isinstance(photos, Capture | Clip):
        raise GeneratorError("no photographs were given; pass a zip or folder of photographs, or a film")
    yield from on_posed(
        photos, context, seed=request.seed, work=lambda path: _from_posed(params, request.seed, path, context)
    )


def settings_of(params: FieldFromPhotosParams, seed: int) -> FieldSettings:
    """The training settings that the artist's parameters mean."""
    cells, shares, rays = CELLS[params.detail]
    return FieldSettings(
        iterations=params.iterations,
        cells=cells,
        level_shares=shares,
        level_rays=rays,
        radius=params.radius,
        scatter=params.gather,
        seed=seed,
    )


def _from_posed(params: FieldFromPhotosParams, seed: int, path: Path, context: WatchedContext) -> Iterator[Event]:
    yield Progress(0.0, "reading photographs")
    capture = read_capture(path, context.check)
    photographs, unreadable = load_photographs(capture, longest_side_px=params.resolution_px, check=context.check)
    yield from _left_out((*capture.skipped, *unreadable), len(photographs))
    kept = list(held_out(len(photographs), params.hold_out_every))
    views = [photograph for photograph, held in zip(photographs, kept, strict=True) if not held]
    judged = [photograph for photograph, held in zip(photographs, kept, strict=True) if held] or views[:1]
    first_time = context.device == "cpu" and not compiled_before(train_rays)
    yield Progress(LOADED, "preparing kernels (first time only)" if first_time else "laying out")
    if context.device != "cpu":
        yield Note("trained on the graphics card, where two runs with the same seed differ in the last bits")
    with Beside(context.check) as beside:
        trainer, said = beside(
            lambda: _begun(views, settings_of(params, seed), context.scratch / CHECKPOINT_NAME, context.device)
        )
        yield from said
        yield from _train(trainer, context, judged, beside)
        quality = beside(lambda: trainer.evaluate(judged))
        field = beside(lambda: trainer.field("Field from photographs"))
    seen = "held-out" if params.hold_out_every else "training"
    yield Note(
        f"{int((field.occupied > 0).sum()):,} cells from {len(views)} photographs; "
        f"{seen} views {quality.psnr:.1f} dB PSNR, {quality.ssim:.3f} SSIM"
    )
    if capture.unit_m is None:
        yield Note("the capture does not say how large the scene is; its own units were taken for metres")
    yield Produced(field)


def _begun(
    views: list[Photograph], settings: FieldSettings, saved: Path, device: str
) -> tuple[FieldTrainer, list[Event]]:
    """A trainer at its beginning, or where an earlier attempt was ended."""
    trainer = FieldTrainer(views, settings, device=device)
    if not saved.exists():
        return trainer, []
    try:
        checkpoint.load(trainer, saved)
    except CaptureError as error:
        return FieldTrainer(views, settings, device=device), [Note(f"begun anew: {error}")]
    return trainer, [Note(f"taken up again at iteration {trainer.iteration}")]


def _left_out(skipped: tuple[Skipped, ...], used: int) -> Iterator[Event]:
    """Say which photographs are not used; never drop one in silence."""
    if skipped:
        named = "; ".join(f"{one.name} ({one.reason})" for one in skipped[:NAMED_MAX])
        more = f"; and {len(skipped) - NAMED_MAX} more" if len(skipped) > NAMED_MAX else ""
        yield Note(f"{used} of {used + len(skipped)} listed photographs are used. Left out: {named}{more}")


def _train(trainer: FieldTrainer, context: WatchedContext, judged: list[Photograph], beside: Beside) -> Iterator[Event]:
    """Take steps until done, with a picture every second, a score every eight and a checkpoint every fifteen.

    Each of them comes less often where it would take more than a tenth of the time.
    """
    pictured, scored, kept = (_Turn(secs) for secs in (PREVIEW_SECS, SCORE_SECS, CHECKPOINT_SECS))
    score, saved = "", context.scratch / CHECKPOINT_NAME
    while not trainer.done:
        context.check()
        if context.finishing:
            trainer.stop_early()
            yield Note(f"finished early, at iteration {trainer.iteration} of {trainer.settings.iterations}")
            return
        beside(trainer.step)
        if kept.due():
            beside(lambda: checkpoint.save(trainer, saved))
            kept.done()
        if scored.due():
            score = f", {beside(lambda: trainer.evaluate(judged[:2])).psnr:.1f} dB"
            scored.done()
        if pictured.due():
            stage = f"training, {trainer.lattice.cells} cells across{score}"
            yield Progress(LOADED + (1 - LOADED) * trainer.fraction, stage)
            if context.wants_previews:
                yield Preview(beside(lambda: preview(trainer, judged[0])))
            pictured.done()


class _Turn:
    """When something that is done every so often is due again: ten times as long after it as it took, at least."""

    def __init__(self, every_secs: float) -> None:
        self._every = every_secs
        self._began = time.monotonic()
        self._next = self._began + every_secs

    def due(self) -> bool:
        """Whether it is to be done now; its time then begins to count."""
        self._began = time.monotonic()
        return self._began >= self._next

    def done(self) -> None:
        """It has been done."""
        now = time.monotonic()
        self._next = now + max(self._every, SHARE * (now - self._began)) if self._every else now


def preview(trainer: FieldTrainer, view: Photograph) -> NDArray[np.uint8]:
    """The field as that photograph's camera sees it, uint8 sRGB [H, W, 3], 320 px at most."""
    camera = view.camera
    scale = min(1.0, PREVIEW_SIDE_PX / max(camera.width, camera.height))
    small = camera.resized(max(1, round(camera.width * scale)), max(1, round(camera.height * scale)))
    image = np.clip(trainer.render(small).over(trainer.backdrop), 0.0, 1.0)
    return np.ascontiguousarray((image.transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8))
