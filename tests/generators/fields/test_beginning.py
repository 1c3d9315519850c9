"""The first cells are those that cameras can tell of, near and far."""

from __future__ import annotations

import numpy as np

from engines.field_lattice import expanded
from generators.fields.beginning import OUTSIDE, SEEN, first_lattice
from generators.fields.settings import FieldSettings
from generators.radiance.cameras import Camera, looking_at

SETTINGS = FieldSettings(cells=128, level_shares=(0.5, 0.5))


def cameras() -> list[Camera]:
    return [looking_at((x, 0, 1.4), (0, 0, 0), fov_y_deg=40, width=40, height=30) for x in (-0.4, 0.0, 0.4)]


def test_cells_are_in_sight_and_what_is_only_near_the_edge_is_marked() -> None:
    views = cameras()
    lattice = first_lattice(views, SETTINGS)
    assert lattice.cells == 64
    cells = lattice.occupied_cells()
    world = expanded((cells + 0.5) * (4 / 64) - 2)
    marks = lattice.occupied.reshape(-1)[lattice.occupied.reshape(-1) > 0]
    inside = np.zeros(len(cells), bool)
    for camera in views:
        local = world @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]
        u, v = (local[:, i] / local[:, 2] * camera.fx + (20, 15)[i] for i in range(2))
        inside |= (local[:, 2] > SETTINGS.near) & (u > 0) & (v > 0) & (u < 40) & (v < 30)
    assert set(marks) == {SEEN, OUTSIDE}
    np.testing.assert_array_equal(marks == SEEN, inside)
    assert (world[:, 2] < 1.4 + 0.1).all()  # nothing behind the cameras
    assert np.linalg.norm(world, axis=1).max() > 5  # the far is there, too


def test_it_begins_thin_and_thinner_where_cells_are_large() -> None:
    lattice = first_lattice(cameras(), SETTINGS)
    active = lattice.active.reshape(-1) > 0
    away = np.linalg.norm(expanded(lattice.vertices() * (4 / 64) - 2), axis=1)
    near, far = active & (away < 0.8), active & (away > 4)
    assert near.any() and far.any()
    assert lattice.values[near, 0].min() > lattice.values[far, 0].max() > lattice.values[~active, 0].max()
    assert not lattice.values[:, 1:].any()  # grey
