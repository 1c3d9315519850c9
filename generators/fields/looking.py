"""`field.render` and `field.orbit`: a field as pictures with depth, and as a film."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import Clip, Field, Image
from engines.kinds import ColourSpace
from generators.beside import Beside
from generators.events import Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.fields.rendering import OpenField, View, opened, render
from generators.fields.specs import FieldOrbitParams, FieldRenderParams
from generators.radiance.cameras import Camera, looking_at

OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def render_view(request: Request, context: Context) -> Iterator[Event]:
    """A picture `result` (RGBA, sRGB; alpha only without a backdrop) and `depth` (float32 metres, 0 for nothing)."""
    params = request.params
    if not isinstance(params, FieldRenderParams):
        raise GeneratorError(f"expected FieldRenderParams, got {type(params).__name__}")
    field = _field(request)
    with Beside(context.check) as beside:
        yield Progress(0.05, "opening")
        ready = beside(lambda: opened(field))
        camera = _camera(params, field)
        yield Progress(0.2, "looking")
        view = beside(lambda: render(ready, camera))
    if not view.opacity.any():
        yield Note("the camera sees nothing of the field; try another direction or distance")
    farthest = float(view.depth.max(initial=0.0))
    if farthest > 1:
        yield Note(f"the depth is in metres, up to {farthest:.2f}; take it as EXR, since a PNG is white beyond 1 m")
    pixels = picture(view, ready)
    if context.wants_previews:
        yield Preview(np.ascontiguousarray(pixels[..., :3]))
    yield Produced(Image(np.ascontiguousarray(view.depth[..., None]), ColourSpace.DATA, f"{field.name} depth"), "depth")
    yield Produced(Image(pixels, ColourSpace.SRGB, f"{field.name} view"))


def render_orbit(request: Request, context: Context) -> Iterator[Event]:
    """A clip around the field's middle; it ends where it began."""
    params = request.params
    if not isinstance(params, FieldOrbitParams):
        raise GeneratorError(f"expected FieldOrbitParams, got {type(params).__name__}")
    field = _field(request)
    frames = np.empty((params.frames, params.height_px, params.width_px, 3), np.uint8)
    with Beside(context.check) as beside:
        yield Progress(0.0, "opening")
        ready = beside(lambda: opened(field))
        for index in range(params.frames):
            camera = orbit_camera(params, field, index / params.frames)
            view = beside(lambda camera=camera: render(ready, camera))  # type: ignore[misc]
            frames[index] = codes(view.over(ready.backdrop))
            yield Progress((index + 1) / params.frames, f"frame {index + 1} of {params.frames}")
            if context.wants_previews:
                yield Preview(frames[index].copy())
    yield Produced(Clip(frames, params.fps, loops=True, name=f"{field.name} orbit"))


def _field(request: Request) -> Field:
    field = request.inputs.get("field")
    if not isinstance(field, Field):
        raise GeneratorError("no field was given; pass the result of field.from_photos")
    if len(field.bricks) == 0:
        raise GeneratorError("the field is empty: nothing in it can be looked at")
    return field


def codes(colour: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] of a display-referred picture [3, H, W]."""
    return np.ascontiguousarray((np.clip(colour, 0, 1).transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8))


def picture(view: View, ready: OpenField) -> NDArray[np.uint8]:
    """RGB where the field has a backdrop, else straight RGBA, uint8."""
    if ready.backdrop is not None:
        return codes(view.over(ready.backdrop))
    alpha = (np.clip(view.opacity, 0, 1) * 255 + 0.5).astype(np.uint8)
    straight = view.colour / np.maximum(view.opacity, np.float32(1 / 512))
    return np.concatenate([codes(straight), alpha[..., None]], -1)


def _camera(params: FieldRenderParams, field: Field) -> Camera:
    size = {"width": params.width_px, "height": params.height_px}
    if not params.world_from_camera:
        eye = _eye(field, params.azimuth_deg, params.elevation_deg, params.distance)
        return looking_at(eye, field.centre_m, fov_y_deg=params.fov_y_deg, **size)
    if len(params.world_from_camera) != 16:
        raise GeneratorError(f"world_from_camera has {len(params.world_from_camera)} numbers, expected 16")
    world = np.array(params.world_from_camera, np.float64).reshape(4, 4)
    turn = world[:3, :3]
    if np.abs(turn.T @ turn - np.eye(3)).max() > 1e-3 or np.linalg.det(turn) < 0:
        raise GeneratorError("world_from_camera is no rigid motion: its rotation scales, shears or mirrors")
    upright = looking_at((0, 0, 1), (0, 0, 0), fov_y_deg=params.fov_y_deg, **size)
    matrix = np.asarray(np.linalg.inv(world @ OPENCV_FROM_OPENGL), np.float64)
    return Camera(matrix, upright.fx, upright.fy, upright.cx, upright.cy, upright.width, upright.height)


def orbit_camera(params: FieldOrbitParams, field: Field, share: float) -> Camera:
    """The camera at `share` 0..1 of the way: all around, or to and fro when the sweep is less than 360°."""
    whole = params.sweep_deg >= 360
    swing = 360.0 * share if whole else 0.5 * params.sweep_deg * float(np.sin(2 * np.pi * share))
    eye = _eye(field, params.azimuth_deg + swing, params.elevation_deg, params.distance)
    size = {"width": params.width_px, "height": params.height_px}
    return looking_at(eye, field.centre_m, fov_y_deg=params.fov_y_deg, **size)


def _eye(field: Field, azimuth_deg: float, elevation_deg: float, distance: float) -> tuple[float, float, float]:
    """Where a camera of an orbit stands; azimuth 0 is on the side that the field was seen from, else on that of +Z."""
    a, e = np.radians(azimuth_deg), np.radians(elevation_deg)
    away = field.radius_m * distance
    x, y, z = field.centre_m
    if field.seen_from_m is not None:
        a += np.arctan2(field.seen_from_m[0] - x, field.seen_from_m[2] - z)
    return (
        float(x + away * np.cos(e) * np.sin(a)),
        float(y + away * np.sin(e)),
        float(z + away * np.cos(e) * np.cos(a)),
    )
