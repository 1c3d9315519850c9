"""One gain and one offset a channel for each photograph, so that a camera's automatic exposure is not baked in.

The gains are kept with a geometric mean of 1 and the offsets with a mean of 0: the cloud itself keeps the
exposure of the whole set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray

RATE = 1e-2
"""A photograph has some thirty steps in a short run; at a fifth of this they came no further than a gain of 1.06."""
BURNT = 0.97
"""Brighter than this a photograph does not say how bright it was."""
DECAY = (0.9, 0.999)


@dataclass(eq=False)
class Exposure:
    """`values` float32 [V, 2, 3]: log gain and offset by photograph and channel; Adam's moments beside them."""

    values: FloatArray
    first: FloatArray
    second: FloatArray
    steps: FloatArray

    @classmethod
    def neutral(cls, photographs: int) -> Exposure:
        """Gain 1 and offset 0 for each photograph."""
        shape = (photographs, 2, 3)
        values, first, second = (np.zeros(shape, np.float32) for _ in range(3))
        return cls(values, first, second, np.zeros(photographs, np.float32))

    def applied(self, index: int, image: FloatArray) -> FloatArray:
        """The render [3, H, W] as that photograph's exposure would show it."""
        gain, offset = np.exp(self.values[index, 0]), self.values[index, 1]
        return np.asarray(image * gain[:, None, None] + offset[:, None, None], np.float32)

    def step(self, index: int, image: FloatArray, gradient: FloatArray) -> FloatArray:
        """Fit this photograph's numbers one step better, and return the gradient by the render itself."""
        gain = np.exp(self.values[index, 0])
        by_value = np.stack([(gradient * image).sum((1, 2)) * gain, gradient.sum((1, 2))])
        self.steps[index] += 1
        a, b = DECAY
        self.first[index] = a * self.first[index] + (1 - a) * by_value
        self.second[index] = b * self.second[index] + (1 - b) * by_value**2
        first = self.first[index] / (1 - a ** self.steps[index])
        second = self.second[index] / (1 - b ** self.steps[index])
        self.values[index] -= RATE * first / (np.sqrt(second) + 1e-15)
        self.values -= self.values.mean(0)
        return np.asarray(gradient * gain[:, None, None], np.float32)


def own_gain(image: FloatArray, target: FloatArray, mask: NDArray[np.bool_] | None = None) -> FloatArray:
    """A render [3, H, W] with the gain of each channel that brings it nearest to a photograph that was not trained on.

    Only where `mask` [H, W] is true, if there is one, they are compared. The photograph's exposure cannot be known
    beforehand, and is no fault of the cloud.
    """
    image = np.clip(image, 0.0, 1.0)
    counts = target < BURNT if mask is None else (target < BURNT) & mask
    known = np.where(counts, image, 0.0)
    energy = (known * image).sum((1, 2), dtype=np.float64)
    gain = np.where(energy > 0, (known * target).sum((1, 2), dtype=np.float64) / np.maximum(energy, 1e-9), 1.0)
    return np.asarray(image * gain[:, None, None], np.float32)
