"""Scales, and the papers."""

from __future__ import annotations

import math

import torch

from generators.procedural.canvas import Canvas
from generators.procedural.cells import voronoi
from generators.procedural.details import fibres, scratches, stains
from generators.procedural.fields import blur, fbm, grain, smoothstep, warped_axes
from generators.procedural.patterns import scales as scale_layout
from generators.procedural.surface import Look, Surface, ramp


def scales(canvas: Canvas, look: Look) -> Surface:
    """Overlapping reptile scales with a keel, growth lines and dark roots, semi-gloss like horn."""
    cells = scale_layout(canvas, 20)
    tone, lift = cells.random(canvas, "tone"), cells.random(canvas, "lift")
    rough, cloud, fine = fbm(canvas, "rough", 40, 4, 0.6), fbm(canvas, "cloud", 3, 4), grain(canvas, "fine", 320)
    rim = smoothstep(cells.edge, 0.0, 0.0022)
    keel = smoothstep(cells.u.abs(), 0.16, 0.0)
    rings = torch.sin((cells.edge * 900.0 + 0.8 * rough) * 2.4) * smoothstep(cells.edge, 0.0005, 0.003)
    height = (
        0.0105 * cells.v * (0.85 + 0.3 * lift) * rim
        + 0.0011 * rim
        + 0.001 * keel * rim
        + 0.00016 * rings
        + 0.00012 * rough
    )
    shade = 0.2 + 0.36 * cells.v + 0.26 * (tone - 0.5) + 0.2 * cloud + 0.05 * rings + 0.1 * rough
    colour = ramp(canvas, look.dyed("#14251c", "#22452f", "#3a6a42", "#6a8f4c", "#a3a760"), shade)
    surface = Surface(canvas, colour, height, 0.36 + 0.08 * rough + 0.06 * cloud, porous=0.1)
    surface.paint(keel * rim * 0.25, "#b9a860")
    edge_light = smoothstep(cells.edge, 0.0028, 0.0008) * rim
    surface.paint(edge_light * 0.4, "#b2a768", 0.5)
    surface.tint((1.0 + 0.08 * fine) * (0.35 + 0.65 * rim) * (0.55 + 0.45 * smoothstep(cells.v, 0.25, 0.6)))
    return surface


def paper(canvas: Canvas, look: Look) -> Surface:
    """Crumpled and smoothed-out paper: flat facets between sharp folds of every size, tea stains, fine fibres."""
    axes = warped_axes(canvas, "shake", 4, 0.01, 2)
    folded, lines = canvas.full(0.0), canvas.full(0.0)
    for name, frequency, weight in (
        ("a", 3, 0.34),
        ("b", 4, -0.3),
        ("c", 7, 0.3),
        ("d", 9, -0.28),
        ("e", 15, 0.22),
        ("f", 19, -0.2),
    ):
        cells = voronoi(canvas, name, frequency, 0.95, axes)
        share = smoothstep(cells.random(canvas, f"{name}/share"), 0.0, 1.0)
        folded += (weight * 0.55) * blur(canvas, cells.edge * (0.6 + 0.4 * share), 0.0014)
        lines = torch.maximum(lines, smoothstep(cells.edge, 0.0011, 0.0) * (share - 0.35).clamp(min=0.0))
    cloud, fine = fbm(canvas, "cloud", 3, 5, 0.55), grain(canvas, "fine", 360)
    hair = fibres(canvas, "hair", 2400, 0.008, 0.0002, 2.0)
    height = folded + 0.001 * cloud + 0.00002 * fine + 0.00002 * hair
    colour = ramp(canvas, look.stops("#bfa57c", "#d1bb94", "#decdab", "#e6dac0"), 0.6 + 0.28 * cloud + 0.05 * fine)
    surface = Surface(canvas, colour, height, 0.84 + 0.04 * fine, porous=0.9)
    surface.paint(lines * 0.6, "#efe6d2")
    surface.tint(1.0 - 0.05 * (hair > 0.5))
    ring = fbm(canvas, "tea", 2, 5, 0.5)
    surface.tint(1.0 - 0.16 * smoothstep(ring, 0.3, 0.36) - 0.14 * smoothstep((ring - 0.33).abs(), 0.03, 0.0))
    surface.tint(1.0 - 0.12 * stains(canvas, "age", 3, 0.4, 0.4))
    return surface


def cardboard(canvas: Canvas, look: Look) -> Surface:
    """Brown board with the flutes showing through, recycled fibres and flecks, a scuff or two."""
    y, x = canvas.axes()
    flutes = torch.sin((x * canvas.count(56) + 0.0 * y) * math.tau)
    cloud, pulp, fine = fbm(canvas, "cloud", 3, 5), fbm(canvas, "pulp", (40, 30), 5, 0.66), grain(canvas, "fine", 360)
    pale = fibres(canvas, "pale", 5200, 0.010, 0.00028, 2.2)
    dark = fibres(canvas, "dark", 1500, 0.006, 0.00028, 2.2)
    dent = smoothstep(fbm(canvas, "dent", 4, 4), 0.35, 0.8)
    height = 0.00013 * flutes * (1.0 - dent) + 0.00005 * pulp - 0.0007 * dent + 0.00002 * fine
    colour = ramp(
        canvas, look.stops("#8f6b45", "#a88257", "#b8946a", "#c6a67e"), 0.5 + 0.2 * cloud + 0.3 * pulp + 0.08 * flutes
    )
    surface = Surface(canvas, colour, height, 0.86 + 0.05 * pulp, porous=1.0)
    surface.paint((pale > 0.0).float() * (0.12 + 0.2 * pale), "#d6bd98")
    surface.paint((dark > 0.0).float() * (0.15 + 0.3 * dark), "#5d432b")
    surface.tint(1.0 + 0.05 * fine)
    scuff = scratches(canvas, "scuff", 18, 0.12, 0.0012)
    surface.paint(scuff * 0.5, "#d0b896", 0.9)
    return surface
