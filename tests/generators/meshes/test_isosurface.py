"""Marching cubes: cases built by rule, closed and outward whatever the samples are, open where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from generators.meshes.cube_table import loops_of, table
from generators.meshes.fusion import Box
from generators.meshes.isosurface import Blocks, blocks_of, isosurface
from generators.meshes.reconstruction import surface_of_function
from generators.meshes.topology import volume_m3
from tests.generators.meshes.shapes import HALF, ball, ball_surface, closed, edge_uses, euler, ring, ring_surface


def test_every_case_cuts_each_edge_that_changes_sides_once() -> None:
    for case in range(256):
        inside = [bool(case >> corner & 1) for corner in range(8)]
        changing = {
            3 * corner + axis
            for corner in range(8)
            for axis in range(3)
            if not corner >> axis & 1 and inside[corner] != inside[corner | 1 << axis]
        }
        loops = loops_of(case)
        flat = [edge for loop in loops for edge in loop]
        assert len(flat) == len(set(flat)) and set(flat) == changing
        assert table()[0][case] == sum(len(loop) - 2 for loop in loops)


def test_noise_gives_a_closed_manifold() -> None:
    grid = np.random.default_rng(1).normal(size=(21, 18, 30)).astype(np.float32)
    for axis in range(3):
        np.moveaxis(grid, axis, 0)[[0, -1]] = 1.0
    surface = isosurface(blocks_of(grid, np.zeros(3), 1.0))
    assert len(surface.faces) > 10_000 and closed(surface.faces)
    assert volume_m3(surface.positions, surface.faces) > 0


def test_shapes_have_their_volume_place_and_holes() -> None:
    surface = ball_surface(48)
    assert closed(surface.faces) and euler(surface) == 2
    np.testing.assert_allclose(np.linalg.norm(surface.positions, axis=1), 0.7, atol=0.002)
    assert volume_m3(surface.positions, surface.faces) == pytest.approx(4 / 3 * np.pi * 0.7**3, rel=0.01)
    torus = ring_surface(48)
    assert closed(torus.faces) and euler(torus) == 0
    assert volume_m3(torus.positions, torus.faces) == pytest.approx(2 * np.pi**2 * 0.6 * 0.25**2, rel=0.02)


def test_a_density_is_solid_where_it_is_high_and_is_closed_at_the_box() -> None:
    half = Box(np.array([-1.0, -1.0, -1.0]), np.array([0.0, 1.0, 1.0]))

    def density(points: NDArray[np.float32]) -> NDArray[np.floating]:
        return np.asarray(30 * np.exp(-4 * ball(points)))

    surface = surface_of_function(density, half, 40, level=30.0, inside_above=True)
    assert closed(surface.faces)
    assert volume_m3(surface.positions, surface.faces) == pytest.approx(2 / 3 * np.pi * 0.7**3, rel=0.05)


def test_the_surface_ends_where_knowledge_ends() -> None:
    x = np.linspace(-1, 1, 24, dtype=np.float32)
    points = np.stack(np.meshgrid(x, x, x, indexing="ij"), -1).reshape(-1, 3)
    grid = ring(points).reshape(24, 24, 24).astype(np.float32)
    grid[:, :, :12] = np.nan
    blocks = blocks_of(grid, np.full(3, -1.0), float(x[1] - x[0]))
    surface = isosurface(blocks)
    uses = edge_uses(surface.faces)
    assert set(uses) == {1, 2} and surface.positions[:, 2].min() >= x[12] - 1e-6
    some = np.flatnonzero(blocks.where[:, 0] > 0)
    index = np.full_like(blocks.index, -1)
    index[tuple(blocks.where[some].T)] = np.arange(len(some))
    sparse = isosurface(Blocks(blocks.values[some], blocks.where[some], index, blocks.low, blocks.step))
    assert 0 < len(sparse.faces) < len(surface.faces) and sparse.positions[:, 0].min() >= x[8] - 1e-6


def test_no_surface_is_no_error() -> None:
    empty = surface_of_function(lambda points: np.ones(len(points)), HALF, 16)
    assert empty.positions.shape == (0, 3) and empty.faces.shape == (0, 3)
