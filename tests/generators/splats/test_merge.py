from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.assets import Array, Splats
from generators.events import GeneratorError
from generators.splats import alignment
from generators.splats.clouds import joined, taken
from generators.splats.moving import Similarity, moved, rotation_xyz
from generators.splats.params import MergeParams
from generators.splats.pictures import psnr
from tests.generators.splats.clouds_at_hand import edited, random_cloud, sheet, view, waves


def hills(x: Array, z: Array) -> Array:
    return np.asarray(0.35 * np.sin(2 * x + 0.5) * np.cos(1.7 * z) + 0.1 * np.sin(5 * z) + 0.15 * x)


def landscape(count: int, seed: int) -> Splats:
    """The same hills seen by different splats: nothing of one cloud is a copy of another's."""
    return sheet(count, seed=seed, side_m=3, lift=hills, colour=waves)


def part(cloud: Splats, low: float, high: float) -> Splats:
    return taken(cloud, (cloud.positions[:, 0] > low) & (cloud.positions[:, 0] < high))


def error_m(placed: Splats, truth: Splats) -> float:
    return float(np.linalg.norm(placed.positions - truth.positions, axis=1).mean())


def test_clouds_are_put_together_at_the_highest_degree() -> None:
    first, second = random_cloud(30, harmonics=4), random_cloud(20, harmonics=16, seed=1)
    third = random_cloud(10, harmonics=1, seed=2)
    done = edited("merge", MergeParams(), previews=True, cloud=first, cloud2=second, cloud5=third)
    assert done.cloud.sh.shape == (60, 16, 3)
    np.testing.assert_array_equal(done.cloud.sh[:30, :4], first.sh)
    assert not done.cloud.sh[:30, 4:].any() and not done.cloud.sh[50:, 1:].any()
    np.testing.assert_array_equal(done.cloud.positions[30:50], second.positions)
    assert done.notes[-1] == "60 splats of 3 clouds" and len(done.previews) == 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_displaced_part_is_moved_back_where_it_overlaps(seed: int) -> None:
    left, right = part(landscape(9000, 1), -2, 0.7), part(landscape(9000, 2), -0.7, 2)
    rng = np.random.default_rng(seed)
    away = Similarity(rotation_xyz(*rng.uniform(-9, 9, 3)), 1.0, rng.uniform(-0.15, 0.15, 3))
    lost = moved(right, away)
    assert error_m(lost, right) > 0.1
    done = edited("merge", MergeParams(align="fit"), cloud=left, cloud2=lost)
    found = taken(done.cloud, np.arange(len(left.positions), len(done.cloud.positions)))
    assert error_m(found, right) < 0.015, "the spacing of the splats is 0.03 m"
    assert "lies on what was there" in done.notes[0]
    assert psnr(view(done.cloud), view(joined([left, right]))) > 25


def test_a_cloud_turned_far_away_and_grown_is_found_by_searching() -> None:
    left, right = landscape(8000, 1), landscape(8000, 2)
    lost = moved(right, Similarity(rotation_xyz(4, 128, -5), 1.25, np.array([5.0, 1.0, -3.0])))
    with pytest.raises(GeneratorError, match=r"cloud2 could not be moved onto .* try align = search"):
        edited("merge", MergeParams(align="fit"), cloud=left, cloud2=lost)
    done = edited("merge", MergeParams(align="search", rescale=True), cloud=left, cloud2=lost)
    found = taken(done.cloud, np.arange(8000, 16_000))
    assert error_m(found, right) < 0.02
    assert "grown by 0.80" in done.notes[0] or "grown by 0.79" in done.notes[0]


def test_clouds_that_have_nothing_in_common_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "TURNS_DEG", (0, 120))  # each takes its full number of rounds
    other = replace(
        random_cloud(1500, harmonics=1, size_m=0.02), positions=random_cloud(1500).positions * np.float32(2)
    )
    with pytest.raises(GeneratorError, match=r"at best .*% of it lies on them .* by hand with splats"):
        edited("merge", MergeParams(align="search"), cloud=landscape(2000, 1), cloud2=other)


def test_plain_even_things_that_could_slide_are_refused() -> None:
    plain = sheet(4000, seed=1)
    grey = moved(sheet(4000, seed=2), Similarity(rotation_xyz(0, 20, 0), 1.0, np.array([0.2, 0.02, 0.1])))
    done = None
    try:
        done = edited("merge", MergeParams(align="fit"), cloud=plain, cloud2=grey)
    except GeneratorError as told:
        assert "slide" in str(told)
    assert done is None, "two plain floors can be laid onto each other in any way"


def test_doubles_are_dropped_and_only_they() -> None:
    whole, again = landscape(6000, 1), landscape(6000, 2)
    same = edited("merge", MergeParams(duplicates="remove"), cloud=whole, cloud2=whole)
    assert len(same.cloud.positions) == 6000
    assert same.notes[0] == "cloud2: 6,000 of 6,000 splats show what was there already"
    left = part(whole, -2, 0)
    done = edited("merge", MergeParams(duplicates="remove"), cloud=left, cloud2=again)
    added = done.cloud.positions[len(left.positions) :]
    expected = (again.positions[:, 0] >= 0).sum()
    assert abs(len(added) - expected) < 0.12 * 6000
    assert (added[:, 0] > 0).mean() > 0.85
    recoloured = replace(again, sh=again.sh + np.float32(1.5))
    kept = edited("merge", MergeParams(duplicates="remove"), cloud=whole, cloud2=recoloured)
    assert len(kept.cloud.positions) > 11_000, "what has another colour is no double"


def test_the_same_request_gives_the_same_bytes() -> None:
    left, right = part(landscape(5000, 1), -2, 0.7), part(landscape(5000, 2), -0.7, 2)
    lost = moved(right, Similarity(rotation_xyz(3, 5, -2), 1.0, np.array([0.05, 0.02, 0.0])))
    params = MergeParams(align="fit", duplicates="remove")
    one, two = (edited("merge", params, seed=4, cloud=left, cloud2=lost).cloud for _ in range(2))
    assert one.positions.tobytes() == two.positions.tobytes() and one.rotations.tobytes() == two.rotations.tobytes()


def test_missing_clouds_are_named() -> None:
    with pytest.raises(GeneratorError, match="input 'cloud2': expected a splat cloud, got nothing"):
        edited("merge", MergeParams(), cloud=random_cloud(5))
