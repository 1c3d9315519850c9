"""A sketch is few splats that look like many: their middle, their spread, their colour, and who they stand for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines import growth, sketch
from engines.assets import Splats
from engines.importance import importance, sorted_splats
from engines.sketch import OPACITY_MAX, STANDS_FOR, WIDER, along_curve, sketch_of
from engines.transforms import rotation_matrices
from tests.engines.test_importance import cloud


def interleaved(x: int, y: int, z: int) -> int:
    """The plain twin: bit by bit."""
    return sum((v >> bit & 1) << (3 * bit + axis) for axis, v in enumerate((x, y, z)) for bit in range(21))


def test_bits_are_interleaved_as_the_twin_does() -> None:
    values = np.random.default_rng(0).integers(0, 2**21, (200, 3))
    spread = [sketch._every_third(values[:, axis].astype(np.uint64)) << np.uint64(axis) for axis in range(3)]
    assert [int(v) for v in spread[0] | spread[1] | spread[2]] == [interleaved(*map(int, row)) for row in values]


def test_one_group_has_the_moments_of_the_whole() -> None:
    splats = sorted_splats(cloud(60, 2))
    one = sketch_of(splats, 1)
    weights = importance(splats.opacities, splats.scales)
    weights = weights / weights.sum()
    middle = weights @ splats.positions
    half = rotation_matrices(splats.rotations) * splats.scales[:, None, :]
    away = splats.positions - middle
    spread = np.einsum("n,nij,nkj->ik", weights, half, half) + np.einsum("n,ni,nk->ik", weights, away, away)
    found = rotation_matrices(one.splats.rotations)[0] * (one.splats.scales[0].astype(np.float64) / WIDER)
    np.testing.assert_allclose(one.splats.positions[0], middle, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found @ found.T, spread, rtol=1e-4, atol=1e-7 * spread.max())
    np.testing.assert_allclose(one.splats.sh[0, 0], weights @ splats.sh[:, 0], rtol=1e-5, atol=1e-6)
    assert one.splats.sh.shape == (1, 1, 3) and one.rows.tolist() == [int(STANDS_FOR * 60)]


@pytest.mark.parametrize("count", [1, 7, 40, 400, 1000])
def test_groups_are_at_most_as_many_as_asked_for_and_rows_are_their_own(count: int) -> None:
    splats = sorted_splats(cloud(400, 3))
    made = sketch_of(splats, count)
    assert 0.6 * min(count, 400) <= len(made.rows) <= min(count, 400)
    assert len(np.unique(made.rows)) == len(made.rows) == len(made.splats.positions)
    for values in (made.splats.positions, made.splats.scales, made.splats.rotations, made.splats.sh):
        assert np.isfinite(values).all() and values.dtype == np.float32
    assert (made.splats.opacities <= np.float32(OPACITY_MAX)).all() and (made.splats.scales > 0).all()


def test_neighbours_are_grouped_and_far_things_take_few_groups() -> None:
    rng = np.random.default_rng(1)
    near, far = rng.normal(size=(900, 3)) * 0.5, rng.normal(size=(100, 3)) * 1000
    curve = along_curve(np.concatenate([near, far]).astype(np.float32))
    assert len(np.unique(curve)) > 990
    steps = np.linalg.norm(np.diff(near[np.argsort(curve[:900])], axis=0), axis=1)
    assert np.median(steps) < 0.4 * np.median(np.linalg.norm(np.diff(near, axis=0), axis=1))
    splats = replace(cloud(1000, 5), positions=np.concatenate([near, far]).astype(np.float32))
    made = sketch_of(sorted_splats(splats), 50)
    assert (np.linalg.norm(made.splats.positions, axis=1) < 5).sum() > 25


def test_large_clouds_are_sampled_and_look_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    splats = sorted_splats(cloud(4000, 6))
    whole = sketch_of(splats, 20)
    monkeypatch.setattr(sketch, "LOOKED_AT", 1000)
    some = sketch_of(splats, 20)
    assert 10 <= len(some.rows) <= 20 and (some.rows % 4 == 0).all()
    total = [float(importance(s.splats.opacities, s.splats.scales).sum()) for s in (whole, some)]
    assert total[1] == pytest.approx(total[0], rel=0.3)


@pytest.mark.parametrize("positions", ["one", "nan free line", "none"])
def test_degenerate_clouds_give_valid_sketches(positions: str) -> None:
    splats = cloud(0 if positions == "none" else 30, 7)
    if positions == "one":
        splats = replace(splats, positions=np.zeros_like(splats.positions), opacities=np.zeros_like(splats.opacities))
    elif positions != "none":
        splats.positions[:, 1:] = 0
    made = sketch_of(splats, 4)
    assert np.isfinite(made.splats.scales).all() and np.isfinite(made.splats.rotations).all()


def test_a_first_answer_begins_with_a_sketch_and_an_update_does_not(tmp_path: Path) -> None:
    splats: Splats = cloud(500, 8)
    version = growth.whole(splats, 3)
    assert version.sketch is not None and version.sketch_slots is not None
    assert 10 <= len(version.sketch) <= 20 and len(np.unique(version.sketch_slots)) == len(version.sketch)
    bare = replace(version, sketch=None, sketch_slots=None)
    growth.write(bare, tmp_path / "bare")
    growth.cut(tmp_path / "bare", 0, tmp_path / "first")
    again = growth.read(tmp_path / "first")
    assert again.sketch is not None and np.array_equal(again.sketch, version.sketch)
    assert np.array_equal(again.rows, version.rows) and not again.sketch[:, growth.FIXED + 3 :].any()
    growth.write(version, tmp_path / "whole")
    growth.cut(tmp_path / "whole", 2, tmp_path / "update")
    update = growth.read(tmp_path / "update")
    assert update.sketch is None and update.since == 2 and len(update.rows) == 500
