"""The matrix product against Lowe's definition written out, and the choice of pairs."""

from __future__ import annotations

import numpy as np

from generators.radiance.poses import pairs


def descriptors(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 80, (count, 128)).astype(np.uint8)


def by_definition(one: np.ndarray, other: np.ndarray) -> list[tuple[int, int]]:
    """Every angle by itself; nearest both ways, and by far."""
    angles = [[float(np.arccos(np.clip(a @ b, -1, 1))) for b in other] for a in one]
    result = []
    for row, values in enumerate(angles):
        first, second = np.argsort(values, kind="stable")[:2]
        back = min(range(len(one)), key=lambda r: angles[r][first])
        if values[first] < pairs.ANGLE_MAX and values[first] < pairs.RATIO * values[second] and back == row:
            result.append((row, int(first)))
    return result


def test_matches_are_those_of_the_definition() -> None:
    one = descriptors(60, 0)
    noise = np.random.default_rng(1).integers(-9, 10, (40, 128))
    other = np.concatenate([np.clip(one[:40].astype(int) + noise, 0, 255).astype(np.uint8), descriptors(30, 2)])
    got = pairs.matched(pairs.unit(one), pairs.unit(other))
    assert [tuple(map(int, row)) for row in got] == by_definition(pairs.unit(one), pairs.unit(other))
    assert len(got) >= 38 and (got[:, 0] == got[:, 1]).all()


def test_nothing_matches_nothing() -> None:
    empty = np.empty((0, 128), np.float32)
    assert pairs.matched(empty, pairs.unit(descriptors(5, 0))).shape == (0, 2)
    assert pairs.matched(pairs.unit(descriptors(5, 0)), empty).shape == (0, 2)


def test_previews_are_the_largest_features() -> None:
    some, sizes = descriptors(10, 3), np.arange(10.0)
    assert np.allclose(pairs.preview(some, sizes, 3), pairs.unit(some[[9, 8, 7]]))


def test_pairs_are_those_that_share_most() -> None:
    shared = np.triu(np.full((30, 30), 2, np.int32), 1)
    for index in range(29):
        shared[index, index + 1] = 60
    chosen = pairs.chosen_pairs(shared, partners_max=4, ordered=False)
    assert {(index, index + 1) for index in range(29)} <= set(chosen)
    assert len(chosen) <= 29 + 30 * 3 and chosen == sorted(chosen)
    film = pairs.chosen_pairs(shared, partners_max=4, ordered=True)
    assert {(index, index + pairs.NEIGHBOURS) for index in range(30 - pairs.NEIGHBOURS)} <= set(film)


def test_groups_are_joined_by_what_they_share_most() -> None:
    shared = np.zeros((20, 20), np.int32)
    shared[:10, :10] = shared[10:, 10:] = 90
    shared[3, 14] = 6  # too little to be proposed
    shared = np.triu(shared, 1)
    assert (3, 14) in pairs.chosen_pairs(shared, partners_max=5)
    both = shared + shared.T
    tree = pairs.spanning_tree(both)
    assert len(tree) == 19 and len({end for pair in tree for end in pair}) == 20 and (3, 14) in tree


def test_those_left_out_are_tried_with_all_others() -> None:
    shared = np.triu(np.arange(36, dtype=np.int32).reshape(6, 6), 1)
    both = shared + shared.T
    further = pairs.further_pairs(both, {(1, 5), (0, 1)}, [5], 10)
    assert further == [(0, 5), (2, 5), (3, 5), (4, 5)]
    assert pairs.further_pairs(both, set(), [5], 2) == [(3, 5), (4, 5)]
    assert pairs.further_pairs(both, set(), [], 9) == []


def test_an_unlike_photograph_is_still_tried_three_times() -> None:
    shared = np.triu(np.full((8, 8), 50, np.int32), 1)
    shared[:, 7] = 0
    assert sum(7 in pair for pair in pairs.chosen_pairs(shared, partners_max=5, ordered=False)) >= 3
