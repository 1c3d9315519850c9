# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud of splats in the scene while its job is still at it: the same object takes one version after the other.

Only the points are touched, so the object stays wherever the artist has put it. No undo step is made on the way: the
finished cloud takes the place of the growing one as one step (see `splats.place`), and an unfinished one that stays is
one step too.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import provenance
from ..core import splat_file
from ..core.delivered import Delivered
from . import places, splat_view
from .splats import GROWING, fill

UNFINISHED = "(unfinished)"
FloatArray = NDArray[np.float32]


def show(making: Delivered, rows: FloatArray, live: NDArray[np.uint8], *, again: bool) -> bool:
    """Put the newest rows into the job's object, made at the 3D cursor for the first; False when it was deleted.

    `rows` float32 [slots, 11 + 3K], neutral axes and linear values (position, wxyz, scale, opacity, harmonics); `live`
    uint8 [slots], 0 for rows that are no splat. `making` names job and generator. `again`: it has been in the scene
    before, and what the artist has deleted or undone since is not made once more.
    """
    table = splat_file.of_rows(rows, live)
    mesh = mesh_of(making.job_id)
    if mesh is not None:
        items = [item for item in bpy.data.objects if item.data == mesh and item.users_scene]
        if not items or any(item.mode != "OBJECT" for item in items):
            return bool(items)
        fill(mesh, table)
        return True
    if again:
        return False
    mesh = bpy.data.meshes.new(making.name)
    fill(mesh, table)
    provenance.write(mesh, making, GROWING)
    item = bpy.data.objects.new(making.name, mesh)
    item.location = bpy.context.scene.cursor.location
    with places.own_collection():
        places.link(item)
    bpy.context.view_layer.update()
    places.into_local_views(item)
    splat_view.give(item)
    provenance.write(item, making, "object", f"at {places.position_key(places.cursor_or(None))}")
    return True


def mesh_of(job_id: str) -> Any:
    """The points of a job's growing cloud that an object of the file still shows, or None."""
    for item in bpy.data.objects:
        if item.type == "MESH" and item.users_scene:
            record = provenance.read(item.data)
            if record is not None and job_id and (record.role, record.job_id) == (GROWING, job_id):
                return item.data
    return None


def keep_unfinished(job_id: str) -> bool:
    """The job has ended without a result: what there is stays, as one undo step; False when nothing is to be done."""
    mesh = mesh_of(job_id)
    if mesh is None:
        return False
    items = [item for item in bpy.data.objects if item.data == mesh and UNFINISHED not in item.name]
    if not items:
        return False
    for item in items:
        item.name = f"{item.name} {UNFINISHED}"
    bpy.ops.ed.undo_push(message="Scenecast: unfinished cloud")
    return True
