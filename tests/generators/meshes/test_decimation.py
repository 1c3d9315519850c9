"""Fewer triangles: what was closed stays closed, the shape stays, outlines stay, and the same input gives the same."""

from __future__ import annotations

import numpy as np
import pytest

from generators.events import Cancelled
from generators.meshes.decimation import decimated
from generators.meshes.isosurface import Surface, blocks_of, isosurface
from generators.meshes.topology import face_areas, volume_m3
from tests.generators.meshes.shapes import Bench, ball_surface, closed, edge_uses, euler, ring_surface, sheet


def test_a_ring_stays_a_closed_ring() -> None:
    surface = ring_surface(64)
    small = decimated(surface, 600)
    assert len(small.faces) <= 600 and closed(small.faces) and euler(small) == 0
    away = np.hypot(np.hypot(small.positions[:, 0], small.positions[:, 2]) - 0.6, small.positions[:, 1]) - 0.25
    assert np.abs(away).max() < 0.015
    assert volume_m3(small.positions, small.faces) == pytest.approx(
        volume_m3(surface.positions, surface.faces), rel=0.02
    )


def test_a_wild_surface_stays_a_manifold() -> None:
    grid = np.random.default_rng(4).normal(size=(20, 20, 20)).astype(np.float32)
    for axis in range(3):
        np.moveaxis(grid, axis, 0)[[0, -1]] = 1.0
    surface = isosurface(blocks_of(grid, np.zeros(3), 1.0))
    small = decimated(surface, len(surface.faces) // 3)
    assert len(small.faces) < 0.5 * len(surface.faces) and closed(small.faces)
    assert euler(small) == euler(surface)


def test_a_flat_sheet_needs_few_triangles_and_keeps_its_outline() -> None:
    small = decimated(sheet(40), 60)
    assert len(small.faces) <= 60
    assert face_areas(small.positions, small.faces).sum() == pytest.approx(1.0, abs=1e-4)
    assert np.abs(small.positions[:, 1]).max() < 1e-6
    assert set(edge_uses(small.faces)) == {1, 2}
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 1]], np.float32)
    assert all(np.linalg.norm(small.positions - corner, axis=1).min() < 1e-3 for corner in corners)


def test_it_stops_where_no_edge_may_go() -> None:
    tetrahedron = Surface(
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32),
        np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32),
    )
    assert len(decimated(tetrahedron, 1).faces) == 4
    assert len(decimated(ball_surface(12), 2).faces) >= 4


def test_it_is_repeatable_and_can_be_cancelled() -> None:
    surface = ring_surface(48)
    one, other = decimated(surface, 500), decimated(surface, 500)
    assert np.array_equal(one.positions, other.positions) and np.array_equal(one.faces, other.faces)
    with pytest.raises(Cancelled):
        decimated(surface, 500, Bench(checks_left=1).check)
