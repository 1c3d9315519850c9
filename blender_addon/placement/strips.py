# SPDX-License-Identifier: GPL-3.0-or-later
"""Movies, frame sequences and sounds as strips of the Video Sequencer, at the playhead, on a free channel."""

from __future__ import annotations

from typing import Any

import bpy

from .. import provenance
from ..core.delivered import Delivered
from ..core.targets import Placed, PlacementError, Target
from . import images, media, places

_CHANNELS = 128


def place(delivered: Delivered, target: Target) -> Placed:
    """Add the strip, or find it where it was added before. Raises `PlacementError`."""
    scene = _sequencer_scene(target)
    if delivered.kind == "sound":
        media.need_sound()
    made_editor = scene.sequence_editor is None
    editor = scene.sequence_editor or scene.sequence_editor_create()
    frame = scene.frame_current if target.frame is None else target.frame
    key = f"from frame {frame} of {scene.name}"
    strip = provenance.matching(provenance.all_strips(editor), delivered, "strip", key)
    changed = strip is None
    if strip is None:
        try:
            strip = _added(editor, delivered, frame)
        except BaseException:
            if made_editor:
                scene.sequence_editor_clear()
            raise
        provenance.write(strip, delivered, "strip", key)
        for other in provenance.all_strips(editor):
            other.select = other == strip
        editor.active_strip = strip
    message = f"{delivered.kind.capitalize()} {delivered.name} at frame {frame}, channel {strip.channel}"
    notes = images.speed_note(delivered, scene) if delivered.kind == "clip" else ()
    return Placed(delivered.kind, "sequencer", (("strips", strip.name),), changed, message, notes)


def _sequencer_scene(target: Target) -> Any:
    """From 5.0 on a workspace says which scene its sequencers edit; before, they edit the current one."""
    if target.scene_name:
        return places.chosen_scene(target)
    workspace = bpy.context.workspace
    if workspace is None or not hasattr(workspace, "sequencer_scene"):
        return bpy.context.scene
    if workspace.sequencer_scene is None:
        workspace.sequencer_scene = bpy.context.scene
    return workspace.sequencer_scene


def _added(editor: Any, delivered: Delivered, frame: int) -> Any:
    paths = media.keep(delivered)
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # renamed in 4.4
    top = max([each.channel for each in provenance.all_strips(editor)], default=0)
    first = {"name": delivered.name, "filepath": paths[0], "channel": min(top + 1, _CHANNELS), "frame_start": frame}
    try:
        if delivered.kind == "sound":
            strip = strips.new_sound(**first)
            if not strip.sound.samplerate:
                strips.remove(strip)
                raise RuntimeError("it holds no samples")
            strip.sound.pack()
            provenance.write(strip.sound, delivered, "sound")
        elif len(paths) == 1:
            strip = strips.new_movie(**first, fit_method="FIT")
        else:
            strip = strips.new_image(**first, fit_method="FIT")
            for path in paths[1:]:
                strip.elements.append(bpy.path.basename(path))
    except RuntimeError as error:
        media.forget(paths)
        raise PlacementError(f"Blender cannot play {bpy.path.basename(paths[0])}: {error}") from error
    strip.channel = _free_channel(strips, strip)
    return strip


def _free_channel(strips: Any, strip: Any) -> int:
    """The lowest channel where nothing overlaps the strip."""
    start, end = strip.frame_final_start, strip.frame_final_end
    taken = {
        other.channel
        for other in strips
        if other != strip and other.frame_final_start < end and start < other.frame_final_end
    }
    return next((channel for channel in range(1, _CHANNELS + 1) if channel not in taken), int(strip.channel))
