"""Voronoi cells on a torus (Worley 1996), searched in the nine grid cells around each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from generators.procedural.canvas import Canvas


@dataclass(frozen=True)
class Cells:
    """A partition of the canvas, per pixel [n, n].

    `index` int64 of the cell, below `count`; `edge` float32 metres to the nearest cell border, rounded at the
    corners where the pattern says so; `v` down and `u` across, float32, the place within the cell (0..1 over a
    rectangle, metres from the centre of a Voronoi cell or stamp).
    """

    index: Tensor
    edge: Tensor
    v: Tensor
    u: Tensor
    count: int

    def random(self, canvas: Canvas, name: str) -> Tensor:
        """Give each cell one uniform number, spread over its pixels."""
        return canvas.draw(f"{name}/{self.count}", self.count)[self.index]


@dataclass(frozen=True)
class Points:
    """Distances to scattered points: `nearest` and `second` in cell widths, and the nearest one's `index`."""

    nearest: Tensor
    second: Tensor
    index: Tensor
    count: int

    def random(self, canvas: Canvas, name: str) -> Tensor:
        """Give each point one uniform number, spread over its cell."""
        return canvas.draw(f"{name}/{self.count}", self.count)[self.index]


class _Search:
    """One band's view of the jittered grid: the offset to each of the nine points around every pixel."""

    def __init__(self, offsets: Tensor, size: tuple[int, int], y: Tensor, x: Tensor) -> None:
        self.down, self.across = size
        self.oy, self.ox = offsets[0], offsets[1]
        y, x = y * self.down, x * self.across
        self.iy, self.ix = y.floor(), x.floor()
        self.fy, self.fx = y - self.iy, x - self.ix
        self.iy, self.ix = self.iy.long(), self.ix.long()

    def neighbour(self, dy: int, dx: int) -> tuple[Tensor, Tensor, Tensor]:
        index = ((self.iy + dy) % self.down) * self.across + (self.ix + dx) % self.across
        return index, self.oy[index].add_(dy - self.fy), self.ox[index].add_(dx - self.fx)


_AROUND = [(dy, dx) for dy in (0, -1, 1) for dx in (0, -1, 1)]


def _offsets(canvas: Canvas, name: str, size: tuple[int, int], jitter: float) -> Tensor:
    drawn = canvas.draw(f"{name}/{size[0]}x{size[1]}", 2, size[0] * size[1])
    return 0.5 + jitter * (drawn - 0.5)


def _axes(canvas: Canvas, axes: tuple[Tensor, Tensor] | None, rows: slice) -> tuple[Tensor, Tensor]:
    y, x = axes or canvas.axes()
    return y[rows], x[rows] if x.shape[0] > 1 else x


def worley(
    canvas: Canvas,
    name: str,
    frequency: float | tuple[float, float],
    jitter: float = 0.9,
    axes: tuple[Tensor, Tensor] | None = None,
) -> Points:
    """Find the nearest two of the points of a jittered grid, one point a grid cell; `axes` may be shaken."""
    down, across = frequency if isinstance(frequency, tuple) else (frequency, frequency)
    size = canvas.count(down), canvas.count(across)
    offsets = _offsets(canvas, name, size, jitter)
    shape = (canvas.size_px, canvas.size_px)
    nearest, second = (torch.empty(shape, device=canvas.device) for _ in range(2))
    index = torch.empty(shape, dtype=torch.int64, device=canvas.device)
    for rows in canvas.bands():
        search = _Search(offsets, size, *_axes(canvas, axes, rows))
        best = torch.full((rows.stop - rows.start, shape[1]), 9.0, device=canvas.device)
        next_best, owner = best.clone(), torch.zeros_like(best, dtype=torch.int64)
        for dy, dx in _AROUND:
            who, ry, rx = search.neighbour(dy, dx)
            distance = ry.square_().addcmul_(rx, rx)
            torch.minimum(next_best, torch.maximum(best, distance), out=next_best)
            torch.where(distance < best, who, owner, out=owner)
            torch.minimum(best, distance, out=best)
        nearest[rows], second[rows], index[rows] = best.sqrt_(), next_best.sqrt_(), owner
    return Points(nearest, second, index, size[0] * size[1])


def voronoi(
    canvas: Canvas,
    name: str,
    frequency: float | tuple[float, float],
    jitter: float = 0.8,
    axes: tuple[Tensor, Tensor] | None = None,
    own_shape: bool = False,
) -> Cells:
    """Cut the canvas into Voronoi cells with the true distance to the border (two passes over the neighbours).

    Where the frequency differs by direction, `own_shape` stretches the cells with their grid instead of keeping
    them round; distances are then those of the unstretched cells, by the narrower direction.
    """
    down, across = frequency if isinstance(frequency, tuple) else (frequency, frequency)
    size = canvas.count(down), canvas.count(across)
    sy, sx = canvas.span_m / size[0], canvas.span_m / size[1]
    if own_shape:
        sy = sx = min(sy, sx)
    offsets = _offsets(canvas, name, size, jitter)
    shape = (canvas.size_px, canvas.size_px)
    edge, v, u = (torch.empty(shape, device=canvas.device) for _ in range(3))
    index = torch.empty(shape, dtype=torch.int64, device=canvas.device)
    for rows in canvas.bands():
        search = _Search(offsets, size, *_axes(canvas, axes, rows))
        best = torch.full((rows.stop - rows.start, shape[1]), 1e9, device=canvas.device)
        owner, by, bx = torch.zeros_like(best, dtype=torch.int64), torch.zeros_like(best), torch.zeros_like(best)
        around = []
        for dy, dx in _AROUND:
            who, ry, rx = search.neighbour(dy, dx)
            distance = ry.mul_(sy).square().addcmul_(rx.mul_(sx), rx)
            around.append((ry, rx, distance))
            closer = distance < best
            owner, by, bx = torch.where(closer, who, owner), torch.where(closer, ry, by), torch.where(closer, rx, bx)
            best = torch.minimum(best, distance)
        border = torch.full_like(best, 1e9)
        for ry, rx, distance in around:
            apart = ry.sub_(by).square_().add_(rx.sub_(bx).square_()).sqrt_()
            border = torch.minimum(border, torch.where(apart > 1e-7, (distance - best) / (2.0 * apart + 1e-12), border))
        edge[rows], v[rows], u[rows], index[rows] = border, -by, -bx, owner
    return Cells(index, edge, v, u, size[0] * size[1])
