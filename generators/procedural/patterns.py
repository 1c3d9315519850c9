"""Man-made layouts on a torus: every one gives the cell of each pixel, its place in it and the way to the joint."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from generators.procedural.canvas import Canvas
from generators.procedural.cells import Cells

Axes = tuple[Tensor, Tensor]


def rounded_box(down: Tensor, across: Tensor, half_down: Tensor | float, half_across: Tensor | float,
                radius: float) -> Tensor:
    """Distance from inside to the outline of a box with rounded corners, in the units given."""
    qy = down.abs() - half_down + radius
    qx = across.abs() - half_across + radius
    outside = torch.sqrt(qy.clamp(min=0.0).square() + qx.clamp(min=0.0).square())
    return radius - outside - torch.maximum(qy, qx).clamp(max=0.0)


def courses(canvas: Canvas, name: str, rows: float, columns: float, *, shift: float | None = 0.5,
            uneven_rows: float = 0.0, uneven_columns: float = 0.0, radius_m: float = 0.0,
            axes: Axes | None = None, even_rows: bool = False) -> Cells:
    """Lay rows of rectangles: bricks, planks, tiles, ashlar.

    `shift` moves each next row by this part of a cell (a half is the running bond, 0 a grid, None means at random);
    `uneven_*` 0..1 shakes the joints; `radius_m` rounds the corners.
    """
    row_count = canvas.count(rows, 2 if (even_rows or shift == 0.5) else 1)
    column_count = canvas.count(columns)
    y, x = axes or canvas.axes()
    row_lines = _lines(canvas, f"{name}/rows", 1, row_count, uneven_rows)[0]
    across_lines = _lines(canvas, f"{name}/columns", row_count, column_count, uneven_columns)
    starts = (canvas.draw(f"{name}/starts", row_count) if shift is None
              else torch.arange(row_count, device=canvas.device) * shift / column_count)
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

    `across` and `along` are -1..1 from the thread's middle and along its float between two dives; `height` 0..1.
    `thread` int64 numbers the visible thread.
    """

    over: Tensor
    across: Tensor
    along: Tensor
    height: Tensor
    thread: Tensor
    count: int


def weave(canvas: Canvas, threads: float, float_length: int = 1, axes: Axes | None = None,
          gap: float = 0.08) -> Weave:
    """Weave threads: `float_length` 1 is plain weave, 2 and above twill that steps aside by one each row."""
    period = 2 if float_length == 1 else float_length + 1
    count = canvas.count(threads, period)
    y, x = axes or canvas.axes()
    v, u = y * count, x * count
    row, column = v.floor(), u.floor()
    step = torch.remainder(column + (row if float_length == 1 else -row), period)
    over = step < float_length if float_length > 1 else step < 0.5
    fv, fu = v - row, u - column
    warp_along = (torch.remainder(period - 1 - step if float_length > 1 else step * 0.0, period) + fv)
    run = float(float_length)
    down_phase = (warp_along / run).clamp(0.0, 1.0) if float_length > 1 else fv + 0.0 * fu
    across_phase = fu + 0.0 * fv
    across = torch.where(over, fu * 2.0 - 1.0, fv * 2.0 - 1.0)
    along = torch.where(over, down_phase, across_phase) * 2.0 - 1.0
    round_profile = (1.0 - (across / (1.0 - gap)).square()).clamp(min=0.0).sqrt()
    arch = 0.45 + 0.55 * (1.0 - along.square()).clamp(min=0.0).sqrt()
    thread = torch.where(over, torch.remainder(column, count).long(), torch.remainder(row, count).long() + count)
    return Weave(over, across, along, round_profile * arch, thread, 2 * count)


def scales(canvas: Canvas, rows: float, overlap: float = 2.2) -> Cells:
    """Lay overlapping round scales, each row half a scale aside and above the next.

    `edge` is metres to the scale's visible rim, `v` 0 at its root to 1 at its tip, `u` -1..1 across.
    """
    row_count = canvas.count(rows, 2)
    columns = max(1, round(row_count / 2))
    y, x = canvas.axes()
    unit = canvas.span_m / columns
    top, top_v, top_u = None, None, None
    index: Tensor | None = None
    position = y * row_count
    current = position.floor()
    for back in range(3, -1, -1):
        row = current - back
        depth = (position - row) / overlap
        lane = x * columns - 0.5 * torch.remainder(row, 2.0)
        column = lane.floor()
        u = (lane - column) * 2.0 - 1.0
        rim = 0.94 - torch.sqrt(u.square() + ((depth - 0.42).clamp(min=0.0) / 0.58).square())
        number = torch.remainder(row, row_count).long() * columns + torch.remainder(column, columns).long()
        if top is None or top_v is None or top_u is None or index is None:
            top, top_v, top_u, index = rim, depth + 0.0 * rim, u, number
            continue
        inside = rim > 0.0
        inside = inside & (depth < 1.0)
        top, top_v = torch.where(inside, rim, top), torch.where(inside, depth + 0.0 * rim, top_v)
        top_u, index = torch.where(inside, u, top_u), torch.where(inside, number, index)
    if top is None or top_v is None or top_u is None or index is None:
        raise ValueError("a scale layout has rows")
    return Cells(index, top.clamp(min=0.0) * (0.5 * unit), top_v, top_u, row_count * columns)
