"""Made things: spaceship panels, rubber, plastic."""

from __future__ import annotations

import torch

from generators.procedural.canvas import Canvas
from generators.procedural.cells import voronoi, worley
from generators.procedural.details import scratches
from generators.procedural.fields import blur, fbm, grain, smoothstep
from generators.procedural.patterns import courses
from generators.procedural.surface import Look, Surface, edges_worn, ramp


def scifi_panels(canvas: Canvas, look: Look) -> Surface:
    """Hull plating in two levels: big plates, hatches, vents, bolts, accent paint and lit slots."""
    big = courses(canvas, "big", 3, 2, shift=None, uneven_rows=0.6, uneven_columns=0.6, radius_m=0.035)
    small = courses(canvas, "small", 7, 5, shift=None, uneven_rows=0.7, uneven_columns=0.7, radius_m=0.016)
    kind, tone, lift = (big.random(canvas, name) for name in ("kind", "tone", "lift"))
    inner, tone2, lift2 = (small.random(canvas, name) for name in ("kind", "tone", "lift"))
    split = (kind > 0.45).float()
    rough, cloud, fine = fbm(canvas, "rough", 22, 5, 0.6), fbm(canvas, "cloud", 2, 5), grain(canvas, "fine", 320)
    groove = smoothstep(big.edge, 0.011, 0.007)
    line = smoothstep(small.edge, 0.0055, 0.003) * split * smoothstep(big.edge, 0.03, 0.036)
    inset = smoothstep(big.edge, 0.05, 0.056) * (kind < 0.2)
    height = (
        0.012 * (lift - 0.5)
        - 0.02 * groove
        + split * 0.009 * (lift2 - 0.5) * smoothstep(big.edge, 0.03, 0.038)
        - 0.008 * line
        - 0.01 * inset
    )
    y, _ = canvas.axes()
    slat = torch.remainder(y * canvas.count(64), 1.0)
    vent = (
        ((inner > 0.80) & (split > 0.5)).float()
        * smoothstep(small.edge, 0.026, 0.03)
        * smoothstep(big.edge, 0.045, 0.05)
    )
    height = height + vent * (-0.012 + 0.014 * slat)
    colour = ramp(
        canvas,
        look.dyed("#5c6268", "#7d848a", "#9aa0a4", "#b6babb"),
        0.28 + 0.4 * tone + 0.3 * split * (tone2 - 0.5) + 0.08 * cloud,
    )
    surface = Surface(
        canvas,
        colour,
        height,
        0.42 + 0.1 * cloud + 0.05 * rough + 0.15 * (tone2 - 0.5) * split,
        canvas.full(0.0),
        porous=0.05,
    )
    accent = (
        ((inner > 0.68) & (inner < 0.76) & (split > 0.5)).float()
        * smoothstep(small.edge, 0.006, 0.007)
        * smoothstep(big.edge, 0.036, 0.037)
    )
    surface.paint(accent * 0.92, "#b0561c", 0.45)
    dark = torch.maximum(
        (inner < 0.16).float() * split * smoothstep(small.edge, 0.006, 0.007) * smoothstep(big.edge, 0.036, 0.037),
        inset,
    )
    surface.paint(dark * 0.9, "#2a2e33", 0.5, 0.0)
    surface.paint(vent, "#24272b", 0.55, 0.0)
    _bolts(canvas, surface, big.u, big.v, big.edge)
    worn = edges_worn(surface, rough, 0.34, 0.004)
    surface.paint(worn * 0.8, "#b9b7b3", 0.35, 1.0)
    grime = smoothstep(fbm(canvas, "runs", (2, 30), 4, 0.6) + 0.5 * blur(canvas, groove + line, 0.012), 0.25, 0.85)
    surface.tint((1.0 - 0.3 * grime) * (1.0 - 0.7 * groove) * (1.0 - 0.6 * line) * (1.0 + 0.04 * fine))
    _light_slots(surface, big.u, big.v, ((tone > 0.55) & (kind > 0.2)).float())
    return surface


def _light_slots(surface: Surface, u: torch.Tensor, v: torch.Tensor, lit: torch.Tensor) -> None:
    """Cut a slot that shines into the middle of each plate that is lit."""
    lamp = lit * smoothstep((v - 0.5).abs(), 0.020, 0.014) * smoothstep((u - 0.5).abs(), 0.2, 0.196)
    surface.paint(lamp, "#bfe6ee", 0.3, 0.0)
    surface.emission = torch.stack((0.25 * lamp, 0.9 * lamp, 1.0 * lamp))


def _bolts(canvas: Canvas, surface: Surface, u: torch.Tensor, v: torch.Tensor, edge: torch.Tensor) -> None:
    """Set a bolt into each corner of each plate, by the distance to the two nearest sides."""
    beside = torch.minimum(u, 1.0 - u) * canvas.span_m / canvas.count(2)
    above = torch.minimum(v, 1.0 - v) * canvas.span_m / canvas.count(3)
    far = torch.sqrt((beside - 0.045).square() + (above - 0.045).square())
    head = smoothstep(far, 0.0125, 0.0105)
    surface.height = surface.height + 0.004 * head - 0.004 * smoothstep(far, 0.0055, 0.0045)
    surface.paint(head * 0.9, "#8e9194", 0.4, 1.0)


def rubber(canvas: Canvas, look: Look) -> Surface:
    """Black studded rubber flooring: round studs with a chamfer, dusty between, scuffed on top."""
    count = canvas.count(12)
    y, x = canvas.axes()
    dy, dx = (torch.remainder(y * count, 1.0) - 0.5), (torch.remainder(x * count, 1.0) - 0.5)
    far = torch.sqrt(dy.square() + dx.square())
    stud = smoothstep(far, 0.365, 0.315)
    rough, cloud, fine = fbm(canvas, "rough", 50, 4, 0.62), fbm(canvas, "cloud", 3, 5), grain(canvas, "fine", 340)
    height = 0.0018 * stud + 0.00004 * rough + 0.00004 * fine
    colour = ramp(canvas, look.dyed("#1e1e1f", "#2a2a2b", "#373738"), 0.4 + 0.25 * cloud + 0.16 * rough + 0.14 * stud)
    surface = Surface(canvas, colour, height, 0.66 + 0.06 * rough - 0.06 * stud, porous=0.1)
    dust = smoothstep(blur(canvas, stud, 0.012) - stud + 0.4 * cloud + 0.2 * rough, 0.15, 0.7)
    surface.paint(dust * 0.4, "#7a7268", 0.9)
    marks = scratches(canvas, "marks", 220, 0.06, 0.0006)
    surface.paint(marks * stud * 0.5, "#6d6a67", 0.75)
    return surface


def plastic(canvas: Canvas, look: Look) -> Surface:
    """Moulded housing: an even spark-eroded grain, flow lines hardly seen, rubbed shiny where hands have been."""
    pebble, grit = voronoi(canvas, "pebble", 130, 0.95), worley(canvas, "grit", 300, 0.95)
    fine, cloud, rough = grain(canvas, "fine", 360), fbm(canvas, "cloud", 3, 4), fbm(canvas, "rough", 70, 3)
    flow = fbm(canvas, "flow", (14, 2), 3)
    bump = smoothstep(pebble.edge, 0.0, 0.00042) * (0.8 + 0.2 * pebble.random(canvas, "lift"))
    small = smoothstep(grit.nearest, 0.8, 0.1)
    height = 0.0001 * bump + 0.00002 * small + 0.00002 * rough + 0.0001 * cloud
    colour = ramp(canvas, look.dyed("#a03c1c", "#b84a26", "#c75a34"), 0.5 + 0.1 * cloud + 0.06 * flow + 0.05 * fine)
    surface = Surface(canvas, colour, height, 0.5 - 0.06 * bump + 0.03 * cloud, porous=0.02)
    surface.tint(0.86 + 0.14 * bump)
    handled = smoothstep(fbm(canvas, "handled", 2.4, 4) + 0.25 * bump, 0.15, 0.75)
    surface.roughness = surface.roughness - 0.16 * handled * bump
    marks = scratches(canvas, "marks", 60, 0.05, 0.0002)
    surface.height -= 0.00004 * marks
    surface.roughness = surface.roughness + 0.15 * marks
    return surface
