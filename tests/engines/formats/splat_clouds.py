"""Clouds of known truth for the tests of splat formats, and how far two clouds are apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import Splats
from engines.spherical_harmonics import evaluate
from engines.transforms import rotation_matrices


def cloud(count: int = 500, coefficients: int = 16, extent: float = 1.0, seed: int = 0) -> Splats:
    """Every value of a splat over the range that trained clouds have; colours within 0..1."""
    rng = np.random.default_rng(seed)
    q = rng.normal(size=(count, 4))
    sh = np.concatenate([rng.uniform(-1.7, 1.7, (count, 1, 3)), rng.normal(0, 0.2, (count, coefficients - 1, 3))], 1)
    return Splats(
        positions=(rng.uniform(-1, 1, (count, 3)) * extent).astype(np.float32),
        rotations=(q / np.linalg.norm(q, axis=1, keepdims=True)).astype(np.float32),
        scales=np.exp(rng.uniform(-8, -1, (count, 3))).astype(np.float32),
        opacities=rng.uniform(0.01, 0.99, count).astype(np.float32),
        sh=sh.astype(np.float32),
        name="cloud",
    )


def taken(splats: Splats, order: NDArray[Any]) -> Splats:
    """The splats in another order."""
    names = ("positions", "rotations", "scales", "opacities", "sh")
    return replace(splats, **{name: getattr(splats, name)[order] for name in names})


@dataclass(frozen=True)
class Apart:
    """The largest differences between two clouds, splat by splat."""

    position_m: float
    log_scale: float
    opacity: float
    angle_rad: float
    dc: float
    rest: float


def apart(a: Splats, b: Splats) -> Apart:
    """How far two clouds are apart. They have as many splats, in the same order."""
    assert a.positions.shape == b.positions.shape and a.sh.shape == b.sh.shape
    trace = np.einsum("nij,nij->n", rotation_matrices(a.rotations), rotation_matrices(b.rotations))
    return Apart(
        float(np.abs(a.positions - b.positions).max(initial=0)),
        float(np.abs(np.log(a.scales) - np.log(b.scales)).max(initial=0)),
        float(np.abs(a.opacities - b.opacities).max(initial=0)),
        float(np.arccos(np.clip((trace - 1) / 2, -1, 1)).max(initial=0)),
        float(np.abs(a.sh[:, 0] - b.sh[:, 0]).max(initial=0)),
        float(np.abs(a.sh[:, 1:] - b.sh[:, 1:]).max(initial=0)),
    )


def covariances(splats: Splats) -> NDArray[np.float64]:
    """The ellipsoids themselves, [N, 3, 3], which do not depend on how their axes are named."""
    half = rotation_matrices(splats.rotations) * splats.scales[:, None, :].astype(np.float64)
    return np.asarray(half @ half.transpose(0, 2, 1))


def paired(got: Splats, expected: Splats) -> Splats:
    """`got` in the order of `expected`, each splat with the nearest that is left; for clouds that stay apart."""
    order = np.argmin(np.linalg.norm(got.positions[None] - expected.positions[:, None], axis=2), axis=1)
    assert len(np.unique(order)) == len(order)
    return taken(got, order)


def seen(splats: Splats, direction: tuple[float, float, float]) -> NDArray[np.float64]:
    """The colours of all splats from one direction."""
    unit = np.array(direction) / np.linalg.norm(direction)
    return np.asarray(evaluate(splats.sh, np.tile(unit, (len(splats.sh), 1))) + 0.5)


def mutations(data: bytes, count: int, seed: int, head: int = 64) -> Iterator[bytes]:
    """Bytes changed, mostly in the head, or cut off."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        broken = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(0, min(len(broken), head) if rng.random() < 0.6 else len(broken)))
            if rng.random() < 0.2:
                broken = broken[: max(at, 1)]
            else:
                broken[at] = int(rng.integers(0, 256))
        yield bytes(broken)
