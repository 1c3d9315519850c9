# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist picked as inputs becomes something that can be sent."""

from __future__ import annotations

import os
import uuid
from typing import Any

import bpy

from .. import provenance
from ..capture import (
    SOLID,
    Around,
    CapturedFile,
    CaptureError,
    camera_pictures,
    collection_glb,
    image_file,
    object_glb,
    viewport_picture,
    why_no_viewport,
)
from ..core.runs import Source
from . import rows, session


def chosen() -> dict[str, str]:
    """In words, what each input is; ports with nothing chosen are left out. Looks, but takes nothing."""
    return {row.name: title for row in rows.state().inputs if (title := title_of(row))}


def title_of(row: Any) -> str:
    """What an input is, in a word or two; empty when nothing is chosen or what was chosen is not there."""
    if row.source == "active":
        active = bpy.context.view_layer.objects.active
        return str(active.name) if active is not None else ""
    if row.source.startswith("camera_"):
        return f"Camera {row.source.removeprefix('camera_')}" if bpy.context.scene.camera is not None else ""
    if row.source == "viewport":
        return "" if why_no_viewport() else "Viewport"
    if row.source in ("result", "watched"):
        return str(row.title) if row.digest else ""
    if row.source == "shown":
        active = bpy.context.view_layer.objects.active
        return str(active.name) if shown_digest(row) else ""
    if row.source == "around":
        names = selected()
        return "" if not names else names[0] if len(names) == 1 else f"{len(names)} objects"
    named = {"object": row.object_name, "collection": row.collection_name, "image": row.image_name,
             "file": os.path.basename(row.path), "folder": os.path.basename(row.folder.rstrip("/\\"))}  # fmt: skip
    return str(named.get(row.source, ""))


def shown_digest(row: Any) -> str:
    """Of the asset that the active object shows, when it fits the live input; else empty."""
    generator = rows.form_of(row.lane).row
    port = next((port for port in generator.takes if port.name == row.name), None) if generator else None
    active = bpy.context.view_layer.objects.active
    record = provenance.read(active.data) if active is not None and active.data is not None else None
    return record.digest if record is not None and port is not None and record.kind in port.kinds else ""


def live() -> tuple[dict[str, str], str]:
    """The live preview's inputs by digest, and the object that one came from; ports with nothing are left out."""
    digests, item = {}, ""
    for row in rows.state().live_inputs:
        digest = shown_digest(row) if row.source == "shown" else row.digest
        if digest:
            digests[row.name] = digest
            item = title_of(row) if row.source == "shown" else item
    return digests, item


def selected() -> list[str]:
    """What is selected and can be looked at, the active object first."""
    layer = bpy.context.view_layer
    names = [item.name for item in layer.objects if item.select_get() and item.type in SOLID and item.visible_get()]
    active = layer.objects.active
    return sorted(names, key=lambda name: active is None or name != active.name)


def gather() -> dict[str, Source]:
    """Take everything that was picked out of the scene. Raises `CaptureError`, then nothing is to be sent.

    What takes many renders is not among it; see `to_take`.
    """
    return {row.name: _source(row) for row in rows.state().inputs if title_of(row) and row.source != "around"}


def to_take() -> dict[str, Around]:
    """By port, what will be taken out of the scene picture by picture. Raises `CaptureError`."""
    found = {}
    for row in rows.state().inputs:
        if row.source == "around" and title_of(row):
            folder = session.current().slot.inputs / uuid.uuid4().hex[:12] / "views"
            found[row.name] = Around(folder, selected(), count=row.views, size_px=row.size_px, look=row.look)
    return found


def _source(row: Any) -> Source:
    if row.source == "shown":
        return Source(title_of(row), digest=shown_digest(row))
    if row.source in ("result", "watched"):
        return Source(row.title, digest=row.digest)
    if row.source == "file":
        path = bpy.path.abspath(row.path)
        if not os.path.isfile(path):
            raise CaptureError(f"There is no file {path}", "Pick another one")
        return Source(os.path.basename(path), path=path)
    if row.source == "folder":
        path = bpy.path.abspath(row.folder)
        if not os.path.isdir(path):
            raise CaptureError(f"There is no folder {path}", "Pick another one")
        return Source(os.path.basename(path.rstrip("/\\")), kind="capture", path=path)
    folder = session.current().slot.inputs / uuid.uuid4().hex[:12]
    file = _captured(row, folder)
    return Source(file.name or title_of(row), kind=file.kind, path=file.path, media_type=file.media_type)


def _captured(row: Any, folder: Any) -> CapturedFile:
    if row.source in ("active", "object"):
        return object_glb(folder, row.object_name if row.source == "object" else "")
    if row.source == "collection":
        return collection_glb(folder, row.collection_name)
    if row.source == "image":
        return image_file(folder, row.image_name)
    if row.source == "viewport":
        return viewport_picture(folder)
    role = row.source.removeprefix("camera_")
    return camera_pictures(folder, roles=(role,))[0]
