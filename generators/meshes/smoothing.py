"""Smoothing that keeps volume: Taubin's λ|μ filter (1995), two steps a round, one inward and one outward."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.meshes.isosurface import Check, Ints
from generators.meshes.topology import edges_of
from generators.radiance.rasterizer.kernels import parallel_kernel, prange

LAMBDA = 0.5
PASS_BAND = 0.1
"""Taubin's k_PB: what bends slower than this is kept as it is. μ = 1 / (k_PB - 1/λ)."""


def neighbours_of(ends: Ints, vertices: int) -> tuple[NDArray[np.int64], Ints]:
    """Neighbours of each vertex in rising order: offsets int64 [V + 1] and members int32 [2E]."""
    both = np.concatenate([ends, ends[:, ::-1]])
    order = np.lexsort((both[:, 1], both[:, 0]))
    offsets = np.zeros(vertices + 1, np.int64)
    np.cumsum(np.bincount(both[:, 0], minlength=vertices), out=offsets[1:])
    return offsets, np.ascontiguousarray(both[order, 1], np.int32)


@parallel_kernel
def _step(points: FloatArray, offsets: NDArray[np.int64], members: Ints, factor: FloatArray, out: FloatArray) -> None:
    """Move each point by its own factor towards the mean of its neighbours."""
    for v in prange(len(points)):
        first, last = offsets[v], offsets[v + 1]
        if last == first or factor[v] == 0:
            for c in range(3):
                out[v, c] = points[v, c]
            continue
        share = factor[v] / np.float32(last - first)
        for c in range(3):
            total = np.float32(0)
            for n in range(first, last):
                total += points[members[n], c] - points[v, c]
            out[v, c] = points[v, c] + share * total


def smoothed(
    positions: FloatArray,
    faces: NDArray[np.integer],
    rounds: int,
    *,
    strength: float = 1.0,
    hold_border: bool = True,
    check: Check = lambda: None,
) -> FloatArray:
    """Positions after `rounds` of the filter; `strength` 0..1 weakens both steps.

    Vertices on a border stay, or slide along the border only, smoothed as the curve it is.
    """
    edges = edges_of(faces)
    on_border = np.zeros(len(positions), np.bool_)
    on_border[edges.ends[edges.border].ravel()] = True
    # A border vertex looks at its neighbours along the border alone, so that the outline does not shrink.
    inner = ~(on_border[edges.ends[:, 0]] | on_border[edges.ends[:, 1]])
    mixed = ~inner & ~edges.border
    offsets, members = neighbours_of(edges.ends[inner | edges.border], len(positions))
    half = edges.ends[mixed]
    if len(half):
        offsets, members = _with_one_way(offsets, members, half, on_border)
    sign = np.full(len(positions), np.float32(strength), np.float32)
    if hold_border:
        sign[on_border] = 0
    inward, outward = sign * np.float32(LAMBDA), sign * np.float32(1 / (PASS_BAND - 1 / LAMBDA))
    points, spare = np.array(positions, np.float32), np.empty_like(positions, dtype=np.float32)
    for _ in range(rounds):
        check()
        _step(points, offsets, members, inward, spare)
        _step(spare, offsets, members, outward, points)
    return points


def _with_one_way(
    offsets: NDArray[np.int64], members: Ints, ends: Ints, on_border: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], Ints]:
    """Neighbours enlarged by edges that only their inner end looks along."""
    both = np.concatenate([ends, ends[:, ::-1]])
    both = both[~on_border[both[:, 0]]]
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    source = np.concatenate([owner, both[:, 0]])
    target = np.concatenate([members, both[:, 1]])
    order = np.lexsort((target, source))
    counts = np.bincount(source, minlength=len(offsets) - 1)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), np.ascontiguousarray(target[order], np.int32)
