"""`mesh.from_splats`: look at a cloud from where it is best seen, fuse the distances, and finish the surface."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

import numpy as np

from engines.assets import Capture, Mesh, Splats
from generators.events import Context, Event, GeneratorError, Note, Produced, Progress, Request
from generators.meshes.depth_views import DepthView, Render, cloud_render
from generators.meshes.finishing import Finish, finished, shown
from generators.meshes.fusion import Box
from generators.meshes.isosurface import Check, Surface
from generators.meshes.manifold import welded
from generators.meshes.reconstruction import surface_of_views
from generators.meshes.report import print_words, reported
from generators.meshes.solid import closed
from generators.meshes.specs import FromFieldParams, FromSplatsParams, ReconstructionParams
from generators.meshes.view_colours import Picture
from generators.meshes.viewpoints import chosen, extent_of
from generators.radiance.cameras import Camera
from generators.radiance.capture import read_capture
from generators.radiance.on_processor import told_if_on_processor
from generators.radiance.parameters import from_splats
from generators.radiance.photographs import load_photographs
from generators.radiance.rasterizer import backend_for

VIEWS_MIN = 3


def run(request: Request, context: Context) -> Iterator[Event]:
    """One textured mesh of `request.inputs["splats"]`; cameras from `photos` if they are given.

    Raises `GeneratorError` when no surface can be seen in the cloud.
    """
    params = request.params
    if not isinstance(params, FromSplatsParams):
        raise TypeError(f"mesh.from_splats wants FromSplatsParams, got {type(params).__name__}")
    splats = request.inputs["splats"]
    if not isinstance(splats, Splats):
        raise GeneratorError(f"mesh.from_splats: expected splats, got {type(splats).__name__.lower()}")
    yield Progress(0.0, "choosing viewpoints")
    yield from told_if_on_processor(context.device, context.check)
    cloud = from_splats(splats)
    render = cloud_render(cloud, backend_for(context.device))
    photos = request.inputs.get("photos")
    if isinstance(photos, Capture):
        cameras = taken(photos, params, context)
    else:
        cameras = chosen(cloud, render, params.views, context.check)
    if len(cameras) < VIEWS_MIN:
        raise GeneratorError(
            f"only {len(cameras)} viewpoints see a clear surface in this cloud, at least {VIEWS_MIN} are needed; "
            "give the photographs it was trained on as photos, or train it further"
        )
    yield Progress(0.1, f"looking from {len(cameras)} viewpoints")
    views = looked(render, [sized(camera, params.view_px) for camera in cameras], context.check)
    made: list[Mesh] = []
    yield from meshed(views, views, params, context, splats.name or "mesh from splats", made)
    yield Produced(made[0])


def taken(photos: Capture, params: FromSplatsParams | FromFieldParams, context: Context) -> list[Camera]:
    """The cameras of the photographs, evenly thinned to the number of views wished for."""
    photographs, _ = load_photographs(
        read_capture(photos.path, context.check), longest_side_px=params.view_px, check=context.check
    )
    cameras = [photograph.camera for photograph in photographs]
    if len(cameras) <= params.views:
        return cameras
    return [cameras[int(n)] for n in np.linspace(0, len(cameras) - 1, params.views).round()]


def sized(camera: Camera, side_px: int) -> Camera:
    """The same view with its longer side that many pixels."""
    scale = side_px / max(camera.width, camera.height)
    return camera.resized(max(1, round(camera.width * scale)), max(1, round(camera.height * scale)))


def looked(render: Render, cameras: Sequence[Camera], check: Check) -> list[DepthView]:
    """What each camera sees."""
    views = []
    for camera in cameras:
        check()
        views.append(render(camera))
    return views


def meshed(
    views: Sequence[DepthView],
    colours: Sequence[DepthView] | Sequence[Picture],
    params: ReconstructionParams,
    context: Context,
    name: str,
    made: list[Mesh],
    extra: Sequence[DepthView] = (),
) -> Iterator[Event]:
    """From distance pictures to the finished mesh, which is put into `made`; from a fifth of the run on.

    `views` say how far the mesh reaches; `extra` only add to its shape.
    """
    if not any((view.depth > 0).any() for view in views):
        raise GeneratorError("no viewpoint sees a clear surface; the cloud may be fog, or the cameras may not fit it")
    low, high = extent_of(views, params.keep)
    yield Progress(0.2, "fusing distances")
    surface, dropped, cell_m = surface_of_views(
        [*views, *extra], Box(low, high), params.detail, rounds=params.smoothing, check=context.check
    )
    if not len(surface.faces):
        raise GeneratorError("the viewpoints agree on no surface; train the cloud further or lower the detail")
    yield Note(
        f"{len(views) + len(extra)} viewpoints, cells of {cell_m:.3g} m, {len(surface.faces):,} triangles before "
        f"reduction; {dropped} loose pieces were left out"
    )
    if context.wants_previews:
        yield shown(surface)
    surface = yield from _closed(surface, params, context)
    pictures = [c if isinstance(c, Picture) else picture_of(c) for c in colours]
    finish = Finish(params.triangles, params.texture_px, params.normal_map, params.occlusion, name)
    yield from finished(surface, pictures, finish, context, 0.4, made)
    if params.watertight:
        whole, _ = welded(made[0].positions, made[0].faces)
        yield Note(print_words(reported(whole, check=context.check)))


def _closed(surface: Surface, params: ReconstructionParams, context: Context) -> Generator[Event, None, Surface]:
    if not params.watertight:
        return surface
    yield Progress(0.35, "closing")
    thickness = params.thickness * float(np.ptp(surface.positions, axis=0).max())
    surface, holes, thick = closed(surface, thickness, context.check)
    how = f"the sheet was given a thickness of {thickness:.3g} m" if thick else "no sheet was left to thicken"
    yield Note(f"to make it watertight {holes} holes were closed; {how}")
    return surface


def picture_of(view: DepthView) -> Picture:
    """A rendered view as a source of colour, trusted where it shows a clear surface."""
    return Picture(view.camera, view.colour, (view.depth > 0).astype(np.float32))
