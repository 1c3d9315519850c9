"""Things strewn on a torus: stamps (leaves, pebbles) and strokes (blades, fibres, scratches), the highest on top."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from generators.procedural.canvas import Canvas

CHUNK = 1 << 21
"""Samples placed at once."""


@dataclass(frozen=True)
class Strewn:
    """What lies on top, per pixel [n, n].

    `index` int64, -1 where nothing lies; `level` float32 0..1 (0 where nothing lies); `along` and `across` -1..1 in
    the thing's own frame (0 where nothing lies).
    """

    index: Tensor
    level: Tensor
    along: Tensor
    across: Tensor
    count: int

    @property
    def covered(self) -> Tensor:
        """1 where something lies, else 0."""
        return (self.index >= 0).float()

    def random(self, canvas: Canvas, name: str) -> Tensor:
        """Give each thing one uniform number, spread over its pixels (0 where nothing lies)."""
        return torch.where(
            self.index >= 0, canvas.draw(f"{name}/{self.count}", self.count)[self.index.clamp(min=0)], 0.0
        )


@dataclass(frozen=True)
class Layout:
    """Where things lie: float32 [N] each. Centres in tiles, lengths and widths (half axes) in metres."""

    y: Tensor
    x: Tensor
    angle: Tensor
    length_m: Tensor
    width_m: Tensor
    level: Tensor

    def __len__(self) -> int:
        return int(self.y.shape[0])


def strew(
    canvas: Canvas,
    name: str,
    natural: float,
    length_m: tuple[float, float],
    width: tuple[float, float],
    turn: tuple[float, float] = (0.0, math.tau),
) -> Layout:
    """Scatter about `natural` things a default tile, evenly jittered.

    Half lengths are drawn from `length_m`, half widths from `width` parts of the length, angles from `turn`.
    """
    side = canvas.count(math.sqrt(natural))
    count = side * side
    drawn = canvas.draw(f"{name}/strewn/{count}", 6, count)
    cell = torch.arange(count, device=canvas.device)

    def between(row: int, ends: tuple[float, float]) -> Tensor:
        return ends[0] + (ends[1] - ends[0]) * drawn[row]

    length = between(3, length_m)
    return Layout(
        (torch.div(cell, side, rounding_mode="floor") + drawn[0]) / side,
        (cell % side + drawn[1]) / side,
        between(2, turn),
        length,
        between(4, width) * length,
        drawn[5],
    )


def stamps(canvas: Canvas, layout: Layout, shape: Callable[[Tensor, Tensor], Tensor], rise: float = 0.25) -> Strewn:
    """Put stamps down: `shape(along, across)` over -1..1 gives a height 0..1, and below 0 outside.

    A stamp's level is its own random level plus `rise` times the shape, so big differences sort the pile and the
    shape cuts where two lie alike. Each sample is a pixel centre: sharp, and independent of the chunks.
    """
    n = canvas.size_px
    keys = torch.full((n * n,), -1, dtype=torch.int64, device=canvas.device)
    reach = torch.maximum(layout.length_m, layout.width_m) / canvas.span_m
    order = torch.argsort(reach.cpu(), stable=True).to(canvas.device)
    start = 0
    while start < len(layout):
        canvas.check()
        stop, box = _next_chunk(reach, order, start, n)
        rows = order[start:stop]
        top = torch.floor((layout.y[rows] - reach[rows]) * n).long()
        left = torch.floor((layout.x[rows] - reach[rows]) * n).long()
        steps = torch.arange(box, device=canvas.device)
        py, px = (top[:, None] + steps)[:, :, None], (left[:, None] + steps)[:, None, :]
        dy = ((py + 0.5) / n - layout.y[rows, None, None]) * canvas.span_m
        dx = ((px + 0.5) / n - layout.x[rows, None, None]) * canvas.span_m
        along, across = _turn(layout, rows[:, None, None], dy, dx)
        height = shape(along, across)
        level = ((layout.level[rows, None, None] + rise * height) / (1.0 + rise)).clamp_(0.0, 1.0)
        key = ((level * (1 << 24)).long() << 32) | rows[:, None, None]
        inside = height > 0.0
        place = (py % n) * n + (px % n)
        keys.scatter_reduce_(0, place[inside], key[inside], "amax")
        start = stop
    return _unpack(canvas, layout, keys.view(n, n))


def _next_chunk(reach: Tensor, order: Tensor, start: int, n: int) -> tuple[int, int]:
    """Take as many stamps as fit a chunk when each uses the largest one's box."""
    stop = min(len(order), start + max(1, len(order) // 8))
    while True:
        box = math.ceil(float(reach[order[stop - 1]]) * 2.0 * n) + 2
        fit = max(1, CHUNK // (box * box))
        if stop - start <= fit:
            return stop, box
        stop = start + fit


def _turn(layout: Layout, rows: Tensor, dy: Tensor, dx: Tensor) -> tuple[Tensor, Tensor]:
    cos, sin = layout.angle.cos()[rows], layout.angle.sin()[rows]
    return (dx * cos + dy * sin) / layout.length_m[rows], (dy * cos - dx * sin) / layout.width_m[rows]


def _unpack(canvas: Canvas, layout: Layout, keys: Tensor) -> Strewn:
    index = torch.where(keys >= 0, keys & 0xFFFFFFFF, -1)
    level = (keys.clamp(min=0) >> 32).float() / float(1 << 24)
    y, x = canvas.axes()
    along, across = torch.empty_like(level), torch.empty_like(level)
    for band in canvas.bands():
        rows = index[band].clamp(min=0)
        dy = torch.remainder(y[band] - layout.y[rows] + 0.5, 1.0).sub_(0.5).mul_(canvas.span_m)
        dx = torch.remainder(x - layout.x[rows] + 0.5, 1.0).sub_(0.5).mul_(canvas.span_m)
        nothing = index[band] < 0
        along[band], across[band] = (part.masked_fill_(nothing, 0.0) for part in _turn(layout, rows, dy, dx))
    return Strewn(index, level, along, across, len(layout))


def strokes(
    canvas: Canvas, layout: Layout, bend: Tensor | float = 0.0, rise: float = 0.3, taper: float = 1.0
) -> Strewn:
    """Draw curved strokes from their root, twice `length_m` long: `bend` radians of turning from root to tip.

    Levels rise by `rise` towards the tip and fall off across; `taper` 1 ends in a point, 0 stays as wide.
    `along` runs 0..1 from root to tip; `across` is not kept and 0.
    """
    n = canvas.size_px
    keys = torch.full((n * n,), -1, dtype=torch.int64, device=canvas.device)
    scale = n / canvas.span_m
    along_steps = max(2, math.ceil(float(layout.length_m.max()) * 2.0 * scale * 1.3))
    across_steps = max(1, math.ceil(float(layout.width_m.max()) * 2.0 * scale * 1.3))
    t = torch.linspace(0.0, 1.0, along_steps, device=canvas.device)[None, :, None]
    s = ((torch.arange(across_steps, device=canvas.device) + 0.5) / across_steps * 2.0 - 1.0)[None, None, :]
    bends = bend if isinstance(bend, Tensor) else torch.full_like(layout.angle, bend)
    at_once = max(1, CHUNK // (along_steps * across_steps))
    for start in range(0, len(layout), at_once):
        canvas.check()
        rows = slice(start, start + at_once)
        root_y, root_x, angle, length, width, own, bent = (
            column[rows, None, None]
            for column in (layout.y, layout.x, layout.angle, layout.length_m, layout.width_m, layout.level, bends)
        )
        heading, normal = angle + 0.5 * t * bent, angle + t * bent
        half, reach = width * (1.0 - taper * t) * s, 2.0 * length * t
        px = root_x * n + (reach * heading.cos() - half * normal.sin()) * scale
        py = root_y * n + (reach * heading.sin() + half * normal.cos()) * scale
        place = torch.remainder(py.floor(), n).long() * n + torch.remainder(px.floor(), n).long()
        level = (own + rise * (t - 0.6 * s * s)).add(rise * 0.6) / (1.0 + rise * 1.6)
        key = ((level.clamp(0.0, 1.0) * ((1 << 20) - 1)).long() << 42) | ((t * 1023).long() << 32)
        ids = torch.arange(start, start + key.shape[0], device=canvas.device)[:, None, None]
        keys.scatter_reduce_(0, place.flatten(), (key | ids).expand(place.shape).flatten(), "amax")
    keys = keys.view(n, n)
    some = keys >= 0
    index = torch.where(some, keys & 0xFFFFFFFF, -1)
    along = ((keys.clamp(min=0) >> 32) & 1023).float() / 1023.0
    level = (keys.clamp(min=0) >> 42).float() / float((1 << 20) - 1)
    return Strewn(index, level, along, torch.zeros_like(along), len(layout))
