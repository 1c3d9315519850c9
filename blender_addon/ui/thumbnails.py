# SPDX-License-Identifier: GPL-3.0-or-later
"""The small pictures in the job list: the newest preview of each run, or else the result's own file."""

from __future__ import annotations

from typing import Any

import bpy.utils.previews
import numpy as np

from ..core.client_core import Preview
from ..core.delivered import PREVIEW_ROLES
from ..core.hub import Hub

PICTURES = (*PREVIEW_ROLES, "image", "base_color", "clip")
_collection: Any = None
_shown: dict[str, Preview] = {}


def register() -> None:
    """Make room for pictures."""
    global _collection
    _collection = bpy.utils.previews.new()


def unregister() -> None:
    """Throw all pictures away."""
    global _collection
    bpy.utils.previews.remove(_collection)
    _collection = None
    _shown.clear()


def refresh(hub: Hub) -> None:
    """Bring the newest previews into Blender; pictures of runs that are gone go too."""
    for key, preview in hub.previews.items():
        if _shown.get(key) is not preview and preview.media_type == "image/raw":
            _draw(_collection.get(key) or _collection.new(key), preview)
            _shown[key] = preview
    for run in hub.runs:
        if run.state == "done" and run.key not in _collection:
            _from_file(hub, run.key)
    known = {run.key for run in hub.runs}
    for key in [key for key in _collection if key not in known]:
        del _collection[key]
        _shown.pop(key, None)


def icon(key: str) -> int:
    """Number of the run's picture as an icon; 0 when there is none."""
    found = _collection.get(key) if _collection is not None else None
    return int(found.icon_id) if found is not None else 0


def pixels(preview: Preview) -> Any:
    """float32 [height * width * 4], bottom row first, of RGB8 rows, top first."""
    height, width = preview.height_px, preview.width_px
    rgb = np.frombuffer(preview.data, np.uint8, height * width * 3).reshape(height, width, 3)
    rgba = np.ones((height, width, 4), np.float32)
    np.multiply(rgb[::-1], np.float32(1 / 255), out=rgba[..., :3])
    return rgba.ravel()


def _draw(picture: Any, preview: Preview) -> None:
    size = (preview.width_px, preview.height_px)
    if tuple(picture.image_size) != size:
        picture.image_size = size
    picture.image_pixels_float.foreach_set(pixels(preview))


def _from_file(hub: Hub, key: str) -> None:
    for delivered in hub.delivered(key):
        file = delivered.of_role(*PICTURES)
        if file is not None:
            kind = "MOVIE" if file.media_type.startswith("video/") else "IMAGE"
            _collection.load(key, file.path, kind)
            return
