"""Up, ground and metres are found again after a world was turned, moved and scaled at random."""

from __future__ import annotations

import numpy as np
import pytest

from generators.radiance.poses import gauge
from generators.radiance.poses.gauge import KnownLength, fixed, level, looked_at, scale_from_places
from tests.generators.radiance.known_scene import TARGET, around, surface_points

POSES = np.stack([np.linalg.inv(camera.camera_from_world) for camera in around(12, arc_deg=90)])
POINTS = surface_points(4000)[0]


def turn(seed: int) -> np.ndarray:
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return np.asarray(rotation * np.sign(np.linalg.det(rotation)))


def moved(poses: np.ndarray, points: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same scene in another gauge."""
    rotation, scale, shift = turn(seed), 0.37, np.array([3.0, -5.0, 2.0])
    result = poses.copy()
    result[:, :3, :3] = rotation @ poses[:, :3, :3]
    result[:, :3, 3] = scale * poses[:, :3, 3] @ rotation.T + shift
    return result, (scale * points @ rotation.T + shift).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_a_known_height_brings_the_whole_scene_back(seed: int) -> None:
    poses, points = moved(POSES, POINTS, seed)
    height = float(np.median(POSES[:, 1, 3]))
    found = fixed(poses, points, known=KnownLength(camera_height_m=height))
    back = points @ found.neutral_from_found[:3, :3].T + found.neutral_from_found[:3, 3]
    assert found.metric and "flat ground" in found.notes[0]
    np.testing.assert_allclose(back[:, 1], POINTS[:, 1], atol=0.02)
    spread = [float(np.sqrt(each[:, [0, 2]].var(0).sum())) for each in (back, POINTS)]
    assert spread[0] == pytest.approx(spread[1], rel=0.01)


def test_cameras_stand_one_unit_away_and_look_ahead_when_no_length_is_known() -> None:
    poses, points = moved(POSES, POINTS, 7)
    found = fixed(poses, points, known=KnownLength())
    scale = np.cbrt(np.linalg.det(found.neutral_from_found[:3, :3]))
    positions = poses[:, :3, 3] @ found.neutral_from_found[:3, :3].T + found.neutral_from_found[:3, 3]
    ahead = (poses[:, :3, 2] @ found.neutral_from_found[:3, :3].T / scale).mean(0)
    assert not found.metric and "cannot be known" in found.notes[-1]
    middle = looked_at(poses) @ found.neutral_from_found[:3, :3].T + found.neutral_from_found[:3, 3]
    assert np.median(np.linalg.norm(positions - middle, axis=1)) == pytest.approx(1)
    assert abs(ahead[0]) < 1e-6 and ahead[2] < -0.5
    np.testing.assert_allclose(middle[[0, 2]], 0, atol=1e-6)


def test_first_to_last_is_taken_at_its_word() -> None:
    poses, points = moved(POSES, POINTS, 3)
    found = fixed(poses, points, known=KnownLength(first_to_last_m=2.5, camera_height_m=9))
    ends = poses[[0, -1], :3, 3] @ found.neutral_from_found[:3, :3].T
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(2.5) and found.metric


def test_level_needs_no_ground_and_survives_looking_down() -> None:
    tilted = POSES.copy()
    down = np.radians(40)
    tilted[:, :3, :3] = POSES[:, :3, :3] @ np.array(
        [[1, 0, 0], [0, np.cos(down), np.sin(down)], [0, -np.sin(down), np.cos(down)]]
    )
    assert level(tilted)[1] > 0.9999
    poses, points = moved(POSES, POINTS[POINTS[:, 1] > 0.2], 5)
    found = fixed(poses, points, known=KnownLength())
    assert "horizontals" in found.notes[0] or "ground" in found.notes[0]
    up = found.neutral_from_found[1, :3] / np.linalg.norm(found.neutral_from_found[1, :3])
    assert up @ turn(5) @ [0, 1, 0] > 0.995


def test_views_in_one_direction_fall_back_to_their_mean_up() -> None:
    same = np.repeat(POSES[:1], 4, 0)
    same[:, 0, 3] += np.arange(4)
    assert level(same) @ -same[0, :3, 1] == pytest.approx(1)


def test_the_point_looked_at() -> None:
    np.testing.assert_allclose(looked_at(POSES), TARGET, atol=1e-6)
    outward = POSES.copy()
    outward[:, :3, 0] *= -1
    outward[:, :3, 2] *= -1  # turned about their own upright axis
    assert ((looked_at(outward) - outward[:, :3, 3].mean(0)) @ outward[:, :3, 2].mean(0)) > 0


def test_a_wall_is_no_ground_and_noise_is_none_either() -> None:
    wall = POINTS[np.abs(POINTS[:, 2] + 2) < 1e-9]
    up = np.array([0.0, 1.0, 0.0])
    assert gauge.ground_plane(wall, POSES[:, :3, 3], up, 3.0) is None
    cloud = np.random.default_rng(0).normal(size=(2000, 3))
    assert gauge.ground_plane(cloud, POSES[:, :3, 3], up, 3.0) is None


def test_satellites_tell_the_scale_when_they_agree() -> None:
    rng = np.random.default_rng(2)
    true = rng.uniform(-40, 40, (12, 3)) * [1, 0.1, 1]
    here = true @ turn(4).T / 17 + 3
    noisy = [tuple(place) for place in true + rng.normal(0, 2, true.shape)]
    assert scale_from_places(here, noisy) == pytest.approx(17, rel=0.05)
    assert scale_from_places(here, [*[None] * 9, *noisy[:3]]) is None
    assert scale_from_places(here, [tuple(place) for place in rng.uniform(-40, 40, true.shape)]) is None
    assert scale_from_places(here, [tuple(place / 10) for place in true]) is None
