# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures for the Asset Browser, set without a render job: those need a window and keep Blender busy."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.targets import PlacementError
from .lit_sphere import linear, lit_sphere

SIZE_PX = 256
_SAMPLED_PX = 256
FloatArray = NDArray[np.float32]


def of_material(material: Any) -> FloatArray:
    """float32 [256, 256, 4], bottom row first: the maps that the tree's texture nodes show, on a lit sphere."""
    shader = next((node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED"), None)
    if shader is None:
        raise PlacementError(f"{material.name} has no Principled shader to make a picture of")

    def behind(name: str) -> FloatArray | None:
        image = _image_behind(shader.inputs[name])
        return None if image is None else pixels(image, _SAMPLED_PX)

    return lit_sphere(
        behind("Base Color"), behind("Normal"), behind("Roughness"), behind("Metallic"), behind("Emission Color"),
        SIZE_PX,
    )  # fmt: skip


def of_file(path: str) -> FloatArray:
    """float32 [256, 256, 4], bottom row first, of a picture on disk. Raises `PlacementError`."""
    try:
        image = bpy.data.images.load(path)
    except RuntimeError as error:
        raise PlacementError(f"The preview picture cannot be read: {error}") from error
    try:
        return pixels(image, SIZE_PX)
    finally:
        bpy.data.images.remove(image)


def show(datablock: Any, picture: FloatArray) -> None:
    """Make it the datablock's preview. `picture` is float32 [H, W, 4], bottom row first, sRGB-encoded."""
    preview = datablock.preview_ensure()
    preview.image_size = (picture.shape[1], picture.shape[0])
    preview.image_pixels_float.foreach_set(np.ascontiguousarray(picture, np.float32).ravel())


def linear_mean(image: Any) -> tuple[float, float, float]:
    """Mean colour of an sRGB image, linear."""
    red, green, blue = linear(pixels(image, 32)[..., :3]).reshape(-1, 3).mean(axis=0)
    return float(red), float(green), float(blue)


def pixels(image: Any, size_px: int) -> FloatArray:
    """float32 [size, size, 4], bottom row first, the values as stored; the image itself is left as it is."""
    small = image.copy()
    try:
        small.scale(size_px, size_px)
        values = np.empty(size_px * size_px * 4, np.float32)
        small.pixels.foreach_get(values)
    finally:
        bpy.data.images.remove(small)
    return values.reshape(size_px, size_px, 4)


def _image_behind(socket: Any) -> Any:
    """The image that feeds a socket first along its links, through mixes and normal maps."""
    for _ in range(4):
        if not socket.is_linked:
            return None
        node = socket.links[0].from_node
        if node.type == "TEX_IMAGE":
            return node.image
        socket = next((one for one in node.inputs if one.is_linked), None)
        if socket is None:
            return None
    return None
