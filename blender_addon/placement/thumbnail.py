# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures for the Asset Browser, set without a render job: those need a window and keep Blender busy."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.lit_sphere import linear, lit_sphere
from ..core.targets import PlacementError

SIZE_PX = 256
_SAMPLED_PX = 256
FloatArray = NDArray[np.float32]


def of_material(material: Any) -> tuple[FloatArray, tuple[float, float, float]]:
    """The maps that the tree's texture nodes show on a lit sphere, and their mean colour, linear.

    The picture is float32 [256, 256, 4], bottom row first. Raises `PlacementError`.
    """
    shader = next((node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED"), None)
    if shader is None:
        raise PlacementError(f"{material.name} has no Principled shader to make a picture of")

    def behind(name: str) -> FloatArray | None:
        image = _image_behind(shader.inputs[name])
        return None if image is None else pixels(image, _SAMPLED_PX)

    base = behind("Base Color")
    red, green, blue = (0.8, 0.8, 0.8) if base is None else linear(base[::8, ::8, :3]).reshape(-1, 3).mean(axis=0)
    picture = lit_sphere(
        base, behind("Normal"), behind("Roughness"), behind("Metallic"), behind("Emission Color"),
        SIZE_PX,
    )  # fmt: skip
    return picture, (float(red), float(green), float(blue))


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


def pixels(image: Any, size_px: int) -> FloatArray:
    """float32 [size, size, 4], bottom row first, the values as stored; the image itself is left as it is.

    Read from the image's own buffer, which drawing it needs too, so the picture is decoded once.
    """
    width, height = image.size
    if not width or not height or image.channels != 4:
        return np.zeros((size_px, size_px, 4), np.float32)
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    grid = values.reshape(height, width, 4)
    # Four samples in each cell: enough against shimmer, and far quicker than a full mean.
    picture = np.zeros((size_px, size_px, 4), np.float32)
    for down in (0.25, 0.75):
        rows = ((np.arange(size_px) + down) * height / size_px).astype(np.int64)
        for right in (0.25, 0.75):
            columns = ((np.arange(size_px) + right) * width / size_px).astype(np.int64)
            picture += grid[rows[:, None], columns] / 4
    return picture


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
