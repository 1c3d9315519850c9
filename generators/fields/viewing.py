"""A field truly rendered for the artist's camera: roughly while it moves, in full when it rests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engines.assets import Field
from generators.events import GeneratorError, Request
from generators.fields.looking import picture
from generators.fields.rendering import FINE_STEP, opened, render
from generators.fields.specs import ViewFieldParams
from generators.live.frames import Answer, Camera, Frame, LiveContext, Picture
from generators.live.view_splats import pinhole_of

QUICK_MS = 60.0
"""A picture that takes longer is preceded by a rough one of fewer pixels and samples."""
SMALLEST = 0.1
"""Size of the smallest rough picture, by the picture's own."""
ROUGH_STEP = 1.0
REST_SECS = 0.12
"""So long after the last frame the camera rests."""
STRIP_PX = 32_768
"""The full picture is made in strips of so many pixels, between which a newer frame is looked for."""
_LOOK_SECS = 0.004


def start(request: Request, context: LiveContext) -> Answer:
    """Open the field and draw it once."""
    field = request.inputs.get("field")
    if not isinstance(field, Field):
        raise GeneratorError("expected a radiance field as the input `field`")
    return Viewer(field, context)


class Viewer:
    """One field and the time its pictures take."""

    def __init__(self, field: Field, context: LiveContext) -> None:
        self._context = context
        self._field = opened(field)
        self._px_ms = 1e-3
        self._last: Camera | None = None
        eye = np.eye(4)
        eye[:3, 3] = np.add(field.centre_m, (0.0, 0.0, 1.4 * field.radius_m))
        self.draw(Camera(eye, 32, 32, 32.0, 32.0, 16.0, 16.0, 0.0, 100.0, False), FINE_STEP)

    def __call__(self, frame: Frame) -> Iterator[Picture]:
        """Answer one frame; a rough picture first where the full one is slow, nothing more once a newer one waits."""
        camera = frame.camera
        if camera is None:
            raise GeneratorError("a view of a field needs the camera")
        params: ViewFieldParams = frame.params
        full_ms = self._px_ms * frame.width_px * frame.height_px
        moved, self._last = not camera.same_view(self._last), camera
        if full_ms > QUICK_MS and (moved or self._context.newer()):
            factor = max(SMALLEST, float(np.sqrt(QUICK_MS / full_ms)))
            yield Picture(self.draw(camera.resized(factor), ROUGH_STEP), rough=True)
            until = time.monotonic() + REST_SECS
            while time.monotonic() < until:
                if self._context.newer():
                    return
                time.sleep(_LOOK_SECS)
        began = time.perf_counter()
        pixels = self._in_strips(camera, params.step)
        if pixels is None:
            return
        took_ms = 1000 * (time.perf_counter() - began)
        self._px_ms = 0.5 * self._px_ms + 0.5 * took_ms / (frame.width_px * frame.height_px)
        yield Picture(pixels)

    def draw(self, camera: Camera, step: float) -> NDArray[np.uint8]:
        """uint8 sRGB [H, W, 3 | 4] of the field; its colours are those of display, as it was trained."""
        return picture(render(self._field, pinhole_of(camera), step=step), self._field)

    def _in_strips(self, camera: Camera, step: float) -> NDArray[np.uint8] | None:
        """The whole picture, or None when a newer frame came while it was made."""
        rows, strips = max(1, STRIP_PX // camera.width_px), []
        pinhole = pinhole_of(camera)
        for top in range(0, camera.height_px, rows):
            strip = replace(pinhole, cy=pinhole.cy - top, height=min(rows, camera.height_px - top))
            strips.append(picture(render(self._field, strip, step=step), self._field))
            if self._context.newer():
                return None
        return np.concatenate(strips)
