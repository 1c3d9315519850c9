"""`splats.from_text`: a cloud of splats shaped by what a text-to-image model says of its pictures, from all sides."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generators.beside import Beside
from generators.events import Event, GeneratorError, Grown, Note, Preview, Produced, Progress, Request, WatchedContext
from generators.radiance import checkpoint
from generators.radiance.archive import CaptureError
from generators.radiance.distilling import Distiller, DistillerSettings, orbiting
from generators.radiance.guidance import Distillation, loaded
from generators.radiance.on_processor import told_if_on_processor
from generators.radiance.text_specs import SplatsFromTextParams

PREVIEW_SECS = 1.0
PREVIEW_PX = 256
PREVIEW_DEG = (30.0, 15.0)
"""Azimuth and elevation from which previews look."""
CHECKPOINT_SECS = 15.0
CHECKPOINT_NAME = "splats_from_text.npz"
LOADED = 0.02
_SIZE = "the model does not know how large things are: the cloud was made to fit into a ball 1 m wide, front to +Z"


def run(request: Request, context: WatchedContext) -> Iterator[Event]:
    """Splats for the prompt. Raises `GeneratorError` when weights are missing or cannot be used."""
    params = request.params
    if not isinstance(params, SplatsFromTextParams):
        raise GeneratorError(f"expected SplatsFromTextParams, got {type(params).__name__}")
    if not params.prompt.strip():
        raise GeneratorError("the prompt is empty; say what is to be made, such as “a wooden chair”")
    yield Progress(0.0, "loading the model")
    yield from told_if_on_processor(context.device, context.check)
    with Beside(context.check) as beside:
        distiller, model = beside(lambda: _made(params, request.seed, context.device))
        saved = _Saved(
            context.scratch / CHECKPOINT_NAME, (model, params.prompt, params.negative_prompt, params.guidance)
        )
        yield Progress(LOADED, f"{len(distiller.parameters):,} seeds")
        if words := saved.taken_up(distiller):
            yield Note(words)
        began, first = time.monotonic(), distiller.iteration
        yield from _shaped(distiller, context, beside, saved)
        each = (time.monotonic() - began) / max(distiller.iteration - first, 1)
    slow = "; a graphics card is many times faster" if context.device == "cpu" else ""
    yield Note(
        f"{len(distiller.parameters):,} splats by score distillation from {model}, {distiller.iteration} steps of "
        f"{each:.2f} s on {context.device}{slow}. Faces may come up on several sides: the model only knows pictures"
    )
    yield Note(_SIZE)
    splats = distiller.splats(params.prompt[:80])
    yield Grown(splats, distiller.adam.ids)
    yield Produced(splats)


def _made(params: SplatsFromTextParams, seed: int, device: str) -> tuple[Distiller, str]:
    """A cloud of seeds with its guide, and what the model is called."""
    pipeline, folder = loaded(device)
    guide = Distillation(
        pipeline, params.prompt, params.negative_prompt, guidance=params.guidance, seed=seed, device=device
    )
    settings = DistillerSettings(
        steps=params.steps, splats_max=params.splats_max, resolution_px=params.resolution_px, seed=seed
    )
    cached = folder.parent.name == "snapshots"  # whose folder is named after a digest
    name = folder.parents[1].name.removeprefix("models--").replace("--", "/") if cached else folder.name
    return Distiller(guide, settings, device=device), name


class _Saved:
    """What an earlier attempt has left of the cloud, and where this one leaves its own."""

    def __init__(self, path: Path, asked: Sequence[object]) -> None:
        self._path, self._asked = path, [str(one) for one in asked]
        self._when = time.monotonic()

    def taken_up(self, distiller: Distiller) -> str:
        """Bring a fresh distiller to where the earlier attempt was, if there was one; what the artist is told."""
        if not self._path.exists():
            return ""
        try:
            checkpoint.load_distiller(distiller, self._asked, self._path)
        except CaptureError as error:
            return f"begun anew: {error}"
        return f"taken up again at step {distiller.iteration}"

    def keep(self, distiller: Distiller) -> None:
        """Write the state down when it is time."""
        if time.monotonic() - self._when > CHECKPOINT_SECS:
            checkpoint.save_distiller(distiller, self._asked, self._path)
            self._when = time.monotonic()


def _shaped(distiller: Distiller, context: WatchedContext, beside: Beside, saved: _Saved) -> Iterator[Event]:
    """Take steps until done, with a picture every second at most."""
    began, first, pictured = time.monotonic(), distiller.iteration, 0.0
    while not distiller.done:
        context.check()
        if context.finishing:
            yield Note(f"finished early, at step {distiller.iteration} of {distiller.settings.steps}")
            return
        beside(distiller.step)
        saved.keep(distiller)
        if context.wants_growth:
            yield Grown(distiller.splats(), distiller.adam.ids)
        now = time.monotonic()
        if now - pictured > PREVIEW_SECS:
            each = (now - began) / (distiller.iteration - first)
            left = each * (distiller.settings.steps - distiller.iteration)
            stage = f"step {distiller.iteration}, {each:.1f} s each, {left / 60:.0f} min left"
            yield Progress(LOADED + (1 - LOADED) * distiller.fraction, stage)
            if context.wants_previews:
                yield Preview(beside(lambda: preview(distiller)))
            pictured = time.monotonic()


def preview(distiller: Distiller) -> NDArray[np.uint8]:
    """The cloud from a little to the right and above, over grey, uint8 sRGB [256, 256, 3]."""
    camera = orbiting(*PREVIEW_DEG, 1.6, 45.0, PREVIEW_PX)
    image = np.clip(distiller.render(camera, np.full(3, 0.5, np.float32)), 0.0, 1.0)
    return np.ascontiguousarray((image.transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8))
