"""Where a cloud gains and loses splats while it trains.

`Mcmc` moves splats that have faded to where the others are dense and shakes those that have not found their
place (Kheradmand et al. 2024, "3D Gaussian Splatting as Markov Chain Monte Carlo"): the number of splats, and so
the memory, is known beforehand. `Default` clones and splits where the picture pulls hardest (Kerbl et al. 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, sqrt
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from engines.splat_values import logit_from_opacity, opacity_from_logit
from generators.radiance.adam import Adam
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Projection, RasterGradients
from generators.radiance.rasterizer.kernels import inlined, parallel_kernel, prange
from generators.radiance.rasterizer.projection import rotation

FAINT = 0.005
"""Splats below this opacity count as dead."""
SHARE_MAX = 51
"""A splat is divided among at most this many."""
ONE, TWO = np.float32(1), np.float32(2)


class Strategy(Protocol):
    """What the trainer asks between its steps."""

    def regularise(self, parameters: Parameters, gradients: Parameters) -> None:
        """Add the strategy's own loss to the gradients, in place."""

    def observe(self, projection: Projection, gradients: RasterGradients, width: int, height: int) -> None:
        """Take note of how the picture pulls at the splats."""

    def disturb(self, parameters: Parameters, rate: float, step: int) -> None:
        """Move splats at random, in place, after a step taken with position learning rate `rate`."""

    def refine(self, parameters: Parameters, adam: Adam, rng: np.random.Generator) -> Parameters:
        """Drop, move and add splats; `adam` follows."""


# -- Markov chain Monte Carlo --------------------------------------------------------------------------------------


@inlined
def _normal(key: np.uint64) -> Any:
    """A standard normal number from a counter: two rounds of splitmix64 and the Box-Muller transform."""
    z = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    a = (np.float32(z >> np.uint64(40)) + np.float32(0.5)) * np.float32(2.0**-24)
    b = np.float32((z >> np.uint64(8)) & np.uint64(0xFFFFFF)) * np.float32(2.0**-24)
    return np.sqrt(-TWO * np.log(a)) * np.cos(np.float32(2 * np.pi) * b)


@parallel_kernel
def _shake(
    positions: FloatArray, log_scales: FloatArray, quaternions: FloatArray, logits: FloatArray, amount: np.float32,
    stream: np.uint64,
) -> None:  # fmt: skip
    """Add Σ·η·amount to the positions of faint splats; the gate closes at opacities above about 0.05."""
    for i in prange(len(positions)):
        opacity = ONE / (ONE + np.exp(-logits[i]))
        gate = ONE / (ONE + np.exp(np.float32(100) * (opacity - np.float32(FAINT))))
        if gate > np.float32(1e-4):
            m = rotation(quaternions[i])[0]
            base = stream + np.uint64(3 * i)
            n0, n1, n2 = _normal(base), _normal(base + np.uint64(1)), _normal(base + np.uint64(2))
            v0 = np.exp(TWO * log_scales[i, 0]) * (m[0] * n0 + m[3] * n1 + m[6] * n2)
            v1 = np.exp(TWO * log_scales[i, 1]) * (m[1] * n0 + m[4] * n1 + m[7] * n2)
            v2 = np.exp(TWO * log_scales[i, 2]) * (m[2] * n0 + m[5] * n1 + m[8] * n2)
            scale = amount * gate
            positions[i, 0] += scale * (m[0] * v0 + m[1] * v1 + m[2] * v2)
            positions[i, 1] += scale * (m[3] * v0 + m[4] * v1 + m[5] * v2)
            positions[i, 2] += scale * (m[6] * v0 + m[7] * v1 + m[8] * v2)


@parallel_kernel
def _pull_in(
    log_scales: FloatArray, logits: FloatArray, by_scale: np.float32, by_opacity: np.float32, g_scales: FloatArray,
    g_logits: FloatArray,
) -> None:  # fmt: skip
    """Add the gradients of by_opacity·Σ opacity + by_scale·Σ scale."""
    for i in prange(len(logits)):
        opacity = ONE / (ONE + np.exp(-logits[i]))
        g_logits[i] += by_opacity * opacity * (ONE - opacity)
        for j in range(3):
            g_scales[i, j] += by_scale * np.exp(log_scales[i, j])


def divided(opacity: NDArray[np.float64], shares: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Opacity and factor of the scale with which `shares` splats in one place look like one (paper, eq. 9)."""
    shares = np.minimum(shares, SHARE_MAX)
    new = 1.0 - (1.0 - opacity) ** (1.0 / shares)
    spread = np.zeros_like(opacity)
    for n in range(1, int(shares.max(initial=1)) + 1):
        terms = sum(comb(n - 1, k) * (-1) ** k / sqrt(k + 1) * new ** (k + 1) for k in range(n))
        spread += np.where(shares >= n, terms, 0.0)
    return new, opacity / spread


@dataclass
class Mcmc:
    """A cloud of at most `splats_max` splats that grows by `growth` at each refinement."""

    splats_max: int
    growth: float = 0.05
    noise: float = 1e5
    """A fifth of the paper's, whose position rate is far smaller than ours."""
    opacity_weight: float = 0.01
    scale_weight: float = 0.01
    seed: int = 0

    def regularise(self, parameters: Parameters, gradients: Parameters) -> None:
        """See `Strategy.regularise`."""
        count = max(len(parameters), 1)
        _pull_in(
            *(parameters.log_scales, parameters.logits),
            *(np.float32(self.scale_weight / (3 * count)), np.float32(self.opacity_weight / count)),
            *(gradients.log_scales, gradients.logits),
        )

    def observe(self, projection: Projection, gradients: RasterGradients, width: int, height: int) -> None:
        """See `Strategy.observe`; nothing is needed."""

    def disturb(self, parameters: Parameters, rate: float, step: int) -> None:
        """See `Strategy.disturb`."""
        stream = np.uint64((self.seed * 1_000_003 + step) * 0x1_0000_0000 % 2**63)
        _shake(
            *(parameters.positions, parameters.log_scales, parameters.quaternions, parameters.logits),
            *(np.float32(self.noise * rate), stream),
        )

    def refine(self, parameters: Parameters, adam: Adam, rng: np.random.Generator) -> Parameters:
        """See `Strategy.refine`."""
        opacity = opacity_from_logit(parameters.logits).astype(np.float64)
        dead = np.nonzero(opacity <= FAINT)[0]
        if 0 < len(dead) < len(opacity):
            weights = np.where(opacity > FAINT, opacity, 0.0)
            hosts = _drawn(weights, len(dead), rng)
            self._divide(parameters, hosts)
            for _, array in parameters.arrays():
                array[dead] = array[hosts]
            adam.forget(hosts)
        room = min(self.splats_max, int(len(parameters) * (1 + self.growth))) - len(parameters)
        if room > 0:
            opacity = opacity_from_logit(parameters.logits).astype(np.float64)
            hosts = _drawn(opacity, room, rng)
            self._divide(parameters, hosts)
            added = parameters.take(hosts)
            parameters = parameters.joined(added)
            adam.extend(added)
            adam.forget(hosts)
        return parameters

    @staticmethod
    def _divide(parameters: Parameters, hosts: NDArray[np.int64]) -> None:
        """Make every host fit to be copied as often as it is drawn."""
        unique, times = np.unique(hosts, return_counts=True)
        opacity = opacity_from_logit(parameters.logits[unique]).astype(np.float64)
        new, factor = divided(opacity, times + 1)
        parameters.logits[unique] = logit_from_opacity(np.clip(new, FAINT, 1 - 1e-6))
        parameters.log_scales[unique] += np.log(factor)[:, None].astype(np.float32)


def _drawn(weights: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` indices with replacement, in proportion to the weights."""
    steps = np.cumsum(weights)
    found = np.searchsorted(steps, rng.random(count) * steps[-1], side="right")
    return np.asarray(np.minimum(found, len(weights) - 1), np.int64)


# -- clone, split and prune ----------------------------------------------------------------------------------------


@parallel_kernel
def _note_pull(
    extent: FloatArray, grad_xy: FloatArray, half_width: np.float32, half_height: np.float32, sums: FloatArray,
    seen: FloatArray,
) -> None:  # fmt: skip
    for i in prange(len(extent)):
        if extent[i, 0] > np.float32(0):
            x, y = grad_xy[i, 0] * half_width, grad_xy[i, 1] * half_height
            sums[i] += np.sqrt(x * x + y * y)
            seen[i] += ONE


class Default:
    """Clone small and split large splats where the mean pull in the picture exceeds `pull`, drop the faint.

    Scales are judged in units of the normalised scene, in which the cameras lie about 1 from its middle.
    """

    def __init__(self, splats_max: int, *, pull: float = 2e-4, small: float = 0.01, large: float = 0.3) -> None:
        self.splats_max = splats_max
        self._pull, self._small, self._large = pull, small, large
        self._sums = np.zeros(0, np.float32)
        self._seen = np.zeros(0, np.float32)

    def regularise(self, parameters: Parameters, gradients: Parameters) -> None:
        """See `Strategy.regularise`; this strategy adds no loss."""

    def observe(self, projection: Projection, gradients: RasterGradients, width: int, height: int) -> None:
        """See `Strategy.observe`."""
        if len(self._sums) != len(projection.xy):
            self._sums = np.zeros(len(projection.xy), np.float32)
            self._seen = np.zeros(len(projection.xy), np.float32)
        _note_pull(
            projection.extent, gradients.xy, np.float32(width / 2), np.float32(height / 2), self._sums, self._seen
        )

    def remember(self, sums: FloatArray, seen: FloatArray) -> None:
        """In place of `observe`, what was observed elsewhere: the sum of pulls [N], and of how many [N] it is."""
        self._sums, self._seen = sums, seen

    def disturb(self, parameters: Parameters, rate: float, step: int) -> None:
        """See `Strategy.disturb`; nothing moves at random."""

    def refine(self, parameters: Parameters, adam: Adam, rng: np.random.Generator) -> Parameters:
        """See `Strategy.refine`."""
        pull = self._sums / np.maximum(self._seen, 1) if len(self._sums) == len(parameters) else None
        if pull is not None:
            wanted = np.nonzero(pull > self._pull)[0]
            room = self.splats_max - len(parameters)
            wanted = wanted[np.argsort(-pull[wanted], kind="stable")][: max(room, 0)]
            parameters = self._grown(parameters, wanted, adam, rng)
        largest = np.exp(parameters.log_scales.max(1)) if len(parameters) else np.zeros(0)
        kept = (opacity_from_logit(parameters.logits) > FAINT) & (largest < self._large)
        if not kept.all() and kept.any():
            parameters = parameters.take(kept)
            adam.keep(kept)
        self._sums = np.zeros(0, np.float32)
        return parameters

    def _grown(
        self, parameters: Parameters, wanted: NDArray[np.int64], adam: Adam, rng: np.random.Generator
    ) -> Parameters:
        """A second splat beside each wanted one: a copy of the small, a half of the large."""
        if len(wanted) == 0:
            return parameters
        added = parameters.take(wanted)
        large = np.exp(added.log_scales.max(1)) > self._small
        offsets = _within(added, rng) * large[:, None]
        added.positions += offsets
        added.log_scales[large] -= np.float32(np.log(1.6))
        split = wanted[large]
        parameters.positions[split] -= offsets[large]
        parameters.log_scales[split] -= np.float32(np.log(1.6))
        adam.forget(split)
        adam.extend(added)
        return parameters.joined(added)


def _within(parameters: Parameters, rng: np.random.Generator) -> FloatArray:
    """A random offset inside each splat, float32 [N, 3], drawn from the Gaussian that it is."""
    unit = parameters.quaternions / np.maximum(np.linalg.norm(parameters.quaternions, axis=1, keepdims=True), 1e-12)
    local = rng.standard_normal((len(parameters), 3)) * np.exp(parameters.log_scales)
    vector, scalar = unit[:, 1:], unit[:, :1]
    twice = 2.0 * np.cross(vector, local)
    return np.asarray(local + scalar * twice + np.cross(vector, twice), np.float32)
