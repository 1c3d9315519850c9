"""A periodic water surface from travelling waves, and the light that it focuses on the ground."""

from __future__ import annotations

import numpy as np

from engines.assets import Array, FloatArray
from generators.procedural.lattice_noise import Check, nothing


class WaveField:
    """Waves on a torus in space and time.

    Amplitudes are random with a falling spectrum about `frequency` waves to a side; every wave's angular velocity
    follows deep-water dispersion (ω ∝ √k) rounded to a whole number of turns in one loop, so that the surface
    after the loop is exactly the surface before it.
    """

    def __init__(self, size: int, frequency: float, turns: float, rng: np.random.Generator) -> None:
        """`turns` is how often the typical wave oscillates in one loop."""
        self.size = size
        self.ky = np.fft.fftfreq(size, 1 / size)[:, None]
        self.kx = np.fft.fftfreq(size, 1 / size)[None]
        wave = np.hypot(self.ky, self.kx)
        present = (wave > 0) & (wave < size / 3)
        ratio = np.where(present, wave, 1.0) / frequency
        strength = np.where(present, ratio**-1.0 * np.exp(-0.7 * (ratio - 1) ** 2), 0.0)
        phase = np.exp(2j * np.pi * rng.random((size, size)))
        self.amplitude: Array = strength * phase * rng.rayleigh(size=(size, size))
        self.turns: Array = np.where(present, np.maximum(np.rint(turns * np.sqrt(ratio)), 1), 0)

    def slopes(self, phase: float) -> tuple[FloatArray, FloatArray]:
        """Slopes along y and x at `phase` 0..1 of the loop, float32 [size, size], standard deviation about 1."""
        # The real part of a complex field holds waves that travel one way each; two transforms in one by i·.
        moving = self.amplitude * np.exp(-2j * np.pi * self.turns * phase)
        dy = np.fft.ifft2(1j * self.ky * moving).real
        dx = np.fft.ifft2(1j * self.kx * moving).real
        scale = np.sqrt(2 / (np.abs(self.amplitude * np.hypot(self.ky, self.kx)) ** 2).sum()) * self.size**2
        return (dy * scale).astype(np.float32), (dx * scale).astype(np.float32)


def focus(dy: FloatArray, dx: FloatArray, reach_px: float, finer: int = 2, check: Check = nothing) -> FloatArray:
    """Light at the ground when every surface point sends its ray `reach_px`·slope aside, mean 1, float32 [N, N].

    `finer`² rays a pixel are splatted bilinearly on a torus: light is conserved, and where the surface folds them
    together bright filaments appear.
    """
    size = len(dy)
    light = np.zeros(size * size)
    dy, dx = (resized_periodic(plane, size * finer) for plane in (dy, dx))
    at = np.arange(size * finer, dtype=np.float32) / np.float32(finer)
    rows = max(1, (1 << 17) // (size * finer))
    for top in range(0, size * finer, rows):
        check()
        part = slice(top, top + rows)
        y = (at[part, None] + dy[part] * reach_px).ravel()
        x = (at[None] + dx[part] * reach_px).ravel()
        y0, x0 = np.floor(y), np.floor(x)
        fy, fx = y - y0, x - x0
        row, column = y0.astype(np.intp) % size * size, x0.astype(np.intp) % size
        below, right = (row + size) % (size * size), (column + 1) % size
        corners = np.concatenate((row + column, row + right, below + column, below + right))
        weights = np.concatenate(((1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx))
        # Rays fall near their own rows; counting from the first row hit keeps the histogram short.
        first = int(corners.min())
        counted = np.bincount(corners - first, weights)
        light[first : first + len(counted)] += counted
    return (light / finer**2).reshape(size, size).astype(np.float32)


def resized_periodic(plane: FloatArray, size: int) -> FloatArray:
    """Band-limited enlargement of a periodic map [N, N] to `size` ≥ N."""
    if len(plane) == size:
        return plane
    half = len(plane) // 2
    coarse = np.fft.rfft2(plane)
    fine = np.zeros((size, size // 2 + 1), complex)
    fine[:half, :half] = coarse[:half, :half]
    fine[-half + 1 :, :half] = coarse[-half + 1 :, :half]
    return (np.fft.irfft2(fine, s=(size, size)) * (size / len(plane)) ** 2).astype(np.float32)


def blur_periodic(picture: FloatArray, sigma_px: float) -> FloatArray:
    """Gaussian blur on a torus, [H, W] or [H, W, C]; exact, by the Fourier transform."""
    high, wide = picture.shape[:2]
    fy, fx = np.fft.fftfreq(high)[:, None], np.fft.rfftfreq(wide)[None]
    keep = np.exp(-2 * (np.pi * sigma_px) ** 2 * (fy * fy + fx * fx))
    if picture.ndim == 3:
        keep = keep[..., None]
    blurred = np.fft.irfft2(np.fft.rfft2(picture, axes=(0, 1)) * keep, s=(high, wide), axes=(0, 1))
    return blurred.astype(np.float32)
