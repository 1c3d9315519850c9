# SPDX-License-Identifier: GPL-3.0-or-later
"""A delivered clip as a playing texture, a strip of the Video Sequencer, or behind the camera's view."""

from __future__ import annotations

from dataclasses import replace

from ..core.delivered import Delivered
from ..core.targets import Placed, Target
from . import images, pictures, strips
from .transaction import uids


def place(delivered: Delivered, target: Target) -> Placed:
    """Keep the clip's files beside the .blend and play them where the target says. Raises `PlacementError`."""
    if target.kind == "sequencer":
        return strips.place(delivered, target)
    before = uids("images")
    image = images.moving(delivered, delivered.name)
    made = image.session_uid not in before
    placed = pictures.show(image, delivered, target, made=made, glows=True)
    return replace(placed, notes=(*placed.notes, *images.speed_note(delivered)))
