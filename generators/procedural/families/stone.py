"""Natural stone, sawn, split and weathered."""

from __future__ import annotations

import torch

from generators.procedural.canvas import Canvas
from generators.procedural.cells import voronoi
from generators.procedural.details import cracks, specks, stains
from generators.procedural.fields import blur, curl, fbm, grain, mix, smoothstep, warp, warped_axes
from generators.procedural.surface import Look, Surface, ramp


def terrazzo(canvas: Canvas, look: Look) -> Surface:
    """Chips of coloured stone in pale cement, ground flat and sealed."""
    fine, cloud = grain(canvas, "fine", 320), fbm(canvas, "cloud", 4, 4)
    base = ramp(canvas, look.stops("#c9c1b4", "#d6cfc3", "#ded9cf"), 0.5 + 0.35 * cloud + 0.35 * fine)
    surface = Surface(canvas, base, canvas.full(0.0), 0.26 + 0.05 * cloud, porous=0.2)
    for size, (frequency, share, width) in enumerate(((44, 0.42, 0.0011), (19, 0.5, 0.003), (10, 0.34, 0.006))):
        axes = warped_axes(canvas, f"cut{size}", frequency * 1.6, 0.14 / frequency, 3)
        cells = voronoi(canvas, f"chips{size}", frequency, 0.95, axes)
        pick = cells.random(canvas, f"pick{size}")
        chip = smoothstep(cells.edge, width, width + 0.0009) * (pick < share)
        tone = cells.random(canvas, f"tone{size}")
        tints = ramp(canvas, ("#3b3a3c", "#8d8880", "#b5643f", "#c98d76", "#5f7668", "#e4e0d6", "#a57f52"), tone)
        surface.paint(chip * 0.95, tints, 0.16)
        surface.height += chip * 0.00003
    surface.tint(1.0 + 0.05 * fine)
    return surface


def marble(canvas: Canvas, look: Look) -> Surface:
    """White polished marble: long diagonal veins that wander, branch and fade over cloudy grey ground."""
    y, x = canvas.axes()
    wander, ragged = fbm(canvas, "wander", 2, 6, 0.5), fbm(canvas, "ragged", 9, 5, 0.55)
    cloud = warp(canvas, fbm(canvas, "cloud", 2.4, 6, 0.55), 0.08 * wander, 0.12 * wander)
    veins = canvas.full(0.0)
    for name, down, across, bend, width, strength in (
        ("broad", 1, 1, 0.5, 0.042, 0.95),
        ("middle", 2, 1, 0.6, 0.032, 0.7),
        ("cross", 1, -2, 0.7, 0.026, 0.5),
        ("fine", 3, 2, 0.8, 0.03, 0.42),
        ("hair", 4, 5, 1.1, 0.03, 0.26),
    ):
        own = fbm(canvas, name, 2.4, 5, 0.52)
        place = (
            y * canvas.count(down)
            + x * (canvas.count(abs(across)) * (1 if across > 0 else -1))
            + bend * own
            + 0.05 * ragged
        )
        far = (torch.remainder(place, 1.0) - 0.5).abs()
        gate = smoothstep(fbm(canvas, f"{name}/gate", 2.4, 4), -0.2, 0.45)
        thick = width * (0.25 + 1.1 * gate)
        line = smoothstep(far, thick, 0.0)
        halo = smoothstep(far + 0.03 * ragged, thick * 6.0, 0.0).square()
        veins = torch.maximum(veins, strength * gate * (0.62 * line + 0.38 * halo))
    shade = 0.12 + 0.5 * smoothstep(cloud, -0.5, 0.9) + 0.03 * grain(canvas, "fine", 300)
    ground = look.stops("#ebe9e5", "#dedcd8", "#bdbcba")
    dark = sum(ground[0]) < 0.6
    colour = ramp(canvas, ground, shade)
    vein_colour = ramp(canvas, ("#8d8a86", "#c9c5bd", "#e6e2da") if dark else ("#a3a3a4", "#7b7d81", "#55585e"), veins)
    surface = Surface(canvas, colour, -0.00006 * veins + 0.00002 * cloud, 0.1 + 0.05 * veins + 0.02 * cloud, porous=0.1)
    surface.paint((veins * 1.25).clamp(max=0.95), vein_colour)
    surface.paint(smoothstep(wander, 0.1, 0.6) * smoothstep(veins, 0.02, 0.4) * 0.5, "#b09468")
    return surface


def granite(canvas: Canvas, look: Look) -> Surface:
    """Interlocking crystals of feldspar, quartz and mica, polished."""
    axes = warped_axes(canvas, "shake", 60, 0.003, 2)
    coarse, small = voronoi(canvas, "coarse", 42, 0.95, axes), voronoi(canvas, "small", 92, 0.95, axes)
    cloud, fine = fbm(canvas, "cloud", 5, 4), grain(canvas, "fine", 340)
    kind, tone, second = (coarse.random(canvas, "kind"), coarse.random(canvas, "tone"), small.random(canvas, "kind"))
    colour = ramp(canvas, look.stops("#8d7468", "#b3958a", "#c4aea4", "#cfc4bb"), 0.15 + 0.7 * tone + 0.25 * cloud)
    surface = Surface(canvas, colour, canvas.full(0.0), 0.14 + 0.05 * tone, porous=0.15)
    surface.paint((kind > 0.62).float() * 0.9, ramp(canvas, ("#83827f", "#a6a4a0"), tone), 0.1)
    surface.paint(
        (second + 0.35 * cloud > 0.72).float() * 0.95,
        ramp(canvas, ("#17181a", "#2c2d30", "#42413f"), small.random(canvas, "tone")),
        0.2,
    )
    surface.paint((second < 0.1).float(), "#ddd8d0", 0.1)
    surface.tint((1.0 + 0.14 * fine) * (0.82 + 0.18 * smoothstep(coarse.edge, 0.0, 0.0012)))
    surface.height = 0.00004 * (tone - 0.5) + 0.00002 * fine
    return surface


def sandstone(canvas: Canvas, look: Look) -> Surface:
    """Wind-cut layers of ochre and red sand, harder beds standing out."""
    y, _ = canvas.axes()
    bend = 0.05 * fbm(canvas, "bend", (2, 1.4), 4) + 0.006 * fbm(canvas, "ragged", 12, 5, 0.6)
    place = y * canvas.density + bend
    beds = fbm_of_height(canvas, "beds", place, (7, 17, 41))
    thin = fbm_of_height(canvas, "thin", place, (60, 110, 200))
    rough, fine = fbm(canvas, "rough", 16, 6, 0.55), grain(canvas, "fine", 340)
    hard = smoothstep(beds + 0.25 * rough, -0.25, 0.3)
    pocket = smoothstep(fbm(canvas, "pocket", (14, 7), 4, 0.5, "billow"), 0.05, -0.7) * smoothstep(
        fbm(canvas, "where", 2, 3), 0.0, 0.4
    )
    height = 0.02 * hard + 0.007 * beds + 0.0026 * thin + 0.005 * rough - 0.012 * pocket + 0.0002 * fine
    colour = ramp(
        canvas,
        look.stops("#7c4930", "#a4683f", "#bb8656", "#cfa678", "#dcc19a"),
        0.48 + 0.42 * beds + 0.16 * thin + 0.1 * rough,
    )
    surface = Surface(canvas, colour, height, 0.88 + 0.05 * rough, porous=1.0)
    surface.tint((1.0 + 0.13 * fine) * (1.0 - 0.35 * pocket))
    surface.tint(1.0 - 0.2 * stains(canvas, "varnish", 2, 0.3, 0.5))
    fracture, _ = cracks(canvas, "fracture", 3, 0.008, 0.3)
    surface.height -= 0.012 * fracture
    surface.tint(mix(1.0, 0.5, fracture))
    return surface


def fbm_of_height(canvas: Canvas, name: str, place: torch.Tensor, counts: tuple[int, ...]) -> torch.Tensor:
    """Give layers: a sum of smooth random functions of one coordinate, wrapped; about -1..1."""
    total = torch.zeros_like(place)
    for octave, natural in enumerate(counts):
        count = canvas.count(natural)
        values = canvas.draw(f"{name}/{count}", count) * 2.0 - 1.0
        scaled = place / canvas.density * count
        low = scaled.floor()
        part = scaled - low
        part = part * part * (3.0 - 2.0 * part)
        index = torch.remainder(low, count).long()
        total += torch.lerp(values[index], values[(index + 1) % count], part) * (0.7**octave)
    return total / sum(0.7**octave for octave in range(len(counts)))


def limestone(canvas: Canvas, look: Look) -> Surface:
    """Cream travertine, sawn across the beds: soft bands and rows of small holes."""
    y, _ = canvas.axes()
    place = y * canvas.density + 0.012 * fbm(canvas, "bend", (3, 1.5), 4) + 0.003 * fbm(canvas, "ragged", (40, 12), 3)
    beds, thin = fbm_of_height(canvas, "beds", place, (9, 23, 52)), fbm_of_height(canvas, "thin", place, (90, 170))
    fine, cloud = grain(canvas, "fine", 320), fbm(canvas, "cloud", 3, 5)
    hollow = fbm(canvas, "hollow", (64, 30), 3, 0.6) + 0.22 * fbm(canvas, "where", (6, 3), 3)
    holes = smoothstep(hollow + 0.55 * beds, 0.6, 0.86)
    height = -0.005 * holes + 0.0003 * thin + 0.0002 * fine
    colour = ramp(
        canvas,
        look.stops("#a3937e", "#bdad95", "#cfc3ae", "#ded5c3", "#d6ccba"),
        0.5 + 0.5 * beds + 0.34 * thin + 0.3 * cloud,
    )
    surface = Surface(canvas, colour, height, 0.42 + 0.06 * cloud, porous=0.6)
    surface.tint(1.0 + 0.05 * fine)
    surface.paint(holes * 0.7, ramp(canvas, ("#7d684a", "#a58e68"), 0.5 + fine), 0.95)
    surface.tint(1.0 - 0.14 * smoothstep(hollow + 0.55 * beds, 0.35, 0.66))
    return surface


def slate(canvas: Canvas, look: Look) -> Surface:
    """Riven slate: a few thin sheets broken off along ragged steps that run out, fine cleavage, rust bloom."""
    down, across = curl(canvas, "bend", 3)
    ragged = 0.05 * fbm(canvas, "ragged", (22, 34), 5, 0.6)
    sheets = warp(canvas, fbm(canvas, "sheets", (2.6, 1.3), 3, 0.42), 0.03 * down, 0.05 * across) + ragged
    held = smoothstep(fbm(canvas, "held", (3, 2), 3), -0.15, 0.35)  # where a sheet ends in a break, not in a slope
    height = canvas.full(0.0)
    crest, foot = canvas.full(0.0), canvas.full(0.0)
    for place, level in enumerate((-0.42, -0.02, 0.36)):
        gap = sheets - level - 0.06 * fbm(canvas, f"chip{place}", 9, 4, 0.6)
        height += 0.0042 * torch.lerp(smoothstep(gap, -0.32, 0.32), smoothstep(gap, -0.012, 0.012), held)
        crest = torch.maximum(crest, held * smoothstep(gap, 0.05, 0.008) * smoothstep(gap, -0.004, 0.008))
        foot = torch.maximum(foot, held * smoothstep(gap, -0.05, -0.008) * smoothstep(gap, 0.004, -0.008))
    cleave = fbm(canvas, "cleave", (34, 7), 5, 0.6, "ridged")
    rough, fine = fbm(canvas, "rough", (26, 16), 5, 0.58), grain(canvas, "fine", 340)
    cloud = fbm(canvas, "cloud", (3, 2), 4)
    height += 0.0009 * cleave + 0.0011 * rough + 0.0001 * fine
    tone = 0.4 + 0.3 * sheets + 0.16 * cloud + 0.14 * rough + 0.1 * cleave
    colour = ramp(canvas, look.stops("#2f353b", "#414950", "#525b61", "#68706f"), tone)
    surface = Surface(canvas, colour, height, 0.6 + 0.08 * rough - 0.06 * cleave, porous=0.5)
    surface.tint((1.0 + 0.1 * fine) * (1.0 - 0.3 * foot) * (1.0 + 0.3 * crest))
    bloom = stains(canvas, "bloom", 3, 0.16, 0.3) * smoothstep(rough + 0.5 * foot, -0.2, 0.6)
    surface.paint(bloom * 0.5, ramp(canvas, ("#5d4630", "#8a6238"), 0.5 + rough), 0.8)
    return surface


def rock(canvas: Canvas, look: Look) -> Surface:
    """A broken cliff face: planes, joints and rubble edges, bleached on the crests."""
    axes = warped_axes(canvas, "shake", 4, 0.035, 5)
    planes = canvas.full(0.0)
    for name, frequency, weight in (("large", 3, 0.2), ("middle", 6, 0.11), ("small", 14, 0.05)):
        cells = voronoi(canvas, name, frequency, 0.95, axes)
        lean, turn, lift = (cells.random(canvas, f"{name}/{part}") - 0.5 for part in ("lean", "turn", "lift"))
        planes += blur(canvas, lift * weight + (cells.u * lean + cells.v * turn) * 0.9, 0.0028)
    ridged, rough = fbm(canvas, "ridged", 3, 6, 0.5, "ridged"), fbm(canvas, "rough", 14, 6, 0.58)
    height = 1.2 * planes + 0.07 * ridged + 0.03 * rough
    cloud, fine = fbm(canvas, "cloud", 2, 4), grain(canvas, "fine", 340)
    surface = Surface(canvas, canvas.full(0.0)[None].expand(3, -1, -1), height, 0.86 + 0.08 * rough, porous=0.8)
    hollow = surface.cavity(0.02)
    surface.colour = ramp(
        canvas,
        look.stops("#3f3b36", "#5d574f", "#777066", "#8f887c", "#a69e90"),
        0.5 + 0.22 * cloud + 0.14 * rough - 0.28 * hollow,
    )
    surface.tint(1.0 + 0.18 * fine + 0.12 * specks(canvas, "mica", 110, 0.3, 0.4))
    surface.paint(stains(canvas, "iron", 3, 0.25, 0.3) * 0.45, "#7a5a3c")
    return surface
