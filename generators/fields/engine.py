"""What takes a training step: the numba kernels on the processor, or torch on a graphics card; same maths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.fields.lattice import CHANNELS, VERTICES, Lattice
from generators.fields.marching import ONE
from generators.fields.optimiser import adam, smooth
from generators.fields.rays import Rays
from generators.fields.settings import FieldSettings
from generators.fields.training import LANES, train_rays

DECAY_FIRST, DECAY_SECOND, EPSILON = 0.9, 0.99, 1e-8


@dataclass(frozen=True, eq=False)
class Batch:
    """Pixels of one step: rows int64 [R] and views int32 [R] of a `Rays`, jitter float32 [R] 0..1 of each ray's first
    step, and the colour float32 [3] behind everything.
    """

    picks: NDArray[np.int64]
    views: NDArray[np.int32]
    jitter: FloatArray
    ground: FloatArray


@dataclass(frozen=True, eq=False)
class State:
    """A lattice, Adam's moments float32 [B · 64 · 16], and the largest weight any ray had by cell [LANES, B · 64]."""

    lattice: Lattice
    first: FloatArray
    second: FloatArray
    peaks: FloatArray


class Engine(Protocol):
    """Made of a lattice, moments and peaks; `rays`, `smooth` and `optimise` are one step."""

    def rays(self, rays: Rays, batch: Batch, settings: FieldSettings) -> tuple[FloatArray, NDArray[np.int32]]:
        """Squared errors summed over colours float32 [R] and samples int32 [R]; keeps the gradients."""

    def smooth(self, pulls: FloatArray, turn: int, turns: int) -> None:
        """Add the pull towards neighbouring vertices, weighed by channel [16], in every `turns`-th brick."""

    def optimise(self, rates: FloatArray) -> None:
        """Move what has gradients, with learning rates by channel [16], and forget the gradients."""

    def state(self) -> State:
        """Everything as it is now, on the processor."""


def fresh(lattice: Lattice, first: FloatArray | None, second: FloatArray | None, peaks: FloatArray | None) -> State:
    """A state with zeros for what is not given."""
    rows = len(lattice) * VERTICES
    return State(
        lattice,
        np.zeros(rows * CHANNELS, np.float32) if first is None else first,
        np.zeros(rows * CHANNELS, np.float32) if second is None else second,
        np.zeros((LANES, rows), np.float32) if peaks is None else peaks,
    )


class NumbaEngine:
    """On the processor: the same bits for any number of threads."""

    def __init__(
        self, lattice: Lattice, first: FloatArray | None = None, second: FloatArray | None = None,
        peaks: FloatArray | None = None,
    ) -> None:  # fmt: skip
        self._state = fresh(lattice, first, second, peaks)
        self._values = lattice.values.reshape(-1)
        self.gradients = np.zeros((LANES, len(self._values)), np.float32)
        self._touched = np.zeros((LANES, len(lattice)), np.int64)

    def rays(self, rays: Rays, batch: Batch, settings: FieldSettings) -> tuple[FloatArray, NDArray[np.int32]]:
        """See `Engine`."""
        lattice = self._state.lattice
        losses, counts = np.empty(len(batch.picks), np.float32), np.empty(len(batch.picks), np.int32)
        train_rays(
            self._values, lattice.joined, lattice.places, lattice.gaps, lattice.occupied, np.int64(lattice.cells),
            np.float32(settings.step), ONE, np.float32(settings.near), np.float32(settings.far),
            np.float32(settings.scatter), rays.cameras, rays.pixels, rays.starts, rays.widths, batch.picks,
            batch.views, batch.jitter, batch.ground, self.gradients, self._touched, self._state.peaks, losses, counts,
        )  # fmt: skip
        return losses, counts

    def smooth(self, pulls: FloatArray, turn: int, turns: int) -> None:
        """See `Engine`."""
        lattice = self._state.lattice
        smooth(
            self._values, lattice.around, lattice.active, self._touched, self.gradients, pulls, np.int64(turn),
            np.int64(turns),
        )  # fmt: skip

    def optimise(self, rates: FloatArray) -> None:
        """See `Engine`."""
        adam(
            self._values, self._state.first, self._state.second, self.gradients, self._touched, rates,
            np.float32(DECAY_FIRST), np.float32(DECAY_SECOND), np.float32(EPSILON),
        )  # fmt: skip

    def state(self) -> State:
        """See `Engine`."""
        return self._state


def engine_for(device: str) -> type[NumbaEngine]:
    """The engine of a torch device's name."""
    if device == "cpu":
        return NumbaEngine
    from functools import partial

    from generators.fields.torch_path import TorchEngine

    return partial(TorchEngine, device=device)  # type: ignore[return-value]
