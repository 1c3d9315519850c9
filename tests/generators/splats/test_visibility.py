from __future__ import annotations

import numpy as np
import pytest

from engines.assets import FloatArray, Splats
from generators.splats.clouds import joined, taken
from generators.splats.visibility import around, shares_seen
from tests.generators.splats.clouds_at_hand import random_cloud


def largest(cloud: Splats, around_what: Splats) -> FloatArray:
    """The largest share of each splat that any viewpoint around something sees."""
    return np.asarray(np.maximum.reduce(list(shares_seen(cloud, around(around_what), lambda: None))))


def test_what_is_hidden_is_known_to_be() -> None:
    ball = np.random.default_rng(0).normal(size=(4000, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    shell = random_cloud(4000, harmonics=1, size_m=0.04)
    shell = Splats(ball.astype(np.float32), shell.rotations, shell.scales, np.full(4000, 0.95, np.float32), shell.sh)
    core = random_cloud(200, harmonics=1, size_m=0.04)
    core = Splats(core.positions * np.float32(0.3), core.rotations, core.scales, core.opacities, core.sh)
    seen = largest(joined([shell, core]), shell)
    assert seen.min() >= 0 and seen.max() <= 1
    assert np.median(seen[:4000]) > 0.1
    assert np.quantile(seen[4000:], 0.95) < np.median(seen[:4000]) / 2
    alone = largest(taken(core, np.arange(1)), shell)
    assert alone[0] == pytest.approx(1, abs=0.1), "nothing stands before a single splat"
