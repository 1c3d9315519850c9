"""Metals, bare, worked, painted and corroded. Base colours of bare metal are its reflectance."""

from __future__ import annotations

import math

import torch

from generators.procedural.canvas import Canvas
from generators.procedural.cells import voronoi, worley
from generators.procedural.details import cracks, scratches, specks
from generators.procedural.fields import blur, fbm, grain, smoothstep, warp, warped_axes
from generators.procedural.patterns import courses
from generators.procedural.surface import Look, Surface, ramp

RUST = ("#2e150c", "#57260f", "#7e3c16", "#a0561f", "#b97434")
"""Iron oxides from old and dark to fresh and orange, as sRGB codes."""


def brushed_metal(canvas: Canvas, look: Look) -> Surface:
    """Sheet brushed one way: fine streaks of many lengths, finger smears, a few deeper scratches."""
    long, short = fbm(canvas, "long", (150, 1), 3, 0.75), fbm(canvas, "short", (220, 8), 2, 0.8)
    band, cloud = fbm(canvas, "band", (14, 1), 3), fbm(canvas, "cloud", 3, 5)
    streak = 0.6 * long + 0.6 * short
    deep = scratches(canvas, "deep", 26, 0.12, 0.0005, 0.0)
    height = 0.000022 * streak - 0.00006 * deep
    colour = ramp(canvas, look.metal("#a9a9a8", "#c1c0be", "#d3d2d0"), 0.5 + 0.28 * streak + 0.18 * band)
    rough = 0.3 + 0.1 * streak + 0.05 * band + 0.1 * smoothstep(cloud, 0.0, 0.7)
    surface = Surface(canvas, colour, height, rough, canvas.full(1.0), porous=0.0)
    surface.tint(1.0 - 0.07 * smoothstep(cloud, 0.1, 0.7) - 0.2 * deep)
    return surface


def diamond_plate(canvas: Canvas, look: Look) -> Surface:
    """Rolled tread plate: raised lens-shaped lugs turned by quarters, scuffed on top, grime between."""
    count = canvas.count(12, 2)
    y, x = canvas.axes()
    v, u = y * count, x * count
    row, column = v.floor(), u.floor()
    turn = torch.remainder(row + column, 2.0) * 2.0 - 1.0
    dy, dx = v - row - 0.5, u - column - 0.5
    along, across = (dx + turn * dy) * 0.7071, (dy - turn * dx) * 0.7071
    far = torch.sqrt((across.abs() + 0.72).square() + along.square())
    lens = smoothstep(far, 0.885, 0.80)
    rough, cloud, fine = fbm(canvas, "rough", 24, 5, 0.6), fbm(canvas, "cloud", 4, 5), grain(canvas, "fine", 320)
    height = 0.0022 * lens + 0.00012 * rough + 0.00005 * fine
    marks = scratches(canvas, "marks", 260, 0.12, 0.0007)
    height -= 0.00008 * marks
    colour = ramp(canvas, look.metal("#7d7d7c", "#979695", "#aeadab"), 0.4 + 0.25 * cloud + 0.1 * rough + 0.3 * lens)
    surface = Surface(
        canvas, colour, height, 0.4 + 0.1 * rough + 0.1 * cloud - 0.14 * lens, canvas.full(1.0), porous=0.0
    )
    grime = smoothstep(blur(canvas, lens, 0.008) - lens + 0.25 * cloud + 0.15 * rough, 0.05, 0.4)
    surface.paint(grime * 0.75, ramp(canvas, ("#2a2622", "#4a4138"), 0.5 + rough), 0.75, 0.0)
    surface.tint(1.0 + 0.15 * marks)
    surface.roughness = surface.roughness + 0.12 * marks
    spots = smoothstep(fbm(canvas, "rust", 8, 6, 0.62), 0.48, 0.66) * (1.0 - 0.8 * lens)
    surface.paint(spots * 0.85, ramp(canvas, RUST, 0.55 + 0.5 * rough), 0.9, 0.0)
    return surface


def rust(canvas: Canvas, look: Look) -> Surface:
    """Iron eaten through: flaking scale in layers, pits, fresh orange bloom, dark bare remains."""
    cloud, rough, fine = fbm(canvas, "cloud", 3, 6, 0.58), fbm(canvas, "rough", 22, 6, 0.62), grain(canvas, "fine", 340)
    flakes = fbm(canvas, "flakes", 6, 6, 0.58)
    layers = flakes * 4.0
    tread = layers - layers.floor()
    ledge = layers.floor() + smoothstep(tread, 0.0, 0.12)
    scaly = smoothstep(fbm(canvas, "where", 3, 4), -0.1, 0.35)
    pits = specks(canvas, "pits", 60, 0.5, 0.5)
    blister = specks(canvas, "blister", 24, 0.3, 0.55)
    height = 0.0015 * scaly * ledge + 0.001 * rough + 0.0012 * blister * (1.0 - scaly) - 0.0012 * pits + 0.0002 * fine
    shade = 0.46 + 0.32 * cloud + 0.18 * rough + 0.14 * scaly * (tread - 0.5) - 0.14 * pits
    colour = ramp(canvas, look.stops(*RUST), shade)
    surface = Surface(canvas, colour, height, 0.88 + 0.07 * rough, canvas.full(0.0), porous=0.9)
    surface.tint((1.0 + 0.22 * fine) * (1.0 - 0.4 * smoothstep(tread, 0.12, 0.0) * scaly))
    bloom = smoothstep(fbm(canvas, "bloom", 5, 6, 0.62), 0.22, 0.55)
    surface.paint(bloom * 0.6, ramp(canvas, ("#9a4d18", "#c4752e", "#cf8f4a"), 0.5 + rough))
    bare = smoothstep(fbm(canvas, "bare", 4, 6, 0.6), 0.36, 0.52) * (1.0 - bloom)
    surface.paint(bare * 0.8, ramp(canvas, ("#5f5550", "#857a73"), 0.5 + rough), 0.55, 1.0)
    return surface


def copper_patina(canvas: Canvas, look: Look) -> Surface:
    """Weathered copper sheet: verdigris in runs and blooms, brown oxide, bright metal along rubbed seams."""
    cells = courses(canvas, "sheets", 2, 2, radius_m=0.0)
    cloud, rough, fine = fbm(canvas, "cloud", 3, 6, 0.58), fbm(canvas, "rough", 26, 5, 0.62), grain(canvas, "fine", 320)
    runs = fbm(canvas, "runs", (1.5, 34), 5, 0.66)
    tone = cells.random(canvas, "tone")
    seam = smoothstep(cells.edge, 0.011, 0.006)
    lip = smoothstep(cells.edge, 0.004, 0.0025)
    height = 0.004 * seam - 0.003 * lip + 0.0016 * cloud + 0.0003 * rough + 0.00008 * fine
    colour = ramp(
        canvas, look.metal("#6d4130", "#9b5e41", "#bd7854", "#d99b76"), 0.46 + 0.24 * cloud + 0.1 * rough + 0.3 * seam
    )
    surface = Surface(canvas, colour, height, 0.42 + 0.1 * rough, canvas.full(1.0), porous=0.4)
    brown = smoothstep(cloud + 0.4 * rough, -0.5, 0.3) * (1.0 - 0.5 * seam)
    surface.paint(brown * 0.45, ramp(canvas, ("#4a2d21", "#754a36"), 0.5 + rough), 0.6)
    green = smoothstep(0.75 * runs + 0.65 * cloud + 0.45 * (tone - 0.35) + 0.25 * rough - 0.5 * seam, -0.28, 0.25)
    verdigris = ramp(
        canvas, ("#2f6b5c", "#4c8f7c", "#74b09b", "#9cc9b4"), 0.45 + 0.32 * runs + 0.25 * rough + 0.1 * fine
    )
    surface.paint(green * 0.94, verdigris, 0.9, 0.0, 0.0003)
    surface.tint(1.0 - 0.5 * lip)
    return surface


def gold(canvas: Canvas, look: Look) -> Surface:
    """Gold leaf laid in squares: overlaps, fine wrinkles, small tears that show the red bole."""
    cells = courses(
        canvas,
        "leaves",
        4,
        4,
        shift=0.0,
        uneven_rows=0.2,
        uneven_columns=0.25,
        axes=warped_axes(canvas, "shake", 9, 0.003, 3),
    )
    down, across = fbm(canvas, "down", 6, 3), fbm(canvas, "across", 6, 3)
    wrinkle = warp(canvas, fbm(canvas, "wrinkle", 10, 5, 0.6, "ridged"), 0.03 * down, 0.03 * across)
    cloud, fine = fbm(canvas, "cloud", 3, 5), grain(canvas, "fine", 320)
    tone = cells.random(canvas, "tone")
    lap = smoothstep(cells.edge + 0.0012 * wrinkle, 0.004, 0.0032)
    height = 0.00038 * wrinkle + 0.00022 * lap + 0.0006 * cloud + 0.00002 * fine
    colour = ramp(
        canvas,
        look.metal("#b98430", "#dba84a", "#efc468", "#fbd98b"),
        0.55 + 0.3 * (tone - 0.5) + 0.2 * cloud + 0.12 * wrinkle,
    )
    surface = Surface(canvas, colour, height, 0.2 + 0.06 * cloud + 0.05 * wrinkle.abs(), canvas.full(1.0), porous=0.0)
    tear, _ = cracks(canvas, "tear", 7, 0.002, 0.18, 0.03)
    holes = torch.maximum(tear, smoothstep(fbm(canvas, "holes", 22, 5, 0.6), 0.6, 0.65))
    surface.paint(holes * 0.9, ramp(canvas, ("#5a1e14", "#83321f"), 0.5 + fine), 0.75, 0.0, -0.00012)
    return surface


def painted_metal(canvas: Canvas, look: Look) -> Surface:
    """Riveted plates under thick enamel, chipped at edges and rivets, rust creeping from the chips."""
    cells = courses(canvas, "plates", 2, 2, shift=0.5)
    rough, cloud, fine = fbm(canvas, "rough", 26, 5, 0.62), fbm(canvas, "cloud", 3, 5), grain(canvas, "fine", 320)
    half_down = 0.5 * canvas.span_m / canvas.count(2, 2)
    half_across = 0.5 * canvas.span_m / canvas.count(2)
    seam = smoothstep(cells.edge, 0.0045, 0.002)
    from_edge = torch.minimum(
        half_down - ((cells.v - 0.5).abs() * 2.0 * half_down), half_across - (cells.u - 0.5).abs() * 2.0 * half_across
    )
    pitch = half_down / 4.0
    along_v = torch.remainder((cells.v - 0.5) * 2.0 * half_down, pitch) - 0.5 * pitch
    along_u = torch.remainder((cells.u - 0.5) * 2.0 * half_across, pitch) - 0.5 * pitch
    beside = from_edge - 0.022
    nearer_row = (half_down - (cells.v - 0.5).abs() * 2.0 * half_down) < (
        half_across - (cells.u - 0.5).abs() * 2.0 * half_across
    )
    rivet = torch.sqrt(beside.square() + torch.where(nearer_row, along_u, along_v).square())
    head = (1.0 - (rivet / 0.0075).square()).clamp(min=0.0).sqrt()
    height = -0.003 * seam + 0.003 * head + 0.0014 * cloud + 0.00006 * fine
    orange_peel = fbm(canvas, "peel", 110, 2)
    height += 0.00005 * orange_peel
    colour = ramp(canvas, look.dyed("#24506a", "#2e6280", "#3a7394"), 0.5 + 0.3 * cloud + 0.12 * rough)
    surface = Surface(canvas, colour, height, 0.3 + 0.06 * cloud + 0.04 * rough, canvas.full(0.0), porous=0.1)
    surface.tint(1.0 - 0.16 * smoothstep(fbm(canvas, "runs", (1.5, 40), 4, 0.6), 0.2, 0.7))
    damage = (
        fbm(canvas, "damage", 6, 6, 0.62)
        + 0.6 * smoothstep(cells.edge, 0.022, 0.0)
        + 0.35 * smoothstep(rivet, 0.015, 0.006)
    )
    chip = smoothstep(damage, 0.66, 0.70)
    surface.paint(smoothstep(damage, 0.56, 0.68) * 0.5, "#8a5a3a", 0.7)
    surface.paint(chip, ramp(canvas, RUST, 0.45 + 0.6 * rough), 0.88, 0.0, -0.00035)
    steel = smoothstep(damage + 0.3 * rough, 0.95, 1.05)
    surface.paint(steel, "#a3a19d", 0.4, 1.0)
    drip = smoothstep(fbm(canvas, "drips", (2, 48), 4, 0.6) + 0.5 * blur(canvas, chip, 0.03), 0.42, 0.75)
    surface.paint(drip * 0.4 * (1.0 - chip), "#7a4522", 0.75)
    return surface


def hammered_metal(canvas: Canvas, look: Look) -> Surface:
    """Sheet beaten by hand: overlapping shallow dents, soft ridges between, dark polish in the hollows."""
    axes = warped_axes(canvas, "shake", 10, 0.006, 2)
    points = worley(canvas, "dents", 11, 0.8, axes)
    second = worley(canvas, "second", 21, 0.95)
    cloud, fine, rough = fbm(canvas, "cloud", 4, 5), grain(canvas, "fine", 320), fbm(canvas, "rough", 40, 3)
    depth = points.random(canvas, "depth")
    bowl = blur(canvas, (points.nearest.square() * (0.75 + 0.5 * depth)).clamp(max=0.7), 0.0028)
    small = blur(canvas, second.nearest.square().clamp(max=0.6) * (second.random(canvas, "hit") > 0.5), 0.003)
    height = 0.0030 * bowl + 0.00025 * small + 0.0004 * cloud + 0.000006 * rough + 0.000004 * fine
    crest = smoothstep(bowl, 0.25, 0.6)
    colour = ramp(
        canvas, look.metal("#9c6f50", "#c48f6a", "#e3b38f"), 0.5 + 0.18 * cloud + 0.4 * crest + 0.14 * (depth - 0.5)
    )
    surface = Surface(
        canvas, colour, height, 0.18 + 0.05 * cloud - 0.05 * crest + 0.02 * rough, canvas.full(1.0), porous=0.0
    )
    tarnish = smoothstep(0.35 - bowl + 0.5 * cloud + 0.2 * rough, 0.1, 0.8)
    surface.tint(1.0 - 0.4 * tarnish)
    surface.roughness = surface.roughness + 0.12 * tarnish
    return surface


def corrugated_metal(canvas: Canvas, look: Look) -> Surface:
    """Galvanised corrugated sheet: zinc spangle on round ridges, lapped joints, roofing screws, rust at the laps."""
    y, x = canvas.axes()
    count = canvas.count(14)
    wave = torch.cos(x * (count * math.tau)) + 0.0 * y
    sheets = canvas.count(1)
    lap_place = torch.remainder(y * sheets, 1.0)
    axes = warped_axes(canvas, "shake", 40, 0.004, 2)
    spangle = voronoi(canvas, "spangle", 34, 0.95, axes)
    tone = spangle.random(canvas, "tone")
    cloud, rough, _fine = fbm(canvas, "cloud", 3, 5), fbm(canvas, "rough", 26, 5, 0.62), grain(canvas, "fine", 320)
    step = smoothstep(lap_place + 0.0 * wave, 0.5, 0.503)
    height = 0.009 * wave + 0.002 * (step - lap_place * 1.0) + 0.0004 * cloud
    colour = ramp(canvas, look.metal("#969b9c", "#a9aeaf", "#b9bdbd"), 0.35 + 0.3 * tone + 0.3 * cloud)
    surface = Surface(canvas, colour, height, 0.42 + 0.07 * tone + 0.06 * cloud, canvas.full(1.0), porous=0.0)
    along = (lap_place - 0.54) * (canvas.span_m / sheets)
    across = (torch.remainder(x * count * 0.5 + 0.5, 1.0) - 0.5) * (canvas.span_m / count * 2.0)
    screw = torch.sqrt(along.square() + across.square())
    surface.height = surface.height + 0.003 * smoothstep(screw, 0.0075, 0.006)
    surface.paint(smoothstep(screw, 0.0115, 0.0105) * smoothstep(screw, 0.0066, 0.0072), "#2b2a29", 0.8, 0.0)
    run = fbm(canvas, "runs", (1.4, 44), 5, 0.66)
    below = smoothstep(lap_place + 0.0 * run, 0.5, 0.52) * smoothstep(lap_place + 0.0 * run, 0.95, 0.5)
    rusty = smoothstep(0.8 * run + 0.5 * cloud + 1.0 * below - 0.2 * wave + 0.3 * rough, 0.62, 1.05)
    surface.paint(rusty * 0.9, ramp(canvas, RUST, 0.45 + 0.4 * rough + 0.2 * run), 0.88, 0.0, 0.0001)
    surface.tint(1.0 - 0.45 * smoothstep((lap_place - 0.5).abs() + 0.0 * wave, 0.006, 0.001))
    surface.tint(1.0 - 0.18 * smoothstep(wave, -0.5, -1.0))
    return surface
