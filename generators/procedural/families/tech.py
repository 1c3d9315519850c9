"""Made things: spaceship panels, rubber, plastic."""

from __future__ import annotations

import torch

from generators.procedural.canvas import Canvas
from generators.procedural.details import scratches, specks
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
    surface.paint(dark * 0.9, "#2a2e33", 0.5, 0.6)
    surface.paint(vent, "#24272b", 0.55, 0.7)
    _bolts(canvas, surface, big.u, big.v, big.edge)
    worn = edges_worn(surface, rough, 0.34, 0.004)
    surface.paint(worn * 0.8, "#b9b7b3", 0.35, 1.0)
    grime = smoothstep(fbm(canvas, "runs", (2, 30), 4, 0.6) + 0.5 * blur(canvas, groove + line, 0.012), 0.25, 0.85)
    surface.tint((1.0 - 0.3 * grime) * (1.0 - 0.7 * groove) * (1.0 - 0.6 * line) * (1.0 + 0.04 * fine))
    lamp = (
        ((tone > 0.55) & (kind > 0.2)).float()
        * smoothstep((big.v - 0.5).abs(), 0.020, 0.014)
        * smoothstep((big.u - 0.5).abs(), 0.2, 0.196)
    )
    surface.paint(lamp, "#bfe6ee", 0.3, 0.0)
    surface.emission = torch.stack((0.25 * lamp, 0.9 * lamp, 1.0 * lamp))
    return surface


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
    """Moulded grip: bands of small pyramids between smooth satin bands, hairline scratches, dulled tips."""
    y, x = canvas.axes()
    count = canvas.count(22)
    a, b = torch.remainder((x + y) * count, 1.0) - 0.5, torch.remainder((x - y) * count, 1.0) - 0.5
    unit = canvas.span_m / count * 0.7071
    pyramid = (0.5 - torch.maximum(a.abs(), b.abs())).mul_(2.0)
    place = torch.remainder(y * canvas.count(2), 1.0) + 0.0 * x
    band = (0.5 - (place - 0.5).abs()) * canvas.span_m / canvas.count(2)
    knurled = smoothstep(band, 0.0165, 0.0172)
    rail = smoothstep((band - 0.0148).abs(), 0.0016, 0.0004)
    fine, cloud, rough = grain(canvas, "fine", 360), fbm(canvas, "cloud", 3, 4), fbm(canvas, "rough", 90, 3)
    tip = pyramid.clamp(max=0.72)
    height = knurled * unit * 0.42 * tip + 0.0009 * rail + (1.0 - knurled) * (0.00002 * rough + 0.000014 * fine)
    colour = ramp(canvas, look.dyed("#9c3f18", "#c25526", "#d4703f"), 0.48 + 0.12 * cloud + 0.04 * fine)
    surface = Surface(canvas, colour, height, 0.34 + 0.03 * cloud - 0.08 * knurled, porous=0.02)
    rubbed = smoothstep(tip, 0.66, 0.72) * knurled
    surface.roughness = surface.roughness + 0.18 * rubbed
    surface.paint(rubbed * 0.22, "#e6a684")
    surface.tint(1.0 - 0.3 * knurled * smoothstep(tip, 0.2, 0.0))
    marks = scratches(canvas, "marks", 140, 0.05, 0.0002)
    surface.paint(marks * 0.25 * (1.0 - knurled), "#e8a888", 0.5)
    surface.tint(1.0 - 0.12 * specks(canvas, "dust", 90, 0.05, 0.3))
    return surface
