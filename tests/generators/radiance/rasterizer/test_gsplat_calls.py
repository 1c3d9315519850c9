"""Every call to gsplat against gsplat's own signatures, and what comes of it against the numba kernels."""

from __future__ import annotations

import inspect
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Rules, gsplat_calls
from generators.radiance.rasterizer.gsplat_calls import Leaves, composite, project
from tests.generators.radiance.rasterizer import stand_in
from tests.generators.radiance.rasterizer.stand_in import forget, installed
from tests.generators.radiance.scenes import front_camera, random_cloud

__all__ = ["forget"]

CALLED = ("fully_fused_projection", "spherical_harmonics", "isect_tiles", "isect_offset_encode", "rasterize_to_pixels")


def leaves_of(cloud: Parameters) -> Leaves:
    return Leaves(*(torch.from_numpy(array.copy()).requires_grad_(True) for _, array in cloud.arrays()))


@pytest.mark.parametrize("name", CALLED)
def test_the_stand_in_has_the_installed_release_s_signature(name: str) -> None:
    gsplat = pytest.importorskip("gsplat", reason="needs the extra gpu; no card is needed")
    dialects = [getattr(stand_in, name)]
    if name == "spherical_harmonics" and gsplat_calls.takes_view_matrix():
        dialects = [stand_in.spherical_harmonics_of_1_6]
    real, ours = (inspect.signature(one).parameters for one in (getattr(gsplat, name), dialects[0]))
    known = list(real)[: len(ours)]  # a later release may have added some at the end
    assert list(ours) == known
    assert [ours[key].default for key in known] == [real[key].default for key in known]


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize("release", ["1.5", "1.6"])
def test_nothing_unwritten_is_read(release: str, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, release)
    cloud = random_cloud(60, sh_count=9)
    cloud.positions[:20, 2] = 9.0  # behind the camera
    cloud.logits[20:30] = -20.0
    leaves = leaves_of(cloud)
    found = project(leaves, front_camera(), Rules(antialiased=True))
    values = (found.xy, found.conic, found.opacity, found.colour, found.depth)
    assert all(value.isfinite().all() for value in values)
    assert all(not value[:30].any() for value in (*values, found.radii))
    torch.autograd.backward([value.sum() for value in values])
    for leaf in leaves.all():
        assert leaf.grad is not None and leaf.grad.isfinite().all() and not leaf.grad[:30].any()


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize("release", ["1.5", "1.6"])
@pytest.mark.parametrize("channels", [1, 3, 6, 13])
def test_any_number_of_channels_is_drawn(channels: int, release: str, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, release)
    found = project(leaves_of(random_cloud(40)), front_camera(), Rules())
    features = torch.rand(40, channels, generator=torch.Generator().manual_seed(0))
    image, through = composite(found, features, torch.full((channels,), 0.25), 61, 45)
    last, _ = composite(found, features[:, -1:], torch.tensor([0.25]), 61, 45)
    assert image.shape == (channels, 45, 61) and through.shape == (45, 61)
    assert torch.allclose(image[-1:], last, atol=1e-6)


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize("channels", [0, 514])
def test_more_channels_than_there_are_kernels_for_are_refused(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    found = project(leaves_of(random_cloud(3)), front_camera(), Rules())
    with pytest.raises(ValueError, match="gsplat draws 1 to 513"):
        composite(found, torch.zeros(3, channels), torch.zeros(channels), 61, 45)


@pytest.mark.usefixtures("forget")
def test_zero_quaternions_and_boundless_scales_stay_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    cloud = random_cloud(4)
    cloud.quaternions[0] = 0.0
    cloud.log_scales[1] = 60.0
    cloud.log_scales[2] = -np.inf
    leaves = leaves_of(replace(cloud))
    found = project(leaves, front_camera(), Rules())
    assert all(value.isfinite().all() for value in (found.xy, found.conic, found.opacity, found.colour, found.depth))
    (found.xy.sum() + found.conic.sum()).backward()  # type: ignore[no-untyped-call]
    assert leaves.quaternions.grad is not None and not leaves.quaternions.grad[0].any()


class Recorded:
    """gsplat's functions on tensors without contents; everything that was handed to them is kept."""

    def __init__(self, count: int, release: str) -> None:
        self.count, self.seen = count, list[torch.Tensor]()
        self.spherical_harmonics = self._of_1_5 if release == "1.5" else self._of_1_6

    def empty(self, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.empty(*shape, dtype=dtype, device="meta")

    def keep(self, *given: Any) -> None:
        self.seen += [one for one in given if isinstance(one, torch.Tensor)]

    def fully_fused_projection(self, *given: Any, **named: Any) -> Any:
        self.keep(*given, *named.values())
        n, made = self.count, self.empty
        return made(1, n, 2, dtype=torch.int32), made(1, n, 2), made(1, n), made(1, n, 3), made(1, n)

    def _of_1_5(self, degree: int, dirs: torch.Tensor, coeffs: torch.Tensor) -> torch.Tensor:
        self.keep(dirs, coeffs)
        return dirs + coeffs[:, 0]

    def _of_1_6(self, degree: int, means: torch.Tensor, viewmats: torch.Tensor, coeffs: torch.Tensor) -> torch.Tensor:
        self.keep(means, viewmats, coeffs)
        return (means + coeffs[:, 0])[None]

    def isect_tiles(self, *given: Any, **named: Any) -> Any:
        self.keep(*given)
        return None, self.empty(5, dtype=torch.int64), self.empty(5, dtype=torch.int32)

    def isect_offset_encode(self, *given: Any) -> Any:
        return self.empty(1, 3, 4, dtype=torch.int32)

    def rasterize_to_pixels(self, *given: Any, **named: Any) -> Any:
        self.keep(*given, *named.values())
        return self.empty(1, 45, 61, given[2].shape[-1]), self.empty(1, 45, 61, 1)


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize("release", ["1.5", "1.6"])
def test_every_tensor_is_made_where_the_cloud_is(release: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 12
    recorded = Recorded(count, release)
    monkeypatch.setitem(sys.modules, "gsplat", recorded)
    shapes = ((count, 3), (count, 3), (count, 4), (count,), (count, 4, 3))
    leaves = Leaves(*(recorded.empty(*shape).requires_grad_(True) for shape in shapes))
    found = project(leaves, front_camera(), Rules(antialiased=True))
    features = torch.nn.functional.pad(found.colour, (0, 4))
    image, through = composite(found, features, recorded.empty(7), 61, 45)
    assert {image.device.type, through.device.type} == {"meta"}
    assert len(recorded.seen) >= 14
    assert {tensor.device.type for tensor in recorded.seen} == {"meta"}
    assert {tensor.dtype for tensor in recorded.seen} <= {torch.float32, torch.int32, torch.int64}
