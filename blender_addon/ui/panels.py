# SPDX-License-Identifier: GPL-3.0-or-later
"""The panels in the sidebars of the 3D Viewport and the Shader Editor, under the tab Scenecast."""

from __future__ import annotations

from typing import Any

import bpy

from . import draw


class _Make:
    """What to make, and the button."""

    bl_label = "Scenecast"
    bl_category = "Scenecast"
    bl_region_type = "UI"

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        draw.connection(self.layout)  # type: ignore[attr-defined]
        draw.form(self.layout, context)  # type: ignore[attr-defined]


class _Jobs:
    """What was asked for, and where it stands."""

    bl_label = "Results"
    bl_category = "Scenecast"
    bl_region_type = "UI"

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        draw.jobs(self.layout, context)  # type: ignore[attr-defined]


class _InShaderEditor:
    """Only where shaders are edited."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Whether the node editor shows shaders."""
        return getattr(context.space_data, "tree_type", "") == "ShaderNodeTree"


class SCENECAST_PT_make_view3d(_Make, bpy.types.Panel):
    """In the 3D Viewport."""

    bl_space_type = "VIEW_3D"


class SCENECAST_PT_jobs_view3d(_Jobs, bpy.types.Panel):
    """In the 3D Viewport."""

    bl_space_type = "VIEW_3D"


class SCENECAST_PT_live_view3d(bpy.types.Panel):
    """The live preview in the 3D Viewport."""

    bl_label = "Live preview"
    bl_category = "Scenecast"
    bl_region_type = "UI"
    bl_space_type = "VIEW_3D"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        draw.live(self.layout, context)


class SCENECAST_PT_make_shader(_InShaderEditor, _Make, bpy.types.Panel):
    """In the Shader Editor."""

    bl_space_type = "NODE_EDITOR"


class SCENECAST_PT_jobs_shader(_InShaderEditor, _Jobs, bpy.types.Panel):
    """In the Shader Editor."""

    bl_space_type = "NODE_EDITOR"


CLASSES = (
    SCENECAST_PT_make_view3d,
    SCENECAST_PT_jobs_view3d,
    SCENECAST_PT_live_view3d,
    SCENECAST_PT_make_shader,
    SCENECAST_PT_jobs_shader,
)
