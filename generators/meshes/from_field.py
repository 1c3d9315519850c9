"""`mesh.from_field`: look at a radiance field from where it is best seen, and go on as with splats."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engines.assets import Capture, Field, FloatArray, Mesh
from generators.events import Context, Event, GeneratorError, Produced, Progress, Request
from generators.fields.rendering import OpenField, opened
from generators.fields.rendering import render as field_picture
from generators.fields.settings import FieldSettings
from generators.meshes.depth_views import DepthView, Render
from generators.meshes.from_splats import VIEWS_MIN, looked, meshed, sized, taken
from generators.meshes.specs import FromFieldParams
from generators.meshes.viewpoints import AWAY, chosen_around, chosen_of, on_one_side
from generators.radiance.cameras import Camera

OPAQUE = 0.6
"""Pixels where less of the light is stopped show nothing that could be a surface."""
JUMP = 0.08
"""Distances that differ from a neighbour's by this share lie at an edge, or in fog."""
TRIAL_PX = 160
"""Pictures up to this size, with which viewpoints are tried, are drawn roughly."""
ROUGH_STEP, FINE_STEP = 1.0, 0.5


def run(request: Request, context: Context) -> Iterator[Event]:
    """One textured mesh of `request.inputs["field"]`; cameras from `photos` if they are given.

    Raises `GeneratorError` when no surface can be seen in the field.
    """
    params = request.params
    if not isinstance(params, FromFieldParams):
        raise TypeError(f"mesh.from_field wants FromFieldParams, got {type(params).__name__}")
    field = request.inputs.get("field")
    if not isinstance(field, Field):
        raise GeneratorError("no radiance field was given; pass one as field")
    yield Progress(0.0, "choosing viewpoints")
    render = field_render(opened(field))
    photos = request.inputs.get("photos")
    if isinstance(photos, Capture):
        cameras = taken(photos, params, context)
    else:
        cameras = _chosen(field, render, params.views, context)
    if len(cameras) < VIEWS_MIN:
        raise GeneratorError(
            f"only {len(cameras)} viewpoints see a clear surface in this field, at least {VIEWS_MIN} are needed; "
            "give the photographs it was trained on as photos, or train it further"
        )
    yield Progress(0.1, f"looking from {len(cameras)} viewpoints")
    views = looked(render, [sized(camera, params.view_px) for camera in cameras], context.check)
    made: list[Mesh] = []
    yield from meshed(views, views, params, context, field.name or "mesh from a field", made)
    yield Produced(made[0])


def _chosen(field: Field, render: Render, count: int, context: Context) -> list[Camera]:
    """Viewpoints for a field: where its photographs may have been taken from, or all around.

    A field that photographs made is opaque from all sides, so its own look does not say which is its front.
    """
    middle = np.array(field.centre_m, np.float64)
    if field.contracted and field.seen_from_m is not None:
        seen_from = np.array(field.seen_from_m, np.float64)
        away = max(field.radius_m / FieldSettings().radius, float(np.linalg.norm(seen_from - middle)))
        if cameras := on_one_side(middle, seen_from, away):
            return chosen_of(cameras, middle, render, count, context.check)
    return chosen_around(middle, _reach(field), render, count, context.check)


def _reach(field: Field) -> float:
    """What the viewpoints' distance is reckoned from: a field that photographs made is scaled to where they stood, any
    other reaches as far as its bricks do.
    """
    if field.contracted:
        return field.radius_m / FieldSettings().radius / AWAY
    low, high = field.bricks.min(0), field.bricks.max(0) + 1
    pitch = 4 * field.radius_m / field.cells
    return max(float((high - low).max()) * 4 * pitch / 2, 1e-6)


def field_render(field: OpenField) -> Render:
    """How to look at a field: distances where half the light is stopped, believed where they run on smoothly."""

    def render(camera: Camera) -> DepthView:
        step = ROUGH_STEP if max(camera.width, camera.height) <= TRIAL_PX else FINE_STEP
        view = field_picture(field, camera, step=step)
        share = np.maximum(view.opacity, 1e-3)
        clear = (view.opacity > OPAQUE) & (view.depth > 0) & ~_ragged(view.depth)
        colour = np.clip(view.colour / share, 0, 1).transpose(1, 2, 0)
        depth = np.where(clear, view.depth, 0).astype(np.float32)
        return DepthView(camera, np.ascontiguousarray(colour, np.float32), depth, view.opacity)

    return render


def _ragged(depth: FloatArray) -> NDArray[np.bool_]:
    """Pixels of which a neighbour is much nearer or farther, or unknown."""
    ragged = depth <= 0
    for axis in (0, 1):
        low, high = [slice(None)] * 2, [slice(None)] * 2
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        a, b = depth[tuple(low)], depth[tuple(high)]
        jump = np.abs(a - b) > JUMP * np.maximum(np.minimum(a, b), 1e-9)
        ragged[tuple(low)] |= jump
        ragged[tuple(high)] |= jump
    return np.asarray(ragged)
