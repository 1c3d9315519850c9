"""Fused L1 and SSIM against plain torch convolutions in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.assets import FloatArray
from generators.radiance.losses import photometric, psnr, window
from tests.generators.radiance.scenes import relative_error


def plain(image: FloatArray, target: FloatArray, weight: float) -> tuple[float, float, FloatArray]:
    x = torch.tensor(image, dtype=torch.float64, requires_grad=True)
    y = torch.tensor(target, dtype=torch.float64)
    line = torch.tensor(window(), dtype=torch.float64)
    kernel = (line[:, None] * line)[None, None].repeat(3, 1, 1, 1)

    def mean(values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(values[None], kernel, groups=3)[0]

    a, b = mean(x), mean(y)
    va, vb, vab = mean(x * x) - a * a, mean(y * y) - b * b, mean(x * y) - a * b
    ssim = ((2 * a * b + 1e-4) * (2 * vab + 9e-4) / ((a * a + b * b + 1e-4) * (va + vb + 9e-4))).mean()
    loss = (1 - weight) * (x - y).abs().mean() + weight * (1 - ssim)
    loss.backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    return loss.item(), ssim.item(), x.grad.numpy()


@pytest.mark.parametrize(("height", "width"), [(11, 11), (12, 40), (37, 19), (64, 48)])
@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_matches_plain_convolutions(height: int, width: int, weight: float) -> None:
    rng = np.random.default_rng(height)
    target = rng.random((3, height, width)).astype(np.float32)
    image = np.clip(target + 0.1 * rng.normal(size=target.shape), 0, 1).astype(np.float32)
    got = photometric(image, target, ssim_weight=weight)
    loss, ssim, gradient = plain(image, target, weight)
    assert abs(got.loss - loss) < 1e-6 and abs(got.ssim - ssim) < 1e-6
    assert relative_error(got.gradient, gradient) < 1e-5


def test_equal_pictures_are_perfect_and_have_no_l1_gradient() -> None:
    image = np.random.default_rng(0).random((3, 20, 20)).astype(np.float32)
    got = photometric(image, image, ssim_weight=0.0)
    assert got.loss == 0 and not got.gradient.any()
    assert abs(photometric(image, image).ssim - 1) < 1e-5
    assert psnr(image, image) == float("inf")


def test_masked_pixels_have_no_say() -> None:
    rng = np.random.default_rng(1)
    image, target = (rng.random((3, 30, 30)).astype(np.float32) for _ in range(2))
    mask = np.zeros((30, 30), bool)
    mask[:, 10:] = True
    got = photometric(image, target, mask=mask)
    other = image.copy()
    other[:, :, :10] = rng.random((3, 30, 10))
    assert not got.gradient[:, :, :10].any() and got.gradient[:, :, 10:].all()
    assert photometric(other, target, mask=mask).loss == got.loss


@pytest.mark.parametrize("shape", [(3, 10, 40), (3, 40, 10)])
def test_a_picture_smaller_than_the_window_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="sides ≥ 11 px"):
        photometric(np.zeros(shape, np.float32), np.zeros(shape, np.float32))


def test_psnr_clamps_first() -> None:
    assert psnr(np.full((3, 2, 2), 9.0, np.float32), np.ones((3, 2, 2), np.float32)) == float("inf")
    half = psnr(np.full((3, 2, 2), 0.5, np.float32), np.zeros((3, 2, 2), np.float32))
    assert abs(half - 6.0206) < 1e-3
