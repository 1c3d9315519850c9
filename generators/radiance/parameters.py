"""The numbers a splat cloud is trained by: unbounded, so that any gradient step leaves a valid cloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.splat_values import (
    log_from_scale,
    logit_from_opacity,
    opacity_from_logit,
    scale_from_log,
    unit_quaternions,
)

SH_COUNTS = (1, 4, 9, 16)


@dataclass(eq=False)
class Parameters:
    """A cloud of N splats as the optimiser sees it; also the shape of its gradients and of Adam's moments.

    All float32, C-contiguous: `positions` [N, 3]; `log_scales` [N, 3]; `quaternions` [N, 4] wxyz of any length;
    `logits` [N] of opacity; `sh` [N, K, 3] with K in {1, 4, 9, 16} as in `engines.assets.Splats`.
    """

    positions: FloatArray
    log_scales: FloatArray
    quaternions: FloatArray
    logits: FloatArray
    sh: FloatArray

    def __len__(self) -> int:
        return len(self.positions)

    def arrays(self) -> Iterator[tuple[str, FloatArray]]:
        """Name and array of every group, in the order of declaration."""
        for entry in fields(self):
            yield entry.name, getattr(self, entry.name)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Parameters:
        """A copy of the chosen splats."""
        return Parameters(*(np.ascontiguousarray(array[rows]) for _, array in self.arrays()))

    def joined(self, other: Parameters) -> Parameters:
        """These splats followed by the other's."""
        pairs = zip(self.arrays(), other.arrays(), strict=True)
        return Parameters(*(np.concatenate([mine, theirs]) for (_, mine), (_, theirs) in pairs))

    def zeros(self) -> Parameters:
        """Zeros of the same shapes."""
        return Parameters(*(np.zeros_like(array) for _, array in self.arrays()))

    def check(self) -> None:
        """Raise `ValueError`, naming the group and the first splat, where a shape is wrong or a value not finite."""
        count = len(self.positions)
        wanted = {"positions": (3,), "log_scales": (3,), "quaternions": (4,), "logits": (), "sh": self.sh.shape[1:]}
        for name, array in self.arrays():
            if array.dtype != np.float32 or array.shape != (count, *wanted[name]) or not array.flags.c_contiguous:
                shape = (count, *wanted[name])
                raise ValueError(
                    f"{name}: expected contiguous float32 {list(shape)}, got {array.dtype} {list(array.shape)}"
                )
            if name == "log_scales":  # a scale of zero is a point, and its logarithm is -infinity
                broken = np.isnan(array) | np.isposinf(array)
            else:
                broken = ~np.isfinite(array)
            if broken.any():
                first = int(np.argmax(broken.reshape(count, -1).any(1)))
                raise ValueError(f"{name} of splat {first} is not finite; expected numbers only")
        if self.sh.ndim != 3 or self.sh.shape[1] not in SH_COUNTS or self.sh.shape[2] != 3:
            raise ValueError(f"sh: expected [N, 1 | 4 | 9 | 16, 3], got {list(self.sh.shape)}")


def from_splats(splats: Splats) -> Parameters:
    """The training form of a neutral cloud, in arrays of its own.

    An input's arrays are files mapped read-only; numba would compile every kernel once more for such.
    """
    return Parameters(
        positions=np.array(splats.positions, np.float32, order="C"),
        log_scales=log_from_scale(splats.scales),
        quaternions=unit_quaternions(splats.rotations),
        logits=logit_from_opacity(splats.opacities),
        sh=np.array(splats.sh, np.float32, order="C"),
    )


def to_splats(parameters: Parameters, *, name: str = "") -> Splats:
    """The neutral cloud of training parameters; degenerate scales become tiny ones, zero quaternions identity."""
    return Splats(
        positions=parameters.positions.copy(),
        rotations=unit_quaternions(parameters.quaternions),
        scales=np.maximum(scale_from_log(parameters.log_scales), np.float32(1e-9)),
        opacities=opacity_from_logit(parameters.logits),
        sh=parameters.sh.copy(),
        name=name,
    )
