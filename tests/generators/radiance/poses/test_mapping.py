"""COLMAP's mappers on matches that COLMAP made up, where the truth is known to the last digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generators.radiance.poses import mapping, talk
from generators.radiance.poses.mapping import lonely, mapped, placed, placed_count, write_points
from generators.radiance.poses.talk import Order, Said, View, ViewCamera
from tests.generators.radiance.poses.alignment import aligned

pycolmap = pytest.importorskip("pycolmap")
COUNT = 6


@pytest.fixture
def made(tmp_path: Path) -> tuple[Any, Any, Order]:
    """True reconstruction, a database of its matches, and an order whose pictures are of one colour each."""
    pycolmap.logging.minloglevel = 2
    pycolmap.set_random_seed(5)
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, COUNT
    options.num_points3D, options.camera_width, options.camera_height = 150, 640, 480
    options.camera_params, options.camera_model_id = [800.0, 320.0, 240.0, 0.0], pycolmap.CameraModelId.SIMPLE_RADIAL
    database = pycolmap.Database.open(tmp_path / "colmap.db")
    truth = pycolmap.synthesize_dataset(options, database)
    for index in range(COUNT):
        np.save(tmp_path / f"{index}.npy", np.full((480, 640, 3), 40 * index, np.uint8))
    views = tuple(View(f"{index}.png", f"{index}.npy", 0) for index in range(COUNT))
    camera = ViewCamera("SIMPLE_RADIAL", 640, 480, 800.0, False)
    return truth, database, Order(views, (camera,), False, 1, 1)


@pytest.mark.parametrize("mapper", ["incremental", "global"])
def test_the_truth_is_found_again(made: tuple[Any, Any, Order], tmp_path: Path, mapper: str) -> None:
    truth, database, order = made
    order = Order(order.views, order.cameras, False, 1, 1, mapper="global" if mapper == "global" else "incremental")
    told: list[Said] = []
    maps = mapped(order, database, tmp_path, told.append)
    assert placed_count(maps) == COUNT and lonely(order, maps) == [] and told[-1].stage == "mapping"
    found = placed(order, maps[0])
    rows = [np.vstack([np.array(row).reshape(3, 4), [0, 0, 0, 1]]) for row in found.views.values()]
    true = [np.vstack([truth.image(index + 1).cam_from_world().matrix(), [0, 0, 0, 1]]) for index in found.views]
    error = aligned(np.linalg.inv(np.stack(rows)), np.linalg.inv(np.stack(true)))
    assert error.translation.max() < 1e-3 and error.rotation_deg.max() < 0.05
    assert found.cameras[0][0] == pytest.approx(800, rel=1e-3) and found.error_px < 0.1


def test_points_carry_the_mean_colour_of_where_they_are_seen(made: tuple[Any, Any, Order], tmp_path: Path) -> None:
    _, database, order = made
    [model, *_] = mapped(order, database, tmp_path, lambda _: None)
    write_points(order, model, tmp_path)
    with np.load(tmp_path / talk.POINTS) as file:
        positions, colours, seen = file["positions"], file["colours"], file["views"]
    assert len(positions) == len(colours) > 100 and (seen >= mapping.POINT_VIEWS_MIN).all()
    everywhere = colours[seen == COUNT]
    assert len(everywhere) and (everywhere == 40 * (COUNT - 1) // 2).all()


def test_the_same_matches_give_the_same_map(made: tuple[Any, Any, Order], tmp_path: Path) -> None:
    _, database, order = made
    one, other = (placed(order, mapped(order, database, tmp_path, lambda _: None)[0]) for _ in range(2))
    assert one == other


def test_a_map_on_next_to_no_points_is_none(
    made: tuple[Any, Any, Order], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, database, order = made
    monkeypatch.setattr(mapping, "POINTS_PER_VIEW", 1000)
    maps = mapped(order, database, tmp_path, lambda _: None)
    assert maps == [] and placed_count(maps) == 0 and lonely(order, maps) == list(range(COUNT))


def test_a_view_is_placed_by_as_many_points_as_are_asked_for(made: tuple[Any, Any, Order], tmp_path: Path) -> None:
    _, database, order = made
    assert placed_count(mapped(order, database, tmp_path, lambda _: None, inliers=mapping.FEWER_INLIERS)) == COUNT
    assert placed_count(mapped(order, database, tmp_path, lambda _: None, inliers=1000)) < COUNT
