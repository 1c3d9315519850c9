from __future__ import annotations

import numpy as np
import pytest

from engines.assets import Array
from generators.splats.neighbours import Neighbours, components


def by_force(points: Array, queries: Array, count: int, *, own: bool) -> Array:
    """Distances to the nearest, from every pair."""
    square = ((queries[:, None].astype(np.float64) - points[None]) ** 2).sum(-1)
    if own:
        np.fill_diagonal(square, np.inf)
    padded = np.concatenate([square, np.full((len(queries), count), np.inf)], axis=1)
    return np.asarray(np.sqrt(np.sort(padded, axis=1)[:, :count]))


def some_points(kind: str, count: int) -> Array:
    rng = np.random.default_rng(count)
    if kind == "even":
        points = rng.uniform(-1, 1, (count, 3))
    elif kind == "uneven":  # dense heart, far outliers
        points = rng.normal(size=(count, 3)) * np.exp(rng.normal(0, 3, (count, 1)))
    elif kind == "plane":
        points = rng.uniform(-1, 1, (count, 3)) * [1, 0, 1]
    else:  # many points at the same places
        points = rng.integers(0, 3, (count, 3)).astype(float)
    return points.astype(np.float32)


@pytest.mark.parametrize("kind", ["even", "uneven", "plane", "same"])
@pytest.mark.parametrize("count", [1, 2, 9, 700])
def test_neighbours_are_those_of_all_pairs(kind: str, count: int) -> None:
    points = some_points(kind, count)
    tree = Neighbours(points)
    distances, rows = tree.nearest(6)
    np.testing.assert_allclose(distances, by_force(points, points, 6, own=True), rtol=1e-5)
    there = np.isfinite(distances)
    assert (rows[~there] == -1).all() and (rows != np.arange(count)[:, None]).all()
    gaps = np.linalg.norm(points[rows] - points[:, None], axis=-1)
    np.testing.assert_allclose(gaps[there], distances[there], rtol=1e-5)
    for row, known in zip(rows, there, strict=True):
        assert len(set(row[known])) == known.sum(), "a neighbour was found twice"


def test_queries_need_not_be_points_of_the_cloud() -> None:
    points, queries = some_points("uneven", 500), some_points("even", 130) * 5
    distances, rows = Neighbours(points).nearest_to(queries, 3)
    np.testing.assert_allclose(distances, by_force(points, queries, 3, own=False), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(points[rows[:, 0]] - queries, axis=1), distances[:, 0], rtol=1e-5)


def test_it_can_be_cancelled_between_batches() -> None:
    class Stop(Exception):
        pass

    def check() -> None:
        raise Stop

    with pytest.raises(Stop):
        Neighbours(some_points("even", 100)).nearest(2, check)
    with pytest.raises(ValueError, match="at least one"):
        Neighbours(np.empty((0, 3), np.float32))


def test_components_are_those_of_a_search_through_the_links() -> None:
    rng = np.random.default_rng(5)
    neighbours = rng.integers(-1, 300, (300, 3)).astype(np.int32)
    linked = rng.random((300, 3)) < 0.25
    joined: list[set[int]] = [set() for _ in range(300)]
    for row in range(300):
        for k in range(3):
            if linked[row, k] and neighbours[row, k] >= 0:
                joined[row].add(int(neighbours[row, k]))
                joined[neighbours[row, k]].add(row)
    want = np.full(300, -1)
    for start in range(300):
        waiting = [start] if want[start] < 0 else []
        while waiting:
            row = waiting.pop()
            if want[row] < 0:
                want[row] = start
                waiting.extend(joined[row])
    np.testing.assert_array_equal(components(neighbours, linked), want)
    assert len(np.unique(want)) > 10
