# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes things from the scene as inputs for jobs: objects, images, and what a camera or the viewport sees."""

from __future__ import annotations

from ..core.captured import CapturedFile, CaptureError
from .around import Around
from .camera import camera_pictures
from .images import image_file
from .objects import SOLID, collection_glb, object_glb
from .viewport import viewport_area, viewport_picture, viewport_pixels, why_no_viewport

__all__ = [
    "SOLID",
    "Around",
    "CaptureError",
    "CapturedFile",
    "camera_pictures",
    "collection_glb",
    "image_file",
    "object_glb",
    "viewport_area",
    "viewport_picture",
    "viewport_pixels",
    "why_no_viewport",
]
