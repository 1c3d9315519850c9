# SPDX-License-Identifier: GPL-3.0-or-later
"""What a camera sees, as colour, depth and normal pictures, by one quick render."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..core.captured import CapturedFile, CaptureError
from ..core.exr import read_channels
from ..core.png import png_bytes
from ..core.view_pictures import depth_picture, normal_picture
from .borrowed import as_png, borrowed

ROLES = ("colour", "depth", "normal")


def camera_pictures(
    folder: str | Path,
    *,
    camera_name: str = "",
    roles: Sequence[str] = ROLES,
    size_px: int = 768,
    samples: int = 16,
) -> list[CapturedFile]:
    """PNG files in `folder`, one per role: what the camera (the scene's own for "") sees at the current frame.

    `size_px` is the longer side. Colour is as the scene's view transform shows it, 8 bits; depth and normal are as
    `core.view_pictures` describes. Holds Blender for the render (a second or so). Nothing in the file changes. Raises
    `CaptureError`.
    """
    wrong = [role for role in roles if role not in ROLES]
    if wrong:
        raise CaptureError(f"A camera gives no {wrong[0]!r}", f"Ask for {', '.join(ROLES)}")
    camera = bpy.data.objects.get(camera_name) if camera_name else bpy.context.scene.camera
    if camera is None or camera.type != "CAMERA":
        raise CaptureError("The scene has no camera to look through", "Add one, and make it the active camera")
    if bpy.app.is_job_running("RENDER"):
        raise CaptureError("Blender is rendering", "Wait until it is done")
    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    with _set_for_capture(camera, size_px, samples) as scene, tempfile.TemporaryDirectory() as scratch:
        passes = _rendered(scene, Path(scratch))
        if "colour" in roles:
            _save_shown(scene, where / "colour.png")
        meta = {"width_px": scene.render.resolution_x, "height_px": scene.render.resolution_y, **field_of_view(scene)}
    files = [_file(where / "colour.png", "colour", camera.name, meta)] if "colour" in roles else []
    if "depth" in roles:
        picture, near, far = depth_picture(_pass(passes, "Depth", "Z", "V")[0])
        (where / "depth.png").write_bytes(png_bytes(picture))
        files.append(_file(where / "depth.png", "depth", camera.name, {**meta, "near_m": near, "far_m": far}))
    if "normal" in roles:
        rotation = np.array(camera.matrix_world.to_3x3().normalized().inverted())
        normals = np.stack([_pass(passes, "Normal", axis)[0] for axis in "XYZ"], axis=-1)
        (where / "normal.png").write_bytes(png_bytes(normal_picture(normals, rotation)))
        files.append(_file(where / "normal.png", "normal", camera.name, meta))
    return files


@contextmanager
def _set_for_capture(camera: Any, size_px: int, samples: int) -> Iterator[Any]:
    """The scene under other render settings, all of which come back."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    render = scene.render
    scale = size_px / max(render.resolution_x, render.resolution_y)
    with borrowed(render) as change:
        change(scene, "camera", camera)
        change(render, "engine", "CYCLES")
        change(scene.cycles, "samples", samples)
        for off in ("use_denoising", "use_adaptive_sampling"):
            change(scene.cycles, off, False)
        for off in ("use_compositing", "use_sequencer", "use_border", "use_multiview", "use_file_extension"):
            change(render, off, False)
        change(layer, "use_pass_z", True)
        change(layer, "use_pass_normal", True)
        change(render, "resolution_percentage", 100)
        change(render, "filepath", render.filepath)
        for side in ("resolution_x", "resolution_y"):
            change(render, side, max(16, round(getattr(render, side) * scale)))
        yield scene


def _rendered(scene: Any, folder: Path) -> dict[str, Any]:
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # from 5.0 on a format is chosen within a kind of medium
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth, settings.exr_codec = "32", "NONE"
    if hasattr(settings, "use_exr_interleave"):  # 5.0 writes a part for every pass unless told not to
        settings.use_exr_interleave = True
    scene.render.filepath = str(folder / "passes.exr")
    try:
        bpy.ops.render.render(scene=scene.name, layer=bpy.context.view_layer.name, write_still=True)
        return dict(read_channels(folder / "passes.exr"))
    except (RuntimeError, ValueError, OSError) as error:
        raise CaptureError(f"The camera's view could not be rendered: {error}") from error


def _save_shown(scene: Any, path: Path) -> None:
    """The render as the artist sees it, under the scene's view transform."""
    as_png(scene.render.image_settings, "RGB")
    bpy.data.images["Render Result"].save_render(str(path), scene=scene)


def _pass(passes: dict[str, Any], name: str, *channels: str) -> list[Any]:
    """The pictures of a pass's channels. Raises `CaptureError` when the render has none of them."""
    found = [picture for full, picture in passes.items() if full.split(".")[-2:] in [[name, one] for one in channels]]
    if not found:
        raise CaptureError(f"The render has no pass {name}, only {', '.join(sorted(passes))}")
    return found


def field_of_view(scene: Any) -> dict[str, float]:
    """`fov_y_deg` of the scene's camera in the scene's picture; empty for one without perspective."""
    camera = scene.camera.data
    if camera.type != "PERSP":
        return {}
    frame = camera.view_frame(scene=scene)
    top, bottom = max(corner.y for corner in frame), min(corner.y for corner in frame)
    return {"fov_y_deg": math.degrees(2 * math.atan2((top - bottom) / 2, -frame[0].z))}


def _file(path: Path, role: str, name: str, meta: dict[str, Any]) -> CapturedFile:
    return CapturedFile(str(path), "image", role, "image/png", f"{name} {role}", dict(meta))
