# SPDX-License-Identifier: GPL-3.0-or-later
"""A delivered sound as a strip of the Video Sequencer, or as a speaker in the scene."""

from __future__ import annotations

from typing import Any

import bpy

from .. import provenance
from ..core.delivered import Delivered
from ..core.targets import Placed, PlacementError, Target
from . import media, places, strips


def place(delivered: Delivered, target: Target) -> Placed:
    """Add the strip or the speaker, or find it; the sound is packed into the file. Raises `PlacementError`."""
    if target.kind == "sequencer":
        return strips.place(delivered, target)
    media.need_sound()
    location = places.cursor_or(target.location_m)
    key = f"at {places.position_key(location)}"
    item = provenance.matching(bpy.context.scene.objects, delivered, "object", key)
    changed = item is None
    if item is None:
        sound = _sound(delivered)
        # The operator is the one way to the sound track that starts the speaker at the playhead.
        bpy.ops.object.speaker_add(location=location)
        item = places.active_object()
        item.name = item.data.name = delivered.name
        item.data.sound = sound
        provenance.write(item, delivered, "object", key)
    blocks = (("objects", item.name), ("sounds", item.data.sound.name))
    return Placed("sound", "speaker", blocks, changed, f"Sound {delivered.name} from {item.name}")


def _sound(delivered: Delivered) -> Any:
    known = provenance.matching(bpy.data.sounds, delivered, "sound")
    if known is not None:
        return known
    paths = media.keep(delivered)
    try:
        sound = bpy.data.sounds.load(paths[0])
        if not sound.samplerate:
            raise RuntimeError("it holds no samples")
    except RuntimeError as error:
        media.forget(paths)
        raise PlacementError(f"Blender cannot play the sound {delivered.name}: {error}") from error
    sound.pack()
    sound.name = delivered.name
    provenance.write(sound, delivered, "sound")
    return sound
