"""Bricks, cobbles, flags, ashlar and paving: stones and the joints between them."""

from __future__ import annotations

import torch
from torch import Tensor

from generators.procedural.canvas import Canvas
from generators.procedural.cells import voronoi
from generators.procedural.details import cracks, specks, stains
from generators.procedural.fields import blur, fbm, grain, mix, smoothstep, warped_axes
from generators.procedural.patterns import courses, herringbone
from generators.procedural.surface import Look, Surface, ramp


def dome(edge: Tensor, width_m: float) -> Tensor:
    """Rise from 0 at the joint to 1 at `width_m` inside it, round like a pillow."""
    t = 1.0 - (edge * (1.0 / width_m)).clamp(0.0, 1.0)
    return (1.0 - t * t).clamp(min=0.0).sqrt()


def bricks(canvas: Canvas, look: Look) -> Surface:
    """Fired clay bricks in running bond, sandy mortar set back 8 mm."""
    cells = courses(
        canvas,
        "bond",
        12,
        4,
        uneven_rows=0.06,
        uneven_columns=0.1,
        radius_m=0.006,
        axes=warped_axes(canvas, "wobble", 9, 0.0016),
    )
    rough, cloud, fine = fbm(canvas, "rough", 34, 5, 0.6), fbm(canvas, "cloud", 7, 5), grain(canvas, "fine", 300)
    tone, lift, tilt = (cells.random(canvas, name) for name in ("tone", "lift", "tilt"))
    chips = smoothstep(fbm(canvas, "chips", 13, 4), 0.25, 0.7)
    edge = cells.edge + rough * 0.0022 - chips * 0.006
    face = smoothstep(edge, 0.0046, 0.0095)
    pits = specks(canvas, "pits", 70, 0.3, 0.42) * face
    height = face * (0.0085 + 0.003 * (lift - 0.5) + 0.004 * (cells.u - 0.5) * (tilt - 0.5))
    height += (rough * 0.0009 + fine * 0.00022) * (0.4 + 0.6 * face) - pits * 0.0016
    shade = 0.12 + 0.62 * tone + 0.2 * cloud + 0.1 * rough
    colour = ramp(canvas, look.stops("#4e2019", "#7c3526", "#97452f", "#a9563b", "#b8735a"), shade)
    surface = Surface(canvas, colour, height, 0.8 + 0.1 * rough, porous=1.0)
    burnt = smoothstep(cells.random(canvas, "burnt"), 0.86, 0.9) * smoothstep(cloud + cells.u - 0.5, -0.5, 0.5)
    surface.tint(1.0 - 0.5 * burnt * face)
    surface.tint(1.0 + 0.16 * fine + 0.1 * rough - 0.35 * pits)
    mortar = ramp(canvas, ("#6f675b", "#948b7c", "#aca392"), 0.5 + 0.35 * cloud + 0.35 * fine)
    surface.paint(1.0 - face, mortar, 0.92)
    smear = smoothstep(edge, 0.018, 0.006) * smoothstep(fbm(canvas, "smear", 16, 4), 0.0, 0.7) * face
    surface.paint(smear * 0.5, "#a79d8d", 0.92)
    surface.tint(1.0 - 0.25 * stains(canvas, "soot", 2, 0.35, 0.5))
    return surface


def cobblestone(canvas: Canvas, look: Look) -> Surface:
    """Rounded setts of grey stone in sand, worn shining on top."""
    axes = warped_axes(canvas, "shake", 16, 0.004, 3)
    cells = voronoi(canvas, "setts", 10, 0.62, axes)
    rough, cloud, fine = fbm(canvas, "rough", 24, 6, 0.55), fbm(canvas, "cloud", 4, 4), grain(canvas, "fine", 320)
    tone, lift = cells.random(canvas, "tone"), cells.random(canvas, "lift")
    soft = blur(canvas, cells.edge, 0.004)
    body = dome((soft - 0.005 + 0.0016 * rough).clamp(min=0.0), 0.038)
    stone = smoothstep(soft + 0.0016 * rough, 0.004, 0.0085)
    height = body * (0.021 + 0.006 * (lift - 0.5)) + 0.0012 * rough * stone
    bed = 0.0022 * fbm(canvas, "bed", 60, 4) + 0.0012 * cloud + 0.0025
    height = torch.maximum(height, bed)
    stone = smoothstep(height - bed, 0.0, 0.0022)
    colour = ramp(
        canvas,
        look.stops("#3d3e40", "#585756", "#6f6c67", "#857f76", "#7a6a5c"),
        0.08 + 0.72 * tone + 0.16 * rough + 0.14 * cloud,
    )
    surface = Surface(canvas, colour, height + fine * 0.00012, 0.66 + 0.12 * rough, porous=0.7)
    surface.tint(1.0 + 0.2 * fine + 0.2 * specks(canvas, "mica", 120, 0.25, 0.4))
    surface.roughness -= 0.2 * smoothstep(body, 0.8, 1.0)
    surface.paint(1.0 - stone, ramp(canvas, ("#3a3126", "#5c4f3e", "#766853"), 0.5 + 0.5 * fine), 0.94)
    surface.tint(1.0 - 0.35 * smoothstep(soft, 0.02, 0.0))
    return surface


def flagstone(canvas: Canvas, look: Look) -> Surface:
    """Broad split slabs laid at random, sand and weeds' soil between them."""
    axes = warped_axes(canvas, "shake", 5, 0.016, 5)
    cells = voronoi(canvas, "slabs", 5, 0.82, axes)
    rough, split = fbm(canvas, "rough", 20, 6, 0.55), fbm(canvas, "split", 4, 4, 0.42)
    tone, tilt, hue = (cells.random(canvas, name) for name in ("tone", "tilt", "hue"))
    edge = blur(canvas, cells.edge, 0.003) + rough * 0.006
    slab = smoothstep(edge, 0.012, 0.034)
    layers = (split + 0.04 * rough + 2.0 * tilt) * 3.0
    ledge = layers.floor() + smoothstep(layers - layers.floor(), 0.82, 1.0)
    height = slab * (0.022 + 0.004 * (tone - 0.5) + 0.0032 * (ledge / 5.0) + cells.u * 0.02 * (tilt - 0.5))
    height += 0.0011 * rough
    colour = ramp(
        canvas,
        look.stops("#55524c", "#77726a", "#8c8578", "#a39780", "#8f7c66"),
        0.5 * hue + 0.28 * tone + 0.12 + 0.16 * split + 0.09 * rough,
    )
    surface = Surface(canvas, colour, height, 0.76 + 0.1 * rough, porous=0.8)
    surface.tint(1.0 + 0.15 * grain(canvas, "fine", 340) + 0.06 * (smoothstep(layers - layers.floor(), 0.7, 1.0) - 0.5))
    pebble = specks(canvas, "grit", 90, 0.8, 0.5)
    soil = ramp(canvas, ("#3c3226", "#5a4b39", "#7d6d57"), 0.35 + 0.3 * rough + 0.45 * pebble)
    joint = 1.0 - slab
    surface.height += joint * pebble * 0.002
    surface.paint(joint, soil, 0.95)
    surface.tint(1.0 - 0.3 * smoothstep(edge, 0.07, 0.02) * slab)
    return surface


def stone_wall(canvas: Canvas, look: Look) -> Surface:
    """Courses of rough-hewn blocks of uneven size, lime mortar between."""
    axes = warped_axes(canvas, "shake", 8, 0.005, 4)
    cells = courses(canvas, "ashlar", 7, 4, shift=None, uneven_rows=0.75, uneven_columns=0.8, radius_m=0.02, axes=axes)
    rough, hewn = fbm(canvas, "rough", 22, 5, 0.6), fbm(canvas, "hewn", 7, 4, 0.5, "billow")
    tone, lift, hue, tilt = (cells.random(canvas, name) for name in ("tone", "lift", "hue", "tilt"))
    edge = cells.edge + 0.005 * rough
    block = smoothstep(edge, 0.009, 0.02)
    body = dome((edge - 0.008).clamp(min=0.0), 0.05)
    height = body * (0.026 + 0.012 * (lift - 0.5) + 0.03 * (cells.v - 0.5) * (tilt - 0.5))
    height += block * (0.012 * hewn + 0.0036 * rough) + (1.0 - block) * 0.0016 * rough
    colour = ramp(
        canvas,
        look.stops("#5b5348", "#7d7364", "#958a77", "#a99c84", "#8a7a66"),
        0.1 + 0.5 * tone + 0.3 * hue + 0.12 * hewn + 0.1 * rough,
    )
    surface = Surface(canvas, colour, height, 0.84 + 0.07 * rough, porous=0.9)
    surface.tint(1.0 + 0.18 * grain(canvas, "fine", 300) + 0.16 * hewn)
    pits = smoothstep(fbm(canvas, "pits", 44, 3, 0.6) + 0.3 * hewn, 0.42, 0.68) * block
    surface.height -= pits * 0.003
    surface.tint(1.0 - 0.4 * pits)
    lime = ramp(canvas, ("#7f776a", "#a0988a", "#b6ad9d"), 0.5 + 0.5 * rough)
    surface.paint(1.0 - block, lime, 0.95)
    surface.tint(1.0 - 0.3 * stains(canvas, "weather", 2, 0.4, 0.6))
    return surface


def paving(canvas: Canvas, look: Look) -> Surface:
    """Chamfered clinkers in herringbone, brushed sand in the joints."""
    cells = herringbone(canvas, 12, 0.006)
    rough, cloud, fine = fbm(canvas, "rough", 40, 5, 0.6), fbm(canvas, "cloud", 5, 4), grain(canvas, "fine", 320)
    tone, lift, tilt = (cells.random(canvas, name) for name in ("tone", "lift", "tilt"))
    edge = cells.edge + 0.0012 * rough
    block = smoothstep(edge, 0.0018, 0.0042)
    chamfer = smoothstep(edge, 0.001, 0.012)
    height = chamfer * 0.007 + block * (0.0022 * (lift - 0.5) + 0.004 * (cells.u - 0.5) * (tilt - 0.5))
    height += 0.0005 * rough + 0.00015 * fine
    colour = ramp(
        canvas,
        look.stops("#4a3a38", "#74524a", "#8c6254", "#7f7068", "#978578"),
        0.05 + 0.78 * tone + 0.16 * cloud + 0.1 * rough,
    )
    surface = Surface(canvas, colour, height, 0.8 + 0.1 * rough, porous=0.9)
    grit = specks(canvas, "grit", 110, 0.5, 0.5)
    surface.tint(1.0 + 0.2 * fine + 0.22 * grit * (cells.random(canvas, "g") - 0.3))
    surface.paint(1.0 - block, ramp(canvas, ("#6a5d48", "#94866b"), 0.5 + 0.5 * fine), 0.95)
    scuffed = smoothstep(fbm(canvas, "scuff", 6, 5, 0.6), 0.1, 0.6)
    surface.paint(0.22 * scuffed * block, "#a39a8e")
    fracture, _ = cracks(canvas, "fracture", 5, 0.003, 0.12)
    surface.height -= 0.003 * fracture * block
    surface.tint(mix(1.0, 0.4, fracture * block))
    return surface
