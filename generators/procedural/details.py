"""Small features that many surfaces share: specks, pits, cracks, scratches, stains."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from generators.procedural.canvas import Canvas
from generators.procedural.cells import voronoi, worley
from generators.procedural.fields import fbm, smoothstep, warped_axes
from generators.procedural.scatter import Layout, strokes


def specks(canvas: Canvas, name: str, frequency: float, share: float = 0.3, size: float = 0.35) -> Tensor:
    """Mask of round dots of mixed sizes 0..1: `share` of the grid cells hold one, at most `size` cells across."""
    points = worley(canvas, name, min(frequency, canvas.size_px / canvas.density / 3.0), 0.7)
    pick = points.random(canvas, f"{name}/pick")
    radius = size * (0.35 + 0.65 * (pick / max(share, 1e-3)))
    return smoothstep(points.nearest / radius.clamp(min=0.05), 1.0, 0.45).mul_(pick < share)


def cracks(
    canvas: Canvas, name: str, frequency: float, width_m: float, share: float = 0.6, shake: float = 0.02
) -> tuple[Tensor, Tensor]:
    """Give (depth 0..1, distance in metres) of a net of ragged cracks, of which noise leaves about `share`."""
    axes = warped_axes(canvas, f"{name}/shake", frequency * 2.5, shake, 4)
    cells = voronoi(canvas, name, frequency, 0.95, axes)
    gate = fbm(canvas, f"{name}/gate", max(1.0, frequency * 0.6), 2)
    width = width_m * smoothstep(gate, 0.55 - 1.1 * share, 0.95 - 1.1 * share)
    return smoothstep(cells.edge / width.add(1e-7), 1.0, 0.25).mul_(width > 0.04 * width_m), cells.edge


def scratches(
    canvas: Canvas, name: str, natural: int, length_m: float, width_m: float, heading: float | None = None
) -> Tensor:
    """Draw about `natural` thin straight scratches a default tile; a mask 0..1 fading along each."""
    count = max(1, round(natural * canvas.density**2))
    drawn = canvas.draw(f"{name}/scratches/{count}", 6, count)
    angle = drawn[2] * math.tau if heading is None else heading + (drawn[2] - 0.5) * 0.35
    length = length_m * (0.25 + drawn[3].square()) * 0.5
    wide = torch.full_like(length, max(width_m, 0.45 * canvas.span_m / canvas.size_px) * 0.5)
    marks = strokes(
        canvas, Layout(drawn[0], drawn[1], angle, length, wide, drawn[4]), (drawn[5] - 0.5) * 0.3, taper=0.3
    )
    fade = smoothstep(marks.along, 0.0, 0.15) * smoothstep(marks.along, 1.0, 0.6)
    return marks.covered * fade * (0.3 + 0.7 * marks.random(canvas, f"{name}/depth"))


def stains(canvas: Canvas, name: str, frequency: float, share: float = 0.4, softness: float = 0.35) -> Tensor:
    """Mask of cloudy patches 0..1 covering about `share` of the canvas."""
    centre = 0.75 * (1.0 - 2.0 * share)
    noise = fbm(canvas, name, frequency, 6, 0.55)
    return smoothstep(noise, centre - softness, centre + softness)


def fibres(
    canvas: Canvas,
    name: str,
    natural: int,
    length_m: float,
    width_m: float,
    bend: float = 1.5,
    heading: float | None = None,
    spread: float = 0.4,
) -> Tensor:
    """Draw soft fibres; a field 0..1 of how high the topmost lies, 0 where there is none."""
    count = max(1, round(natural * canvas.density**2))
    drawn = canvas.draw(f"{name}/fibres/{count}", 6, count)
    angle = drawn[2] * math.tau if heading is None else heading + (drawn[2] - 0.5) * 2.0 * spread
    length = length_m * (0.4 + 0.6 * drawn[3]) * 0.5
    wide = torch.full_like(length, max(width_m, 0.5 * canvas.span_m / canvas.size_px) * 0.5)
    marks = strokes(
        canvas, Layout(drawn[0], drawn[1], angle, length, wide, drawn[4]), (drawn[5] - 0.5) * 2.0 * bend, taper=0.2
    )
    return marks.level
