"""The CUDA backend: its reason when absent here, and equality with numba where there is a device."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from generators.radiance.rasterizer import Rules, backend_for, gsplat_backend
from generators.radiance.rasterizer.cpu import NumbaBackend
from tests.generators.radiance.scenes import front_camera, random_cloud, relative_error


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_device_the_reason_is_told_and_numba_takes_over() -> None:
    assert gsplat_backend.missing() == "gsplat needs a CUDA device; this machine has none"
    assert backend_for("cuda:0").name == "numba"


@pytest.mark.gpu
@pytest.mark.parametrize("antialiased", [False, True])
def test_gsplat_and_numba_agree(antialiased: bool) -> None:
    assert gsplat_backend.missing() is None
    cloud, camera, rules = random_cloud(300, sh_count=16), front_camera(), Rules(antialiased=antialiased)
    background = np.array([0.2, 0.5, 0.7], np.float32)
    grad = np.random.default_rng(0).normal(size=(3, 45, 61)).astype(np.float32)
    results = []
    for backend in (NumbaBackend(), gsplat_backend.GsplatBackend("cuda:0")):
        projection = backend.project(cloud, camera, rules)
        raster = backend.rasterize(projection, projection.colour, background, 61, 45)
        flat = backend.rasterize_backward(raster, grad)
        results.append((raster.image, backend.project_backward(cloud, camera, rules, projection, flat)))
    assert -10 * np.log10(np.mean((results[0][0] - results[1][0]) ** 2)) > 45
    for (name, got), (_, want) in zip(results[1][1].arrays(), results[0][1].arrays(), strict=True):
        assert relative_error(got, want) < 1e-2, name
