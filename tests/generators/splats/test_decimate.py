from __future__ import annotations

import numpy as np
import pytest

from engines.assets import Splats
from generators.radiance.cameras import looking_at
from generators.splats.clouds import ARRAYS, importance, joined, taken
from generators.splats.params import DecimateParams
from generators.splats.pictures import psnr, rendered
from tests.generators.splats.clouds_at_hand import edited, random_cloud, sheet, waves

CAMERAS = [
    looking_at(eye, (0, 0, 0), fov_y_deg=50, width=128, height=128)
    for eye in ((0.8, 1.6, 2.6), (-2.0, 1.0, 1.5), (0.1, 3.0, 0.5))
]


def scene(count: int = 6000) -> Splats:
    """A coloured relief, with haze over it and lumps that are hidden under it."""
    relief = sheet(count, lift=lambda x, z: 0.25 * np.sin(3 * x) * np.cos(2 * z), colour=waves, opacity=0.85)
    haze = random_cloud(count // 6, harmonics=1, seed=4, size_m=0.05)
    faint = Splats(haze.positions, haze.rotations, haze.scales, haze.opacities * np.float32(0.06), haze.sh)
    return joined([relief, faint])


def likeness(one: Splats, other: Splats) -> float:
    return float(np.mean([psnr(rendered(one, camera, 0.0), rendered(other, camera, 0.0)) for camera in CAMERAS]))


@pytest.mark.parametrize(("share", "least_db"), [(0.5, 34), (0.25, 28), (0.1, 23)])
def test_thinning_beats_dropping_at_random_by_opacity_and_by_importance(share: float, least_db: float) -> None:
    cloud = scene()
    done = edited("decimate", DecimateParams(share=share), cloud=cloud)
    budget = len(done.cloud.positions)
    assert budget == round(share * len(cloud.positions))
    chances = {
        "random": np.random.default_rng(0).permutation(len(cloud.positions)),
        "opacity": np.argsort(-cloud.opacities, kind="stable"),
        "importance": np.argsort(-importance(cloud), kind="stable"),
    }
    ours = likeness(cloud, done.cloud)
    assert ours > least_db
    for name, order in chances.items():
        theirs = likeness(cloud, taken(cloud, np.sort(order[:budget])))
        assert ours > theirs + 3, f"at {share:.0%} {name} gives {theirs:.1f} dB, merging {ours:.1f} dB"
    assert done.fractions == sorted(done.fractions) and done.fractions[-1] <= 1
    assert "dB like it" in done.notes[0]


def test_what_is_left_is_a_valid_cloud() -> None:
    done = edited("decimate", DecimateParams(by="count", count=777), previews=True, cloud=scene(3000))
    cloud = done.cloud
    assert len(cloud.positions) == 777
    assert all(np.isfinite(getattr(cloud, name)).all() for name in ARRAYS)
    assert (cloud.scales > 0).all() and (cloud.opacities > 0).all() and (cloud.opacities < 1).all()
    np.testing.assert_allclose(np.linalg.norm(cloud.rotations, axis=1), 1, atol=1e-5)
    assert cloud.sh.shape == (777, 1, 3)
    assert len(done.previews) >= 2


def test_splats_that_were_not_merged_keep_their_bytes() -> None:
    cloud = scene(2000)
    done = edited("decimate", DecimateParams(share=0.9), cloud=cloud).cloud
    rows = {row.tobytes() for row in np.concatenate([cloud.scales, cloud.rotations], axis=1)}
    same = sum(row.tobytes() in rows for row in np.concatenate([done.scales, done.rotations], axis=1))
    assert same >= len(done.positions) - (len(cloud.positions) - len(done.positions))


def test_a_budget_above_the_count_changes_nothing_and_one_splat_is_the_end() -> None:
    cloud = random_cloud(40)
    same = edited("decimate", DecimateParams(by="count", count=40), cloud=cloud)
    assert same.cloud is cloud and "given back as it came" in same.notes[0]
    one = edited("decimate", DecimateParams(by="count", count=1), cloud=cloud).cloud
    assert len(one.positions) == 1 and np.isfinite(one.scales).all()
    low, high = cloud.positions.min(0), cloud.positions.max(0)
    assert ((one.positions[0] > low) & (one.positions[0] < high)).all()


def test_the_same_request_gives_the_same_bytes() -> None:
    cloud = scene(1500)
    one, two = (edited("decimate", DecimateParams(share=0.3), cloud=cloud).cloud for _ in range(2))
    for name in ARRAYS:
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
