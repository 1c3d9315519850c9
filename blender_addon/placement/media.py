# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that Blender reads from disk as it plays: movies, frames and sounds, kept beside the .blend.

Until the file is saved they wait in the user's own folder; saving moves what is used along (`gather`).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from ..core.delivered import Delivered
from ..core.targets import PlacementError
from ..provenance import all_strips

FOLDER = "scenecast_media"
ROLES = ("clip", "frame", "sound")


def keep(delivered: Delivered) -> list[str]:
    """Copy the asset's movie, frames or sound to where they stay, and give their paths in order.

    Names carry the digest, so the same asset is copied once. Raises `PlacementError` when the disk refuses.
    """
    files = [file for file in delivered.files if file.role in ROLES]
    if not files:
        raise PlacementError(f"The {delivered.kind} came without a file to play", "Make it again")
    folder = _folder() / f"{_stem(delivered.name)}_{delivered.digest[:10]}"
    kept = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            path = folder / file.name
            _copy(Path(file.path), path)
            kept.append(str(path))
    except OSError as error:
        raise PlacementError(
            f"{delivered.name} could not be copied to {folder}: {error.strerror or error}",
            "Make room or save the .blend elsewhere, then place it again",
        ) from error
    return kept


def need_sound() -> None:
    """Raise `PlacementError` where Blender was built without sound, as some of its Python modules are."""
    if not bpy.app.build_options.audaspace:
        raise PlacementError("This Blender was built without sound", "Use one from blender.org")


def forget(paths: list[str]) -> None:
    """Delete copies that turned out to be of no use, so that a later, whole delivery is copied anew."""
    for path in paths:
        Path(path).unlink(missing_ok=True)


def gather(blend_path: str) -> list[str]:
    """Copy media that wait in the user's folder to beside `blend_path` and let the file use them there.

    Returns the new paths. Files that have gone, or that the disk refuses, stay as they are.
    """
    waiting, beside = _waiting(), Path(blend_path).parent / FOLDER
    moved = []
    for thing, attribute in _users():
        path = Path(bpy.path.abspath(getattr(thing, attribute)))
        if not path.is_relative_to(waiting) or not path.exists():
            continue
        target = beside / path.relative_to(waiting)
        # A sequence names its first frame or its folder alone: everything beside it comes along.
        source, folder = (path, target) if path.is_dir() else (path.parent, target.parent)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for one in sorted(source.iterdir()):
                _copy(one, folder / one.name)
        except OSError as error:
            print(f"Scenecast: {path} stays where it is: {error}")
            continue
        setattr(thing, attribute, str(target))
        moved.append(str(target))
    return moved


@persistent
def gather_on_save(path: str) -> None:
    """Handler for `save_pre`: what the file plays is saved with it."""
    if path:
        gather(path)


def register() -> None:
    """Begin to gather media whenever a file is saved."""
    if gather_on_save not in bpy.app.handlers.save_pre:
        bpy.app.handlers.save_pre.append(gather_on_save)


def unregister() -> None:
    """Stop gathering."""
    if gather_on_save in bpy.app.handlers.save_pre:
        bpy.app.handlers.save_pre.remove(gather_on_save)


def _folder() -> Path:
    return Path(bpy.data.filepath).parent / FOLDER if bpy.data.filepath else _waiting()


def _waiting() -> Path:
    return Path(bpy.utils.user_resource("DATAFILES", path=FOLDER, create=True))


def _users() -> Iterator[tuple[Any, str]]:
    """Everything that names a media file, and by which attribute."""
    yield from ((image, "filepath") for image in bpy.data.images if image.source in ("MOVIE", "SEQUENCE", "FILE"))
    yield from ((clip, "filepath") for clip in bpy.data.movieclips)
    yield from ((sound, "filepath") for sound in bpy.data.sounds)
    for scene in bpy.data.scenes:
        if scene.sequence_editor is not None:
            strips = all_strips(scene.sequence_editor)
            yield from ((strip, "filepath") for strip in strips if strip.type == "MOVIE")
            yield from ((strip, "directory") for strip in strips if strip.type == "IMAGE")


def _copy(source: Path, target: Path) -> None:
    """In one step, and not at all when the same file is there."""
    if target.exists() and target.stat().st_size == source.stat().st_size:
        return
    part = target.with_name(f"{target.name}.part-{os.getpid()}")
    try:
        shutil.copyfile(source, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _stem(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:32] or "asset"
