"""Leather, cloth, wool, pile and fur."""

from __future__ import annotations

import math

import torch

from generators.procedural.canvas import Canvas
from generators.procedural.cells import voronoi, worley
from generators.procedural.details import fibres
from generators.procedural.fields import blur, fbm, grain, smoothstep, warped_axes
from generators.procedural.patterns import weave
from generators.procedural.scatter import Layout, strew, strokes
from generators.procedural.surface import Look, Surface, ramp


def leather(canvas: Canvas, look: Look) -> Surface:
    """Full-grain hide: pebbles of mixed size, creases along the stretch, pores, polish on the high places."""
    axes = warped_axes(canvas, "shake", 26, 0.006, 3)
    large, small = voronoi(canvas, "large", 36, 0.95, axes), voronoi(canvas, "small", 84, 0.95, axes)
    region = smoothstep(fbm(canvas, "region", 3, 3), -0.4, 0.4)
    folds, cloud, fine = (
        fbm(canvas, "folds", (3, 5), 4, 0.5, "ridged"),
        fbm(canvas, "cloud", 3, 5),
        grain(canvas, "fine", 340),
    )
    pebble = smoothstep(large.edge, 0.0, 0.0019)
    grainlet = smoothstep(small.edge, 0.0, 0.001)
    crease = smoothstep(folds, 0.55, 0.98)
    body = pebble * (0.45 + 0.55 * region) + 0.45 * grainlet
    height = 0.0003 * body - 0.0005 * crease + 0.0008 * cloud + 0.00001 * fine
    colour = ramp(
        canvas, look.dyed("#2e170d", "#4f2a17", "#6d3d22", "#875230"), 0.34 + 0.2 * body + 0.1 * cloud + 0.06 * fine
    )
    surface = Surface(canvas, colour, height, 0.58 - 0.16 * body + 0.06 * cloud, porous=0.5)
    surface.tint(1.0 - 0.25 * crease)
    pores = smoothstep(worley(canvas, "pores", 90, 0.9).nearest, 0.2, 0.1)
    surface.height -= 0.00014 * pores
    surface.tint(1.0 - 0.3 * pores)
    worn = smoothstep(cloud + 0.5 * body, 0.2, 1.3)
    surface.paint(worn * 0.12, look.dyed("#6d3d22", "#b08058")[1], 0.4)
    return surface


def linen(canvas: Canvas, look: Look) -> Surface:
    """Plain-woven flax with slubs: threads of uneven thickness, fibre twist, small gaps."""
    axes = warped_axes(canvas, "shake", 20, 0.003, 3)
    cloth = weave(canvas, 40, 1, axes, 0.1)
    tone = canvas.draw("tone", cloth.count)[cloth.thread]
    slub = torch.where(cloth.over, fbm(canvas, "slub/up", (5, 44), 3, 0.6), fbm(canvas, "slub/along", (44, 5), 3, 0.6))
    twist = torch.sin((cloth.along * 0.9 + cloth.across * 1.1) * 9.0)
    fine, cloud = grain(canvas, "fine", 340), fbm(canvas, "cloud", 3, 4)
    fuzz = fibres(canvas, "fuzz", 900, 0.006, 0.00006, 2.5)
    height = 0.00042 * cloth.height * (1.0 + 0.25 * slub) + 0.00003 * twist + 0.00008 * fuzz
    colour = ramp(
        canvas,
        look.dyed("#93825f", "#b3a27d", "#c9bb98", "#d9ceb2"),
        0.3 + 0.34 * cloth.height + 0.22 * (tone - 0.5) + 0.18 * slub + 0.06 * twist,
    )
    surface = Surface(canvas, colour, height, 0.88 + 0.05 * fine, porous=1.0)
    surface.tint((1.0 + 0.08 * fine + 0.05 * cloud) * (0.42 + 0.58 * smoothstep(cloth.height, 0.0, 0.5)))
    surface.paint((fuzz > 0.0).float() * 0.35, "#e0d6bc")
    return surface


def denim(canvas: Canvas, look: Look) -> Surface:
    """Indigo twill: steep diagonal ribs of blue warp, the pale weft a glint between them, faded where it rubs."""
    axes = warped_axes(canvas, "shake", 24, 0.0012, 3)
    cloth = weave(canvas, 96, 3, axes, 0.0)
    tone = canvas.draw("tone", cloth.count)[cloth.thread]
    streak = fbm(canvas, "streak", (2, 96), 4, 0.7)
    slub = fbm(canvas, "slub", (6, 60), 3, 0.6)
    fine, cloud = grain(canvas, "fine", 360), fbm(canvas, "cloud", 3, 5, 0.55)
    twist = torch.sin((cloth.along * 1.4 + cloth.across * 0.9) * 6.0)
    crown = smoothstep(cloth.height, 0.35, 1.0)
    height = 0.00034 * cloth.height * (1.0 + 0.2 * slub) + 0.00003 * twist + 0.00003 * fine
    fade = smoothstep(0.55 * cloud + 0.7 * slub + 0.5 * crown, 0.0, 1.2)
    colour = ramp(
        canvas,
        look.dyed("#131d36", "#22345c", "#3a5180", "#6680a8"),
        0.14 + 0.22 * crown + 0.2 * (tone - 0.5) + 0.34 * fade + 0.16 * streak + 0.06 * twist,
    )
    surface = Surface(canvas, colour, height, 0.88 + 0.04 * fine, porous=1.0)
    weft = (~cloth.over).float() * smoothstep(cloth.across.abs(), 1.0, 0.5)
    shade = ramp(canvas, look.dyed("#3f5274", "#7f8fa8", "#b3bcc6"), 0.2 + 0.4 * tone + 0.35 * fade + 0.2 * streak)
    surface.paint(weft * 0.75, shade)
    surface.tint((1.0 + 0.12 * fine) * (0.45 + 0.55 * smoothstep(cloth.height, 0.05, 0.6)))
    return surface


def carpet(canvas: Canvas, look: Look) -> Surface:
    """Cut-pile wool carpet: tufts in rows, yarn ends splayed, brushed light and dark."""
    axes = warped_axes(canvas, "shake", 40, 0.003, 2)
    tufts = worley(canvas, "tufts", 50, 0.6, axes)
    tone = tufts.random(canvas, "tone")
    nap, fine = fbm(canvas, "nap", 3, 4, 0.5), grain(canvas, "fine", 360)
    yarn = fibres(canvas, "yarn", 30000, 0.007, 0.0007, 2.5)
    bulge = (1.0 - tufts.nearest * 1.15).clamp(min=0.0)
    height = 0.0044 * bulge.sqrt() + 0.0012 * yarn + 0.0015 * nap
    colour = ramp(
        canvas,
        look.dyed("#4a1c22", "#6d2a30", "#8a3c3e", "#a8585a"),
        0.1 + 0.42 * bulge + 0.4 * (tone - 0.3) + 0.22 * yarn + 0.16 * nap,
    )
    surface = Surface(canvas, colour, height, 0.95 + 0.03 * fine, porous=1.0)
    surface.tint(1.0 + 0.16 * fine)
    return surface


def knit(canvas: Canvas, look: Look) -> Surface:
    """Stocking stitch: columns of V-shaped stitches, two slim slanting legs of plied yarn each, deep gaps between."""
    columns, rows = canvas.count(15), canvas.count(20)
    y, x = warped_axes(canvas, "shake", 7, 0.004, 2)
    u = x * columns
    column = u.floor()
    side = (u - column) * 2.0 - 1.0
    along = side.abs()  # 0 where the two legs of a stitch meet, 1 at the border of its column
    place = y * rows - 1.25 * (1.0 - along)
    row = place.floor()
    thick = (place - row - 0.5) * 2.0
    taper = 1.0 - 0.5 * ((along - 0.5) * 2.0).square()
    round_yarn = (1.0 - (thick / (0.98 * taper)).square()).clamp(min=0.0).sqrt()
    ends = smoothstep(along, -0.04, 0.16) * smoothstep(along, 1.04, 0.86)
    profile = round_yarn * (0.35 + 0.65 * ends)
    ply = torch.sin((along * 3.0 + 0.55 * thick) * math.tau)
    index = (torch.remainder(row, rows) * columns + torch.remainder(column, columns)).long() * 2 + (side > 0.0).long()
    tone = canvas.draw("tone", rows * columns * 2)[index]
    fuzz = fibres(canvas, "fuzz", 5200, 0.012, 0.00016, 3.0)
    fine, cloud = grain(canvas, "fine", 340), fbm(canvas, "cloud", 3, 4)
    height = 0.0019 * profile + 0.0002 * ply * profile + 0.0004 * fuzz + 0.0003 * (tone - 0.5)
    colour = ramp(
        canvas,
        look.dyed("#6e6a5c", "#a59f8c", "#c4bda8", "#d9d3c0"),
        0.3 + 0.36 * profile + 0.14 * (tone - 0.5) + 0.1 * ply * profile + 0.08 * cloud + 0.1 * fuzz,
    )
    surface = Surface(canvas, colour, height, 0.93 + 0.04 * fine, porous=1.0)
    surface.tint((1.0 + 0.06 * fine) * (0.52 + 0.48 * smoothstep(profile, 0.0, 0.55)))
    return surface


def fur(canvas: Canvas, look: Look) -> Surface:
    """Short dense fur lying along a flow: undercoat, guard hairs, clumped locks with pale tips."""
    flow, lock = fbm(canvas, "flow", 2, 2), fbm(canvas, "lock", 14, 3)
    patch, fine = fbm(canvas, "patch", 3, 4), grain(canvas, "fine", 340)
    total = canvas.full(0.0)
    layers = []
    for name, natural, length in (("under", 15000, (0.006, 0.010)), ("guard", 17000, (0.008, 0.016))):
        layout = strew(canvas, name, natural, length, (0.03, 0.03))
        row, column = (
            (layout.y * canvas.size_px).long() % canvas.size_px,
            (layout.x * canvas.size_px).long() % canvas.size_px,
        )
        drawn = canvas.draw(f"{name}/own/{len(layout)}", 2, len(layout))
        angle = 1.5708 + flow[row, column] * 1.3 + lock[row, column] * 0.9 + (drawn[0] - 0.5) * 0.4
        wide = torch.full_like(angle, max(0.0005, 0.55 * canvas.span_m / canvas.size_px) * 0.5)
        level = (0.55 * layout.level + 0.45 * (0.5 + lock[row, column])).clamp(0.0, 1.0)
        layers.append(
            strokes(
                canvas,
                Layout(layout.y, layout.x, angle, layout.length_m, wide, level),
                (drawn[1] - 0.5) * 0.8,
                0.35,
                0.7,
            )
        )
    under, guard = layers
    top = guard.index >= 0
    along = torch.where(top, guard.along, 0.5 * under.along)
    tone = torch.where(top, guard.random(canvas, "tone"), under.random(canvas, "tone"))
    total = torch.where(top, 0.3 + 0.7 * guard.level, 0.45 * under.level)
    colour = ramp(
        canvas,
        look.dyed("#2c1a10", "#5a3a22", "#8a6038", "#b58a58", "#dcbf92"),
        0.02 + 0.36 * along + 0.34 * total + 0.16 * (tone - 0.5) + 0.14 * patch,
    )
    surface = Surface(canvas, colour, 0.006 * total + 0.0015 * blur(canvas, lock, 0.004), 0.56 + 0.1 * tone, porous=0.6)
    surface.tint((1.0 + 0.08 * fine) * (0.55 + 0.5 * smoothstep(total, 0.1, 0.6)))
    return surface
