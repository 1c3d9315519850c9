"""A cloud of splats truly rendered for the artist's camera: roughly while it moves, in full when it rests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engines.assets import Splats
from generators.events import GeneratorError, Request
from generators.live.coarse_to_fine import CoarseToFine, never, shortest_ms
from generators.live.drawing_splats import Drawer, Way, drawer_for
from generators.live.frames import Answer, Camera, Frame, LiveContext, Picture
from generators.live.specs import COMPILING, ViewSplatsParams
from generators.radiance import cameras
from generators.radiance.on_processor import why_on_processor
from generators.radiance.parameters import Parameters, from_splats
from generators.radiance.rasterizer.forward import compositing
from generators.radiance.rasterizer.forward.renderer import Look
from generators.radiance.rasterizer.kernels import compiled_before

WAYS = (
    Way(), Way(0.7), Way(0.5), Way(0.5, 0.7), Way(0.5, 0.5), Way(0.35, 0.5), Way(0.35, 0.25), Way(0.25, 0.25),
    Way(0.18, 0.25), Way(0.18, 0.12),
)  # fmt: skip
"""From the whole picture to a sketch. Pixels go before splats, since a host draws fewer of them larger smoothly, while
splats that are left out leave holes; but half the splats, those that matter most, look better than a third of it."""
WHOLE = Way()
BACKGROUNDS = {"transparent": None, "black": 0.0, "grey": 0.35, "white": 1.0}
FAR = 60.0
"""An orthographic view is drawn from so many picture heights away."""


def start(request: Request, context: LiveContext) -> Answer:
    """Prepare the cloud and draw it once."""
    cloud = request.inputs.get("splats")
    if not isinstance(cloud, Splats):
        raise GeneratorError("expected a cloud of splats as the input `splats`")
    if not compiled_before(compositing.composite):
        context.tell(COMPILING)
    on_processor = why_on_processor(context.device)
    if on_processor is not None:
        context.note(on_processor)
    return Viewer(cloud, context)


class Viewer:
    """One cloud, what draws it, and what was asked last."""

    def __init__(self, cloud: Splats, context: LiveContext) -> None:
        parameters = from_splats(cloud)
        parameters.check()
        self.drawer: Drawer = drawer_for(context.device, parameters)
        outside = view_of(parameters, context.width_px, context.height_px)
        self.draw(outside, ViewSplatsParams())  # compiles
        typical_ms = [shortest_ms(partial(self.draw, outside, ViewSplatsParams(), way)) for way in WAYS]
        self.ways: tuple[Way, ...] = WAYS
        self.answer = CoarseToFine(context, self._draw_numbered, typical_ms)

    def __call__(self, frame: Frame) -> Iterator[Picture]:
        """Answer one frame; a rough picture first where the full one is slow and the camera moves."""
        if frame.camera is None:
            raise GeneratorError("a view of splats needs the camera")
        return self.answer(frame.camera, frame.params)

    def _draw_numbered(
        self, camera: Camera, params: ViewSplatsParams, way: int, given_up: Callable[[], bool] = never
    ) -> NDArray[np.uint8] | None:
        return self.draw(camera, params, self.ways[way], given_up)

    def draw(
        self, camera: Camera, params: ViewSplatsParams, way: Way = WHOLE, given_up: Callable[[], bool] = never
    ) -> NDArray[np.uint8] | None:
        """uint8 sRGB [H, W, 3 | 4] of the cloud, or None when it was given up.

        Its colours are those of display, as it was trained.
        """
        smaller = camera if way.size == 1 else camera.resized(way.size)
        look = Look(
            background=BACKGROUNDS[params.background],
            size=params.splat_scale,
            sh_count=16 if params.view_dependent else 1,
            shrunk=camera.width_px / smaller.width_px,
            near=max(camera.near_m, 1e-3),
        )
        return self.drawer.draw(pinhole_of(smaller), look, way, given_up)


def view_of(cloud: Parameters, width_px: int, height_px: int) -> Camera:
    """A camera that sees most of a cloud, to measure by."""
    low, high = np.percentile(cloud.positions, [5, 95], axis=0) if len(cloud) else (np.zeros(3), np.ones(3))
    eye = np.eye(4)
    eye[:3, 3] = (low + high) / 2
    eye[2, 3] += max(float(np.linalg.norm(high - low)), 1e-3)
    return Camera(eye, width_px, height_px, height_px, height_px, width_px / 2, height_px / 2, 1e-3, 1e6, False)


def pinhole_of(camera: Camera) -> cameras.Camera:
    """The rasterizer's form of a live camera; an orthographic one is a long lens from far away."""
    world_from_camera = camera.world_from_camera.copy()
    focal_x, focal_y = camera.focal_x_px, camera.focal_y_px
    centre_x, centre_y = camera.centre_x_px, camera.centre_y_px
    if camera.orthographic:
        away = FAR * camera.height_px / camera.focal_y_px
        world_from_camera[:3, 3] += world_from_camera[:3, 2] * away
        focal_x, focal_y = focal_x * away, focal_y * away
    turned = world_from_camera @ np.diag([1.0, -1.0, -1.0, 1.0])
    return cameras.Camera(
        np.linalg.inv(turned).astype(np.float64),
        focal_x,
        focal_y,
        centre_x,
        centre_y,
        camera.width_px,
        camera.height_px,
    )
