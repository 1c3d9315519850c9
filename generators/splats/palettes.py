"""Giving one set of colours the statistics of another, in OKLab; the map is kept as a table over display colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Image, Splats
from engines.colour import as_float, converted
from engines.kinds import ColourSpace
from engines.splat_values import colour_from_dc
from generators.events import GeneratorError
from generators.radiance.rasterizer.kernels import parallel_kernel, prange
from generators.splats.clouds import importance
from generators.splats.grading import display_from_oklab, oklab_from_display
from generators.splats.neighbours import Check

SAMPLES = 20_000
TURNS = 20
"""Rotations of colour space along whose axes the two sets are matched."""
QUANTILES = 48
NODES = 33
LOW, HIGH = -0.25, 1.25
"""Range of the table; colours beyond it are treated as its edge, and keep their distance from it."""
STRETCH = 3.0
"""The most that `mean` widens or narrows a channel."""


@dataclass(frozen=True, eq=False)
class Table:
    """Display colours over an even grid: `nodes` float32 [33, 33, 33, 3] of what each colour becomes."""

    nodes: FloatArray

    def __call__(self, colours: FloatArray, _rows: slice = slice(None)) -> FloatArray:
        """Display-referred colours [n, 3] → what they become, between the nodes in proportion."""
        out = np.empty(colours.shape, np.float32)
        _look_up(self.nodes, np.ascontiguousarray(colours, np.float32), np.float32(LOW), np.float32(HIGH), out)
        return out


@parallel_kernel
def _look_up(nodes: FloatArray, colours: FloatArray, low: np.float32, high: np.float32, out: FloatArray) -> None:
    last = len(nodes) - 1
    per = np.float32(last) / (high - low)
    one = np.float32(1)
    for n in prange(len(colours)):
        r, g, b = (
            min(max(colours[n, 0], low), high),
            min(max(colours[n, 1], low), high),
            min(max(colours[n, 2], low), high),
        )
        x, y, z = (r - low) * per, (g - low) * per, (b - low) * per
        i, j, k = min(int(x), last - 1), min(int(y), last - 1), min(int(z), last - 1)
        fx, fy, fz = x - np.float32(i), y - np.float32(j), z - np.float32(k)
        for c in range(3):
            a00 = nodes[i, j, k, c] * (one - fz) + nodes[i, j, k + 1, c] * fz
            a01 = nodes[i, j + 1, k, c] * (one - fz) + nodes[i, j + 1, k + 1, c] * fz
            a10 = nodes[i + 1, j, k, c] * (one - fz) + nodes[i + 1, j, k + 1, c] * fz
            a11 = nodes[i + 1, j + 1, k, c] * (one - fz) + nodes[i + 1, j + 1, k + 1, c] * fz
            low_side, high_side = a00 * (one - fy) + a01 * fy, a10 * (one - fy) + a11 * fy
            out[n, c] = low_side * (one - fx) + high_side * fx
        out[n, 0] += colours[n, 0] - r
        out[n, 1] += colours[n, 1] - g
        out[n, 2] += colours[n, 2] - b


def picture_colours(image: Image, rng: np.random.Generator) -> FloatArray:
    """A sample of a picture's opaque pixels in OKLab, float32 [S, 3]. Raises `GeneratorError` if it has none."""
    if image.colour_space is ColourSpace.DATA:
        raise GeneratorError("the reference is a data map (normals, heights …), expected a picture with colours")
    pixels = as_float(converted(image, ColourSpace.SRGB).pixels)
    channels = pixels.shape[2]
    flat = pixels.reshape(-1, channels)
    if channels in (2, 4):
        flat = flat[flat[:, -1] > 0.5]
    colours = flat[:, :3] if channels >= 3 else np.repeat(flat[:, :1], 3, axis=1)
    if len(colours) == 0:
        raise GeneratorError("the reference picture is fully transparent; expected one with colours")
    return oklab_from_display(np.clip(colours[rng.integers(0, len(colours), SAMPLES)], 0, 1))


def cloud_colours(cloud: Splats, rng: np.random.Generator) -> FloatArray:
    """A sample of a cloud's own colours in OKLab, drawn by opacity × area, float32 [S, 3]."""
    weights = importance(cloud).astype(np.float64)
    weights = np.minimum(weights, np.quantile(weights, 0.999))
    total = weights.sum()
    chances = weights / total if total > 0 else None
    rows = rng.choice(len(weights), SAMPLES, p=chances)
    return oklab_from_display(np.clip(colour_from_dc(cloud.sh[rows, 0]), 0, 1))


def distance(one: FloatArray, other: FloatArray) -> float:
    """How far apart two sets of as many colours are: the sliced Wasserstein distance over 24 fixed directions."""
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(24, 3))
    axes = (axes / np.linalg.norm(axes, axis=1, keepdims=True)).astype(np.float32)
    return float(np.mean(np.abs(np.sort(one @ axes.T, axis=0) - np.sort(other @ axes.T, axis=0)), dtype=np.float64))


def by_mean(source: FloatArray, target: FloatArray) -> Table:
    """Mean and spread of each channel brought to the target's (Reinhard et al. 2001)."""
    spread = target.std(0) / np.maximum(source.std(0), 1e-4)
    spread = np.clip(spread, 1 / STRETCH, STRETCH).astype(np.float32)
    lab = (_grid_lab() - source.mean(0)) * spread + target.mean(0)
    return Table(_as_nodes(lab))


def by_transport(source: FloatArray, target: FloatArray, rng: np.random.Generator, check: Check) -> Table:
    """The whole palette carried over by sliced optimal transport (Pitié et al. 2005), evened out by a blur."""
    moving, nodes = source.copy(), _grid_lab()
    levels = np.linspace(0, 1, QUANTILES)
    for _ in range(TURNS):
        check()
        axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        axes = axes.astype(np.float32)
        places, goals, ends = moving @ axes, target @ axes, nodes @ axes
        for axis in range(3):
            have, want = np.quantile(places[:, axis], levels), np.quantile(goals[:, axis], levels)
            places[:, axis] += np.interp(places[:, axis], have, want - have)
            ends[:, axis] += np.interp(ends[:, axis], have, want - have)
        moving, nodes = places @ axes.T, ends @ axes.T
    return Table(_evened(_as_nodes(nodes)))


def _grid_lab() -> FloatArray:
    line = np.linspace(LOW, HIGH, NODES, dtype=np.float32)
    return oklab_from_display(np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3))


def _as_nodes(lab: NDArray[np.floating]) -> FloatArray:
    return np.ascontiguousarray(display_from_oklab(lab).reshape(NODES, NODES, NODES, 3), np.float32)


def _evened(nodes: FloatArray) -> FloatArray:
    """The table with its changes averaged over neighbouring nodes: neighbouring colours stay neighbours."""
    line = np.linspace(LOW, HIGH, NODES, dtype=np.float32)
    rest = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1)
    change = nodes - rest
    for axis in range(3):
        for _ in range(2):
            padded = np.concatenate([change.take([0], axis), change, change.take([-1], axis)], axis=axis)
            middle = padded.take(range(1, NODES + 1), axis)
            change = (padded.take(range(NODES), axis) + 2 * middle + padded.take(range(2, NODES + 2), axis)) / 4
    return np.ascontiguousarray(rest + change, np.float32)
