"""Noise on periodic lattices: gradient noise, cellular noise and blue noise, all seamless by construction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engines.assets import Array, FloatArray

Check = Callable[[], None]
STRIP_FLOPS = 4e8
"""Work between two calls of `check`; about 20 ms on one slow core."""
_CACHED_WEIGHTS = 1 << 16


def nothing() -> None:
    """A check that never objects."""


def lattice_weights(size: int, frequency: int, shift: float = 0.0) -> FloatArray:
    """Weights that make gradient noise a matrix product, float32 [size, 2·frequency]: the fades, then fade × offset.

    Gradient noise in two dimensions is a sum over lattice points of fade(x)·fade(y)·(gx·dx + gy·dy): each term is a
    product of a function of x and one of y, hence matrix products. Fade curve: Perlin, "Improving noise" (2002).
    `shift` moves the lattice, in cells.
    """
    at = np.arange(size, dtype=np.float64) * frequency / size + shift
    cell = np.floor(at).astype(np.intp)
    offset = at - cell
    fade = offset**3 * (offset * (offset * 6 - 15) + 10)
    rows = np.arange(size)
    weights = np.zeros((size, 2 * frequency), np.float32)
    near, far = cell % frequency, (cell + 1) % frequency
    weights[rows, near] = 1 - fade
    weights[rows, far] += fade
    weights[rows, frequency + near] = (1 - fade) * offset
    weights[rows, frequency + far] += fade * (offset - 1)
    return weights


_kept_lattice_weights = lru_cache(maxsize=128)(lattice_weights)


class GradientNoise:
    """One octave of periodic gradient noise, ready to be evaluated by rows; values lie within -1..1."""

    def __init__(self, size: int, frequency: int, rng: np.random.Generator, shift: tuple[float, float]) -> None:
        """`frequency` cells to a side, moved by `shift` (y, x) cells; the gradients come from `rng`."""
        weights_of = _kept_lattice_weights if size * frequency <= _CACHED_WEIGHTS else lattice_weights
        angle = rng.random((frequency, frequency), np.float32) * np.float32(2 * np.pi)
        along = weights_of(size, frequency, shift[1])
        # Gradients of unit length give at most sqrt(1/2): scaled so that the bound is 1.
        longest = np.float32(np.sqrt(2))
        self.down = weights_of(size, frequency, shift[0])
        self.across: FloatArray = np.concatenate(
            (
                longest * np.cos(angle) @ along[:, frequency:].T,
                longest * np.sin(angle) @ along[:, :frequency].T,
            )
        )

    def rows(self, part: slice) -> FloatArray:
        """Rows of the noise, float32 [rows, size]."""
        values: FloatArray = self.down[part] @ self.across
        return values


def fbm(
    size: int,
    frequency: int,
    octaves: int,
    gain: float,
    rng: np.random.Generator,
    shape: Callable[[FloatArray], FloatArray] | None = None,
    check: Check = nothing,
) -> FloatArray:
    """Sum of octaves of gradient noise, each doubled in frequency and `gain` as strong; float32 [size, size], -1..1.

    `shape` bends each octave before it is added (folding for ridges). Octaves finer than two pixels a cell are left
    out: they would only alias. Each lattice is moved by another fraction of a cell, or else all octaves would be
    zero along the same lines.
    """
    layers: list[tuple[GradientNoise, float]] = []
    for octave in range(octaves):
        if octave and 2 * frequency > size:
            break
        check()
        shift = (octave * 0.754877666 % 1, octave * 0.569840296 % 1)
        layers.append((GradientNoise(size, frequency, rng, shift), gain**octave))
        frequency *= 2
    whole = sum(weight for _, weight in layers)
    out = np.empty((size, size), np.float32)
    rows = max(16, int(STRIP_FLOPS / (8 * frequency * size)))
    for top in range(0, size, rows):
        check()
        part = slice(top, top + rows)
        for number, (layer, weight) in enumerate(layers):
            values = layer.rows(part) if shape is None else shape(layer.rows(part))
            values *= np.float32(weight / whole)
            if number:
                out[part] += values
            else:
                out[part] = values
    return out


def ridge(layer: FloatArray) -> FloatArray:
    """Fold noise into sharp crests: 1 where it crosses zero."""
    folded = 1 - np.abs(layer)
    return np.asarray(folded * folded * 2 - 1, np.float32)


def billow(layer: FloatArray) -> FloatArray:
    """Fold noise into round lumps with sharp valleys."""
    return np.asarray(np.abs(layer) * 2 - 1, np.float32)


@dataclass(frozen=True)
class Cells:
    """Cellular noise (Worley 1996): distances in lattice cells to the two nearest points and who the nearest is."""

    nearest: FloatArray
    second: FloatArray
    owner: np.ndarray[tuple[int, int], np.dtype[np.int32]]


_RING = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
_OUTER = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if max(abs(dy), abs(dx)) == 2]
_MARGIN = 2


def cells(size: int, frequency: int, rng: np.random.Generator, check: Check = nothing) -> Cells:
    """Periodic cellular noise with one point a cell, [size, size] each; distances are exact.

    The 3×3 cells about a pixel settle every distance up to 1; the outer ring is looked at only where the second
    distance is beyond. Nothing farther can matter: the second distance is always below 2.
    """
    jitter = rng.random((frequency, frequency, 2), np.float32)
    # The lattice is unrolled by a margin on each side, so that no look-up has to wrap.
    ring = np.arange(-_MARGIN, frequency + _MARGIN)
    around = np.ix_(ring % frequency, ring % frequency)
    points = jitter[around] + np.stack(np.meshgrid(ring, ring, indexing="ij"), -1).astype(np.float32)
    py, px = (np.ascontiguousarray(points[..., axis].ravel()) for axis in (0, 1))
    owners = np.arange(frequency**2, dtype=np.int32).reshape(frequency, frequency)[around].ravel()
    at = np.arange(size, dtype=np.float32) * np.float32(frequency / size)
    cell = np.floor(at).astype(np.int32) + _MARGIN
    nearest, second = (np.full((size, size), np.inf, np.float32) for _ in range(2))
    owner = np.zeros((size, size), np.int32)
    rows = max(1, 65536 // size)
    for top in range(0, size, rows):
        check()
        part = slice(top, top + rows)
        y, x = (a.ravel() for a in np.meshgrid(at[part], at, indexing="ij"))
        home = (cell[part, None] * np.int32(len(ring)) + cell[None]).ravel()
        one, two, who = (a[part].reshape(-1) for a in (nearest, second, owner))
        _search((py, px), len(ring), (y, x, home), (one, two, who), _RING)
        far = np.flatnonzero(two > 1)
        if far.size:
            found = (one[far], two[far], who[far])
            _search((py, px), len(ring), (y[far], x[far], home[far]), found, _OUTER)
            one[far], two[far], who[far] = found
        owner[part] = owners[who].reshape(-1, size)
    return Cells(np.sqrt(nearest), np.sqrt(second), owner)


def _search(
    points: tuple[Array, Array],
    stride: int,
    pixel: tuple[Array, Array, Array],
    found: tuple[Array, Array, Array],
    offsets: list[tuple[int, int]],
) -> None:
    """Improve squared distances and point indices in place with the points of the cells at `offsets`."""
    y, x, home = pixel
    one, two, who = found
    for dy, dx in offsets:
        index = home + np.int32(dy * stride + dx)
        across, along = points[0].take(index), points[1].take(index)
        across -= y
        along -= x
        across *= across
        along *= along
        across += along
        # Of the distances known and the new one, the least is first and the middle one second.
        np.minimum(two, np.maximum(one, across), out=two)
        np.copyto(who, index, where=across < one)
        np.minimum(one, across, out=one)


def blue(size: int, rng: np.random.Generator, rounds: int = 24, check: Check = nothing) -> FloatArray:
    """Seamless blue noise with a uniform histogram, float32 [size, size] in 0..1.

    White noise is high-passed and ranked again and again: cheap at any size and close to void-and-cluster (Ulichney
    1993) in its spectrum, though single thresholds of it are a little less even.
    """
    wave = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    keep = 1 - np.exp(-((wave / 0.28) ** 4))
    levels = ((np.arange(size * size) + 0.5) / (size * size)).astype(np.float32)
    values = rng.random((size, size))
    for _ in range(rounds):
        check()
        order = np.argsort(np.fft.irfft2(np.fft.rfft2(values) * keep, s=(size, size)).ravel())
        values = np.empty(size * size)
        values[order] = levels
        values = values.reshape(size, size)
    return values.astype(np.float32)


def sample_periodic(picture: FloatArray, y: FloatArray, x: FloatArray) -> FloatArray:
    """Bilinear look-up of a picture [H, W] or [H, W, C] that wraps, at pixel coordinates of one shape."""
    high, wide = picture.shape[:2]
    y0, x0 = np.floor(y), np.floor(x)
    fy, fx = (y - y0).astype(np.float32), (x - x0).astype(np.float32)
    if picture.ndim == 3:
        fy, fx = fy[..., None], fx[..., None]
    top, left = y0.astype(np.intp) % high, x0.astype(np.intp) % wide
    low, right = (top + 1) % high, (left + 1) % wide
    upper = picture[top, left] * (1 - fx) + picture[top, right] * fx
    lower = picture[low, left] * (1 - fx) + picture[low, right] * fx
    sampled: FloatArray = upper * (1 - fy) + lower * fy
    return sampled
