"""A field truly rendered for the artist's camera: roughly while it moves, in full when it rests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engines.assets import Field
from generators.events import GeneratorError, Request
from generators.fields.looking import picture
from generators.fields.rendering import FULL, Care, opened, render
from generators.fields.specs import ViewFieldParams
from generators.live.coarse_to_fine import CoarseToFine, never, shortest_ms
from generators.live.frames import Answer, Camera, Frame, LiveContext, Picture
from generators.live.view_splats import pinhole_of


@dataclass(frozen=True)
class Way:
    """A picture of `size` times the asked pixels along a side, with samples at least `step` cells apart."""

    size: float
    step: float
    care: Care


_SOME, _LITTLE = Care(least=0.02, apart=2, unlike=0.06), Care(least=0.02, apart=2, unlike=0.1)
WAYS = (
    Way(1.0, 0.0, FULL), Way(1.0, 1.0, _SOME), Way(0.7, 1.0, _SOME), Way(0.7, 2.0, _LITTLE), Way(0.5, 1.0, _SOME),
    Way(0.5, 2.0, _LITTLE), Way(0.35, 1.0, _SOME), Way(0.35, 2.0, _LITTLE), Way(0.25, 2.0, _LITTLE),
    Way(0.18, 2.0, _LITTLE), Way(0.12, 2.0, _LITTLE),
)  # fmt: skip
"""From the whole picture to a sketch. Few pixels lose more than few samples or means of neighbours that look alike, and
cost less than they should, since rays that are far apart share no memory."""
MOVING_MS = 38.0
"""What a picture may take while the camera moves: all that twenty a second leave, since a field takes so long."""
MEASURED_PX = 65_536
"""Ways are measured by a picture of so many pixels."""
STRIP_PX = 8_192
"""A picture is made in strips of so many pixels, between which a newer frame is looked for."""

ON_PROCESSOR = "fields are drawn on the processor, not on {}, which only trains them"


def start(request: Request, context: LiveContext) -> Answer:
    """Open the field and draw it once."""
    field = request.inputs.get("field")
    if not isinstance(field, Field):
        raise GeneratorError("expected a radiance field as the input `field`")
    if context.device != "cpu":
        context.note(ON_PROCESSOR.format(context.device))
    return Viewer(field, context)


class Viewer:
    """One field and what answers by it."""

    def __init__(self, field: Field, context: LiveContext) -> None:
        self._field = opened(field)
        eye = np.eye(4)
        eye[:3, 3] = np.add(field.centre_m, (0.0, 0.0, 1.4 * field.radius_m))
        width, height = context.width_px, context.height_px
        whole = Camera(eye, width, height, height, height, width / 2, height / 2, 0.0, 100.0, False)
        share = min(1.0, MEASURED_PX / (width * height))
        small = whole.resized(float(np.sqrt(share)))
        self.draw(small.resized(0.25), ViewFieldParams(), len(WAYS) - 1)  # compiles
        ways = range(len(WAYS))
        typical_ms = [shortest_ms(partial(self.draw, small, ViewFieldParams(), way)) / share for way in ways]
        self.answer = CoarseToFine(context, self.draw, typical_ms, MOVING_MS)

    def __call__(self, frame: Frame) -> Iterator[Picture]:
        """Answer one frame; a rough picture first where the full one is slow, nothing more once a newer one waits."""
        if frame.camera is None:
            raise GeneratorError("a view of a field needs the camera")
        return self.answer(frame.camera, frame.params)

    def draw(
        self, camera: Camera, params: ViewFieldParams, way: int, given_up: Callable[[], bool] = never
    ) -> NDArray[np.uint8] | None:
        """uint8 sRGB [H, W, 3 | 4] of the field, or None when it was given up.

        Its colours are those of display, as it was trained.
        """
        chosen, strips = WAYS[way], []
        pinhole = pinhole_of(camera.resized(chosen.size) if way else camera)
        rows = max(2, STRIP_PX // pinhole.width // 2 * 2)  # even, since every second one is traced
        for top in range(0, pinhole.height, rows):
            if top and given_up():
                return None
            strip = replace(pinhole, cy=pinhole.cy - top, height=min(rows, pinhole.height - top))
            view = render(self._field, strip, step=max(params.step, chosen.step), care=chosen.care)
            strips.append(picture(view, self._field))
        return np.concatenate(strips)
