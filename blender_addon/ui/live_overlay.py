# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws a live picture over the viewport it was made from.

The picture hangs in the world where it was seen, on the plane of what the artist looks at. So while the next one is
awaited, the graphics card shows it from wherever the view has gone: exact for turning and zooming, near for moving.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..core.client_core import LivePicture
from ..core.live_pixels import live_floats

_QUAD_UV = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
_QUAD = ((0, 1, 2), (0, 2, 3))


class Overlay:
    """The drawing in one viewport; nothing of it is left after `remove`."""

    def __init__(self, area_pointer: int) -> None:
        self.strength = 1.0
        self.drawn = 0
        """How often it has been drawn."""
        self.fault = ""
        """Why it cannot be drawn; empty when it can."""
        self._area = area_pointer
        self._picture: LivePicture | None = None
        self._view: Any = None
        self._texture: Any = None
        self._handler = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")

    def show(self, picture: LivePicture, view: Any) -> None:
        """Draw this from now on."""
        self._picture, self._view, self._texture = picture, view, None

    def hide(self) -> None:
        """Draw nothing until there is another picture."""
        self._picture, self._view, self._texture = None, None, None

    def remove(self) -> None:
        """Leave the viewport alone."""
        if self._handler is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handler, "WINDOW")
            self._handler = None
        self.hide()

    def _draw(self) -> None:
        context = bpy.context
        if self._picture is None or self.fault or context.area is None or context.area.as_pointer() != self._area:
            return
        try:
            self._paint(context.region_data)
            self.drawn += 1
        except Exception as error:  # raised in a draw handler it would be printed at every redraw, for ever
            self.fault = f"{type(error).__name__}: {error}"

    def _paint(self, region_data: Any) -> None:
        import gpu
        from gpu_extras.batch import batch_for_shader

        if self._texture is None and self._picture is not None:
            self._texture = _texture(self._picture)
        shader = gpu.shader.from_builtin("IMAGE_COLOR")
        corners = [corner[:] for corner in self._view.corners]
        batch = batch_for_shader(shader, "TRIS", {"pos": corners, "texCoord": _QUAD_UV}, indices=_QUAD)
        depth, blend = gpu.state.depth_test_get(), gpu.state.blend_get()
        gpu.state.depth_test_set("NONE")
        gpu.state.blend_set("ALPHA")
        try:
            with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
                gpu.matrix.load_matrix(region_data.view_matrix)
                gpu.matrix.load_projection_matrix(region_data.window_matrix)
                shader.bind()
                shader.uniform_sampler("image", self._texture)
                shader.uniform_float("color", (1.0, 1.0, 1.0, self.strength))
                batch.draw(shader)
        finally:
            gpu.state.depth_test_set(depth)
            gpu.state.blend_set(blend)


def _texture(picture: LivePicture) -> Any:
    """Of four bytes a pixel, the lowest row first. What is drawn over a viewport is taken for scene-linear."""
    import gpu

    floats = live_floats(picture)
    buffer = gpu.types.Buffer("FLOAT", len(floats), floats)
    return gpu.types.GPUTexture((picture.width_px, picture.height_px), format="RGBA16F", data=buffer)
