from __future__ import annotations

import pytest

from generators.events import GeneratorError
from generators.splats.levels import budgets
from generators.splats.params import LevelsParams
from tests.generators.splats.clouds_at_hand import edited, random_cloud, sheet, waves
from tests.generators.splats.test_decimate import likeness


def test_levels_fall_by_the_ratio_and_look_ever_less_like_the_whole() -> None:
    cloud = sheet(4000, colour=waves)
    done = edited("levels", LevelsParams(levels=4, ratio=0.4), cloud=cloud)
    assert list(done.results) == ["lod0", "lod1", "lod2", "lod3"]
    assert [len(level.positions) for level in done.results.values()] == [4000, 1600, 640, 256]
    assert [level.name for level in done.results.values()] == [f"sheet lod{n}" for n in range(4)]
    values = [likeness(cloud, level) for level in done.results.values()]
    assert values == sorted(values, reverse=True) and values[0] == 99 and values[1] > 27
    assert [note.split(":")[0] for note in done.notes] == ["lod1", "lod2", "lod3"]
    assert done.fractions == sorted(done.fractions)


def test_the_finest_level_may_have_a_budget_too() -> None:
    done = edited("levels", LevelsParams(levels=2, ratio=0.5, finest=1000), cloud=random_cloud(3000))
    assert [len(level.positions) for level in done.results.values()] == [1000, 500]
    assert budgets(3000, LevelsParams(levels=3, ratio=0.1, finest=9000)) == [3000, 300, 30]


def test_levels_that_run_out_are_refused_before_any_work() -> None:
    with pytest.raises(GeneratorError, match=r"40 splats cannot be thinned to 8 levels, .* 40, 4, 0, 0"):
        edited("levels", LevelsParams(levels=8, ratio=0.1), cloud=random_cloud(40))
