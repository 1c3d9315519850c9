"""Rays and nearest points against trying every triangle."""

from __future__ import annotations

import numpy as np
import pytest

from engines.assets import FloatArray
from generators.events import Cancelled
from generators.meshes.isosurface import Surface
from generators.meshes.tracing import cast, nearest, tree_of
from tests.generators.meshes.shapes import Bench, cube, ring_surface

RNG = np.random.default_rng(3)


def soup(count: int) -> Surface:
    corners = RNG.normal(size=(count, 1, 3)) + 0.4 * RNG.normal(size=(count, 3, 3))
    return Surface(corners.reshape(-1, 3).astype(np.float32), np.arange(3 * count, dtype=np.int32).reshape(-1, 3))


def slow_cast(surface: Surface, origin: FloatArray, direction: FloatArray) -> float:
    """Distance to the nearest triangle met, by solving for each of them."""
    best = np.inf
    for a, b, c in surface.positions.astype(np.float64)[surface.faces]:
        matrix = np.stack([b - a, c - a, -direction.astype(np.float64)], axis=1)
        if abs(np.linalg.det(matrix)) < 1e-12:
            continue
        u, v, t = np.linalg.solve(matrix, origin - a)
        if min(u, v, 1 - u - v, t) >= 0:
            best = min(best, float(t))
    return best


def slow_nearest(surface: Surface, point: FloatArray) -> float:
    """Distance to the nearest of many points spread densely over every triangle."""
    n = 60
    i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    keep = i + j <= n
    shares = np.stack([i[keep], j[keep], n - i[keep] - j[keep]], axis=1) / n
    spread = np.einsum("sk,fkc->fsc", shares, surface.positions[surface.faces].astype(np.float64))
    return float(np.linalg.norm(spread.reshape(-1, 3) - point, axis=1).min())


@pytest.mark.parametrize("count", [1, 5, 37])
def test_rays_meet_what_a_slow_search_meets(count: int) -> None:
    surface = soup(count)
    origins = (RNG.normal(size=(80, 3)) * 2).astype(np.float32)
    aims = surface.positions[RNG.integers(0, len(surface.positions), 80)] + RNG.normal(size=(80, 3)) * 0.1
    directions = np.asarray(aims - origins, np.float32)
    hits = cast(tree_of(surface.positions, surface.faces), origins, directions, 1e9)
    want = np.array([slow_cast(surface, o, d) for o, d in zip(origins, directions, strict=True)])
    assert np.array_equal(hits.face >= 0, np.isfinite(want)) and (hits.face >= 0).any()
    met = hits.face >= 0
    np.testing.assert_allclose(hits.distance[met], want[met], rtol=1e-3, atol=1e-4)
    corners = surface.positions[surface.faces[hits.face[met]]]
    place = np.einsum("rk,rkc->rc", hits.shares[met], corners)
    np.testing.assert_allclose(place, origins[met] + directions[met] * hits.distance[met, None], atol=1e-3)


def test_nearest_points_are_nearest() -> None:
    surface = soup(20)
    points = (RNG.normal(size=(60, 3)) * 1.5).astype(np.float32)
    hits = nearest(tree_of(surface.positions, surface.faces), points)
    want = np.array([slow_nearest(surface, p) for p in points])
    assert (hits.distance <= want + 1e-5).all()
    np.testing.assert_allclose(hits.distance, want, atol=0.03)
    place = np.einsum("rk,rkc->rc", hits.shares, surface.positions[surface.faces[hits.face]])
    np.testing.assert_allclose(np.linalg.norm(place - points, axis=1), hits.distance, atol=1e-5)


def test_rays_along_an_axis_and_limits() -> None:
    box = cube()
    tree = tree_of(box.positions, box.faces)
    origin, up = np.array([[0.2, 0.0, 0.3]], np.float32), np.array([[0.0, 1.0, 0.0]], np.float32)
    assert cast(tree, origin, up, 9.0).distance[0] == pytest.approx(1.0)
    assert cast(tree, origin, up, 0.5).face[0] == -1
    assert cast(tree, origin, up, 9.0, near=1.5).face[0] == -1
    assert cast(tree, origin, up, 9.0, any_hit=True).face[0] >= 0


def test_a_ring_is_met_everywhere_and_work_can_be_cancelled() -> None:
    surface = ring_surface()
    tree = tree_of(surface.positions, surface.faces)
    corners = surface.positions[surface.faces]
    middles = np.ascontiguousarray(corners.mean(1))
    outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = np.ascontiguousarray(outward / np.linalg.norm(outward, axis=1, keepdims=True), np.float32)
    hits = cast(tree, np.ascontiguousarray(middles + outward * np.float32(0.01)), -outward, 0.05)
    assert (hits.face == np.arange(len(middles))).mean() > 0.99
    with pytest.raises(Cancelled):
        nearest(tree, middles, Bench(checks_left=0).check)
