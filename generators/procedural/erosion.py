"""Landscape evolution on a grid: rivers that cut and deposit, slopes that slide; all steps vectorised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.assets import Array
from generators.procedural.lattice_noise import Check, nothing

# The eight neighbours, nearer ones first: (rows, columns, distance).
NEIGHBOURS = [(dy, dx, float(np.hypot(dy, dx))) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


def receivers(height: Array, wander: Array | None = None) -> tuple[Array, Array]:
    """Where each cell drains: index of the steepest lower neighbour (itself in a pit or at the border), and the slope.

    `height` [N, N] in cell widths; `wander` [8, N, N] scales the slopes about 1, which breaks the grid's eight
    directions. Returns int [N·N] and float [N·N].
    """
    n = len(height)
    padded = np.pad(height, 1, constant_values=np.inf)
    best: Array = np.zeros((n, n))
    steepest: Array = np.zeros((n, n))
    index = np.arange(n * n).reshape(n, n)
    target = index.copy()
    for k, (dy, dx, distance) in enumerate(NEIGHBOURS):
        slope = (height - padded[1 + dy : n + 1 + dy, 1 + dx : n + 1 + dx]) / distance
        judged = slope if wander is None else slope * wander[k]
        better = judged > best
        np.copyto(best, judged, where=better)
        np.copyto(steepest, slope, where=better)
        np.copyto(target, index + (dy * n + dx), where=better)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        target[edge] = index[edge]
        steepest[edge] = 0
    return target.ravel(), steepest.ravel()


def gathered(target: Array, *amounts: Array) -> list[Array]:
    """Sum every amount [M] over all cells that drain through each cell, itself included.

    Pointer doubling: after k rounds a cell has the sum over the cells at most 2^k - 1 steps upstream, so that the
    number of rounds grows with the logarithm of the longest river. Roots are the cells that drain to themselves.
    """
    cells = len(target)
    totals = [amount.astype(np.float64) for amount in amounts]
    moving = np.flatnonzero(target != np.arange(cells))
    onto = target[moving]
    while moving.size:
        totals = [total + np.bincount(onto, total[moving], minlength=cells) for total in totals]
        # The cell 2^k steps down of each cell, -1 where the river ends before.
        jump = np.full(cells, -1)
        jump[moving] = onto
        onto = jump[onto]
        flows = onto >= 0
        moving, onto = moving[flows], onto[flows]
    return totals


def drained(height: Array, fall: float = 1e-3, check: Check = nothing) -> Array:
    """The land with every closed basin filled until it spills, [N, N], each cell `fall` above a neighbour or border.

    Planchon and Darboux (2002): a flood that covers all sinks to the lowest level that still drains.
    """
    n = len(height)
    water: Array = np.full((n, n), np.inf)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        water[edge] = height[edge]
    while True:
        check()
        padded = np.pad(water, 1, constant_values=np.inf)
        lowest = np.min([padded[1 + y : n + 1 + y, 1 + x : n + 1 + x] for y, x, _ in NEIGHBOURS], axis=0)
        sunk: Array = np.minimum(water, np.maximum(height, lowest + fall))
        if np.array_equal(sunk, water):
            return sunk
        water = sunk


@dataclass(frozen=True)
class Rivers:
    """How water shapes the land; dimensionless but for slopes, which are height over distance."""

    cutting: float
    """Stream power K per step: how much a cell is lowered at unit slope and drainage √cells."""
    settling: float
    """Deposition G of Yuan et al. (2019), "A new efficient method to solve the stream power law model ...": 0..1."""
    uplift: float
    """Rise per step of the interior, in cell widths."""


def flow_step(
    height: Array, rivers: Rivers, hardness: Array, uplift: Array, rng: np.random.Generator, check: Check = nothing
) -> Array:
    """One explicit step of dh/dt = U - K·A^½·S + G·(Σ eroded upstream)/A on a grid [N, N] in cell widths.

    Erosion never lowers a cell below its receiver; pits fill towards their lowest neighbour, as lakes silt up.
    The border is base level and stays.
    """
    n = len(height)
    wander = 1 + 0.25 * (rng.random((8, n, n), np.float32) - 0.5)
    check()
    target, slope = receivers(height, wander)
    check()
    flat = height.ravel()
    area = gathered(target, np.ones(n * n))[0]
    check()
    cut = rivers.cutting * hardness.ravel() * np.sqrt(area) * slope
    cut = np.minimum(cut, 0.7 * np.maximum(flat - flat[target], 0))
    eroded = flat - cut
    if rivers.settling:
        carried = gathered(target, cut)[0]
        check()
        laid = np.minimum(rivers.settling * (carried - cut) / area, 0.05)
        eroded = eroded + np.where(slope < 0.6, laid, 0)
    grown: Array = eroded.reshape(n, n) + rivers.uplift * uplift
    pit = (target == np.arange(n * n)).reshape(n, n)
    padded = np.pad(grown, 1, constant_values=np.inf)
    lowest = np.min([padded[1 + y : n + 1 + y, 1 + x : n + 1 + x] for y, x, _ in NEIGHBOURS], axis=0)
    check()
    inner = np.zeros((n, n), bool)
    inner[1:-1, 1:-1] = True
    filled = np.where(pit & inner, np.maximum(grown, lowest + 1e-3), grown)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        filled[edge] = height[edge]
    return filled


def slide(height: Array, steepest: float, rounds: int, check: Check = nothing) -> Array:
    """Thermal erosion: what lies steeper than `steepest` (height over distance) slides to lower neighbours.

    Height [N, N] in cell widths; matter is conserved; the angle is approached from above, a share each round.
    """
    n = len(height)
    land: Array = height.copy()
    for _ in range(rounds):
        check()
        change = np.zeros((n, n))
        for dy, dx, distance in NEIGHBOURS[4:]:
            high = land[max(0, -dy) : n - max(0, dy), max(0, -dx) : n - max(0, dx)]
            low = land[max(0, dy) : n + min(0, dy), max(0, dx) : n + min(0, dx)]
            fall = high - low
            excess = np.sign(fall) * np.maximum(np.abs(fall) - steepest * distance, 0) * 0.12
            change[max(0, -dy) : n - max(0, dy), max(0, -dx) : n - max(0, dx)] -= excess
            change[max(0, dy) : n + min(0, dy), max(0, dx) : n + min(0, dx)] += excess
        land += change
    return land


def enlarged(plane: Array, size: int) -> Array:
    """Bicubic (Catmull-Rom) resize of [N, N] to [size, size], corners onto corners."""
    n = len(plane)
    at = np.linspace(0, n - 1, size)
    cell = np.minimum(at.astype(np.intp), n - 2)
    t = at - cell
    weights = np.stack(
        (
            ((-0.5 * t + 1) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1,
            ((-1.5 * t + 2) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        )
    )
    matrix = np.zeros((size, n))
    for k in range(4):
        np.add.at(matrix, (np.arange(size), np.clip(cell + k - 1, 0, n - 1)), weights[k])
    out: Array = matrix @ plane @ matrix.T
    return out
