"""A cloud of splats truly rendered for the artist's camera: roughly while it moves, in full when it rests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engines.assets import Splats
from generators.events import GeneratorError, Request
from generators.live.frames import Answer, Camera, Frame, LiveContext, Picture
from generators.live.specs import ViewSplatsParams
from generators.radiance import cameras
from generators.radiance.parameters import Parameters, from_splats
from generators.radiance.rasterizer import Rules, backend_for

QUICK_MS = 60.0
"""A picture that takes longer is preceded by a rough one."""
ROUGH = 0.5
ROUGHER = 0.25
"""Size of rough pictures, by the picture's own; the second when the first would still take too long."""
ROUGH_SPLATS = (20_000, 200_000)
"""So many of a large cloud are in a rough picture, as time allows: the first, which are those that matter most."""
REST_SECS = 0.12
"""So long after the last frame the camera rests."""
_LOOK_SECS = 0.004
BACKGROUNDS = {"transparent": 0.0, "black": 0.0, "grey": 0.35, "white": 1.0}
FAR = 60.0
"""An orthographic view is drawn from so many picture heights away."""


def start(request: Request, context: LiveContext) -> Answer:
    """Prepare the cloud and draw it once."""
    cloud = request.inputs.get("splats")
    if not isinstance(cloud, Splats):
        raise GeneratorError("expected a cloud of splats as the input `splats`")
    return Viewer(cloud, context)


class Viewer:
    """One cloud and the time its pictures take."""

    def __init__(self, cloud: Splats, context: LiveContext) -> None:
        self._context = context
        self._backend = backend_for(context.device)
        self._whole = from_splats(cloud)
        self._whole.check()
        self._rough_count = ROUGH_SPLATS[1]
        self._scale = 1.0
        self._scaled = self._whole
        self._px_ms = 1e-4
        self._last: Camera | None = None
        eye = np.eye(4)
        eye[2, 3] = 3.0
        blank = Camera(eye, 64, 64, 64.0, 64.0, 32.0, 32.0, 0.1, 100.0, False)
        self.draw(_first(self._whole, ROUGH_SPLATS[0]), blank, ViewSplatsParams())

    def __call__(self, frame: Frame) -> Iterator[Picture]:
        """Answer one frame; a rough picture first where the full one is slow."""
        if frame.camera is None:
            raise GeneratorError("a view of splats needs the camera")
        params: ViewSplatsParams = frame.params
        whole = self._resized(params.splat_scale)
        full_ms = self._px_ms * frame.width_px * frame.height_px
        moved, self._last = not frame.camera.same_view(self._last), frame.camera
        if full_ms > QUICK_MS and (moved or self._context.newer()):
            factor = ROUGH if full_ms * ROUGH * ROUGH < 2 * QUICK_MS else ROUGHER
            yield Picture(self._rough(whole, frame.camera.resized(factor), params), rough=True)
            until = time.monotonic() + REST_SECS
            while time.monotonic() < until:
                if self._context.newer():
                    return
                time.sleep(_LOOK_SECS)
        began = time.perf_counter()
        pixels = self.draw(whole, frame.camera, params)
        took_ms = 1000 * (time.perf_counter() - began)
        self._px_ms = 0.5 * self._px_ms + 0.5 * took_ms / (frame.width_px * frame.height_px)
        yield Picture(pixels)

    def draw(self, cloud: Parameters, camera: Camera, params: ViewSplatsParams) -> NDArray[np.uint8]:
        """uint8 sRGB [H, W, 3 | 4] of the cloud; its colours are those of display, as it was trained."""
        pinhole = pinhole_of(camera)
        rules = Rules(near=max(camera.near_m, 1e-3), sh_count=16 if params.view_dependent else 1)
        projection = self._backend.project(cloud, pinhole, rules, sound=True)
        back = np.full(3, BACKGROUNDS[params.background], np.float32)
        raster = self._backend.rasterize(projection, projection.colour, back, pinhole.width, pinhole.height)
        planes = np.asarray(raster.image)
        if params.background == "transparent":
            cover = 1 - np.asarray(raster.transmittance)[None]
            planes = np.concatenate([planes / np.maximum(cover, np.float32(1e-4)), cover])
        codes = np.clip(planes * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(codes.transpose(1, 2, 0))

    def _rough(self, whole: Parameters, camera: Camera, params: ViewSplatsParams) -> NDArray[np.uint8]:
        """The cloud's first splats, so many as can be drawn while the camera moves."""
        began = time.perf_counter()
        pixels = self.draw(_first(whole, self._rough_count), camera, params)
        took_ms = 1000 * (time.perf_counter() - began)
        if took_ms > QUICK_MS:
            self._rough_count = max(ROUGH_SPLATS[0], int(self._rough_count * 0.7))
        elif took_ms < QUICK_MS / 2:
            self._rough_count = min(ROUGH_SPLATS[1], int(self._rough_count * 1.3))
        return pixels

    def _resized(self, scale: float) -> Parameters:
        """The cloud with splats of `scale` times their size."""
        if scale != self._scale:
            self._scale = scale
            self._scaled = replace(self._whole, log_scales=self._whole.log_scales + np.float32(np.log(scale)))
        return self._scaled


def _first(cloud: Parameters, count: int) -> Parameters:
    """The first splats of a cloud, without copying them."""
    if len(cloud) <= count:
        return cloud
    return Parameters(**{name: array[:count] for name, array in cloud.arrays()})


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
