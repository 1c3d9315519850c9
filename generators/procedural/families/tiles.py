"""Laid and fired tiles: ceramic, subway, terracotta, mosaic, hexagons, roof shingles."""

from __future__ import annotations

import torch

from generators.procedural.canvas import Canvas
from generators.procedural.details import cracks, specks, stains
from generators.procedural.families.masonry import dome
from generators.procedural.fields import fbm, grain, smoothstep, warped_axes
from generators.procedural.patterns import courses
from generators.procedural.patterns import hexagons as hexagon_layout
from generators.procedural.surface import Look, Surface, ramp


def ceramic_tiles(canvas: Canvas, look: Look) -> Surface:
    """Hand-glazed square tiles, each a little different in tone and tilt, under a glossy glaze."""
    cells = courses(canvas, "grid", 6, 6, shift=0.0, uneven_rows=0.03, uneven_columns=0.03, radius_m=0.004)
    cloud, pool, fine = fbm(canvas, "cloud", 9, 5), fbm(canvas, "pool", 22, 3), grain(canvas, "fine", 300)
    tone, tilt, lean = (cells.random(canvas, name) for name in ("tone", "tilt", "lean"))
    edge = cells.edge + 0.0005 * pool
    tile = smoothstep(edge, 0.0013, 0.0024)
    height = dome((edge - 0.001).clamp(min=0.0), 0.007) * 0.0024
    height += tile * (0.0012 * (cells.u - 0.5) * (tilt - 0.5) + 0.0012 * (cells.v - 0.5) * (lean - 0.5))
    height += tile * (0.00045 * cloud + 0.00008 * pool) + (1.0 - tile) * fine * 0.00012
    thin = smoothstep(edge, 0.006, 0.0015)
    colour = ramp(
        canvas,
        look.dyed("#2f6a62", "#4d8c80", "#6ba596", "#8fbcab", "#b4d0c0"),
        0.12 + 0.62 * tone + 0.22 * cloud + 0.12 * pool + 0.35 * thin,
    )
    surface = Surface(canvas, colour, height, 0.1 + 0.04 * cloud + 0.06 * thin, porous=0.05)
    craze, _ = cracks(canvas, "craze", 26, 0.0004, 0.3, 0.004)
    surface.tint(1.0 - 0.3 * craze * tile)
    pin = specks(canvas, "pin", 50, 0.12, 0.25) * tile
    surface.paint(pin * 0.7, "#6b5a48", 0.5)
    surface.paint(1.0 - tile, ramp(canvas, ("#8f8a80", "#bab4a8"), 0.5 + 0.6 * fine + 0.3 * cloud), 0.92)
    return surface


def subway_tiles(canvas: Canvas, look: Look) -> Surface:
    """White wall tiles of 75 by 150 mm in running bond: bevelled, machine-made, under a clear glaze."""
    cells = courses(canvas, "bond", 8, 4, uneven_rows=0.012, uneven_columns=0.012, radius_m=0.0015)
    cloud, pool, fine = fbm(canvas, "cloud", 7, 4), fbm(canvas, "pool", 26, 3), grain(canvas, "fine", 300)
    tone, tilt, lean, hue = (cells.random(canvas, name) for name in ("tone", "tilt", "lean", "hue"))
    tile = smoothstep(cells.edge, 0.0009, 0.0017)
    bevel = dome((cells.edge - 0.001).clamp(min=0.0), 0.0095)
    height = 0.0036 * bevel + tile * (0.0007 * (cells.u - 0.5) * (tilt - 0.5) + 0.0007 * (cells.v - 0.5) * (lean - 0.5))
    height += tile * (0.00007 * cloud + 0.00003 * pool) + (1.0 - tile) * 0.0001 * fine
    colour = ramp(
        canvas,
        look.dyed("#c9c8c0", "#dcdbd4", "#e6e5df", "#efeeea"),
        0.4 + 0.34 * (tone - 0.5) + 0.16 * (hue - 0.5) + 0.1 * cloud + 0.12 * pool + 0.2 * bevel,
    )
    surface = Surface(canvas, colour, height, 0.08 + 0.03 * cloud, porous=0.05)
    craze, _ = cracks(canvas, "craze", 30, 0.0003, 0.08, 0.004)
    surface.tint(1.0 - 0.2 * craze * tile)
    grout = ramp(canvas, ("#87827a", "#a9a49b", "#b9b5ad"), 0.5 + 0.5 * fine + 0.4 * cloud)
    surface.paint(1.0 - tile, grout, 0.92)
    surface.tint(1.0 - 0.2 * smoothstep(cells.edge, 0.0026, 0.0012) * tile)
    return surface


def terracotta_tiles(canvas: Canvas, look: Look) -> Surface:
    """Hand-made floor tiles of orange clay with pale grout, waxed by feet."""
    axes = warped_axes(canvas, "wobble", 5, 0.0022)
    cells = courses(canvas, "grid", 4, 4, shift=0.0, uneven_rows=0.05, uneven_columns=0.05, radius_m=0.012, axes=axes)
    rough, cloud, fine = fbm(canvas, "rough", 18, 6, 0.55), fbm(canvas, "cloud", 5, 5, 0.55), grain(canvas, "fine", 300)
    tone, lift, hue = (cells.random(canvas, name) for name in ("tone", "lift", "hue"))
    edge = cells.edge + 0.0016 * rough
    tile = smoothstep(edge, 0.0055, 0.0085)
    height = dome((edge - 0.005).clamp(min=0.0), 0.018) * (0.006 + 0.002 * (lift - 0.5)) + 0.0011 * cloud * tile
    height += 0.0003 * rough + (1.0 - tile) * 0.0003 * fine
    pits = torch.maximum(specks(canvas, "pits", 58, 0.08, 0.4), 0.7 * specks(canvas, "pores", 110, 0.1, 0.4)) * tile
    height -= pits * 0.001
    colour = ramp(
        canvas,
        look.stops("#7d3d24", "#a3552f", "#b96a3e", "#c88254", "#d4a27c"),
        0.16 + 0.42 * tone + 0.12 * hue + 0.34 * cloud + 0.06 * rough,
    )
    surface = Surface(canvas, colour, height, 0.62 + 0.16 * cloud + 0.05 * rough, porous=1.0)
    surface.tint(1.0 + 0.1 * fine - 0.35 * pits)
    flame = smoothstep(fbm(canvas, "flame", 3, 4) + 0.5 * (hue - 0.5), 0.25, 0.65)
    surface.paint(flame * 0.45 * tile, "#6a2f20")
    surface.paint(1.0 - tile, ramp(canvas, ("#9c917f", "#bcb19d", "#cbc1ae"), 0.5 + 0.4 * cloud + 0.3 * fine), 0.94)
    surface.tint(1.0 - 0.22 * smoothstep(edge, 0.03, 0.006))
    return surface


def mosaic(canvas: Canvas, look: Look) -> Surface:
    """Small cut stones and glass in bands of colour, as on a Roman floor."""
    axes = warped_axes(canvas, "flow", 2, 0.022, 2)
    cells = courses(
        canvas, "tesserae", 26, 26, shift=None, uneven_rows=0.3, uneven_columns=0.5, radius_m=0.0022, axes=axes
    )
    rough, fine = fbm(canvas, "rough", 40, 4), grain(canvas, "fine", 300)
    tone, pick, tilt = (cells.random(canvas, name) for name in ("tone", "pick", "tilt"))
    rows = canvas.count(26, 1)
    band = torch.remainder(
        torch.div(cells.index, canvas.count(26), rounding_mode="floor").float() / rows * canvas.count(2), 1.0
    )
    edge = cells.edge + 0.0004 * rough
    stone = smoothstep(edge, 0.0007, 0.0014)
    height = smoothstep(edge, 0.0004, 0.0024) * 0.0016 + stone * 0.0022 * (tilt - 0.5) * (cells.u - 0.5)
    height += stone * 0.0006 * (tone - 0.5) + fine * 0.00006
    wander = torch.remainder(band + 0.16 * (pick - 0.5), 1.0)
    sea = ramp(canvas, look.stops("#1c3f5e", "#2f6488", "#4f8fa6", "#86b5b4"), tone)
    surface = Surface(canvas, sea, height, 0.28 + 0.3 * pick, porous=0.4)
    ivory = ramp(canvas, ("#b3a68a", "#cfc3a8", "#ddd5c0"), tone)
    surface.paint(smoothstep(wander, 0.40, 0.41) * smoothstep(wander, 0.81, 0.80), ivory)
    surface.paint(
        smoothstep(wander, 0.53, 0.54) * smoothstep(wander, 0.69, 0.68),
        ramp(canvas, ("#8a3a26", "#b0603a", "#c4924a"), tone),
    )
    surface.tint(1.0 + 0.12 * fine + 0.1 * rough)
    surface.paint(1.0 - stone, ramp(canvas, ("#5d564b", "#837a6b"), 0.5 + 0.6 * fine), 0.94)
    return surface


def hexagons(canvas: Canvas, look: Look) -> Surface:
    """Encaustic cement hexagons in a few quiet tones, matt and a little stained."""
    cells = hexagon_layout(canvas, 7)
    cloud, rough, fine = fbm(canvas, "cloud", 6, 5, 0.55), fbm(canvas, "rough", 30, 5), grain(canvas, "fine", 300)
    tone, pick, lift = (cells.random(canvas, name) for name in ("tone", "pick", "lift"))
    edge = cells.edge + 0.0003 * rough
    tile = smoothstep(edge, 0.0012, 0.002)
    height = smoothstep(edge, 0.0008, 0.0046) * 0.0022 + tile * (0.0008 * (lift - 0.5) + 0.0002 * cloud)
    height += 0.00006 * fine
    colour = ramp(
        canvas,
        look.stops("#30343b", "#566069", "#8d9498", "#c3c3bd", "#dcd8cd"),
        torch.round(pick * 4.0) / 4.0 + 0.07 * (tone - 0.5) + 0.05 * cloud,
    )
    surface = Surface(canvas, colour, height, 0.46 + 0.14 * cloud, porous=0.6)
    surface.tint(1.0 + 0.09 * rough + 0.05 * fine)
    ring = smoothstep(edge, 0.013, 0.0138) * smoothstep(edge, 0.0182, 0.0174) * smoothstep(tone, 0.62, 0.66)
    surface.paint(ring * (0.75 + 0.25 * rough), "#b98a4a", 0.5)
    surface.tint(1.0 - 0.14 * stains(canvas, "traffic", 3, 0.4))
    surface.paint(1.0 - tile, ramp(canvas, ("#5a554d", "#7d766b"), 0.5 + 0.5 * fine), 0.93)
    return surface


def roof_shingles(canvas: Canvas, look: Look) -> Surface:
    """Split slates in overlapping courses, thick at the lower edge."""
    axes = warped_axes(canvas, "ragged", 14, 0.0035, 4)
    cells = courses(canvas, "slates", 10, 7, uneven_columns=0.45, axes=axes)
    rough, cloud, fine = fbm(canvas, "rough", (16, 26), 6, 0.55), fbm(canvas, "cloud", 3, 4), grain(canvas, "fine", 320)
    tone, lift, tilt = (cells.random(canvas, name) for name in ("tone", "lift", "tilt"))
    side = (0.5 - (cells.u - 0.5).abs()) * (canvas.span_m / canvas.count(7))
    gap = smoothstep(side + 0.001 * rough, 0.004, 0.0012)
    lip = smoothstep(cells.v + 0.03 * rough, 1.0, 0.955)
    height = cells.v * 0.017 * (0.8 + 0.5 * lift) * lip + 0.004 * (cells.u - 0.5) * (tilt - 0.5)
    layers = (rough + tone * 3.0) * 3.0
    height += 0.0011 * (layers.floor() + smoothstep(layers - layers.floor(), 0.7, 1.0)) / 3.0 + 0.0005 * rough
    height -= gap * 0.008
    colour = ramp(
        canvas,
        look.stops("#2f3439", "#454b50", "#565c60", "#6a6c6d", "#6b6259"),
        0.06 + 0.74 * tone + 0.16 * rough + 0.14 * cloud,
    )
    surface = Surface(canvas, colour, height, 0.66 + 0.12 * rough, porous=0.6)
    surface.tint((1.0 + 0.14 * fine) * (1.0 - 0.45 * gap))
    surface.tint(1.0 - 0.4 * smoothstep(cells.v, 0.22, 0.0))
    lichen = specks(canvas, "lichen", 16, 0.35, 0.5) * smoothstep(fbm(canvas, "spots", 40, 4, 0.6), -0.25, 0.25)
    surface.paint(lichen * 0.55, "#9a9a78", 0.9)
    return surface
