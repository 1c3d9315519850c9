from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.colour import as_float
from generators.splats import pictures
from generators.splats.clouds import extent, importance, taken
from generators.splats.pictures import (
    before_after,
    before_after_move,
    likeness_db,
    most_important,
    picture,
    psnr,
    three_quarter,
)
from tests.generators.splats.clouds_at_hand import random_cloud


def test_the_bulk_of_a_cloud_fills_its_preview_wherever_it_stands_and_however_large_it_is() -> None:
    for scale, shift in ((1.0, 0.0), (0.01, 3.0), (200.0, -5000.0)):
        cloud = random_cloud(2000)
        moved = replace(
            cloud,
            positions=cloud.positions * np.float32(scale) + np.float32(shift),
            scales=cloud.scales * np.float32(scale),
        )
        seen = np.abs(picture(moved).astype(int) - round(pictures.BACKGROUND * 255)).max(axis=2) > 12
        rows, columns = np.nonzero(seen)
        assert 0.3 < seen.mean() < 0.95
        assert abs(rows.mean() - 128) < 30 and abs(columns.mean() - 128) < 30


def test_before_and_after_share_a_camera_unless_one_would_be_tiny() -> None:
    cloud = random_cloud(500)
    pair = before_after(cloud, taken(cloud, np.arange(250)))
    assert pair.shape == (256, 516, 3) and (pair[:, 256:260] == 255).all()
    assert not np.array_equal(pair[:, :256], pair[:, 260:])
    far = replace(cloud, positions=cloud.positions + np.float32(1000))
    moved = before_after_move(cloud, far)
    assert moved.shape == pair.shape
    assert psnr(as_float(moved[:, :256]), as_float(moved[:, 260:])) > 25, "each is framed by itself"
    near = before_after_move(cloud, replace(cloud, positions=cloud.positions + np.float32(0.5)))
    assert not np.array_equal(near[:, :256], near[:, 260:])


def test_large_clouds_are_previewed_by_what_counts_most() -> None:
    cloud = random_cloud(1000)
    part = most_important(cloud, 100)
    assert len(part.positions) == 100
    assert importance(part).min() >= np.sort(importance(cloud))[-100]
    assert most_important(cloud, 1000) is cloud


def test_likeness_looks_only_where_something_is() -> None:
    cloud = random_cloud(300)
    camera = three_quarter(extent(cloud), 96)
    assert likeness_db(cloud, cloud, camera) == 99
    other = replace(cloud, sh=cloud.sh + np.float32(0.2))
    whole = psnr(pictures.rendered(cloud, camera), pictures.rendered(other, camera))
    assert likeness_db(cloud, other, camera) < whole
    assert psnr(np.zeros(9, np.float32), np.full(9, 0.1, np.float32)) == pytest.approx(20, abs=1e-3)
