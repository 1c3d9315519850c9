"""Noise that moves and comes back: seamless in both directions of space and in time."""

from __future__ import annotations

import numpy as np

from engines.assets import Array, FloatArray
from generators.procedural.water import resized_periodic

DRAWN_PX = 512


class LoopingNoise:
    """Random-phase noise on a torus whose every wave turns a whole number of times in one loop.

    Power falls as frequency^-2·`slope` from `frequency` waves a side on. Waves turn at random rates that grow with
    their frequency, about `turns` times a loop at the coarsest, and the whole drifts by `drift` (y, x) tiles a loop.
    """

    def __init__(
        self,
        size: int,
        frequency: float,
        slope: float,
        turns: float,
        rng: np.random.Generator,
        drift: tuple[int, int] = (0, 0),
    ) -> None:
        """Draws the waves; nothing random happens afterwards."""
        self.size, self.frequency = size, frequency
        # Finer waves than 512 to a side are too weak to be seen; larger pictures are enlarged from there.
        span = min(size, DRAWN_PX)
        ky = np.fft.fftfreq(span, 1 / span)[:, None]
        kx = np.fft.fftfreq(span, 1 / span)[None]
        wave = np.hypot(ky, kx)
        ratio = np.maximum(wave, 1e-9) / frequency
        present = (wave >= 0.5 * frequency) & (wave < span / 2)
        strength = np.where(present, np.minimum(ratio, 1 / ratio) ** slope, 0.0)
        self.span = span
        self.amplitude: Array = strength * np.exp(2j * np.pi * rng.random((span, span)))
        rate = turns * np.maximum(ratio, 1) ** 0.6
        self.turns: Array = np.rint(rng.standard_normal((span, span)) * rate) - ky * drift[0] - kx * drift[1]
        self.scale = span**2 * np.sqrt(2 / (strength**2).sum())

    def at(self, phase: float) -> FloatArray:
        """The noise at `phase` 0..1 of the loop, float32 [size, size], mean 0, standard deviation 1."""
        field = np.fft.ifft2(self.amplitude * np.exp(2j * np.pi * self.turns * phase)).real * self.scale
        plane: FloatArray = field.astype(np.float32)
        if self.size == self.span:
            return plane
        return resized_periodic(plane, self.size)
