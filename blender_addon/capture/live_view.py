# SPDX-License-Identifier: GPL-3.0-or-later
"""One 3D viewport read again and again for a live generator: its camera, its colours, its depth and its normals."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import bpy
import mathutils
import numpy as np
from numpy.typing import NDArray

from ..core.captured import CaptureError

LEAST_SIDE_PX = 16
_CORNERS = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))


@dataclass(frozen=True)
class View:
    """What a viewport showed when it was read."""

    world_from_camera: Any
    """4×4; it looks along its -Z, Blender's +Z is up."""
    clip_from_camera: Any
    """4×4, OpenGL's."""
    corners: tuple[Any, ...]
    """Where the picture's corners lie in the world, counted from the lower left, on the plane of what is looked at."""
    key: tuple[Any, ...]
    """Equal for views that show the same from the same place."""
    depth: NDArray[np.float32] | None = None
    """[H, W], window depth 0..1, lowest row first, where the viewport was drawn for it."""


@dataclass(frozen=True)
class Reading:
    """A view with its pictures; rows from the bottom up."""

    view: View
    width_px: int
    height_px: int
    pictures: dict[str, NDArray[Any]] = field(default_factory=dict)
    """`colour` uint8 [H, W, 4]; `depth` float32 [H, W], window depth 0..1; `normal` uint8 [H, W, 3], +Y up."""


class ViewportReader:
    """Reads one viewport off screen, and keeps what it draws into; `free` gives that back."""

    def __init__(self) -> None:
        self._offscreen: Any = None

    def read(self, area: Any, channels: Collection[str], size_px: int) -> Reading:
        """The view as it is now, its longer side `size_px`. Holds Blender while it is drawn. Raises `CaptureError`.

        To be called in Blender's main thread, outside a draw handler.
        """
        view = view_of(area)
        region = region_of(area)
        scale = size_px / max(1, region.width, region.height)
        width, height = (max(LEAST_SIDE_PX, round(side * scale)) for side in (region.width, region.height))
        if not {"colour", "depth", "normal"} & set(channels):
            return Reading(view, width, height)
        pictures = self._drawn(area, view, width, height, colour="colour" in channels)
        view = replace(view, depth=pictures["depth"])
        if "normal" in channels:
            pictures["normal"] = normals(pictures["depth"], view)
        if "depth" not in channels:
            pictures.pop("depth", None)
        return Reading(view, width, height, pictures)

    def view(self, area: Any) -> View:
        """What the viewport shows now, without drawing it."""
        return view_of(area)

    def free(self) -> None:
        """Give the graphics memory back."""
        if self._offscreen is not None:
            self._offscreen.free()
            self._offscreen = None

    def _drawn(self, area: Any, view: View, width: int, height: int, *, colour: bool) -> dict[str, NDArray[Any]]:
        """The view's depth, and its colours where they are wanted."""
        import gpu  # asks for a graphics context, which a Blender without a window lacks

        if self._offscreen is None or (self._offscreen.width, self._offscreen.height) != (width, height):
            self.free()
            try:
                self._offscreen = gpu.types.GPUOffScreen(width, height)
            except RuntimeError as error:
                raise CaptureError(f"The graphics card gives no picture of {width} × {height}: {error}") from error
        space = area.spaces.active
        overlays, space.overlay.show_overlays = space.overlay.show_overlays, False
        try:
            self._offscreen.draw_view3d(
                bpy.context.scene, bpy.context.view_layer, space, region_of(area),
                view.world_from_camera.inverted(), view.clip_from_camera, do_color_management=True,
            )  # fmt: skip
            found: dict[str, NDArray[Any]] = {}
            with self._offscreen.bind():
                frame = gpu.state.active_framebuffer_get()
                if colour:
                    read = frame.read_color(0, 0, width, height, 4, 0, "UBYTE")
                    found["colour"] = _array(read, np.uint8, (height, width, 4))
                found["depth"] = _array(frame.read_depth(0, 0, width, height), np.float32, (height, width))
            return found
        finally:
            space.overlay.show_overlays = overlays


def region_of(area: Any) -> Any:
    """The part of a 3D viewport in which the scene is drawn."""
    return next(region for region in area.regions if region.type == "WINDOW")


def view_of(area: Any) -> View:
    """What the viewport shows now, without drawing it."""
    space, view = area.spaces.active, area.spaces.active.region_3d
    projection, world_from_camera = view.window_matrix.copy(), view.view_matrix.inverted()
    shading = space.shading
    key = (
        *(round(value, 6) for row in (*projection, *world_from_camera) for value in row),
        area.width, area.height, shading.type, shading.light, shading.color_type, shading.studio_light,
    )  # fmt: skip
    return View(world_from_camera, projection, _corners(projection @ view.view_matrix, view.view_location), key)


def normals(depth: NDArray[np.float32], view: View) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] of the world's directions, n/2 + 1/2, from window depth by the slope to the nearer neighbours.

    In neutral axes, +Y up, as the bridge has them. What was not hit faces the camera.
    """
    height, width = depth.shape
    places = _places(depth, view)
    across, up = _slope(places, depth, 1), _slope(places, depth, 0)
    turned = np.cross(across, up)
    length = np.linalg.norm(turned, axis=-1, keepdims=True)
    facing = np.array(view.world_from_camera.to_3x3(), np.float32)[:, 2]
    unit = np.where((length > 1e-20) & (depth < 1)[..., None], turned / np.maximum(length, 1e-20), facing)
    neutral = np.stack([unit[..., 0], unit[..., 2], -unit[..., 1]], axis=-1)
    return np.round(neutral * 127.5 + 127.5).astype(np.uint8).reshape(height, width, 3)


def _places(depth: NDArray[np.float32], view: View) -> NDArray[np.float32]:
    """World positions float32 [H, W, 3] of the pixels' middles."""
    height, width = depth.shape
    world_from_clip = np.array(view.world_from_camera @ view.clip_from_camera.inverted(), np.float64)
    x = (np.arange(width) + 0.5) / width * 2 - 1
    y = (np.arange(height) + 0.5) / height * 2 - 1
    z = np.minimum(depth, 0.9999999).astype(np.float64) * 2 - 1
    clip = world_from_clip[:, 0] * x[None, :, None] + world_from_clip[:, 1] * y[:, None, None]
    clip = clip + world_from_clip[:, 2] * z[..., None] + world_from_clip[:, 3]
    places: NDArray[np.float32] = (clip[..., :3] / clip[..., 3:]).astype(np.float32)
    return places


def _slope(places: NDArray[np.float32], depth: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """The step to the neighbour along an axis on that side where the depth changes less, so that edges stay sharp."""
    steps, jumps = np.diff(places, axis=axis), np.abs(np.diff(depth, axis=axis))
    first, last = (steps.take([at], axis=axis) for at in (0, -1))
    far = np.full_like(jumps.take([0], axis=axis), np.inf)
    ahead, behind = np.concatenate([steps, last], axis), np.concatenate([first, steps], axis)
    to_ahead, to_behind = np.concatenate([jumps, far], axis), np.concatenate([far, jumps], axis)
    slope: NDArray[np.float32] = np.where((to_ahead <= to_behind)[..., None], ahead, behind)
    return slope


def _corners(clip_from_world: Any, looked_at: Any) -> tuple[Any, ...]:
    """The picture's corners in the world, as far away as what the view turns about."""
    inside = clip_from_world @ mathutils.Vector((*looked_at, 1.0))
    z = inside.z / inside.w if inside.w > 1e-6 else 0.0
    z = min(0.99999, max(-0.99, z))
    world_from_clip = clip_from_world.inverted()
    found = []
    for x, y in _CORNERS:
        place = world_from_clip @ mathutils.Vector((x, y, z, 1.0))
        found.append(place.xyz / place.w)
    return tuple(found)


def _array(buffer: Any, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """A graphics buffer as an array of our own."""
    buffer.dimensions = int(np.prod(shape))
    return np.array(buffer, dtype=dtype).reshape(shape)
