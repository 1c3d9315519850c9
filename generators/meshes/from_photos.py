"""`mesh.from_photos`: splats give the shape, the photographs themselves give the colours."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from engines.assets import Capture, Clip, Mesh, Splats
from generators.events import Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.meshes.depth_views import cloud_render
from generators.meshes.exposure import even_gains
from generators.meshes.from_splats import looked, meshed, sized
from generators.meshes.specs import FromPhotosParams
from generators.meshes.view_colours import Picture
from generators.meshes.viewpoints import chosen
from generators.radiance.capture import Capture as ReadCapture
from generators.radiance.capture import read_capture
from generators.radiance.parameters import Parameters, from_splats
from generators.radiance.photographs import Photograph, load_photographs
from generators.radiance.poses.capture_poses import is_posed, on_posed
from generators.radiance.rasterizer import backend_for
from generators.radiance.splats_from_photos import preview
from generators.radiance.trainer import Trainer, TrainerSettings

PREVIEW_SECS = 1.0
TRAINED = 0.55
"""Share of the run that training takes on the progress bar."""
NAMED_MAX = 12
MORE_VIEWS = 24
"""Viewpoints of its own, besides the photographs', from which the shape is looked at."""


def run(request: Request, context: Context) -> Iterator[Event]:
    """One textured mesh of `request.inputs["photos"]`; `splats` trained on them before save the training.

    Raises `GeneratorError` when the photographs cannot be used or agree on no surface.
    """
    params = request.params
    if not isinstance(params, FromPhotosParams):
        raise TypeError(f"mesh.from_photos wants FromPhotosParams, got {type(params).__name__}")
    photos, splats = request.inputs.get("photos"), request.inputs.get("splats")
    if not isinstance(photos, Capture | Clip):
        raise GeneratorError("no photographs were given; pass a zip or folder of photographs, or a film")
    cloud = from_splats(splats) if isinstance(splats, Splats) else None
    if cloud is not None and not is_posed(photos):
        raise GeneratorError(
            "these photographs have no camera poses, and poses found now would not be those of the splats; run "
            "capture.poses once and use what it makes for both"
        )
    yield from on_posed(
        photos, context, seed=request.seed, work=lambda path: _from_posed(params, request.seed, path, cloud, context)
    )


def _from_posed(
    params: FromPhotosParams, seed: int, path: Path, cloud: Parameters | None, context: Context
) -> Iterator[Event]:
    yield Progress(0.0, "reading photographs")
    capture = read_capture(path, context.check)
    photographs, unreadable = load_photographs(capture, longest_side_px=params.photo_px, check=context.check)
    skipped = (*capture.skipped, *unreadable)
    if skipped:
        named = "; ".join(f"{one.name} ({one.reason})" for one in skipped[:NAMED_MAX])
        yield Note(f"{len(photographs)} photographs are used. Left out: {named}")
    if cloud is None:
        cloud = yield from _trained(capture, params, seed, context)
    yield Progress(TRAINED, "measuring distances")
    render = cloud_render(cloud, backend_for(context.device))
    views = looked(render, [sized(p.camera, params.view_px) for p in photographs], context.check)
    pictures = [picture_of(p) for p in photographs]
    gains = even_gains(views, pictures, context.check) if params.even_exposure else None
    if gains is not None:
        spread = np.log2(gains.max(0) / gains.min(0)).max()
        yield Note(f"exposures differ by up to {spread:.2f} stops and were evened out before blending")
        pictures = [replace(p, gains=g) for p, g in zip(pictures, gains, strict=True)]
    # Behind what hides it from the photographs the cloud may still know the wall.
    more = [sized(camera, params.view_px) for camera in chosen(cloud, render, MORE_VIEWS, context.check)]
    extra = looked(render, more, context.check)
    made: list[Mesh] = []
    for event in meshed(views, pictures, params, context, "mesh from photographs", made, extra):
        yield Progress(TRAINED + (1 - TRAINED) * event.fraction, event.stage) if isinstance(event, Progress) else event
    if capture.unit_m is None:
        yield Note("the capture does not say how large the scene is; its own units were taken for metres")
    yield Produced(made[0])


def _trained(
    capture: ReadCapture, params: FromPhotosParams, seed: int, context: Context
) -> Generator[Event, None, Parameters]:
    """A cloud trained on small versions of the photographs, in their own world."""
    small, _ = load_photographs(capture, longest_side_px=params.view_px, check=context.check)
    settings = TrainerSettings(iterations=params.iterations, splats_max=params.splats_max, sh_degree=1, seed=seed)
    yield Progress(0.04, "seeding splats")
    trainer = Trainer(small, settings, points=capture.points, device=context.device)
    said = time.monotonic()
    while not trainer.done:
        context.check()
        trainer.step()
        if time.monotonic() - said > PREVIEW_SECS:
            said = time.monotonic()
            yield Progress(0.05 + (TRAINED - 0.05) * trainer.fraction, f"training {len(trainer.parameters):,} splats")
            if context.wants_previews:
                yield Preview(preview(trainer, small[0]))
    return trainer.normalisation.to_world(trainer.parameters)


def picture_of(photograph: Photograph) -> Picture:
    """A photograph as a source of colour: transparent and masked places are not used."""
    pixels = np.ascontiguousarray(photograph.pixels.transpose(1, 2, 0))
    trust = np.ones(pixels.shape[:2], np.float32)
    if photograph.alpha is not None:
        trust *= photograph.alpha > 250
    if photograph.mask is not None:
        trust *= photograph.mask
    return Picture(photograph.camera, pixels, trust)
