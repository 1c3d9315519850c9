# SPDX-License-Identifier: GPL-3.0-or-later
"""What the 3D viewport shows, drawn off screen at a size of one's own; needs a window or Blender's `gpu.init`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.captured import CapturedFile, CaptureError
from ..core.png import png_bytes


def why_no_viewport() -> str:
    """Why the viewport cannot be captured, in one sentence; empty when it can."""
    if bpy.app.background:
        return "Blender runs without a window, so there is no viewport to look through"
    if viewport_area() is None:
        return "No 3D viewport is open"
    return ""


def viewport_pixels(width_px: int, height_px: int) -> NDArray[np.uint8]:
    """uint8 [height, width, 3], top row first: the largest 3D viewport's view, as it is shaded. No file changes.

    Must be called in Blender's main thread, outside a draw handler. Raises `CaptureError`.
    """
    why = why_no_viewport()
    if why:
        raise CaptureError(why, "Open one, or use the camera")
    import gpu  # asks for a graphics context, which a Blender without a window lacks

    area = viewport_area()
    space = area.spaces.active
    region = next(region for region in area.regions if region.type == "WINDOW")
    view = space.region_3d
    projection = _projection(view.window_matrix, region, width_px / height_px)
    try:
        offscreen = gpu.types.GPUOffScreen(width_px, height_px)
    except RuntimeError as error:
        raise CaptureError(f"The graphics card gives no picture of {width_px} × {height_px}: {error}") from error
    try:
        offscreen.draw_view3d(
            bpy.context.scene,
            bpy.context.view_layer,
            space,
            region,
            view.view_matrix,
            projection,
            do_color_management=True,
        )
        buffer = offscreen.texture_color.read()
        buffer.dimensions = width_px * height_px * 4
        flat = np.array(buffer, dtype=np.uint8)
    finally:
        offscreen.free()
    return np.ascontiguousarray(flat.reshape(height_px, width_px, 4)[::-1, :, :3])


def viewport_picture(folder: str | Path, *, size_px: int = 768) -> CapturedFile:
    """The viewport's view as a PNG in `folder`, its longer side `size_px`. Raises `CaptureError`."""
    why = why_no_viewport()
    if why:
        raise CaptureError(why, "Open one, or use the camera")
    area = viewport_area()
    scale = size_px / max(area.width, area.height)
    width, height = max(16, round(area.width * scale)), max(16, round(area.height * scale))
    path = Path(folder) / "viewport.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(viewport_pixels(width, height)))
    return CapturedFile(str(path), "image", "colour", "image/png", "Viewport", {"width_px": width, "height_px": height})


def viewport_area() -> Any:
    """The largest open 3D viewport, or None."""
    manager = bpy.context.window_manager
    windows = manager.windows if manager is not None else ()
    areas = [area for window in windows for area in window.screen.areas if area.type == "VIEW_3D"]
    return max(areas, key=lambda area: area.width * area.height, default=None)


def _projection(window_matrix: Any, region: Any, aspect: float) -> Any:
    """The viewport's projection for a picture of another shape: the height of the view stays."""
    matrix = window_matrix.copy()
    matrix[0][0] *= (region.width / max(1, region.height)) / aspect
    return matrix
