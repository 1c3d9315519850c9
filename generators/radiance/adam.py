"""Adam (Kingma & Ba 2015) over a splat cloud, one pass over memory per group, with rows that come and go."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer.kernels import parallel_kernel, prange

ONE = np.float32(1)
CHUNK = 4096


@parallel_kernel
def _step(
    values: FloatArray, gradients: FloatArray, first: FloatArray, second: FloatArray, rates: FloatArray,
    decay_first: np.float32, decay_second: np.float32, correction: np.float32, epsilon: np.float32,
) -> None:  # fmt: skip
    """One step in place on [N, C] arrays, with a learning rate per column; `correction` undoes the second's bias."""
    count, columns = values.shape
    for block in prange((count + CHUNK - 1) // CHUNK):
        for i in range(block * CHUNK, min(count, (block + 1) * CHUNK)):
            for j in range(columns):
                g = gradients[i, j]
                m = decay_first * first[i, j] + (ONE - decay_first) * g
                v = decay_second * second[i, j] + (ONE - decay_second) * g * g
                first[i, j], second[i, j] = m, v
                values[i, j] -= rates[j] * m / (np.sqrt(v * correction) + epsilon)


@dataclass(frozen=True)
class Rates:
    """Learning rates per group in a scene of size 1; `sh_rest` is that of all harmonics above degree 0.

    The values suit short runs from dense seeds, several times those of Kerbl et al.; chosen by held-out quality.
    """

    positions: float = 2e-3
    log_scales: float = 3e-2
    quaternions: float = 1e-2
    logits: float = 1.5e-1
    sh: float = 1.5e-2
    sh_rest: float = 1e-3


@dataclass
class Adam:
    """The optimiser's memory: first and second moments, shaped like the cloud, and the number of steps taken."""

    first: Parameters
    second: Parameters
    steps: int = 0
    ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Names each splat for as long as it lives, int64 [N], so that it can be followed through any refinement."""
    decay: tuple[float, float] = (0.9, 0.999)
    epsilon: float = field(default=1e-15)

    @classmethod
    def fresh(cls, parameters: Parameters) -> Adam:
        """Moments of zero for a cloud."""
        return cls(parameters.zeros(), parameters.zeros(), ids=np.arange(len(parameters)))

    def step(self, parameters: Parameters, gradients: Parameters, rates: Rates) -> None:
        """Move the parameters in place against their gradients."""
        self.steps += 1
        first, second = self.decay
        # The bias of the first moment goes into the rate, that of the second under the root.
        warm = 1.0 - first**self.steps
        correction = np.float32(1.0 / (1.0 - second**self.steps))
        for name, values in parameters.arrays():
            flat = values.reshape(len(values), -1)
            rate = np.full(flat.shape[1], getattr(rates, name) / warm, np.float32)
            if name == "sh":
                rate[3:] = rates.sh_rest / warm
            _step(
                flat,
                getattr(gradients, name).reshape(flat.shape),
                getattr(self.first, name).reshape(flat.shape),
                getattr(self.second, name).reshape(flat.shape),
                rate,
                *(np.float32(first), np.float32(second), correction, np.float32(self.epsilon)),
            )

    def forget(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> None:
        """Set the moments of some splats to zero, because they have become others."""
        for moments in (self.first, self.second):
            for _, array in moments.arrays():
                array[rows] = 0.0

    def keep(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> None:
        """Follow the cloud after splats were dropped or reordered."""
        self.first, self.second = self.first.take(rows), self.second.take(rows)
        self.ids = self.ids[rows]

    def extend(self, added: Parameters) -> None:
        """Follow the cloud after splats were added at its end."""
        self.first, self.second = self.first.joined(added.zeros()), self.second.joined(added.zeros())
        fresh = 1 + int(self.ids.max(initial=-1))
        self.ids = np.concatenate([self.ids, np.arange(fresh, fresh + len(added))])
