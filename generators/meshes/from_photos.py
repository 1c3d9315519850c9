"""`mesh.from_photos`: splats give the shape, the photographs themselves give the colours."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from engines.assets import Capture, Clip, Mesh, Splats
from generators.events import Event, GeneratorError, Grown, Note, Produced, Progress, Request, WatchedContext
from generators.meshes.depth_views import cloud_render
from generators.meshes.exposure import even_gains
from generators.meshes.from_splats import looked, meshed, sized
from generators.meshes.specs import FromPhotosParams
from generators.meshes.view_colours import Picture
from generators.meshes.viewpoints import chosen
from generators.radiance import splats_from_photos
from generators.radiance.capture import read_capture
from generators.radiance.on_processor import told_if_on_processor
from generators.radiance.parameters import from_splats
from generators.radiance.photographs import Photograph, load_photographs
from generators.radiance.poses.capture_poses import is_posed, on_posed
from generators.radiance.rasterizer import backend_for
from generators.radiance.specs import SplatsFromPhotosParams

TRAINED, MEASURED = 0.55, 0.58
"""Shares of the run that training and reading take on the progress bar."""
NAMED_MAX = 12
KEPT_NAME = "mesh_from_photos.npz"
KEPT_ARRAYS = ("positions", "rotations", "scales", "opacities", "sh")
NORMAL_WEIGHT = 0.2
"""How much the training keeps splats flat on smooth surfaces: the value for meshes."""
MORE_VIEWS = 24
"""Viewpoints of its own, besides the photographs', from which the shape is looked at."""


def run(request: Request, context: WatchedContext) -> Iterator[Event]:
    """One textured mesh of `request.inputs["photos"]`; `splats` trained on them before save the training.

    Raises `GeneratorError` when the photographs cannot be used or agree on no surface.
    """
    params = request.params
    if not isinstance(params, FromPhotosParams):
        raise TypeError(f"mesh.from_photos wants FromPhotosParams, got {type(params).__name__}")
    photos = request.inputs.get("photos")
    if not isinstance(photos, Capture | Clip):
        raise GeneratorError("no photographs were given; pass a zip or folder of photographs, or a film")
    if isinstance(request.inputs.get("splats"), Splats) and not is_posed(photos):
        raise GeneratorError(
            "these photographs have no camera poses, and poses found now would not be those of the splats; run "
            "capture.poses once and use what it makes for both"
        )
    yield from on_posed(
        photos, context, seed=request.seed, work=lambda path: _from_posed(request, params, path, context)
    )


def _from_posed(request: Request, params: FromPhotosParams, path: Path, context: WatchedContext) -> Iterator[Event]:
    splats = request.inputs.get("splats")
    given = isinstance(splats, Splats)
    splats = splats if isinstance(splats, Splats) else kept_cloud(context.scratch)
    if splats is None:
        splats = yield from _trained(params, request.seed, path, context)
        keep_cloud(splats, context.scratch)
    yield Progress(TRAINED, "reading photographs")
    capture = read_capture(path, context.check)
    photographs, unreadable = load_photographs(capture, longest_side_px=params.photo_px, check=context.check)
    if given:
        if skipped := (*capture.skipped, *unreadable):
            named = "; ".join(f"{one.name} ({one.reason})" for one in skipped[:NAMED_MAX])
            yield Note(f"{len(photographs)} photographs are used. Left out: {named}")
        if capture.unit_m is None:
            yield Note("the capture does not say how large the scene is; its own units were taken for metres")
        yield from told_if_on_processor(context.device, context.check)
    yield Progress(MEASURED, "measuring distances")
    cloud = from_splats(splats)
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
        if isinstance(event, Progress):
            event = Progress(MEASURED + (1 - MEASURED) * event.fraction, event.stage)
        yield event
    yield Produced(made[0])


def _trained(
    params: FromPhotosParams, seed: int, path: Path, context: WatchedContext
) -> Generator[Event, None, Splats]:
    """A cloud as `splats.from_photos` trains it, with its pictures, its checkpoints and its early end."""
    training = SplatsFromPhotosParams(
        resolution_px=params.view_px,
        iterations=params.iterations,
        splats_max=params.splats_max,
        sh_degree=1,
        normal_weight=NORMAL_WEIGHT,
    )
    made: Splats | None = None
    for event in splats_from_photos.run(Request(training, seed, {"photos": Capture(path)}), context):
        if isinstance(event, Produced) and isinstance(event.asset, Splats):
            made = event.asset
        elif isinstance(event, Progress):
            yield Progress(TRAINED * event.fraction, event.stage)
        # What grows is not what the run gives in the end: nobody is to place it.
        elif not isinstance(event, Grown):
            yield event
    if made is None:
        raise GeneratorError("the training gave no cloud; run splats.from_photos on the same photographs and pass it")
    return made


def keep_cloud(splats: Splats, scratch: Path) -> None:
    """Leave a trained cloud for a run that has to be taken up again."""
    part = scratch / f"part_{KEPT_NAME}"
    arrays = {name: getattr(splats, name) for name in KEPT_ARRAYS}
    np.savez(part, **arrays)
    part.replace(scratch / KEPT_NAME)


def kept_cloud(scratch: Path) -> Splats | None:
    """The cloud that an earlier attempt had trained; None when it had not come so far, or left damaged bytes."""
    try:
        with (scratch / KEPT_NAME).open("rb") as file, np.load(file, allow_pickle=False) as held:
            return Splats(**{name: held[name] for name in KEPT_ARRAYS})
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return None


def picture_of(photograph: Photograph) -> Picture:
    """A photograph as a source of colour: transparent and masked places are not used."""
    pixels = np.ascontiguousarray(photograph.pixels.transpose(1, 2, 0))
    trust = np.ones(pixels.shape[:2], np.float32)
    if photograph.alpha is not None:
        trust *= photograph.alpha > 250
    if photograph.mask is not None:
        trust *= photograph.mask
    return Picture(photograph.camera, pixels, trust)
