"""Water in its states, and molten rock: snow, ice, sea, lava."""

from __future__ import annotations

import math

import torch

from generators.procedural.canvas import Canvas
from generators.procedural.cells import voronoi, worley
from generators.procedural.details import cracks, specks
from generators.procedural.fields import blur, curl, fbm, grain, smoothstep, spectral, warp, warped_axes
from generators.procedural.surface import Look, Surface, ramp


def snow(canvas: Canvas, look: Look) -> Surface:
    """Wind-packed snow: soft drifts, small sastrugi, glinting crystals."""
    drift, ripple = fbm(canvas, "drift", (2, 1.4), 3, 0.4), fbm(canvas, "ripple", (15, 6), 4, 0.5, "billow")
    bend = fbm(canvas, "bend", 3, 2)
    ripple = warp(canvas, ripple, 0.03 * bend, 0.03 * bend)
    lumps, fine = fbm(canvas, "lumps", 44, 4, 0.62), grain(canvas, "fine", 360)
    calm = smoothstep(fbm(canvas, "calm", 2.4, 2), -0.5, 0.4)
    height = 0.05 * drift + 0.0075 * ripple * calm + 0.0022 * lumps + 0.0005 * fine
    crystals = specks(canvas, "crystals", 190, 0.3, 0.4)
    colour = ramp(
        canvas,
        look.stops("#bccbdc", "#d4dee9", "#e4eaf0", "#eff1f2"),
        0.62 + 0.2 * drift + 0.12 * ripple + 0.12 * lumps,
    )
    return Surface(canvas, colour, height, 0.7 + 0.08 * fine - 0.4 * crystals * (crystals > 0.6), porous=0.3, ior=1.31)


def ice(canvas: Canvas, look: Look) -> Surface:
    """Lake ice: deep blue-green, white fractures at several depths, trapped bubbles, wind-blown rime."""
    deep, cloud = fbm(canvas, "deep", 2.4, 5), fbm(canvas, "cloud", 4, 6, 0.55)
    colour = ramp(canvas, look.stops("#0f3346", "#1d5068", "#3f7a90", "#7aa9b8"), 0.34 + 0.42 * deep + 0.1 * cloud)
    surface = Surface(canvas, colour, 0.0006 * cloud, 0.09 + 0.05 * cloud, porous=0.05, ior=1.31)
    for name, frequency, width, share, strength in (
        ("broad", 3, 0.012, 0.75, 0.75),
        ("middle", 7, 0.006, 0.5, 0.5),
        ("hair", 15, 0.003, 0.4, 0.4),
    ):
        line, far = cracks(canvas, name, frequency, width, share, 0.028)
        halo = smoothstep(far, 0.10 * 3 / frequency, 0.0) * smoothstep(
            line + fbm(canvas, f"{name}/halo", 9, 5, 0.6), 0.0, 1.0
        )
        surface.paint(0.3 * strength * halo, "#a9cdd6")
        surface.paint(strength * line, "#e2eff0", 0.3)
        surface.height -= 0.0012 * line * strength
    for layer, frequency in enumerate((24, 46)):
        bubbles = specks(canvas, f"bubbles{layer}", frequency, 0.35, 0.42) * smoothstep(
            fbm(canvas, f"where{layer}", 3, 3), -0.1, 0.35
        )
        surface.paint(bubbles * 0.55, "#cfe3e6")
    rime = smoothstep(fbm(canvas, "rime", (3, 5), 6, 0.66), 0.1, 1.0) * smoothstep(
        fbm(canvas, "blown", (30, 60), 4, 0.7), -0.4, 0.5
    )
    surface.paint(rime * 0.85, "#e4ebee", 0.65, rise_m=0.0007)
    return surface


def water(canvas: Canvas, look: Look) -> Surface:
    """Open water under a light breeze: crossing wavelets with sharp crests over a clear blue-green depth."""
    down, across = curl(canvas, "flow", 2, 2)
    long = fbm(canvas, "long", (5, 3), 3, 0.5, "ridged")
    short = warp(canvas, fbm(canvas, "short", (12, 8), 4, 0.5, "ridged"), 0.02 * down, 0.02 * across)
    chop = spectral(canvas, "chop", 12, 90, 1.7)
    height = 0.06 * long + 0.022 * short + 0.006 * chop
    depth = fbm(canvas, "depth", 2, 4)
    axes = warped_axes(canvas, "bend", 6, 0.03, 2)
    light = worley(canvas, "light", 9, 0.95, axes)
    net = smoothstep(light.second - light.nearest, 0.22, 0.0)
    colour = ramp(
        canvas,
        look.stops("#1c3d4c", "#1e4d5c", "#256a77", "#428c92"),
        0.36 + 0.3 * depth + 0.1 * long + 0.22 * net * (0.6 + depth),
    )
    surface = Surface(canvas, colour, height, canvas.full(0.05), porous=0.0, ior=1.333)
    foam = smoothstep(long + 0.45 * short, 1.2, 1.7) * smoothstep(fbm(canvas, "foam", 60, 4, 0.7), -0.05, 0.4)
    surface.paint(foam * 0.4, "#dfe8e8", 0.6)
    return surface


def lava(canvas: Canvas, look: Look) -> Surface:
    """Black crust broken into plates over glowing melt; ropes and pores in the crust, light in the seams."""
    axes = warped_axes(canvas, "shake", 4, 0.05, 5)
    plates = voronoi(canvas, "plates", 5, 0.95, axes)
    small = voronoi(canvas, "small", 13, 0.95, axes)
    rough, ropes = fbm(canvas, "rough", 20, 6, 0.6), fbm(canvas, "ropes", (4, 3), 3)
    heat = fbm(canvas, "heat", 2, 3)
    rope = torch.sin((ropes * 6.0 + rough * 0.25) * math.tau) * 0.5 + 0.5
    width = 0.03 + 0.035 * smoothstep(heat, -0.3, 0.6)
    edge = plates.edge + 0.02 * rough
    open_seam = smoothstep(edge / width, 1.0, 0.0)
    fine_seam = smoothstep(small.edge + 0.008 * rough, 0.013, 0.0) * smoothstep(
        heat + 0.3 * small.random(canvas, "hot"), 0.05, 0.45
    )
    glow = torch.maximum(open_seam, 0.8 * fine_seam)
    crust = 1.0 - glow
    height = crust * (0.09 + 0.02 * rope + 0.02 * plates.random(canvas, "lift")) + 0.022 * rough * crust
    height += 0.004 * fbm(canvas, "pores", 60, 4, 0.6) * crust
    colour = ramp(canvas, look.stops("#141210", "#231e1b", "#35302c", "#4a443f"), 0.4 + 0.26 * rough + 0.2 * rope)
    surface = Surface(canvas, colour, height, 0.82 + 0.1 * rough - 0.2 * rope * crust, porous=0.6)
    surface.paint(smoothstep(glow, 0.15, 0.6), ramp(canvas, ("#2a0a04", "#7a1c06", "#c2420c", "#e88a1e"), glow), 0.6)
    flame = (glow * (0.8 + 0.25 * rough)).clamp(0.0, 1.0)
    embers = ramp(canvas, ("#000000", "#3a0500", "#b02004", "#f26410", "#ffc648", "#fff0b0"), flame)
    surface.emission = embers * smoothstep(flame, 0.05, 0.5)
    aura = blur(canvas, glow, 0.012)
    surface.emission = surface.emission + torch.stack((0.10 * aura * crust, 0.016 * aura * crust, 0.002 * aura * crust))
    return surface
