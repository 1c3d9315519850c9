"""Heaps of triangles become manifolds: each fault made on purpose, each named."""

from __future__ import annotations

import numpy as np
import pytest

from generators.meshes.decimation import decimated
from generators.meshes.hole_filling import filled, outlines
from generators.meshes.isosurface import Surface
from generators.meshes.manifold import mended, opened, oriented
from generators.meshes.solid import closed as made_closed
from generators.meshes.solid import thickened
from generators.meshes.topology import largest_pieces, pieces, volume_m3
from tests.generators.meshes.shapes import ball_surface, closed, cube, edge_uses, ring_surface, sheet


def test_a_soup_of_loose_triangles_is_joined() -> None:
    surface = ball_surface()
    soup = surface.positions[surface.faces].reshape(-1, 3)
    whole, found = mended(soup, np.arange(len(soup)).reshape(-1, 3))
    assert closed(whole.faces) and found.joined == len(soup) - len(surface.positions)
    assert np.array_equal(np.sort(whole.positions, axis=0), np.sort(surface.positions, axis=0))


def test_flat_and_doubled_triangles_go() -> None:
    surface = cube()
    extra = np.array([[0, 0, 1], [0, 1, 3], [3, 0, 1]], np.int32)
    whole, found = mended(surface.positions, np.concatenate([surface.faces, extra]))
    assert (found.flat, found.doubled) == (1, 2) and closed(whole.faces) and len(whole.faces) == 12


def test_triangles_are_turned_outwards_together() -> None:
    surface = ring_surface()
    faces = surface.faces.copy()
    odd = np.random.default_rng(0).random(len(faces)) < 0.4
    faces[odd] = faces[odd][:, ::-1]
    whole, found = mended(surface.positions, faces)
    assert closed(whole.faces) and found.turned > 0
    assert volume_m3(whole.positions, whole.faces) > 0
    inside_out, found = mended(surface.positions, surface.faces[:, ::-1])
    assert found.turned == len(faces) and volume_m3(inside_out.positions, inside_out.faces) > 0


def test_a_hollow_keeps_facing_inwards() -> None:
    outer, inner = cube(), cube()
    positions = np.concatenate([outer.positions, inner.positions * np.float32(0.5)])
    faces = np.concatenate([outer.faces, inner.faces[:, ::-1] + 8])
    whole, found = mended(positions, faces)
    assert found.turned == 0 and volume_m3(whole.positions, whole.faces) == pytest.approx(8 - 1)


def test_where_three_sheets_meet_they_are_cut_apart() -> None:
    positions = np.array([[0, 0, 0], [0, 0, 1], [1, 0, 0], [-1, 0, 0], [0, 1, 0]], np.float32)
    whole, found = mended(positions, np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]], np.int32))
    assert found.crowded == 1 and set(edge_uses(whole.faces)) == {1}
    bow_tie = np.array([[0, 1, 2], [0, 3, 4]], np.int32)
    apart, _ = mended(np.random.default_rng(0).random((5, 3)).astype(np.float32), bow_tie)
    assert len(apart.positions) == 6


@pytest.mark.parametrize("missing", [1, 4, 30])
def test_holes_are_closed(missing: int) -> None:
    surface = ball_surface()
    middle = surface.positions[surface.faces].mean(1)
    near = np.argsort(-middle[:, 1])[:missing]
    faces = np.delete(surface.faces, near, axis=0)
    assert set(edge_uses(faces)) == {1, 2}
    whole, done, left = filled(Surface(surface.positions, faces))
    assert (done, left) == (1, 0) and closed(whole.faces)
    before = volume_m3(surface.positions, surface.faces)
    assert volume_m3(whole.positions, whole.faces) == pytest.approx(before, rel=0.02)


def test_large_holes_are_closed_by_a_fan_or_left() -> None:
    half = ball_surface(110)
    faces = half.faces[half.positions[half.faces][..., 1].max(1) < 0]
    open_half = Surface(half.positions, faces)
    (loop,) = outlines(faces)
    assert len(loop) > 300
    assert filled(open_half, 100)[1:] == (0, 1)
    whole, done, _ = filled(open_half)
    assert done == 1 and closed(whole.faces) and len(whole.positions) == len(half.positions) + 1


def test_a_sheet_is_given_a_thickness() -> None:
    slab = thickened(sheet(), 0.1)
    assert closed(slab.faces) and volume_m3(slab.positions, slab.faces) == pytest.approx(0.1, rel=1e-4)
    whole, holes, thick = made_closed(sheet(), 0.1)
    assert thick and holes == 0 and closed(whole.faces)


@pytest.mark.parametrize("seed", [5, 6, 18, 36])
def test_whatever_is_left_of_a_shape_can_be_closed(seed: int) -> None:
    """A third of the triangles gone, a third of the rest turned round, nothing joined."""
    rng = np.random.default_rng(seed)
    whole = ring_surface(24) if seed % 2 else ball_surface(16)
    faces = whole.faces[rng.random(len(whole.faces)) > 0.35].copy()
    turned = rng.random(len(faces)) < 0.3
    faces[turned] = faces[turned][:, ::-1]
    soup = whole.positions[faces].reshape(-1, 3)
    surface, _ = mended(soup, np.arange(len(soup)).reshape(-1, 3))
    patched, _, left = filled(surface)
    patched, _ = oriented(patched)
    assert left == 0 and closed(patched.faces)
    assert closed(decimated(patched, len(patched.faces) // 3).faces)
    assert closed(made_closed(surface, 0.05)[0].faces)


def test_crumbs_and_tatters_go() -> None:
    large, small = ball_surface(), cube()
    positions = np.concatenate([large.positions, small.positions + np.float32(9)])
    both = Surface(positions, np.concatenate([large.faces, small.faces + len(large.positions)]).astype(np.int32))
    assert np.bincount(pieces(both.faces, len(positions))).tolist() == [len(large.faces), 12]
    kept, dropped = largest_pieces(both, 0.1)
    assert dropped == 1 and len(kept.faces) == len(large.faces) and closed(kept.faces)
    ribbon = sheet(30)
    middle = ribbon.positions[ribbon.faces].mean(1)
    faces = ribbon.faces[(middle[:, 0] < 0.6) | (np.abs(middle[:, 2] - 0.5) < 0.04)]
    trimmed = opened(Surface(ribbon.positions, faces), 3)
    assert trimmed.positions[:, 0].max() < 0.75
    assert trimmed.positions[:, 0].min() == 0 and trimmed.positions[:, 2].max() == 1
