from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.assets import Array, Image, Splats
from engines.transforms import rotation_matrices
from generators.events import GeneratorError
from generators.splats.clouds import ARRAYS, taken
from generators.splats.params import CropParams
from tests.generators.splats.clouds_at_hand import edited, random_cloud, view


def kept_by_hand(cloud: Splats, params: CropParams) -> Array:
    """The slow way: one splat after the other, in float64; its outermost points are tried if it must be whole."""
    turn = np.eye(3)
    for axis, angle in enumerate((params.rotate_x_deg, params.rotate_y_deg, params.rotate_z_deg)):
        c, s, one, two = np.cos(np.radians(angle)), np.sin(np.radians(angle)), (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[two, two] = c
        step[two, one], step[one, two] = s, -s
        turn = step @ turn
    centre = np.array([params.centre_x_m, params.centre_y_m, params.centre_z_m])
    half = np.array([params.size_x_m, params.size_y_m, params.size_z_m]) / 2

    def inside(point: Array) -> bool:
        if params.shape == "sphere":
            return bool(np.linalg.norm(point - centre) < params.radius_m)
        return bool((np.abs(turn.T @ (point - centre)) < half).all())

    return np.array([inside(position) == (params.keep == "inside") for position in cloud.positions.astype(float)])


@pytest.mark.parametrize("shape", ["box", "sphere"])
@pytest.mark.parametrize("keep", ["inside", "outside"])
def test_what_is_kept_lies_on_the_right_side(shape: str, keep: str) -> None:
    cloud = random_cloud(800)
    params = CropParams(
        shape=shape,  # type: ignore[arg-type]
        keep=keep,  # type: ignore[arg-type]
        centre_x_m=0.2,
        centre_y_m=-0.1,
        size_x_m=1.4,
        size_y_m=0.5,
        size_z_m=0.9,
        radius_m=0.7,
        rotate_x_deg=20,
        rotate_y_deg=-70,
        rotate_z_deg=33,
    )
    want = kept_by_hand(cloud, params)
    assert 50 < want.sum() < 750
    done = edited("crop", params, cloud=cloud)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(done.cloud, name), getattr(cloud, name)[want])
    assert done.notes == [f"{want.sum():,} of 800 splats are {keep} the {shape}"]
    assert done.fractions == sorted(done.fractions)


@pytest.mark.parametrize("shape", ["box", "sphere"])
@pytest.mark.parametrize("keep", ["inside", "outside"])
def test_whole_splats_do_not_stick_out(shape: str, keep: str) -> None:
    cloud = random_cloud(800, size_m=0.2)
    params = CropParams(shape=shape, keep=keep, edge="whole", rotate_y_deg=30)  # type: ignore[arg-type]
    loose = edited("crop", replace_edge(params), cloud=cloud).cloud
    whole = edited("crop", params, cloud=cloud).cloud
    assert 10 < len(whole.positions) < len(loose.positions)
    if keep == "inside":  # the ends of all axes at two deviations lie within
        ends = 2 * rotation_matrices(whole.rotations) * whole.scales[:, None, :]
        points = np.concatenate([whole.positions[:, None] + s * ends.transpose(0, 2, 1) for s in (1, -1)], 1)
        spots = replace(taken(whole, np.repeat(np.arange(len(points)), 6)), positions=points.reshape(-1, 3))
        assert kept_by_hand(spots, params).all()


def replace_edge(params: CropParams) -> CropParams:
    import msgspec

    return msgspec.structs.replace(params, edge="centre")


def test_a_soft_edge_fades_from_nothing_to_the_splats_own_opacity() -> None:
    cloud = random_cloud(2000)
    soft = edited("crop", CropParams(shape="sphere", radius_m=1.0, softness_m=0.4), cloud=cloud).cloud
    hard = edited("crop", CropParams(shape="sphere", radius_m=1.0), cloud=cloud).cloud
    np.testing.assert_array_equal(soft.positions, hard.positions)
    fade = np.clip((1.0 - np.linalg.norm(soft.positions, axis=1)) / 0.4, 0, 1)
    np.testing.assert_allclose(soft.opacities, hard.opacities * fade, atol=1e-6)
    assert (fade < 0.9).sum() > 100 and (fade == 1).sum() > 100


def test_a_crop_that_holds_all_changes_no_pixel() -> None:
    cloud = random_cloud(300)
    done = edited("crop", CropParams(size_x_m=50, size_y_m=50, size_z_m=50), previews=True, cloud=cloud)
    np.testing.assert_array_equal(view(done.cloud), view(cloud))
    assert done.notes == ["all 300 splats are inside the box; nothing was cut away"]
    [preview] = done.previews
    assert preview.dtype == np.uint8 and preview.shape == (256, 516, 3)
    np.testing.assert_array_equal(preview[:, :256], preview[:, 260:])


def test_an_empty_result_is_refused_with_where_the_cloud_lies() -> None:
    cloud = random_cloud(50)
    low = f"({cloud.positions[:, 0].min():.3g}"
    with pytest.raises(
        GeneratorError, match=r"the box of 2 × 2 × 2 m around \(90, 0, 0\) holds none of the 50"
    ) as told:
        edited("crop", CropParams(centre_x_m=90), cloud=cloud)
    assert low in str(told.value)
    with pytest.raises(GeneratorError, match=r"the sphere of 100 m around .* holds all of the 50"):
        edited("crop", CropParams(shape="sphere", radius_m=100, keep="outside"), cloud=cloud)


def test_what_is_no_sound_cloud_is_refused_in_words() -> None:
    cloud = random_cloud(20)
    with pytest.raises(GeneratorError, match="expected a splat cloud, got nothing"):
        edited("crop", CropParams())
    with pytest.raises(GeneratorError, match="expected a splat cloud, got a image"):
        edited("crop", CropParams(), cloud=Image(np.zeros((2, 2, 3), np.uint8)))
    with pytest.raises(GeneratorError, match="the cloud is empty"):
        edited("crop", CropParams(), cloud=taken(cloud, np.zeros(20, np.bool_)))
    broken = replace(cloud, positions=cloud.positions.copy())
    broken.positions[3, 1] = np.nan
    with pytest.raises(GeneratorError, match=r"1 of 20 splats hold values that are not numbers; run splats\.clean"):
        edited("crop", CropParams(), cloud=broken)
    with pytest.raises(GeneratorError, match=r"opacities have the shape \[19\], expected \[20\]"):
        edited("crop", CropParams(), cloud=replace(cloud, opacities=cloud.opacities[1:]))
