"""The first, coarse lattice: every cell that the cameras can tell anything about, thinly filled with grey."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.field_lattice import expanded
from generators.fields.lattice import FAINT, Lattice, lattice_of
from generators.fields.settings import FieldSettings
from generators.radiance.cameras import Camera

SEEN, OUTSIDE = 1, 2
"""What a lattice's `occupied` says of a cell: some photograph shows its place, or it only lies near their edges."""
MARGIN = 0.25
"""By how much of its longer side a photograph's view is widened when the first cells are chosen."""
THIN = 0.3
"""Density, per radius, that the middle begins with; less where cells are large."""


def first_lattice(cameras: Sequence[Camera], settings: FieldSettings) -> Lattice:
    """The lattice of the first level for cameras in normalised space.

    A cell is held if two cameras see it, one being enough beyond the radius.
    """
    cells = settings.cells >> (settings.levels - 1)
    axis = np.arange(cells - 1)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    middle = (grid + 0.5) * (4 / cells) - 2
    length = np.linalg.norm(middle, axis=1)
    within = length < 2 - 1 / settings.far
    grid, middle, length = grid[within], middle[within], length[within]
    world = expanded(middle)
    seen, shown = np.zeros(len(world), np.int32), np.zeros(len(world), np.bool_)
    for camera in cameras:
        local = world @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]
        depth = np.maximum(local[:, 2], 1e-9)
        u, v = local[:, 0] / depth * camera.fx + camera.cx, local[:, 1] / depth * camera.fy + camera.cy
        ahead = local[:, 2] > settings.near
        shown |= ahead & (u > 0) & (v > 0) & (u < camera.width) & (v < camera.height)
        margin = MARGIN * max(camera.width, camera.height)
        seen += ahead & (u > -margin) & (v > -margin) & (u < camera.width + margin) & (v < camera.height + margin)
    use = (seen >= 2) | ((seen >= 1) & (length > 1))
    lattice = lattice_of(grid[use], cells, np.where(shown[use], SEEN, OUTSIDE).astype(np.uint8))
    away = np.linalg.norm(expanded(lattice.vertices() * (4 / cells) - 2), axis=1)
    lattice.values[:, 0] = np.log(THIN / np.maximum(away, 1.0))
    lattice.values[lattice.active.reshape(-1) == 0, 0] = FAINT
    return lattice
