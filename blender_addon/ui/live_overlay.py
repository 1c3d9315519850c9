# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws a live picture over the viewport it was made from.

The picture hangs in the world where it was seen (`core.live_sheet`), or, when nobody knows how far away that is, on the
plane of what the artist looks at. So while the next one is awaited, the graphics card shows it from wherever the view
has gone. It is drawn with the scene's depth and before gizmos, the 3D cursor and Blender's words, which stay on top.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..core.client_core import LivePicture
from ..core.live_pixels import live_floats
from ..core.live_sheet import sheet

_QUAD_UV = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
_QUAD = ((0, 1, 2), (0, 2, 3))
EDITED = 0.5
"""Share of its strength that the picture keeps in Edit Mode, where vertices and edges have to be seen."""
_LINE_PX = 1.5
_LINE_COLOUR = (1.0, 1.0, 1.0, 0.7)


class Overlay:
    """The drawing in one viewport; nothing of it is left after `remove`."""

    def __init__(self, area_pointer: int) -> None:
        self.strength = 1.0
        self.split = 0.0
        """The part of the viewport's width, from the left, that is left as it is."""
        self.drawn = 0
        """How often it has been drawn."""
        self.fault = ""
        """Why it cannot be drawn; empty when it can."""
        self.resting = False
        """True while the viewport is read, which must not see the picture."""
        self._background = 1.0
        self._area = area_pointer
        self._picture: LivePicture | None = None
        self._view: Any = None
        self._texture: Any = None
        self._batch: Any = None
        self._handler = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_VIEW")

    @property
    def background(self) -> float:
        """How much the picture covers where there is nothing in the scene."""
        return self._background

    @background.setter
    def background(self, share: float) -> None:
        self._background, self._texture = share, None

    def show(self, picture: LivePicture, view: Any) -> None:
        """Draw this from now on."""
        self._picture, self._view, self._texture, self._batch = picture, view, None, None

    def hide(self) -> None:
        """Draw nothing until there is another picture."""
        self._picture, self._view, self._texture, self._batch = None, None, None, None

    def remove(self) -> None:
        """Leave the viewport alone."""
        if self._handler is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handler, "WINDOW")
            self._handler = None
        self.hide()

    def _draw(self) -> None:
        context = bpy.context
        if self._picture is None or self.fault or self.resting or self.strength <= 0:
            return
        if context.area is None or context.area.as_pointer() != self._area:
            return
        try:
            self._paint(context)
            self.drawn += 1
        except Exception as error:  # raised in a draw handler it would be printed at every redraw, for ever
            self.fault = f"{type(error).__name__}: {error}"

    def _paint(self, context: Any) -> None:
        import gpu

        shader = gpu.shader.from_builtin("IMAGE_COLOR")
        if self._texture is None and self._picture is not None:
            self._texture = _texture(self._picture, self._view.depth, self._background)
        if self._batch is None:
            self._batch = _batch(shader, self._view)
        depth, blend = gpu.state.depth_test_get(), gpu.state.blend_get()
        writes = gpu.state.depth_mask_get()
        gpu.state.depth_test_set("NONE" if self._view.depth is None else "LESS_EQUAL")
        gpu.state.depth_mask_set(False)
        gpu.state.blend_set("ALPHA")
        left = round(context.region.width * self.split)
        if left:
            gpu.state.scissor_test_set(True)
            gpu.state.scissor_set(left, 0, context.region.width - left, context.region.height)
        try:
            with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
                gpu.matrix.load_matrix(context.region_data.view_matrix)
                gpu.matrix.load_projection_matrix(context.region_data.window_matrix)
                strength = self.strength * (EDITED if context.mode.startswith("EDIT") else 1.0)
                shader.bind()
                shader.uniform_sampler("image", self._texture)
                shader.uniform_float("color", (1.0, 1.0, 1.0, strength))
                self._batch.draw(shader)
        finally:
            if left:
                gpu.state.scissor_test_set(False)
                _line(left / max(1, context.region.width), context.region.width)
            gpu.state.depth_test_set(depth)
            gpu.state.depth_mask_set(writes)
            gpu.state.blend_set(blend)


def _batch(shader: Any, view: Any) -> Any:
    from gpu_extras.batch import batch_for_shader

    if view.depth is None:
        corners = [corner[:] for corner in view.corners]
        return batch_for_shader(shader, "TRIS", {"pos": corners, "texCoord": _QUAD_UV}, indices=_QUAD)
    whole = sheet(view.depth, np.array(view.world_from_camera), np.array(view.clip_from_camera))
    return batch_for_shader(shader, "TRIS", {"pos": whole.points, "texCoord": whole.uvs}, indices=whole.triangles)


def _line(share: float, width_px: int) -> None:
    """Where the picture begins."""
    import gpu
    import mathutils
    from gpu_extras.batch import batch_for_shader

    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    x, half = share * 2 - 1, _LINE_PX / max(1, width_px)
    corners = [(x - half, -1, 0), (x + half, -1, 0), (x + half, 1, 0), (x - half, 1, 0)]
    gpu.state.depth_test_set("NONE")
    with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
        gpu.matrix.load_matrix(mathutils.Matrix.Identity(4))
        gpu.matrix.load_projection_matrix(mathutils.Matrix.Identity(4))
        shader.bind()
        shader.uniform_float("color", _LINE_COLOUR)
        batch_for_shader(shader, "TRIS", {"pos": corners}, indices=_QUAD).draw(shader)


def _texture(picture: LivePicture, depth: Any, background: float) -> Any:
    """Of four bytes a pixel, the lowest row first. What is drawn over a viewport is taken for scene-linear."""
    import gpu

    floats = live_floats(picture, depth, background)
    buffer = gpu.types.Buffer("FLOAT", len(floats), floats)
    return gpu.types.GPUTexture((picture.width_px, picture.height_px), format="RGBA16F", data=buffer)
