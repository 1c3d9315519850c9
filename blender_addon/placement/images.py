# SPDX-License-Identifier: GPL-3.0-or-later
"""Image datablocks: pictures packed into the file, movies and frame sequences beside it."""

from __future__ import annotations

from typing import Any

import bpy

from .. import provenance
from ..core.delivered import Delivered, DeliveredFile
from ..core.targets import PlacementError
from . import media

_COLOUR_SPACES = {"srgb": "sRGB", "linear": "Linear Rec.709", "data": "Non-Color"}
"""The three names that are the same in every Blender from 4.2 on."""
_BEGINNINGS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"\x76\x2f\x31\x01", b"RIFF")
"""PNG, JPEG, OpenEXR, WebP."""


def packed(file: DeliveredFile, delivered: Delivered, name: str) -> Any:
    """The image of one file, its bytes within the .blend; the one there already when the same asset came before.

    The pixels are not decoded here: that is left to the moment they are first drawn. Raises `PlacementError` when the
    bytes are no picture.
    """
    there = _known(file.role, delivered)
    if there is not None:
        return there
    data = file.read()
    if not data.startswith(_BEGINNINGS):
        raise PlacementError(f"{file.name} is no picture that Blender reads", "Make it again")
    image = bpy.data.images.new(name, 1, 1, alpha=True)
    image.pack(data=data, data_len=len(data))
    image.source = "FILE"
    image.filepath_raw = f"//textures/{file.name}"  # where "Unpack" would write it
    set_colour_space(image, file.colour_space or "srgb")
    provenance.write(image, delivered, file.role)
    return image


def moving(delivered: Delivered, name: str) -> Any:
    """A movie or frame sequence as an image, its files beside the .blend; the one there already when it came before.

    Raises `PlacementError`.
    """
    there = _known("clip", delivered)
    if there is not None:
        return there
    paths = media.keep(delivered)
    try:
        image = bpy.data.images.load(paths[0])
        if not image.size[0]:
            raise RuntimeError("it holds no picture")
    except RuntimeError as error:
        media.forget(paths)
        raise PlacementError(f"Blender cannot play {bpy.path.basename(paths[0])}: {error}") from error
    image.name = name
    # A single frame stays a still picture: a sequence of one would ask for frames that are not there.
    if len(paths) > 1:
        image.source = "SEQUENCE"
    set_colour_space(image, "srgb")
    provenance.write(image, delivered, "clip")
    return image


def set_colour_space(image: Any, colour_space: str) -> None:
    """Tell Blender how to read the pixels: `srgb`, `linear` or `data`."""
    image.colorspace_settings.name = _COLOUR_SPACES[colour_space]
    if colour_space == "data":
        image.alpha_mode = "CHANNEL_PACKED"


def frame_count(image: Any, delivered: Delivered) -> int:
    """Frames of a movie or sequence; 1 for a still picture."""
    if image.source == "SEQUENCE":
        return len([file for file in delivered.files if file.role == "frame"])
    return max(1, int(image.frame_duration)) if image.source == "MOVIE" else 1


def play(user: Any, image: Any, delivered: Delivered) -> None:
    """Let an image user (of a texture node or a camera background) run through the frames as the scene plays."""
    user.frame_duration = frame_count(image, delivered)
    user.frame_start = 1
    # The files are numbered from 0 and Blender counts from 1; the offset says where the first file's number lies.
    user.frame_offset = _first_number(image) - 1 if image.source == "SEQUENCE" else 0
    user.use_auto_refresh = True
    user.use_cyclic = bool(delivered.meta.get("loops", True))


def speed_note(delivered: Delivered, scene: Any = None) -> tuple[str, ...]:
    """A sentence where the clip will not run at its own speed: textures and strips show one frame per scene frame."""
    fps = float(delivered.meta.get("fps", 0.0) or 0.0)
    render = (scene or bpy.context.scene).render
    scene_fps = render.fps / render.fps_base
    if not fps or abs(fps - scene_fps) < 0.01:
        return ()
    return (f"The clip was made for {fps:g} frames a second and plays at the scene's {scene_fps:g}.",)


def _first_number(image: Any) -> int:
    digits = "".join(c if c.isdigit() else " " for c in bpy.path.basename(image.filepath).rsplit(".", 1)[0]).split()
    return int(digits[-1]) if digits else 1


def _known(role: str, delivered: Delivered) -> Any:
    """An image that holds the same asset's part unpainted, whichever job it came from: content decides."""
    for image in bpy.data.images:
        record = provenance.read(image)
        if record and (record.digest, record.role) == (delivered.digest, role) and not image.is_dirty:
            return image
    return None
