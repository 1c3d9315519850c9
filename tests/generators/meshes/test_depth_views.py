"""A cloud is looked at as trained or as solid, whichever shows the surface more clearly."""

from __future__ import annotations

import numpy as np
import pytest

from generators.meshes.depth_views import DepthView, cloud_render
from generators.radiance.cameras import looking_at
from generators.radiance.rasterizer import Rules
from generators.radiance.rasterizer.cpu import NumbaBackend
from tests.generators.meshes.clouds import walls

CAMERA = looking_at((0.0, 0.0, 3.0), (0.0, 0.0, 0.0), fov_y_deg=40, width=48, height=48)


def seen(opacity: float) -> DepthView:
    return cloud_render(walls(opacity), NumbaBackend())(CAMERA)


@pytest.mark.parametrize(("opacity", "distance_m"), [(0.03, 4.0), (0.07, 4.0), (0.4, 3.0), (0.95, 3.0)])
def test_a_haze_is_looked_through_and_a_thin_wall_is_not(opacity: float, distance_m: float) -> None:
    view = seen(opacity)
    np.testing.assert_allclose(view.depth[8:-8, 8:-8], distance_m, atol=0.02)
    assert view.coverage[8:-8, 8:-8].min() > 0.9


def test_trust_grows_with_what_agrees() -> None:
    trusts = [seen(opacity).trust for opacity in (0.95, 0.4, 0.12)]
    means = [trust[8:-8, 8:-8].mean() for trust in trusts if trust is not None]
    assert len(means) == 3 and means == sorted(means, reverse=True)
    assert means[0] > 0.9 and means[2] < 0.8


def test_colours_are_those_the_cloud_was_trained_to_show() -> None:
    view = seen(0.4)
    backend = NumbaBackend()
    cloud = walls(0.4)
    projection = backend.project(cloud, CAMERA, Rules())
    plain = backend.rasterize(projection, projection.colour, np.zeros(3, np.float32), CAMERA.width, CAMERA.height)
    share = 1 - plain.transmittance
    np.testing.assert_allclose(view.coverage, share, atol=1e-6)
    want = (plain.image / np.maximum(share, 1e-3)).clip(0, 1).transpose(1, 2, 0)
    np.testing.assert_allclose(view.colour, want, atol=1e-6)
