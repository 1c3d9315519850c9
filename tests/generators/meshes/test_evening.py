"""Dents go, balls keep their size and boxes their edges."""

from __future__ import annotations

import numpy as np
import pytest

from generators.events import Cancelled
from generators.meshes import evening
from generators.meshes.evening import evened
from generators.meshes.isosurface import Surface
from generators.meshes.topology import face_vectors
from tests.generators.meshes.shapes import Bench, ball_surface, sheet


def dented(cells: int = 48) -> Surface:
    """A sheet of side 1 with dents of 8 mm that are a fifth of its side wide."""
    flat = sheet(cells)
    points = flat.positions.copy()
    points[:, 1] += 0.008 * np.sin(points[:, 0] * 10 * np.pi) * np.sin(points[:, 2] * 10 * np.pi)
    return Surface(points.astype(np.float32), flat.faces)


def test_a_dented_sheet_becomes_flat() -> None:
    surface = dented()
    inner = (np.abs(surface.positions[:, [0, 2]] - 0.5) < 0.3).all(1)
    points = evened(surface, 0.25, 1 / 48)
    assert np.abs(points[inner, 1]).mean() < 0.3 * np.abs(surface.positions[inner, 1]).mean()


def test_a_ball_keeps_its_radius() -> None:
    ball = ball_surface(40)
    points = evened(ball, 0.3, 0.05)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 0.7, atol=0.006)


def test_an_edge_stays_sharp() -> None:
    flat = sheet(48)
    bent = flat.positions.copy()
    bent[:, 1] = -np.maximum(bent[:, 0] - 0.5, 0) * 2  # folded by 63 degrees
    points = evened(Surface(bent.astype(np.float32), flat.faces), 0.2, 1 / 48)
    far = np.abs(points[:, 0] - 0.5) > 0.06
    assert np.abs(points - bent)[far].max() < 0.004
    assert np.abs(points - bent).max() < 0.012


def test_no_triangle_turns_over_where_two_sheets_nearly_touch() -> None:
    rng = np.random.default_rng(0)
    surface = dented()
    rough = surface.positions + rng.normal(0, 0.006, surface.positions.shape).astype(np.float32)
    points = evened(Surface(rough, surface.faces), 0.2, 1 / 48)
    assert np.isfinite(points).all()
    before = (face_vectors(rough, surface.faces)[:, 1] < 0).sum()
    assert (face_vectors(points, surface.faces)[:, 1] < 0).sum() <= before
    steep = np.abs(np.diff(points[np.argsort(points[:, 0]), 1]))
    assert np.median(steep) < np.median(np.abs(np.diff(rough[np.argsort(rough[:, 0]), 1])))


def test_the_fit_is_the_least_squares_answer() -> None:
    """One vertex against numpy: same weights, same quadratic."""
    surface = dented(16)
    points, up = surface.positions, np.tile(np.array([[0, 1, 0]], np.float32), (len(surface.positions), 1))
    reach = np.float32(0.3)
    samples = evening._sampled(points, up, float(reach), 1 / 160)
    move = np.zeros(1, np.float32)
    at = 8 * 17 + 8
    evening._fit(
        points[at : at + 1], up[:1], samples.points, samples.normals, samples.weights, samples.starts,
        samples.low, samples.shape, reach, move,
    )  # fmt: skip
    off = (points - points[at]).astype(np.float64) / float(reach)
    near = np.maximum(1 - (off**2).sum(1), 0) ** 2
    x, z = off[:, 0], off[:, 2]
    basis = np.stack([np.ones_like(x), x, z, x * x, x * z, z * z], axis=1)
    pull = np.diag([0, 1e-4, 1e-4, *[evening.STIFF] * 3]) * near.sum()
    answer = np.linalg.solve(basis.T @ (near[:, None] * basis) + pull, basis.T @ (near * off[:, 1]))
    assert move[0] == pytest.approx(answer[0] * reach, rel=1e-3, abs=1e-7)


def test_it_can_be_cancelled() -> None:
    with pytest.raises(Cancelled):
        evened(dented(16), 0.2, 1 / 16, Bench(checks_left=3).check)
