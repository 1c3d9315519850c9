"""Poured and spread: concrete, plaster, asphalt."""

from __future__ import annotations

import torch

from generators.procedural.canvas import Canvas
from generators.procedural.cells import voronoi
from generators.procedural.details import cracks, scratches, specks, stains
from generators.procedural.fields import blur, fbm, grain, mix, smoothstep, warp, warped_axes
from generators.procedural.patterns import courses
from generators.procedural.surface import Look, Surface, ramp


def concrete(canvas: Canvas, look: Look) -> Surface:
    """Shuttered concrete: board joints, tie holes, air bubbles, water marks."""
    panels = courses(canvas, "shutter", 2, 2, shift=0.0)
    cloud, rough, fine = fbm(canvas, "cloud", 3, 6, 0.6), fbm(canvas, "rough", 22, 5, 0.55), grain(canvas, "fine", 340)
    streak = fbm(canvas, "streak", (2, 26), 4, 0.6)
    tone = panels.random(canvas, "tone")
    half = 0.25 * canvas.span_m / max(1, canvas.count(2)) * 2.0
    seam = smoothstep(panels.edge + 0.0012 * rough, 0.004, 0.0015)
    down, across = (panels.v - 0.5).abs() * 2.0 * half, (panels.u - 0.5).abs() * 2.0 * half
    tie = torch.sqrt((down - 0.62 * half).square() + (across - 0.62 * half).square())
    hole = smoothstep(tie, 0.017, 0.0135)
    bubbles = specks(canvas, "bubbles", 62, 0.22, 0.34) * smoothstep(fbm(canvas, "where", 4, 3), -0.35, 0.35)
    height = 0.0009 * cloud + 0.0005 * rough + 0.0001 * fine - 0.0035 * seam - 0.012 * hole - 0.0024 * bubbles
    height += 0.0012 * (tone - 0.5)
    colour = ramp(
        canvas,
        look.stops("#6b6a67", "#85837e", "#989590", "#aba8a1"),
        0.5 + 0.38 * cloud + 0.14 * (tone - 0.5) + 0.12 * rough + 0.1 * streak,
    )
    surface = Surface(canvas, colour, height, 0.78 + 0.08 * rough - 0.08 * cloud, porous=0.9)
    surface.tint((1.0 + 0.09 * fine) * (1.0 - 0.45 * bubbles) * (1.0 - 0.4 * seam) * (1.0 - 0.55 * hole))
    rim = smoothstep(tie, 0.04, 0.018)
    surface.tint(1.0 - 0.13 * rim * (1.0 + rough))
    surface.tint(1.0 - 0.2 * smoothstep(streak + 0.6 * cloud, 0.35, 0.9))
    hair, _ = cracks(canvas, "hair", 3, 0.0016, 0.18)
    surface.tint(mix(1.0, 0.55, hair))
    surface.height -= 0.001 * hair
    return surface


def plaster(canvas: Canvas, look: Look) -> Surface:
    """Lime plaster spread with a trowel: overlapping strokes that each run their own way, ridges where they end."""
    patches = voronoi(canvas, "patches", 5, 0.95, warped_axes(canvas, "shake", 5, 0.05, 4))
    heading, lift = patches.random(canvas, "heading"), patches.random(canvas, "lift")
    bend = fbm(canvas, "bend", 3, 2)
    strokes = canvas.full(0.0)
    for place, (name, frequency) in enumerate((("level", (26, 3)), ("upright", (3, 26)), ("slant", (18, 7)))):
        field = warp(canvas, fbm(canvas, name, frequency, 4, 0.55), 0.05 * bend, 0.05 * bend)
        strokes += field * smoothstep((heading * 3.0 - place - 0.5).abs(), 0.62, 0.38)
    ridge = smoothstep(patches.edge, 0.016, 0.0) * smoothstep(lift, 0.35, 0.8)
    cloud, rough, fine = (
        fbm(canvas, "cloud", 2.4, 6, 0.55),
        fbm(canvas, "rough", 30, 4, 0.6),
        grain(canvas, "fine", 340),
    )
    soft = blur(canvas, lift, 0.005)
    height = 0.0011 * strokes + 0.0016 * soft + 0.0012 * ridge + 0.0012 * cloud + 0.0002 * rough + 0.0001 * fine
    colour = ramp(
        canvas,
        look.stops("#b3a48c", "#c8baa3", "#d8ccb8", "#e4dbcc"),
        0.55 + 0.34 * cloud + 0.1 * strokes + 0.2 * (soft - 0.5) + 0.05 * rough,
    )
    surface = Surface(canvas, colour, height, 0.84 - 0.08 * strokes, porous=1.0)
    pits = specks(canvas, "pits", 60, 0.08, 0.3)
    surface.height -= 0.0007 * pits
    surface.tint((1.0 + 0.04 * fine) * (1.0 - 0.2 * pits) * (1.0 - 0.12 * stains(canvas, "age", 2, 0.35, 0.5)))
    return surface


def asphalt(canvas: Canvas, look: Look) -> Surface:
    """Rolled road: crushed stone in bitumen, polished where wheels ran."""
    stones = voronoi(canvas, "stones", 78, 0.95)
    grit = voronoi(canvas, "grit", 150, 0.95)
    cloud, rough, fine = fbm(canvas, "cloud", 3, 4), fbm(canvas, "rough", 30, 4), grain(canvas, "fine", 340)
    tone, lift, shown = (stones.random(canvas, name) for name in ("tone", "lift", "shown"))
    body = smoothstep(stones.edge, 0.0003, 0.0032) * smoothstep(shown, 0.25, 0.6)
    small = smoothstep(grit.edge, 0.0002, 0.0018) * grit.random(canvas, "lift")
    height = 0.0028 * body * (0.5 + 0.5 * lift) + 0.0009 * small + 0.0012 * cloud
    colour = ramp(canvas, look.stops("#262627", "#343435", "#434342"), 0.45 + 0.3 * small + 0.3 * cloud + 0.2 * fine)
    surface = Surface(canvas, colour, height, 0.84 - 0.14 * body + 0.05 * rough, porous=0.5)
    film = smoothstep(shown + 0.5 * cloud + 0.4 * (lift - 0.5), -0.1, 0.9)  # how far traffic has worn the bitumen off
    tints = ramp(
        canvas, ("#4b4a48", "#5f5d5a", "#716c65", "#67645f", "#88847c"), 0.2 * grit.random(canvas, "c") + 0.8 * tone
    )
    surface.paint(body * (0.25 + 0.65 * film), tints)
    surface.paint(small * smoothstep(grit.random(canvas, "c"), 0.6, 0.9) * 0.45 * (1.0 - body), "#6a6763")
    surface.tint(1.0 + 0.14 * fine)
    surface.tint(1.0 - 0.3 * stains(canvas, "oil", 2, 0.2, 0.3))
    scuff = scratches(canvas, "scuff", 40, 0.12, 0.0015)
    surface.tint(1.0 + 0.25 * scuff)
    return surface
