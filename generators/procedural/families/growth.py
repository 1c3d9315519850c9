"""What grows and falls: grass, moss, leaves on the forest floor."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from generators.procedural.canvas import Canvas
from generators.procedural.cells import worley
from generators.procedural.details import fibres
from generators.procedural.fields import blur, fbm, grain, smoothstep, warped_axes
from generators.procedural.scatter import Layout, Strewn, stamps, strew, strokes
from generators.procedural.surface import Look, Surface, ramp


def _blades(
    canvas: Canvas, name: str, natural: float, length_m: tuple[float, float], width_m: float, flow: Tensor
) -> Strewn:
    """Draw blades that lean with a flow field and by their own will."""
    layout = strew(canvas, name, natural, length_m, (0.05, 0.05))
    row = (layout.y * canvas.size_px).long() % canvas.size_px
    column = (layout.x * canvas.size_px).long() % canvas.size_px
    lean = flow[row, column] * 2.6
    drawn = canvas.draw(f"{name}/own/{len(layout)}", 2, len(layout))
    angle = lean + (drawn[0] - 0.5) * 3.4
    wide = torch.full_like(angle, max(width_m, 0.6 * canvas.span_m / canvas.size_px) * 0.5)
    return strokes(
        canvas,
        Layout(layout.y, layout.x, angle, layout.length_m, wide, layout.level),
        (drawn[1] - 0.5) * 2.4,
        rise=0.5,
        taper=0.85,
    )


def grass(canvas: Canvas, look: Look) -> Surface:
    """A summer lawn: layers of bent blades, straw among them, dark earth below."""
    flow = fbm(canvas, "flow", 3, 2)
    deep = _blades(canvas, "deep", 6000, (0.012, 0.022), 0.0036, flow)
    top = _blades(canvas, "top", 6500, (0.014, 0.032), 0.0034, flow)
    patch, fine = fbm(canvas, "patch", 3, 5), grain(canvas, "fine", 320)
    on_top = top.index >= 0
    tone = torch.where(on_top, top.random(canvas, "tone"), deep.random(canvas, "tone"))
    along = torch.where(on_top, top.along, deep.along)
    level = torch.where(on_top, 0.35 + 0.65 * top.level, 0.4 * deep.level)
    height = 0.03 * level
    colour = ramp(
        canvas,
        look.stops("#1d3310", "#33521a", "#4c6f26", "#678a36", "#87a14c"),
        0.08 + 0.42 * level + 0.26 * tone + 0.16 * along + 0.18 * patch,
    )
    surface = Surface(canvas, colour, height, 0.62 + 0.12 * (1.0 - level) + 0.05 * fine, porous=0.4)
    dry = smoothstep(tone + 0.25 * patch, 0.93, 1.0)
    surface.paint(dry * 0.7, ramp(canvas, ("#7c6a34", "#a8965a", "#bfae76"), along))
    bare = (1.0 - top.covered) * (1.0 - deep.covered)
    surface.paint(bare, "#231c12", 0.95)
    surface.tint(0.5 + 0.55 * smoothstep(level, 0.0, 0.6))
    return surface


def moss(canvas: Canvas, look: Look) -> Surface:
    """Cushions of moss, velvety, with star-shaped tips and dry brown hollows."""
    axes = warped_axes(canvas, "shake", 9, 0.02, 3)
    cushions = worley(canvas, "cushions", 8, 0.9, axes)
    swell = blur(canvas, (1.0 - cushions.nearest.square() * 1.1).clamp(min=0.0), 0.006)
    patch, rough, fine = fbm(canvas, "patch", 4, 5), fbm(canvas, "rough", 30, 4, 0.6), grain(canvas, "fine", 340)
    tips = worley(canvas, "tips", 74, 0.95, warped_axes(canvas, "shake2", 90, 0.002, 1))
    point = (1.0 - 1.2 * tips.nearest).clamp(min=0.0)
    tuft = fibres(canvas, "tufts", 26000, 0.009, 0.0007, 2.0)
    height = 0.014 * swell + 0.0034 * point + 0.0032 * tuft + 0.0012 * rough
    shade = 0.02 + 0.42 * swell + 0.24 * point + 0.3 * tuft + 0.2 * patch
    colour = ramp(canvas, look.stops("#1b2410", "#33421a", "#526425", "#768436", "#98a24c"), shade)
    surface = Surface(canvas, colour, height, 0.93 + 0.04 * fine, porous=0.9)
    surface.tint(1.0 + 0.16 * fine)
    brown = smoothstep(rough * 0.5 - swell + patch * 0.4, -0.35, 0.05)
    surface.paint(brown * 0.6, ramp(canvas, ("#2b2012", "#5a4a26", "#7d6d3c"), tuft))
    return surface


def leaf_shape(along: Tensor, across: Tensor) -> Tensor:
    """Height of a leaf's blade over -1..1: pointed oval, toothed rim, a groove at the midrib; below 0 outside."""
    width = (1.0 - along.square()).clamp(min=0.0).pow(0.8) * (0.85 - 0.28 * along)
    tooth = 0.05 * torch.sin(along * 22.0)
    inside = width * (1.0 + tooth) - across.abs()
    body = 0.35 + 0.5 * across.abs() - 0.12 * along.square()
    return torch.where((inside > 0.0) & (along.abs() < 1.0), body, inside.clamp(max=0.0) - 0.01)


def leaf_veins(along: Tensor, across: Tensor) -> Tensor:
    """Mask 0..1 of a leaf's midrib and side veins."""
    middle = smoothstep(across.abs(), 0.07, 0.02)
    phase = torch.remainder((along - across.abs() * 0.6) * 5.5, 1.0)
    side = smoothstep((phase - 0.5).abs(), 0.12, 0.02)
    return torch.maximum(middle, 0.6 * side)


def forest_floor(canvas: Canvas, look: Look) -> Surface:
    """Fallen leaves in layers, curled and veined, twigs and needles between, dark humus below."""
    leaves = stamps(canvas, strew(canvas, "leaves", 620, (0.026, 0.052), (0.5, 0.72)), leaf_shape, 0.12)
    rough, fine, patch = fbm(canvas, "rough", 30, 5, 0.6), grain(canvas, "fine", 340), fbm(canvas, "patch", 4, 4)
    tone, curl, lean, turn = (leaves.random(canvas, name) for name in ("tone", "curl", "lean", "turn"))
    veins = leaf_veins(leaves.along, leaves.across)
    bend = (curl - 0.3) * leaves.across.square() + (lean - 0.5) * leaves.along + 0.8 * (turn - 0.5) * leaves.across
    humus = 0.004 * rough + 0.003 * fbm(canvas, "lumps", 9, 3)
    rise = 0.012 + 0.012 * leaves.level + 0.008 * bend - 0.001 * veins + 0.0012 * rough
    height = torch.where(leaves.index >= 0, rise, humus)
    colour = ramp(
        canvas,
        look.stops("#3c2517", "#5e3a1f", "#7f4f27", "#9a6a36", "#7b5a3c", "#a88452", "#8a4522"),
        (tone + 0.05 * rough + 0.07 * patch).clamp(0.0, 1.0),
    )
    surface = Surface(canvas, colour, height, 0.68 + 0.12 * tone, porous=0.9)
    surface.tint((0.62 + 0.5 * leaves.level) * (1.0 + 0.1 * fine + 0.14 * rough))
    surface.paint(veins * leaves.covered * 0.4, ramp(canvas, ("#6d4a2a", "#b89564"), tone))
    spots = smoothstep(fbm(canvas, "spots", 40, 3, 0.6), 0.3, 0.6) * leaves.covered
    surface.tint(1.0 - 0.4 * spots)
    surface.paint(1.0 - leaves.covered, ramp(canvas, ("#1c130c", "#35261a", "#4d3a28"), 0.5 + 0.5 * rough), 0.95)
    layout = strew(canvas, "twigs", 110, (0.02, 0.07), (0.02, 0.035), (0.0, math.tau))
    twigs = strokes(canvas, layout, (layout.level - 0.5) * 1.2, taper=0.6)
    surface.paint(twigs.covered, ramp(canvas, ("#3a2a1e", "#5d4734", "#86705a"), twigs.random(canvas, "tone")), 0.85)
    surface.height = torch.where(twigs.index >= 0, surface.height + 0.004 + 0.003 * twigs.level, surface.height)
    needles = fibres(canvas, "needles", 500, 0.05, 0.0012, 0.5)
    surface.paint((needles > 0.0).float() * 0.8, ramp(canvas, ("#6a4424", "#a8743c"), needles), 0.7, rise_m=0.0018)
    return surface
