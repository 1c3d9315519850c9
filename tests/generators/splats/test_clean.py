from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.assets import Splats
from generators.events import GeneratorError
from generators.splats.clean import judge
from generators.splats.clouds import ARRAYS, joined
from generators.splats.params import CleanParams
from generators.splats.pictures import psnr
from tests.generators.splats.clouds_at_hand import edited, random_cloud, sheet, view, waves

COUNT = 6000
SCENE = sheet(COUNT, side_m=2, lift=lambda x, z: 0.2 * np.sin(2 * x) * np.cos(z), colour=waves)


def specks(count: int, places: np.ndarray, scale: float | tuple[float, float, float], opacity: float = 0.8) -> Splats:
    return Splats(
        positions=places.astype(np.float32),
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        scales=np.broadcast_to(np.asarray(scale, np.float32), (count, 3)).copy(),
        opacities=np.full(count, opacity, np.float32),
        sh=np.zeros((count, 1, 3), np.float32),
    )


def dirt() -> dict[str, Splats]:
    rng = np.random.default_rng(7)
    air = rng.uniform([-2, 0.6, -2], [2, 2.5, 2], (60, 3))
    clump = np.concatenate([rng.normal(at, 0.02, (12, 3)) for at in ([1.5, 1.2, 0.3], [-1, 1.6, -1.2])])
    return {
        "floaters": specks(60, air, 0.01),
        "islands": specks(24, clump, 0.01),
        "faint": specks(200, rng.uniform(-1, 1, (200, 3)) * [1, 0.1, 1], 0.02, 0.004),
        "oversized": specks(3, rng.normal(0, 0.2, (3, 3)), 30.0, 0.3),
        "needles": specks(15, rng.uniform(-0.8, 0.8, (15, 3)) * [1, 0.1, 1], (0.9, 0.004, 0.004), 0.5),
    }


def test_every_kind_of_dirt_is_found_for_its_own_reason_and_the_scene_is_left_alone() -> None:
    parts = dirt()
    cloud = joined([SCENE, *parts.values()])
    masks = judge(cloud, CleanParams(), lambda: None)
    first = COUNT
    assert sum(int(mask[:COUNT].sum()) for mask in masks.values()) <= 0.002 * COUNT, "parts of the scene were taken"
    for reason, part in parts.items():
        rows = slice(first, first + len(part.positions))
        caught = np.logical_or.reduce([mask[rows] for mask in masks.values()])
        assert caught.mean() >= 0.9, f"{reason}: only {caught.mean():.0%} were found"
        assert masks[reason][rows].mean() >= 0.6, f"{reason} were found for other reasons"
        first = rows.stop


def test_the_clean_scene_looks_as_it_did_before_it_was_dirty() -> None:
    dirty = joined([SCENE, *dirt().values()])
    done = edited("clean", CleanParams(), previews=True, cloud=dirty)
    assert psnr(view(dirty), view(SCENE)) < 25
    assert psnr(view(done.cloud), view(SCENE)) > 40
    [note] = done.notes
    removed = len(dirty.positions) - len(done.cloud.positions)
    assert note.startswith(f"{removed:,} of {len(dirty.positions):,} splats were removed: ")
    numbers = [int(part.split()[0].replace(",", "")) for part in note.split(": ")[1].split(", ")]
    assert sum(numbers) == removed
    assert len(done.previews) == 1


def test_strength_and_switches_are_obeyed() -> None:
    cloud = joined([SCENE, *dirt().values()])
    left = [len(edited("clean", CleanParams(strength=s), cloud=cloud).cloud.positions) for s in (0.0, 0.5, 1.0)]
    assert left[0] > left[1] >= left[2]
    off = CleanParams(faint=False, oversized=False, needles=False, floaters=False, islands=False)
    done = edited("clean", off, cloud=cloud)
    assert len(done.cloud.positions) == len(cloud.positions) and "nothing to remove" in done.notes[0]
    only = edited("clean", CleanParams(oversized=False, needles=False, floaters=False, islands=False), cloud=cloud)
    assert len(cloud.positions) - len(only.cloud.positions) == 200


def test_broken_splats_are_always_removed_and_counted() -> None:
    cloud = replace(
        SCENE, positions=SCENE.positions.copy(), scales=SCENE.scales.copy(), rotations=SCENE.rotations.copy()
    )
    cloud.positions[5, 2] = np.nan
    cloud.scales[9, 0] = np.inf
    cloud.scales[10] = 0
    cloud.rotations[11] = 0
    done = edited("clean", CleanParams(strength=0), cloud=cloud)
    assert "4 holding values that are not numbers" in done.notes[0]
    assert np.isfinite(done.cloud.positions).all() and len(done.cloud.positions) == COUNT - 4
    with pytest.raises(GeneratorError, match="none of the 6,000 splats holds only numbers"):
        edited("clean", CleanParams(), cloud=replace(cloud, sh=np.full_like(cloud.sh, np.nan)))


def test_a_cloud_that_is_all_dirt_is_refused() -> None:
    haze = replace(random_cloud(80), opacities=np.full(80, 1e-4, np.float32))
    with pytest.raises(
        GeneratorError, match="all 80 splats would be removed: 80 nearly transparent; lower the strength"
    ):
        edited("clean", CleanParams(), cloud=haze)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_tiny_clouds_survive(count: int) -> None:
    done = edited("clean", CleanParams(), cloud=random_cloud(count))
    assert len(done.cloud.positions) >= 1


def test_two_large_bodies_apart_are_both_kept() -> None:
    other = replace(SCENE, positions=SCENE.positions + np.array([50, 0, 0], np.float32))
    done = edited("clean", CleanParams(), cloud=joined([SCENE, other]))
    assert len(done.cloud.positions) > 0.995 * 2 * COUNT


def test_the_same_request_gives_the_same_bytes() -> None:
    cloud = joined([SCENE, *dirt().values()])
    one, two = (edited("clean", CleanParams(), cloud=cloud).cloud for _ in range(2))
    for name in ARRAYS:
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
