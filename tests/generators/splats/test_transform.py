from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.assets import Array, Splats
from engines.asymmetric import asymmetric_splats
from engines.spherical_harmonics import rotate
from engines.transforms import rotation_matrices
from generators.events import GeneratorError
from generators.radiance.cameras import looking_at
from generators.splats.clouds import ARRAYS, covariances, joined
from generators.splats.moving import Similarity, moved, quaternion_of, rotation_xyz
from generators.splats.params import TransformParams
from generators.splats.pictures import psnr, rendered
from tests.generators.splats.clouds_at_hand import camera_moved, edited, random_cloud, sheet, view

TURN = rotation_xyz(40, -110, 25)
CAMERA = looking_at((0.8, 1.6, 3.0), (0, 0, 0), fov_y_deg=50, width=96, height=96)


def full(cloud: Splats) -> Array:
    """Covariances float64 [N, 3, 3], the slow way."""
    axes = rotation_matrices(cloud.rotations) * cloud.scales.astype(np.float64)[:, None, :]
    return np.asarray(axes @ axes.transpose(0, 2, 1))


def test_covariances_agree_with_the_slow_way() -> None:
    cloud = random_cloud(200)
    slow = full(cloud)
    rows, columns = [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]
    np.testing.assert_allclose(covariances(cloud), slow[:, rows, columns], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("harmonics", [1, 4, 9, 16])
def test_a_moved_cloud_looks_the_same_to_a_camera_that_moved_with_it(harmonics: int) -> None:
    cloud = random_cloud(400, harmonics=harmonics)
    params = TransformParams(
        rotate_x_deg=40, rotate_y_deg=-110, rotate_z_deg=25, scale=2.5, move_x_m=3, move_y_m=-1, move_z_m=0.5
    )
    done = edited("transform", params, cloud=cloud)
    np.testing.assert_allclose(full(done.cloud), 6.25 * TURN @ full(cloud) @ TURN.T, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(done.cloud.rotations, axis=1), 1, atol=1e-6)
    before = rendered(cloud, CAMERA, 0.0)
    after = rendered(done.cloud, camera_moved(CAMERA, 2.5, TURN, np.array([3, -1, 0.5])), 0.0)
    assert psnr(before, after) > 60
    still = rendered(done.cloud, CAMERA, 0.0)
    assert psnr(before, still) < 30, "the test would not notice a cloud that stayed"


@pytest.mark.parametrize("harmonics", [1, 4, 9, 16])
@pytest.mark.parametrize("mirror", [False, True])
def test_moving_agrees_with_the_slow_way(harmonics: int, mirror: bool) -> None:
    cloud = random_cloud(200, harmonics=harmonics, seed=9)
    matrix = TURN @ np.diag([1.0, -1.0 if mirror else 1.0, 1.0])
    done = moved(cloud, Similarity(matrix, 1.7, np.array([1000.0, -2.0, 0.5])))
    np.testing.assert_allclose(done.sh, rotate(cloud.sh, matrix), atol=2e-6)
    np.testing.assert_allclose(
        done.positions, 1.7 * cloud.positions @ matrix.T + [1000.0, -2.0, 0.5], rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(full(done), 1.7**2 * matrix @ full(cloud) @ matrix.T, rtol=1e-3, atol=1e-6)
    assert done.opacities is cloud.opacities


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_a_mirrored_cloud_is_the_mirror_picture(axis: str) -> None:
    cloud = random_cloud(300, harmonics=16, seed=4)
    done = edited("transform", TransformParams(mirror=axis), cloud=cloud)  # type: ignore[arg-type]
    flip = np.diag([-1.0 if name == axis else 1.0 for name in "xyz"])
    np.testing.assert_allclose(full(done.cloud), flip @ full(cloud) @ flip, rtol=1e-3, atol=1e-6)
    eye = np.array([0.8, 1.6, 3.0])
    back = tuple(float(value) for value in flip @ eye)
    if axis == "y":  # an upright camera below cannot be the mirror of one above: it sees up for down
        assert psnr(view(done.cloud, back)[:, ::-1], view(cloud)) > 50  # type: ignore[arg-type]
    else:
        assert psnr(view(done.cloud, back)[:, :, ::-1], view(cloud)) > 50  # type: ignore[arg-type]
    again = edited("transform", TransformParams(mirror=axis), cloud=done.cloud).cloud  # type: ignore[arg-type]
    np.testing.assert_allclose(again.positions, cloud.positions, atol=1e-6)
    np.testing.assert_allclose(again.sh, cloud.sh, atol=1e-5)


def test_the_letter_lies_as_it_should_after_a_quarter_turn() -> None:
    letter = asymmetric_splats()
    turned = edited("transform", TransformParams(rotate_z_deg=90), cloud=letter).cloud
    # The stem ran up and runs left now; the red arm ran right and runs up. A quarter turn is exact.
    np.testing.assert_array_equal(turned.positions[:, 0], -letter.positions[:, 1])
    np.testing.assert_array_equal(turned.positions[:, 1], letter.positions[:, 0])
    np.testing.assert_array_equal(turned.positions[:, 2], letter.positions[:, 2])


def test_quaternions_of_rotation_matrices_go_back() -> None:
    rng = np.random.default_rng(0)
    for angles in [*rng.uniform(-180, 180, (60, 3)), (180, 0, 0), (0, 180, 0), (0, 0, 180), (0, 0, 0)]:
        matrix = rotation_xyz(*angles)
        np.testing.assert_allclose(rotation_matrices(quaternion_of(matrix)), matrix, atol=1e-12)


def room(seed: int = 0) -> Splats:
    """A floor, two walls that hold more splats than it, and a box of clutter standing on the floor."""
    rng = np.random.default_rng(seed)
    floor = sheet(3000, seed=seed, side_m=4)
    wall = sheet(6000, seed=seed + 1, side_m=4)
    wall = edited("transform", TransformParams(rotate_x_deg=90, move_y_m=1.8, move_z_m=-2), cloud=wall).cloud
    other = edited("transform", TransformParams(rotate_y_deg=90), cloud=wall).cloud
    clutter = random_cloud(2000, harmonics=1, size_m=0.03, seed=seed)
    clutter = replace(clutter, positions=rng.uniform([-0.8, 0, -0.8], [0.8, 1.2, 0.8], (2000, 3)).astype(np.float32))
    return joined([floor, wall, other, clutter])


@pytest.mark.parametrize("tilt", [(0, 0, 0), (14, 50, -9), (-25, 0, 20)])
def test_a_tilted_room_is_stood_upright(tilt: tuple[float, float, float]) -> None:
    tilted = edited(
        "transform",
        TransformParams(rotate_x_deg=tilt[0], rotate_y_deg=tilt[1], rotate_z_deg=tilt[2], move_y_m=7.3),
        cloud=room(),
    ).cloud
    done = edited("transform", TransformParams(level="nearly"), cloud=tilted)
    floor = done.cloud.positions[:3000].astype(np.float64)
    assert np.abs(floor[:, 1]).max() < 0.05, "the floor is not level at height 0"
    assert np.median(done.cloud.positions[-2000:, 1]) > 0.3, "the clutter is not above it"
    angle = np.degrees(np.arccos(rotation_xyz(*tilt)[1, 1]))
    assert any(f"tilted by {angle:.0f}"[:-1] in note or f"{angle:.1f}" in note for note in done.notes) or angle < 1


def test_a_room_on_its_head_is_found_when_any_way_is_allowed() -> None:
    lying = edited("transform", TransformParams(rotate_x_deg=178, rotate_z_deg=3), cloud=sheet_with_things()).cloud
    done = edited("transform", TransformParams(level="any"), cloud=lying).cloud
    assert np.abs(done.positions[:3000, 1]).max() < 0.05
    assert np.median(done.positions[3000:, 1]) > 0.2


def sheet_with_things() -> Splats:
    clutter = random_cloud(2000, harmonics=1, size_m=0.03)
    spots = np.random.default_rng(3).uniform([-0.5, 0, -0.5], [0.5, 0.9, 0.5], (2000, 3)).astype(np.float32)
    return joined([sheet(3000, side_m=3), replace(clutter, positions=spots)])


def test_a_ball_has_no_ground_and_that_is_said() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(4000, 3))
    ball = replace(
        random_cloud(4000, harmonics=1, size_m=0.02),
        positions=(points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32),
    )
    with pytest.raises(GeneratorError, match="no ground was found: the best plane holds"):
        edited("transform", TransformParams(level="any"), cloud=ball)


def test_a_known_height_or_distance_gives_real_metres() -> None:
    cloud = sheet_with_things()
    tall = edited("transform", TransformParams(known="height", real_m=18.0), cloud=cloud)
    heights = tall.cloud.positions[:, 1]
    low, high = np.quantile(heights, [0.02, 0.98])
    assert high - low == pytest.approx(18, rel=0.15)
    assert any("is 18 m now" in note for note in tall.notes)
    measured = edited("transform", TransformParams(known="distance", measured=0.5, real_m=2.0), cloud=cloud).cloud
    np.testing.assert_allclose(measured.positions, 4 * cloud.positions, rtol=1e-6)
    np.testing.assert_allclose(measured.scales, 4 * cloud.scales, rtol=1e-6)
    with pytest.raises(GeneratorError, match="no height to go by"):
        edited("transform", TransformParams(known="height"), cloud=sheet(100))


def test_it_can_be_stood_on_the_ground_at_the_origin() -> None:
    cloud = edited("transform", TransformParams(move_x_m=9, move_y_m=4, move_z_m=-3), cloud=sheet_with_things()).cloud
    done = edited("transform", TransformParams(level="nearly", place="on_ground"), cloud=cloud).cloud
    assert np.abs(done.positions[:3000, 1]).max() < 0.05
    assert np.abs(np.median(done.positions[:, [0, 2]], axis=0)).max() < 0.1
    middle = edited("transform", TransformParams(place="centre"), cloud=random_cloud(500)).cloud
    assert np.abs(np.median(middle.positions, axis=0)).max() < 0.2


def test_nothing_asked_gives_the_same_cloud_and_the_same_request_the_same_bytes() -> None:
    cloud = random_cloud(100)
    done = edited("transform", TransformParams(), cloud=cloud)
    assert done.cloud is cloud and "at rest" in done.notes[0]
    params = TransformParams(level="nearly", rotate_y_deg=33, place="on_ground")
    one, two = (edited("transform", params, seed=5, cloud=room()).cloud for _ in range(2))
    for name in ARRAYS:
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
