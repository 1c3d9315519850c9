# SPDX-License-Identifier: GPL-3.0-or-later
"""A delivered picture as an image of the file, in a texture node, on an object, or behind the camera's view."""

from __future__ import annotations

from ..core.delivered import Delivered
from ..core.targets import Placed, PlacementError, Target
from . import images, pictures
from .transaction import uids


def place(delivered: Delivered, target: Target) -> Placed:
    """Make the image, or find it, and show it where the target says. Raises `PlacementError`."""
    file = delivered.of_role("image") or (delivered.files[0] if delivered.files else None)
    if file is None:
        raise PlacementError(f"{delivered.name} came without a picture", "Make it again")
    before = uids("images")
    image = images.packed(file, delivered, delivered.name)
    return pictures.show(image, delivered, target, made=image.session_uid not in before, glows=False)
