"""`splats.from_photos`: read a capture, seed a cloud, train it while the artist watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.assets import Asset, Capture, Clip, Splats
from engines.importance import order_of
from generators.beside import Beside
from generators.events import (
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
from generators.radiance import backdrop, checkpoint
from generators.radiance.adam import Rates
from generators.radiance.archive import CaptureError
from generators.radiance.capture import Skipped, read_capture
from generators.radiance.colmap import Points
from generators.radiance.depth_loss import KnownDepth
from generators.radiance.parameters import Parameters, from_splats
from generators.radiance.photographs import Photograph, held_out, load_photographs
from generators.radiance.poses.capture_poses import on_posed
from generators.radiance.rasterizer import unfit
from generators.radiance.rasterizer.compositing import composite_backward
from generators.radiance.rasterizer.kernels import compiled_before
from generators.radiance.shelf import Shelf
from generators.radiance.specs import SplatsFromPhotosParams
from generators.radiance.trainer import Trainer, TrainerSettings, normalisation

PREVIEW_SECS = 1.0
PREVIEW_SIDE_PX = 320
SCORE_SECS = 5.0
CHECKPOINT_SECS = 15.0
CHECKPOINT_NAME = "splats_from_photos.npz"
NAMED_MAX = 20
FURTHER_RATE = 0.3
"""Learning rates of a cloud that is trained further, as a share of those from seeds.

More reaches a better end (0.4 gained 1.5 dB on the fox, 0.2 1.3 dB), but spoils what is there at first, by 0.5 dB.
"""
PREPARING = "preparing kernels (first time only)"
"""Said while the inner loops are compiled: about a minute, once on each machine."""
PREPARING_CARD = "preparing the graphics card (minutes, the first time only)"
"""Said while gsplat is asked for a picture: it compiles its kernels when it is first used on a machine."""
LOADED, SEEDED = 0.04, 0.08
"""Share of the run that reading and seeding take on the progress bar."""


def run(request: Request, context: WatchedContext) -> Iterator[Event]:
    """Splats from `request.inputs["photos"]`: a `Capture` whose path is a zip or a folder, or a film.

    Camera poses are found first where none are given. Raises `GeneratorError` when the photographs cannot be used.
    """
    params = request.params
    if not isinstance(params, SplatsFromPhotosParams):
        raise GeneratorError(f"expected SplatsFromPhotosParams, got {type(params).__name__}")
    yield from on_posed(
        _photos(request), context, seed=request.seed, work=lambda path: _from_posed(request, params, path, context)
    )


def _from_posed(
    request: Request, params: SplatsFromPhotosParams, path: Path, context: WatchedContext
) -> Iterator[Event]:
    yield Progress(0.0, "reading photographs")
    with Beside(context.check) as beside, Shelf(context.scratch) as shelf:
        capture = beside(lambda: read_capture(path, beside.wanted))
        photographs, unreadable = beside(
            lambda: load_photographs(capture, longest_side_px=params.resolution_px, check=beside.wanted, shelf=shelf)
        )
        for sentence in capture.notes:
            yield Note(sentence)
        yield from _left_out((*capture.skipped, *unreadable), len(photographs))
        background = params.background
        if background == "auto":
            photographs, background, words = beside(lambda: _before_nothing(photographs, beside.wanted, shelf))
            if words:
                yield Note(words)
        params = msgspec.structs.replace(params, background=background)
        trainer = yield from _trained(request, params, photographs, capture.points, context, beside, shelf)
    if capture.unit_m is None:
        yield Note("the capture does not say how large the scene is; its own units were taken for metres")
    splats = trainer.splats("Splats from photographs")
    yield Grown(splats, trainer.adam.ids)
    yield Produced(splats)


def _before_nothing(
    photographs: list[Photograph], check: Callable[[], None], shelf: Shelf
) -> tuple[list[Photograph], Literal["black", "random"], str]:
    """The photographs without what is behind their subject, the background to train before, and what was done.

    Before one colour only, splats of that colour would cost nothing, and be seen before every other.
    """
    if any(photograph.alpha is not None for photograph in photographs):
        return photographs, "random", ""
    colour = backdrop.colour_behind(photographs)
    if colour is None:
        return photographs, "black", ""
    words = "the even colour behind the subject is left out of the cloud; background 'black' or 'white' keeps it"
    return backdrop.cut_out(photographs, colour, check, shelf), "random", words


def _trained(
    request: Request,
    params: SplatsFromPhotosParams,
    photographs: list[Photograph],
    points: Points | None,
    context: WatchedContext,
    beside: Beside,
    shelf: Shelf,
) -> Generator[Event, None, Trainer]:
    """Seed and train; what was reached is told, and the trainer given back."""
    kept = list(held_out(len(photographs), params.hold_out_every))
    views = [photograph for photograph, held in zip(photographs, kept, strict=True) if not held]
    judged = [photograph for photograph, held in zip(photographs, kept, strict=True) if held] or views[:1]
    saved = context.scratch / CHECKPOINT_NAME
    starts = _Start(request.inputs.get("start"), saved, shelf)
    here = context.device == "cpu"
    if not here:
        yield Progress(LOADED, PREPARING_CARD)
        reason = beside(lambda: unfit(context.device))
        if reason is not None:
            here = True
            yield Note(f"trained on the processor, not on {context.device}: {reason}")
    first_time = here and not compiled_before(composite_backward)
    yield Progress(LOADED, PREPARING if first_time else "reading the cloud" if starts.known else "finding depth")
    settings = _settings(params, request.seed)
    trainer, said = beside(lambda: starts.trainer(views, settings, points, context.device))
    shelf.let_go()
    yield from said
    if trainer.known_depth is not None:
        yield Note(_held_to(trainer.known_depth))
    yield Progress(SEEDED, PREPARING if first_time else f"{len(trainer.parameters):,} seeds")
    if context.wants_growth:
        yield _grown(trainer)
    if context.wants_previews:
        yield Preview(beside(lambda: preview(trainer, judged[0])))
    yield from _train(trainer, context, judged, saved, beside, shelf)
    quality = beside(lambda: trainer.evaluate(judged))
    shelf.let_go()
    seen = "held-out" if params.hold_out_every else "training"
    yield Note(
        f"{len(trainer.parameters):,} splats from {len(views)} photographs; "
        f"{seen} views {quality.psnr:.1f} dB PSNR, {quality.ssim:.3f} SSIM"
        + (", each at its own exposure" if params.exposure else "")
    )
    return trainer


class _Start:
    """Where a run begins: at what an earlier attempt has left, at a cloud that is given, or at seeds of its own."""

    def __init__(self, given: Asset | None, saved: Path, shelf: Shelf) -> None:
        if given is not None and not isinstance(given, Splats):
            raise GeneratorError(f"the cloud to start from is of kind {given.kind}, expected splats")
        self._given = given
        self._saved, self._shelf = saved, shelf

    @property
    def known(self) -> bool:
        """Whether no seeds need be sought."""
        return self._given is not None or self._saved.exists()

    def trainer(
        self, views: list[Photograph], settings: TrainerSettings, points: Points | None, device: str
    ) -> tuple[Trainer, list[Event]]:
        """A trainer that takes the next step, and what the artist is to be told of its beginning."""
        said: list[Event] = []
        initial = None
        if self._given is not None:
            settings = further(settings)
            initial, words = self._adopted(self._given, views, settings)
            said.append(Note(words))
        kept = checkpoint.cloud_in(self._saved) if self._saved.exists() else None
        begin = partial(Trainer, views, settings, points=points, device=device, shelf=self._shelf)
        trainer = begin(initial=initial if kept is None else kept)
        if kept is not None:
            try:
                checkpoint.load(trainer, self._saved)
                return trainer, [*said, Note(f"taken up again at iteration {trainer.iteration}")]
            except CaptureError as error:
                trainer = begin(initial=initial)
                said.append(Note(f"begun anew: {error}"))
        elif self._saved.exists():
            said.append(Note("begun anew: what an earlier attempt had left is damaged"))
        return trainer, said

    @staticmethod
    def _adopted(given: Splats, views: list[Photograph], settings: TrainerSettings) -> tuple[Parameters, str]:
        """The given cloud in the scene's units, with the harmonics and the number of splats that were asked for."""
        parameters = from_splats(given)
        words = f"trained further from {len(parameters):,} splats"
        if len(parameters) > settings.splats_max:
            parameters = parameters.take(np.sort(order_of(given)[: settings.splats_max]))
            words = f"{words}, of which the {settings.splats_max:,} most important were kept"
        wanted = (settings.sh_degree + 1) ** 2
        sh = np.zeros((len(parameters), wanted, 3), np.float32)
        held = min(wanted, parameters.sh.shape[1])
        sh[:, :held] = parameters.sh[:, :held]
        parameters.sh = sh
        return normalisation([view.camera for view in views]).to_scene(parameters), words


def further(settings: TrainerSettings) -> TrainerSettings:
    """Settings for a cloud that is trained already: all harmonics at once, and steps as small as they had become."""
    rates = settings.rates
    calmer = Rates(
        positions=FURTHER_RATE * rates.positions,
        log_scales=FURTHER_RATE * rates.log_scales,
        quaternions=FURTHER_RATE * rates.quaternions,
        logits=FURTHER_RATE * rates.logits,
        sh=FURTHER_RATE * rates.sh,
        sh_rest=rates.sh_rest,
    )
    return msgspec.structs.replace(settings, sh_every=0.0, refine_from=0.0, rates=calmer)


def _grown(trainer: Trainer) -> Grown:
    return Grown(trainer.splats(), trainer.adam.ids)


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
        depth_weight=params.depth_weight,
        normal_weight=params.normal_weight,
        background="black" if params.background == "auto" else params.background,
        seed=seed,
    )


def _held_to(known: KnownDepth) -> str:
    if known.share == 0:
        return "no depth is known, so none is held to; depth pictures in the capture would serve"
    return f"depth is held to {known.source}, known in {known.share:.0%} of the pictures"


def _left_out(skipped: tuple[Skipped, ...], used: int) -> Iterator[Event]:
    """Say which photographs are not used; never drop one in silence."""
    if skipped:
        named = "; ".join(f"{one.name} ({one.reason})" for one in skipped[:NAMED_MAX])
        more = f"; and {len(skipped) - NAMED_MAX} more" if len(skipped) > NAMED_MAX else ""
        yield Note(f"{used} of {used + len(skipped)} listed photographs are used. Left out: {named}{more}")


def _train(
    trainer: Trainer, context: WatchedContext, judged: list[Photograph], saved: Path, beside: Beside, shelf: Shelf
) -> Iterator[Event]:
    """Take steps until done, with a picture every second, a score every five and a checkpoint every fifteen."""
    pictured = scored = kept = time.monotonic()
    score = ""
    while not trainer.done:
        context.check()
        if context.finishing:
            trainer.stop_early()
            yield Note(f"finished early, at iteration {trainer.iteration} of {trainer.settings.iterations}")
            return
        beside(trainer.step)
        shelf.let_go()
        now = time.monotonic()
        if now - kept > CHECKPOINT_SECS:
            checkpoint.save(trainer, saved)
            kept = time.monotonic()
        if now - scored > SCORE_SECS:
            score = f" {beside(lambda: trainer.evaluate(judged[:3])).psnr:.1f} dB"
            scored = time.monotonic()
        if context.wants_growth:
            yield _grown(trainer)
        if now - pictured > PREVIEW_SECS:
            fraction = SEEDED + (1 - SEEDED) * trainer.fraction
            yield Progress(fraction, f"training {len(trainer.parameters):,} splats{score}")
            if context.wants_previews:
                yield Preview(beside(lambda: preview(trainer, judged[0])))
            pictured = time.monotonic()


def preview(trainer: Trainer, view: Photograph) -> NDArray[np.uint8]:
    """The cloud as that photograph's camera sees it, uint8 sRGB [H, W, 3], 320 px at most."""
    camera = view.camera
    scale = min(1.0, PREVIEW_SIDE_PX / max(camera.width, camera.height))
    small = camera.resized(max(1, round(camera.width * scale)), max(1, round(camera.height * scale)))
    image = np.clip(trainer.render(small), 0.0, 1.0)
    return np.ascontiguousarray((image.transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8))


__all__ = ["CaptureError", "preview", "run"]
