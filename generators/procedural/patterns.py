"""Man-made layouts on a torus: every one gives the cell of each pixel, its place in it and the way to the joint."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from generators.procedural.canvas import Canvas
from generators.procedural.cells import Cells

Axes = tuple[Tensor, Tensor]


def rounded_box(
    down: Tensor, across: Tensor, half_down: Tensor | float, half_across: Tensor | float, radius: float
) -> Tensor:
    """Distance from inside to the outline of a box with rounded corners, in the units given."""
    qy = down.abs() - half_down + radius
    qx = across.abs() - half_across + radius
    outside = torch.sqrt(qy.clamp(min=0.0).square() + qx.clamp(min=0.0).square())
    return radius - outside - torch.maximum(qy, qx).clamp(max=0.0)


def courses(
    canvas: Canvas,
    name: str,
    rows: float,
    columns: float,
    *,
    shift: float | None = 0.5,
    uneven_rows: float = 0.0,
    uneven_columns: float = 0.0,
    radius_m: float = 0.0,
    axes: Axes | None = None,
    even_rows: bool = False,
) -> Cells:
    """Lay rows of rectangles: bricks, planks, tiles, ashlar.

    `shift` moves each next row by this part of a cell (a half is the running bond, 0 a grid, None means at random);
    `uneven_*` 0..1 shakes the joints; `radius_m` rounds the corners.
    """
    row_count = canvas.count(rows, 2 if (even_rows or shift == 0.5) else 1)
    column_count = canvas.count(columns)
    y, x = axes or canvas.axes()
    row_lines = _lines(canvas, f"{name}/rows", 1, row_count, uneven_rows)[0]
    across_lines = _lines(canvas, f"{name}/columns", row_count, column_count, uneven_columns)
    starts = (
        canvas.draw(f"{name}/starts", row_count)
        if shift is None
        else torch.arange(row_count, device=canvas.device) * shift / column_count
    )
    y = torch.remainder(y, 1.0)
    row = (torch.searchsorted(row_lines, y.contiguous(), right=True) - 1).clamp_(0, row_count - 1)
    along = torch.remainder(x - starts[row], 1.0)
    flat = (across_lines[:, :-1] + torch.arange(row_count, device=canvas.device)[:, None]).flatten()
    cell = torch.searchsorted(flat, along + row, right=True).sub_(1)
    cell = torch.minimum(torch.maximum(cell, row * column_count), row * column_count + (column_count - 1))
    canvas.check()
    left = across_lines[:, :-1].flatten()[cell]
    width = (across_lines[:, 1:] - across_lines[:, :-1]).flatten()[cell]
    top, height = row_lines[row], (row_lines[1:] - row_lines[:-1])[row]
    u, v = (along - left) / width, ((y - top) / height).expand(cell.shape)
    half_down, half_across = height * (0.5 * canvas.span_m), width * (0.5 * canvas.span_m)
    edge = rounded_box((v - 0.5) * (2.0 * half_down), (u - 0.5) * (2.0 * half_across), half_down, half_across, radius_m)
    return Cells(cell, edge, v, u, row_count * column_count)


def _lines(canvas: Canvas, name: str, sets: int, count: int, uneven: float) -> Tensor:
    """Give rising lines from 0 to 1, float32 [sets, count + 1], shaken by up to `uneven` half gaps."""
    lines = torch.arange(count + 1, device=canvas.device, dtype=torch.float32).expand(sets, count + 1).clone()
    if uneven > 0.0 and count > 1:
        shaken = canvas.draw(f"{name}/{sets}x{count}", sets, count - 1) - 0.5
        lines[:, 1:-1] += shaken * (0.9 * uneven)
    return lines / count


def herringbone(canvas: Canvas, blocks: float, radius_m: float = 0.0, diagonal: bool = True) -> Cells:
    """Lay 1:2 blocks in the herringbone bond, by `blocks` block widths a default tile (45° when `diagonal`)."""
    count = canvas.count(blocks / (1.41421 if diagonal else 1.0), 4)
    y, x = canvas.axes()
    across, down = (count * (x + y), count * (x - y)) if diagonal else (count * x + 0.0 * y, count * y + 0.0 * x)
    column, row = across.floor(), down.floor()
    kind = torch.remainder(column - row, 4.0)
    flat = kind < 1.5
    fx, fy = across - column, down - row
    long_side = torch.where(flat, fx + (kind == 1.0), fy + (kind == 2.0)) * 0.5
    short_side = torch.where(flat, fy, fx)
    middle_x = torch.where(flat, column + 1.0 - (kind == 1.0).float(), column + 0.5)
    middle_y = torch.where(flat, row + 0.5, row + 1.0 - (kind == 2.0).float())
    index = _centre_index(canvas, middle_x, middle_y, count, diagonal)
    unit = canvas.span_m / count * (0.70711 if diagonal else 1.0)
    edge = rounded_box((short_side - 0.5) * unit, (long_side - 0.5) * (2.0 * unit), 0.5 * unit, unit, radius_m)
    return Cells(index, edge, short_side, long_side, 64 * count * count)


def _centre_index(canvas: Canvas, across: Tensor, down: Tensor, count: int, diagonal: bool) -> Tensor:
    """Number blocks by their centre on the torus, so that a block cut by the border keeps its number."""
    if diagonal:
        across, down = (across + down) * 0.5, (across - down) * 0.5
    cells = 8 * count
    column = torch.remainder((across * 8.0).round(), cells).long()
    row = torch.remainder((down * 8.0).round(), cells).long()
    return row * cells + column


def hexagons(canvas: Canvas, across: float) -> Cells:
    """Lay pointy-topped hexagons, `across` of them in a row of a default tile; slightly stretched so as to wrap."""
    columns = canvas.count(across)
    rows = max(2, 2 * round(columns / 0.866025 / 2.0))
    y, x = canvas.axes()
    unit = canvas.span_m / columns
    best, edge, index, v, u = None, None, None, None, None
    sy = 0.866025 * unit
    for parity in (0, 1):
        py = (y * rows - parity) * 0.5
        px = x * columns - 0.5 * parity
        row, column = py.round(), px.round()
        dy, dx = (py - row) * (2.0 * sy) + 0.0 * px, (px - column) * unit + 0.0 * py
        border = 0.5 * unit - torch.maximum(dx.abs(), 0.5 * dx.abs() + 0.866025 * dy.abs())
        number = torch.remainder(row * 2 + parity, rows).long() * columns + torch.remainder(column, columns).long()
        if best is None or edge is None or index is None or v is None or u is None:
            best, edge, index, v, u = border, border, number.expand(border.shape), dy, dx
        else:
            closer = border > edge
            index, v, u = torch.where(closer, number, index), torch.where(closer, dy, v), torch.where(closer, dx, u)
            edge = torch.maximum(edge, border)
    if edge is None or index is None or v is None or u is None:
        raise ValueError("a hexagon layout has two parities")
    return Cells(index, edge, v, u, rows * columns)


@dataclass(frozen=True)
class Weave:
    """Threads crossing: per pixel [n, n], `over` is True where the upright (warp) thread is on top.

    `across` and `along` are -1..1 from the thread's middle and along the crossing; `height` 0..1.
    `thread` int64 numbers the visible thread.
    """

    over: Tensor
    across: Tensor
    along: Tensor
    height: Tensor
    thread: Tensor
    count: int


def weave(canvas: Canvas, threads: float, float_length: int = 1, axes: Axes | None = None, gap: float = 0.08) -> Weave:
    """Weave round threads: `float_length` 1 is plain weave, more is twill, stepping aside by one each row.

    Both thread systems are followed over and under as they bend, and the higher one is seen.
    """
    period = 2 if float_length == 1 else float_length + 1
    count = canvas.count(threads, period)
    y, x = axes or canvas.axes()
    v, u = y * count, x * count
    row, column = v.floor(), u.floor()
    fv, fu = v - row, u - column

    def upright_on_top(rows: Tensor, columns: Tensor) -> Tensor:
        return (torch.remainder(columns + rows, period) < float_length).float() * 2.0 - 1.0

    def bent(fraction: Tensor, before: Tensor, here: Tensor, after: Tensor) -> Tensor:
        t = fraction - 0.5
        toward = torch.where(t < 0.0, before, after)
        part = t.abs()
        return torch.lerp(here, toward, (part * part * (3.0 - 2.0 * part)))

    here = upright_on_top(row, column)
    upright = bent(fv + 0.0 * here, upright_on_top(row - 1, column), here, upright_on_top(row + 1, column))
    level = bent(fu + 0.0 * here, -upright_on_top(row, column - 1), -here, -upright_on_top(row, column + 1))
    wide = 1.0 - gap
    across_u, across_v = (fu * 2.0 - 1.0) / wide + 0.0 * here, (fv * 2.0 - 1.0) / wide + 0.0 * here
    upright = upright * 0.5 + (1.0 - across_u.square()).clamp(min=0.0).sqrt() * 0.9 - (across_u.abs() > 1.0) * 0.9
    level = level * 0.5 + (1.0 - across_v.square()).clamp(min=0.0).sqrt() * 0.9 - (across_v.abs() > 1.0) * 0.9
    over = upright > level
    height = (torch.maximum(upright, level) + 0.5).mul_(1.0 / 1.9).clamp_(0.0, 1.0)
    thread = torch.where(over, torch.remainder(column, count).long(), torch.remainder(row, count).long() + count)
    across, along = torch.where(over, across_u, across_v), torch.where(over, fv * 2.0 - 1.0, fu * 2.0 - 1.0)
    return Weave(over, across.clamp(-1.0, 1.0), along, height, thread, 2 * count)


def scales(canvas: Canvas, rows: float, overlap: float = 2.2) -> Cells:
    """Lay overlapping round scales, each row half a scale aside, its tips over the roots of the next row down.

    `edge` is metres to the scale's visible rim, `v` 0 at its root to 1 at its tip, `u` -1..1 across.
    """
    row_count = canvas.count(rows, 2)
    columns = max(1, row_count // 2)
    y, x = canvas.axes()
    position = y * row_count
    rim = torch.full((canvas.size_px, canvas.size_px), -1.0, device=canvas.device)
    index = torch.zeros_like(rim, dtype=torch.int64)
    v, u = torch.zeros_like(rim), torch.zeros_like(rim)
    for back in range(math.ceil(overlap)):
        row = position.floor() - back
        depth = (position - row) / overlap
        lane = x * columns - 0.5 * torch.remainder(row, 2.0)
        column = lane.floor()
        across = (lane - column) * 2.0 - 1.0
        here = 1.0 - torch.sqrt(across.square() + ((depth - 0.45).clamp(min=0.0) / 0.55).square())
        number = torch.remainder(row, row_count).long() * columns + torch.remainder(column, columns).long()
        on_top = here > 0.0 if back else here > -2.0
        rim, u = torch.where(on_top, here, rim), torch.where(on_top, across, u)
        v, index = torch.where(on_top, depth + 0.0 * across, v), torch.where(on_top, number, index)
    return Cells(index, rim.clamp(min=0.0) * (0.5 * canvas.span_m / columns), v, u, row_count * columns)
