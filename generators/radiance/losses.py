"""How far a render is from its photograph, and the gradient of that: L1 and SSIM in two passes over the picture.

SSIM (Wang et al. 2004) uses an 11-pixel Gaussian window of σ = 1.5 and is averaged over the places where the
window lies wholly inside the picture. Its gradient needs three partial derivatives by the window's moments,
spread back by the same window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.rasterizer.kernels import parallel_kernel, prange

WINDOW_PX = 11
SIGMA_PX = 1.5
BORDER = WINDOW_PX - 1
ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)
STABLE_MEAN, STABLE_VARIANCE = np.float32(0.01**2), np.float32(0.03**2)


def window() -> FloatArray:
    """The normalised weights of the window, float32 [11]."""
    at = np.arange(WINDOW_PX) - WINDOW_PX // 2
    weights = np.exp(-(at**2) / (2 * SIGMA_PX**2))
    return np.asarray(weights / weights.sum(), np.float32)


_WINDOW = window()


@dataclass(frozen=True, eq=False)
class Photometric:
    """`l1` mean absolute difference, `ssim` mean structural similarity, `gradient` of the loss [3, H, W]."""

    loss: float
    l1: float
    ssim: float
    gradient: FloatArray


@parallel_kernel
def _moments(
    image: FloatArray, target: FloatArray, weights: FloatArray, by_mean: FloatArray, by_square: FloatArray,
    by_product: FloatArray, similarity: FloatArray,
) -> None:  # fmt: skip
    """Fill the derivatives of SSIM by the image's mean, mean square and mean product, and each row's sum of SSIM."""
    rows, columns = by_mean.shape[1], by_mean.shape[2]
    width = image.shape[2]
    for line in prange(3 * rows):
        channel, y = line // rows, line % rows
        down = np.zeros((5, width), np.float32)
        for k in range(WINDOW_PX):
            w = weights[k]
            for x in range(width):
                u, v = image[channel, y + k, x], target[channel, y + k, x]
                down[0, x] += w * u
                down[1, x] += w * v
                down[2, x] += w * u * u
                down[3, x] += w * v * v
                down[4, x] += w * u * v
        both = np.zeros((5, columns), np.float32)
        for moment in range(5):
            for k in range(WINDOW_PX):
                w = weights[k]
                for x in range(columns):
                    both[moment, x] += w * down[moment, x + k]
        row_sum = ZERO
        for x in range(columns):
            mean, other = both[0, x], both[1, x]
            variance, other_variance = both[2, x] - mean * mean, both[3, x] - other * other
            covariance = both[4, x] - mean * other
            top_mean = TWO * mean * other + STABLE_MEAN
            top_variance = TWO * covariance + STABLE_VARIANCE
            low_mean = mean * mean + other * other + STABLE_MEAN
            low_variance = variance + other_variance + STABLE_VARIANCE
            inverse = ONE / (low_mean * low_variance)
            value = top_mean * top_variance * inverse
            row_sum += value
            square = -value / low_variance
            product = TWO * top_mean * inverse
            by_square[channel, y, x] = square
            by_product[channel, y, x] = product
            by_mean[channel, y, x] = (
                TWO * other * top_variance * inverse
                - TWO * mean * value / low_mean
                - TWO * mean * square
                - other * product
            )
        similarity[line] = row_sum


@parallel_kernel
def _spread_back(
    image: FloatArray, target: FloatArray, weights: FloatArray, by_mean: FloatArray, by_square: FloatArray,
    by_product: FloatArray, l1_step: np.float32, ssim_step: np.float32, gradient: FloatArray, difference: FloatArray,
) -> None:  # fmt: skip
    """Fill the gradient of the whole loss and each row's sum of absolute differences."""
    rows, columns = by_mean.shape[1], by_mean.shape[2]
    height, width = image.shape[1], image.shape[2]
    for line in prange(3 * height):
        channel, y = line // height, line % height
        up = np.zeros((3, columns + 2 * BORDER), np.float32)
        for k in range(max(0, y - rows + 1), min(WINDOW_PX, y + 1)):
            w = weights[k]
            for x in range(columns):
                up[0, x + BORDER] += w * by_mean[channel, y - k, x]
                up[1, x + BORDER] += w * by_square[channel, y - k, x]
                up[2, x + BORDER] += w * by_product[channel, y - k, x]
        across = np.zeros((3, width), np.float32)
        for moment in range(3):
            for k in range(WINDOW_PX):
                w = weights[k]
                for x in range(width):
                    across[moment, x] += w * up[moment, x + BORDER - k]
        row_sum = ZERO
        for x in range(width):
            u, v = image[channel, y, x], target[channel, y, x]
            away = u - v
            row_sum += abs(away)
            sign = ONE if away > ZERO else (-ONE if away < ZERO else ZERO)
            gradient[channel, y, x] = l1_step * sign + ssim_step * (
                across[0, x] + TWO * u * across[1, x] + v * across[2, x]
            )
        difference[line] = row_sum


def photometric(
    image: FloatArray, target: FloatArray, *, ssim_weight: float = 0.2, mask: NDArray[np.bool_] | None = None
) -> Photometric:
    """(1 - w)·L1 + w·(1 - SSIM) of two pictures float32 [3, H, W], and its gradient by `image`.

    Where `mask` [H, W] is false the target is taken for the image: no loss, no gradient. Raises `ValueError` when
    the shapes differ or a side is shorter than the window's 11 pixels.
    """
    _, height, width = image.shape
    if image.shape != target.shape or min(height, width) < WINDOW_PX:
        raise ValueError(
            f"pictures {list(image.shape)} and {list(target.shape)}: expected equal [3, H, W], sides ≥ {WINDOW_PX} px"
        )
    if mask is not None:
        image = np.where(mask, image, target)
    rows, columns = height - BORDER, width - BORDER
    partials = [np.empty((3, rows, columns), np.float32) for _ in range(3)]
    similarity, difference = np.empty(3 * rows, np.float32), np.empty(3 * height, np.float32)
    _moments(image, target, _WINDOW, *partials, similarity)
    gradient = np.empty_like(image)
    l1_step = np.float32((1.0 - ssim_weight) / image.size)
    ssim_step = np.float32(-ssim_weight / partials[0].size)
    _spread_back(image, target, _WINDOW, *partials, l1_step, ssim_step, gradient, difference)
    if mask is not None:
        gradient *= mask
    l1 = float(difference.sum(dtype=np.float64)) / image.size
    ssim = float(similarity.sum(dtype=np.float64)) / partials[0].size
    return Photometric((1.0 - ssim_weight) * l1 + ssim_weight * (1.0 - ssim), l1, ssim, gradient)


def psnr(image: FloatArray, target: FloatArray) -> float:
    """Peak signal-to-noise ratio in dB of two pictures in 0..1, the image clamped to that range first."""
    error = float(np.mean((np.clip(image, 0.0, 1.0).astype(np.float64) - target) ** 2))
    return float("inf") if error == 0 else -10.0 * float(np.log10(error))
