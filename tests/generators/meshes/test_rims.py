"""Ragged rims become smooth lines, bays are closed, tongues are not, and nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest

from generators.events import Cancelled
from generators.meshes.hole_filling import outlines, without_bays
from generators.meshes.isosurface import Surface
from generators.meshes.rims import cut_at, trimmed
from generators.meshes.topology import edges_of, face_areas, face_vectors, kept
from tests.generators.meshes.shapes import Bench, ball_surface, edge_uses, sheet


def without(surface: Surface, gone: np.ndarray) -> Surface:
    return kept(surface, ~gone)


def notched(cells: int = 40) -> Surface:
    """A sheet of side 1 with a bay 0.1 wide and 0.3 deep in the middle of one side."""
    flat = sheet(cells)
    middle = flat.positions[flat.faces].mean(1)
    return without(flat, (np.abs(middle[:, 0] - 0.5) < 0.05) & (middle[:, 2] < 0.3))


def area(surface: Surface) -> float:
    return float(face_areas(surface.positions, surface.faces).sum())


def test_a_bay_is_closed() -> None:
    surface, count = without_bays(notched(), 0.15)
    assert count == 1 and area(surface) == pytest.approx(1.0, abs=1e-4)
    assert set(edge_uses(surface.faces)) == {1, 2}
    assert (face_vectors(surface.positions, surface.faces)[:, 1] >= 0).all()
    assert len(outlines(surface.faces)) == 1


def test_a_bay_with_a_wider_mouth_stays() -> None:
    surface, count = without_bays(notched(), 0.05)
    assert count == 0 and len(surface.faces) == len(notched().faces)


def test_a_tongue_is_no_bay() -> None:
    flat = sheet(40)
    middle = flat.positions[flat.faces].mean(1)
    tongue = without(flat, (middle[:, 2] < 0.3) & (np.abs(middle[:, 0] - 0.5) > 0.05))
    _, count = without_bays(tongue, 0.12)
    assert count == 0


def test_a_ragged_rim_becomes_even() -> None:
    rng = np.random.default_rng(3)
    flat = sheet(60)
    middle = flat.positions[flat.faces].mean(1)
    teeth = rng.uniform(0, 0.08, 20)[(middle[:, 0] * 19.999).astype(int)]
    ragged = without(flat, middle[:, 2] < teeth)
    even = trimmed(ragged, 0.04)
    assert set(edge_uses(even.faces)) == {1, 2} and len(outlines(even.faces)) == 1
    assert area(even) > 0.8 * area(ragged)

    def length(surface: Surface) -> float:
        edges = edges_of(surface.faces)
        ends = surface.positions[edges.ends[edges.border]]
        return float(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum())

    assert length(even) < 0.75 * length(ragged) and length(even) < 4.2


def test_what_has_no_outline_is_left_alone() -> None:
    ball = ball_surface()
    assert trimmed(ball, 0.1) is ball
    assert without_bays(ball, 0.1)[1] == 0


def test_a_cut_follows_the_values() -> None:
    flat = sheet(10)
    left = cut_at(flat, 0.55 - flat.positions[:, 0].astype(np.float64))
    assert area(left) == pytest.approx(0.55, abs=1e-5)
    assert left.positions[:, 0].max() == pytest.approx(0.55, abs=1e-5)
    assert set(edge_uses(left.faces)) == {1, 2}
    assert (face_vectors(left.positions, left.faces)[:, 1] > 0).all()


def test_it_can_be_cancelled() -> None:
    with pytest.raises(Cancelled):
        trimmed(notched(), 0.05, Bench(checks_left=2).check)
    with pytest.raises(Cancelled):
        without_bays(notched(), 0.15, Bench(checks_left=2).check)
