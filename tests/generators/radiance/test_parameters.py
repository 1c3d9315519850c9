"""Training form and neutral form."""

from __future__ import annotations

import numpy as np

from generators.radiance.parameters import from_splats, to_splats
from tests.generators.radiance.scenes import random_cloud


def test_there_and_back() -> None:
    cloud = random_cloud(40, sh_count=9)
    splats = to_splats(cloud, name="x")
    assert splats.name == "x" and (splats.scales > 0).all()
    np.testing.assert_allclose(np.linalg.norm(splats.rotations, axis=1), 1, atol=1e-6)
    again = from_splats(splats)
    np.testing.assert_allclose(again.log_scales, cloud.log_scales, atol=1e-5)
    np.testing.assert_allclose(again.logits, cloud.logits, atol=1e-4)
    assert np.array_equal(again.positions, cloud.positions) and np.array_equal(again.sh, cloud.sh)


def test_degenerate_parameters_become_a_valid_asset() -> None:
    cloud = random_cloud(3)
    cloud.log_scales[0] = -np.inf
    cloud.quaternions[1] = 0
    splats = to_splats(cloud)
    assert (splats.scales > 0).all() and np.isfinite(splats.scales).all()
    assert splats.rotations[1].tolist() == [1, 0, 0, 0]


def test_arrays_are_one_s_own_even_of_mapped_inputs() -> None:
    splats = to_splats(random_cloud(5, sh_count=4))
    for array in (splats.positions, splats.rotations, splats.scales, splats.opacities, splats.sh):
        array.flags.writeable = False
    for _, array in from_splats(splats).arrays():
        assert array.flags.writeable and array.flags.c_contiguous and array.dtype == np.float32
