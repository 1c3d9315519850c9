# SPDX-License-Identifier: GPL-3.0-or-later
"""A shader node tree drawn so that an artist can read it: named frames, left to right, nothing overlapping."""

from __future__ import annotations

from typing import Any

import bpy

ROW_GAP = 30.0
FRAME_PADDING = 30.0
FRAME_TITLE = 36.0

_HEIGHTS = {
    "ShaderNodeTexImage": 276.0,
    "ShaderNodeTexCoord": 240.0,
    "ShaderNodeMapping": 352.0,
    "ShaderNodeValue": 84.0,
    "ShaderNodeMath": 152.0,
    "ShaderNodeMix": 216.0,
    "ShaderNodeNormalMap": 150.0,
    "ShaderNodeDisplacement": 174.0,
    "ShaderNodeBsdfPrincipled": 420.0,
    "ShaderNodeEmission": 110.0,
    "ShaderNodeBsdfTransparent": 80.0,
    "ShaderNodeMixShader": 130.0,
    "ShaderNodeOutputMaterial": 140.0,
}
"""Generous guesses in node-editor units: Blender itself knows a node's height only once it has drawn it."""
_HEIGHT = 150.0

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


class Sheet:
    """Adds nodes to an empty tree by place."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        tree.nodes.clear()

    def frame(self, label: str) -> Any:
        """A named frame; it shrinks around what is put into it."""
        frame = self.tree.nodes.new("NodeFrame")
        frame.label = frame.name = label
        frame.shrink = True
        frame.label_size = 18
        return frame

    def add(self, type_name: str, x: float, y: float, *, frame: Any = None, label: str = "") -> Any:
        """A node with its upper left corner at (x, y), named by its label."""
        node = self.tree.nodes.new(type_name)
        node.location = (x, y)
        if label:
            node.label = node.name = label
        if frame is not None:
            node.parent = frame
        return node

    def link(self, source: Any, target: Any) -> None:
        """Connect an output socket to an input socket."""
        self.tree.links.new(source, target)


def of_material(name: str) -> tuple[Any, Sheet]:
    """A new material with an empty node tree."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # Blender before 5.0; later ones always have one, and warn when it is asked for
        material.use_nodes = True
    return material, Sheet(material.node_tree)


def height(node_type: str) -> float:
    """About how tall a node of that type is drawn."""
    return _HEIGHTS.get(node_type, _HEIGHT)


def box(node: Any) -> Box:
    """Where a node is drawn: a frame around all that is in it."""
    if node.type == "FRAME":
        boxes = [box(other) for other in node.id_data.nodes if other.parent == node]
        left, bottom = (min(each[side] for each in boxes) for side in (0, 1))
        right, top = (max(each[side] for each in boxes) for side in (2, 3))
        return left - FRAME_PADDING, bottom - FRAME_PADDING, right + FRAME_PADDING, top + FRAME_TITLE
    x, y = float(node.location.x), float(node.location.y)
    return x, y - height(node.bl_idname), x + float(node.width), y
