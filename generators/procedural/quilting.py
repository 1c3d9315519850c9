"""Image quilting on a torus (Efros & Freeman 2001): planned coarse, composed at full size, all maps together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.assets import Array, FloatArray
from generators.procedural.lattice_noise import Check, nothing

OVERLAP = 0.34
"""Overlap of neighbouring patches as a share of the patch."""
REUSE = 0.6
"""How much worse a place counts each time that it has been used: keeps the eye from finding copies."""
REFINE_PIXELS = 1500


@dataclass(frozen=True, eq=False)
class Patch:
    """One piece: its top left corner in the result and in the exemplar, and which of its pixels are laid down."""

    y: int
    x: int
    source_y: int
    source_x: int
    laid: Array
    """bool [side, side]."""


@dataclass(frozen=True)
class Plan:
    """Pieces in the order in which they are laid, on a coarse torus of `size`."""

    size: int
    patches: tuple[Patch, ...]


def planned(
    exemplar: FloatArray, size: int, side: int, variety: float, rng: np.random.Generator, check: Check = nothing
) -> Plan:
    """Choose and cut pieces of `exemplar` [H, W, C] that cover a torus of `size` without visible joints.

    `side` is the wanted side of a piece. Every place of the exemplar is judged at once: the squared difference in
    the overlap is a correlation, hence a few Fourier transforms a piece.
    """
    high, wide, bands = exemplar.shape
    step = max(2, round(side * (1 - OVERLAP)))
    count = max(2, -(-size // step))
    side = min(-(-size // count) + max(2, round(side * OVERLAP)), high, wide, size)
    overlap = side - size // count
    if overlap < 1:
        raise ValueError(f"a piece of {side} cannot cover steps of {size // count}: the exemplar is too small")
    # On a torus the border may lie anywhere: it is put through the middle of pieces, away from all cuts.
    offset = (overlap + size // count) // 2
    corners = [(i * size // count - offset) % size for i in range(count)]
    spectra = [np.fft.rfft2(exemplar[..., band]) for band in range(bands)]
    squares = np.fft.rfft2((exemplar**2).sum(-1))
    used = np.zeros((high - side + 1, wide - side + 1))
    result = np.zeros((size, size, bands), np.float32)
    known = np.zeros((size, size), bool)
    patches: list[Patch] = []
    for y in corners:
        for x in corners:
            check()
            place = np.ix_((np.arange(side) + y) % size, (np.arange(side) + x) % size)
            old, have = result[place], known[place]
            if have.any():
                cost = _differences(spectra, squares, old, have, (high, wide), used.shape)
                cost = cost * (1 + REUSE * used) + 1e-4 * have.sum()
                within = cost <= cost.min() * (1 + 0.05 + 0.5 * variety**2)
                choices = np.argwhere(within)
            else:
                choices = np.argwhere(np.ones(used.shape, bool))
            sy, sx = (int(i) for i in choices[rng.integers(len(choices))])
            near = slice(max(0, sy - side // 3), sy + side // 3 + 1), slice(max(0, sx - side // 3), sx + side // 3 + 1)
            used[near] += 1
            new = exemplar[sy : sy + side, sx : sx + side]
            laid = cut(((new - old) ** 2).sum(-1), have, overlap)
            result[place] = np.where(laid[..., None], new, old)
            known[place] = True
            patches.append(Patch(y, x, sy, sx, laid))
    return Plan(size, tuple(patches))


def _differences(
    spectra: list[Array], squares: Array, old: FloatArray, have: Array, shape: tuple[int, int], places: tuple[int, ...]
) -> Array:
    """Squared difference between what is laid and the exemplar at every place, [places]."""
    side = len(have)
    canvas = np.zeros(shape)
    canvas[:side, :side] = have
    total = squares * np.conj(np.fft.rfft2(canvas))
    for band, spectrum in enumerate(spectra):
        canvas[:side, :side] = old[..., band] * have
        total = total - 2 * spectrum * np.conj(np.fft.rfft2(canvas))
    found = np.fft.irfft2(total, s=shape)[: places[0], : places[1]]
    clipped: Array = np.maximum(found + float((old[have].astype(np.float64) ** 2).sum()), 0)
    return clipped


def cut(difference: Array, have: Array, overlap: int) -> Array:
    """Which pixels of a new piece are laid, bool [side, side]: along each known border the cheapest path divides."""
    side = len(have)
    laid = np.ones((side, side), bool)
    inner = slice(overlap, side - overlap) if side > 2 * overlap else slice(side // 2, side // 2 + 1)
    for turns, border in enumerate((have[inner, 0], have[0, inner], have[inner, -1], have[-1, inner])):
        if not border.any():
            continue
        # Each border is turned to be the left one.
        turned = _turned(difference, turns)[:, :overlap]
        keep = np.ones((side, side), bool)
        keep[:, :overlap] = np.arange(overlap)[None] >= cheapest_path(turned)[:, None]
        laid &= _turned(keep, turns)
    return laid | ~have


def _turned(square: Array, side: int) -> Array:
    """The square with its left (0), top (1), right (2) or bottom (3) border at the left; its own inverse."""
    return (square, square.T, square[:, ::-1], square[::-1, ::-1].T)[side]


def cheapest_path(cost: Array) -> Array:
    """Column of the least-cost path from top to bottom in each row, int [rows]; it moves at most one column a row."""
    total = cost.astype(np.float64)
    for row in range(1, len(total)):
        above = np.pad(total[row - 1], 1, constant_values=np.inf)
        total[row] += np.minimum(np.minimum(above[:-2], above[1:-1]), above[2:])
    path = np.empty(len(total), np.intp)
    path[-1] = total[-1].argmin()
    for row in range(len(total) - 2, -1, -1):
        first = max(0, path[row + 1] - 1)
        path[row] = first + total[row, first : path[row + 1] + 2].argmin()
    return path


def composed(plan: Plan, exemplar: FloatArray, scale: int, check: Check = nothing) -> FloatArray:
    """Lay the plan with the fine exemplar [H·scale, W·scale, C]: float32 [size·scale, size·scale, C].

    Each piece is first moved by less than one coarse pixel to where it fits best, and its border is softened over
    about half a coarse pixel.
    """
    size = plan.size * scale
    result = np.zeros((size, size, exemplar.shape[2]), np.float32)
    known = np.zeros((size, size), bool)
    for patch in plan.patches:
        check()
        side = len(patch.laid) * scale
        rows, columns = (np.arange(side) + patch.y * scale) % size, (np.arange(side) + patch.x * scale) % size
        place = np.ix_(rows, columns)
        have = known[place]
        sy, sx = _refined(exemplar, result, patch, rows, columns, have, scale)
        alpha = softened(patch.laid, scale)
        alpha[~have] = 1
        check()
        for top in range(0, side, STRIP_ROWS):
            part = slice(top, top + STRIP_ROWS)
            strip = np.ix_(rows[part], columns)
            new = exemplar[sy + top : sy + min(top + STRIP_ROWS, side), sx : sx + side]
            share = alpha[part, :, None]
            result[strip] = new * share + result[strip] * (1 - share)
            check()
        known[place] = True
    return result


STRIP_ROWS = 128


def softened(laid: Array, scale: int) -> FloatArray:
    """A coarse mask at `scale` times its size, float32 0..1, with a soft edge about half a coarse pixel wide."""
    if scale == 1:
        return laid.astype(np.float32)
    at = (np.arange(len(laid) * scale) + 0.5) / scale - 0.5
    first = np.clip(np.floor(at).astype(np.intp), 0, len(laid) - 1)
    second = np.minimum(first + 1, len(laid) - 1)
    share = np.clip(at - first, 0, 1).astype(np.float32)
    down = laid[first] * (1 - share[:, None]) + laid[second] * share[:, None]
    both = down[:, first] * (1 - share) + down[:, second] * share
    return np.asarray(np.clip((both - 0.5) * 2 + 0.5, 0, 1), np.float32)


def _refined(
    exemplar: FloatArray, result: FloatArray, patch: Patch, rows: Array, columns: Array, have: Array, scale: int
) -> tuple[int, int]:
    """The place in the fine exemplar near the planned one that differs least from what is known."""
    sy, sx = patch.source_y * scale, patch.source_x * scale
    if scale == 1 or not have.any():
        return sy, sx
    at = np.flatnonzero(have)
    at = at[:: max(1, len(at) // REFINE_PIXELS)]
    y, x = np.divmod(at, len(columns))
    there = result[rows[y], columns[x]]
    side, reach = len(rows), scale // 2
    best, chosen = np.inf, (sy, sx)
    for dy in range(-reach, reach + 1, max(1, scale // 4)):
        for dx in range(-reach, reach + 1, max(1, scale // 4)):
            top, left = sy + dy, sx + dx
            if top < 0 or left < 0 or top + side > exemplar.shape[0] or left + side > exemplar.shape[1]:
                continue
            difference = float(((exemplar[top + y, left + x] - there) ** 2).sum())
            if difference < best:
                best, chosen = difference, (top, left)
    return chosen
