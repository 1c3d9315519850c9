"""What happens to a surface after it was made: weather, use, dirt, growth, paint. Each works over any family.

Every modifier takes the surface and an amount (0..1, or -1..1 for the tonal ones) and changes it in place; at 0
it is not called. `APPLY` lists them in the order in which the world does them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from generators.procedural.cells import voronoi
from generators.procedural.details import cracks, fibres, scratches, stains
from generators.procedural.families.growth import leaf_shape, leaf_veins
from generators.procedural.families.metal import RUST
from generators.procedural.fields import blur, fbm, grain, mix, smoothstep
from generators.procedural.palette import Rgb
from generators.procedural.scatter import stamps, strew
from generators.procedural.surface import Surface, edges_worn, quantiles, ramp

PAINT = (0.62, 0.58, 0.50)
"""Paint's colour where none was named: an old off-white, linear."""


def relief_m(surface: Surface) -> float:
    """Give the height between the lowest and highest twentieth, at least a thousandth of the canvas, in metres."""
    low, high = quantiles(surface.height, 0.05, 0.95)
    return max(high - low, 0.001 * surface.canvas.span_m / surface.canvas.density)


def wear(surface: Surface, amount: float) -> None:
    """Rub edges bare and pale, fade the colour, knock corners off."""
    canvas = surface.canvas
    noise = fbm(canvas, "wear/noise", 14, 5, 0.6)
    crest = edges_worn(surface, noise, 0.25 + 0.6 * amount)
    patch = smoothstep(fbm(canvas, "wear/patch", 4, 6, 0.6), 0.75 - 0.7 * amount, 1.05 - 0.6 * amount)
    grey = (surface.colour * surface.colour.new_tensor((0.2126, 0.7152, 0.0722))[:, None, None]).sum(0)
    faded = torch.stack([0.55 * channel + 0.45 * grey for channel in surface.colour]).mul_(1.0 + 0.25 * amount)
    surface.paint((0.35 * amount + 0.4 * patch * amount).clamp(0.0, 1.0), faded)
    pale = torch.stack([grey * tone for tone in (1.62, 1.55, 1.46)]).add_(0.02)
    surface.paint(crest * 0.7 * amount, pale)
    chips = smoothstep(fbm(canvas, "wear/chips", 22, 4, 0.6) + 0.5 * crest, 0.75 - 0.25 * amount, 0.8 - 0.2 * amount)
    surface.height = surface.height - relief_m(surface) * amount * (0.1 * crest + 0.1 * chips)
    surface.roughness = mix(surface.roughness, surface.canvas.full(0.72), crest.mul(0.35 * amount).add_(0.12 * amount))


def paint_over(colour: Rgb | None, chipping: float) -> Callable[[Surface, float], None]:
    """Give a modifier that lays a coat of paint, chipped where edges wear by `chipping` 0..1."""

    def apply(surface: Surface, amount: float) -> None:
        canvas = surface.canvas
        noise = fbm(canvas, "paint/chips", 7, 6, 0.62)
        crest = -surface.cavity(0.01)
        bare = smoothstep(noise + 0.5 * crest, 1.0 - 0.95 * chipping, 1.06 - 0.95 * chipping)
        coat = ((1.0 - bare) * amount).clamp_(0.0, 1.0)
        brush = fbm(canvas, "paint/brush", (4, 90), 3, 0.6)
        cloud = fbm(canvas, "paint/cloud", 3, 4)
        ink = torch.tensor(colour or PAINT, device=canvas.device)[:, None, None] * (1.0 + 0.16 * cloud + 0.08 * brush)
        hollow = surface.cavity(0.012)
        ink = ink * (1.0 - 0.3 * hollow.clamp(0.0, 1.0)) * (1.0 - 0.18 * stains(canvas, "paint/grime", 2, 0.4, 0.5))
        chalk = stains(canvas, "paint/chalk", 4, 0.15 + 0.4 * chipping, 0.4)
        ink = ink + (0.55 * ink + 0.10 - ink) * (0.35 * chalk)
        rim = smoothstep(noise + 0.5 * crest, 0.9 - 0.95 * chipping, 1.0 - 0.95 * chipping)
        softened = blur(canvas, surface.height, 0.0012)
        surface.height = mix(surface.height, softened, 0.6 * coat)
        ink = torch.lerp(ink, 0.45 * ink + 0.3, 0.6 * rim * (1.0 - bare))
        surface.paint(coat, ink, 0.38 + 0.06 * brush + 0.12 * rim, 0.0, 0.00025 + 0.00003 * brush)
        surface.porous = min(surface.porous, 0.3)

    return apply


def crack(surface: Surface, amount: float) -> None:
    """Run cracks over everything, wide ones and hair ones, dark inside."""
    canvas = surface.canvas
    unit = canvas.span_m / canvas.density
    wide, _ = cracks(canvas, "crack/wide", 4, unit * (0.003 + 0.006 * amount), 0.3 + 0.6 * amount, 0.03)
    hair, _ = cracks(canvas, "crack/hair", 11, unit * 0.0026, 0.15 + 0.6 * amount, 0.014)
    line = torch.maximum(wide, 0.7 * hair)
    surface.height = surface.height - line * max(0.35 * relief_m(surface), 0.003 * unit)
    surface.tint(1.0 - 0.72 * line)
    surface.roughness = mix(surface.roughness, canvas.full(0.95), 0.6 * line)


def scratch(surface: Surface, amount: float) -> None:
    """Scratch it with many fine and a few deep marks, pale on matter and bright on metal."""
    canvas = surface.canvas
    unit = canvas.span_m / canvas.density
    fine = scratches(canvas, "scratch/fine", round(60 + 420 * amount), 0.16 * unit, 0.0009 * unit)
    deep = scratches(canvas, "scratch/deep", round(6 + 46 * amount), 0.3 * unit, 0.0022 * unit)
    marks = torch.maximum(0.5 * fine, deep)
    pale = surface.colour * 1.25 + 0.06
    surface.paint(marks * (0.35 + 0.5 * amount), pale)
    surface.height = surface.height - marks * 0.0006 * unit
    surface.roughness = mix(surface.roughness, canvas.full(0.6), 0.7 * marks)


def rust(surface: Surface, amount: float) -> None:
    """Let rust break out in hollows and blooms and run down."""
    canvas = surface.canvas
    rough = fbm(canvas, "rust/rough", 26, 5, 0.62)
    bloom = fbm(canvas, "rust/bloom", 5, 6, 0.6) + 0.3 * surface.cavity(0.015) + 0.2 * rough
    runs = fbm(canvas, "rust/runs", (2, 42), 4, 0.66)
    crust = smoothstep(bloom, 0.75 - 0.95 * amount, 0.95 - 0.95 * amount)
    streak = smoothstep(
        0.7 * runs + 0.4 * blur(canvas, crust, 0.03) + 0.2 * bloom, 0.75 - 0.55 * amount, 1.0 - 0.5 * amount
    )
    surface.paint(streak * 0.5, ramp(canvas, ("#5e3016", "#8f5426"), 0.5 + 0.5 * rough), 0.8)
    surface.paint(
        crust * 0.95,
        ramp(canvas, RUST, 0.5 + 0.3 * bloom + 0.35 * rough),
        0.92,
        0.0,
        0.02 * relief_m(surface) * (1.0 + rough),
    )


def burn(surface: Surface, amount: float) -> None:
    """Char it: black scaled crust in patches, brown scorch around, grey ash on the crests."""
    canvas = surface.canvas
    patch = fbm(canvas, "burn/patch", 3, 6, 0.58)
    scorch = smoothstep(patch, 0.45 - 1.1 * amount, 0.75 - 0.8 * amount)
    char = smoothstep(patch, 0.75 - 1.1 * amount, 0.95 - 0.95 * amount)
    scales = voronoi(canvas, "burn/scales", (22, 34), 0.9)
    unit = canvas.span_m / canvas.density
    gap = smoothstep(scales.edge / unit, 0.004, 0.0012) * char
    surface.tint(1.0 - 0.6 * scorch)
    black = ramp(
        canvas, ("#151413", "#232120", "#34312f"), 0.5 + 0.3 * scales.random(canvas, "burn/tone") + 0.2 * patch
    )
    surface.paint(char * 0.93, black, 0.8, 0.0)
    surface.height = surface.height - gap * (0.0022 * unit)
    surface.tint(1.0 - 0.4 * gap)
    ash = smoothstep(fbm(canvas, "burn/ash", 13, 5, 0.62) - 0.4 * surface.cavity(0.01), 0.35, 0.75) * char
    surface.paint(ash * 0.4, "#8a8783", 0.95)
    surface.roughness = mix(surface.roughness, canvas.full(0.9), 0.6 * scorch)


def polish(surface: Surface, amount: float) -> None:
    """Grind fine relief away and bring up a shine; colours deepen."""
    smooth = blur(surface.canvas, surface.height, 0.0025)
    surface.height = mix(surface.height, smooth, surface.canvas.full(0.6 * amount))
    surface.roughness = surface.roughness * (1.0 - 0.72 * amount)
    if surface.metallic is None:
        surface.tint(surface.canvas.full(1.0 - 0.12 * amount))


def dirt(surface: Surface, amount: float) -> None:
    """Settle dark grime in hollows, runs and stains."""
    canvas = surface.canvas
    cloud = fbm(canvas, "dirt/cloud", 4, 6, 0.6)
    runs = fbm(canvas, "dirt/runs", (2, 24), 4, 0.62)
    settle = 0.65 * surface.cavity(0.014) + 0.45 * cloud + 0.25 * runs
    mask = smoothstep(settle, 0.5 - 0.75 * amount, 1.0 - 0.6 * amount)
    film = stains(canvas, "dirt/film", 2, 0.3 + 0.4 * amount, 0.5)
    ink = ramp(canvas, ("#1d1710", "#352a1e", "#4d3f2e"), 0.5 + 0.4 * runs)
    surface.paint((mask * 0.85 * (0.4 + 0.6 * amount)).clamp(0.0, 1.0), ink, 0.92, 0.0)
    surface.paint(film * 0.28 * amount, "#3a3024", 0.85)


def dust(surface: Surface, amount: float) -> None:
    """Lay pale dust over everything, thickest in hollows."""
    canvas = surface.canvas
    cloud = fbm(canvas, "dust/cloud", 3, 6, 0.58)
    settle = 0.5 + 0.3 * surface.cavity(0.02) + 0.4 * cloud + 0.1 * grain(canvas, "dust/fine", 300)
    mask = (settle * (0.25 + 0.65 * amount)).clamp_(0.05, 0.92)
    surface.paint(mask, ramp(canvas, ("#8f8069", "#ab9c84", "#c0b29a"), 0.5 + 0.4 * cloud), 0.95, 0.0, grains=True)
    surface.height = mix(surface.height, blur(canvas, surface.height, 0.0015), 0.5 * mask)


def moss(surface: Surface, amount: float) -> None:
    """Grow moss from joints and hollows outwards, in tufts."""
    canvas = surface.canvas
    spread = fbm(canvas, "moss/spread", 3, 6, 0.55)
    detail = fbm(canvas, "moss/detail", 40, 4, 0.62)
    place = 0.62 * surface.cavity(0.02) + 0.25 * surface.cavity(0.006) + 0.62 * spread + 0.2 * detail
    edge = 0.82 - 1.05 * amount
    mask = smoothstep(place, edge, edge + 0.22)
    unit = canvas.span_m / canvas.density
    tufts = fibres(canvas, "moss/tufts", 9000, 0.012 * unit, 0.0014 * unit, 2.2)
    thick = smoothstep(place, edge, edge + 0.6)
    shade = 0.1 + 0.5 * tufts + 0.22 * detail + 0.3 * thick + 0.12 * spread
    green = ramp(canvas, ("#1c250f", "#354517", "#566a25", "#7c8c38", "#9ba550"), shade)
    surface.paint(mask * 0.96, green, 0.95, 0.0, (0.0022 + 0.003 * thick + 0.0032 * tufts) * unit)
    algae = smoothstep(place, edge - 0.35, edge + 0.1) * (1.0 - mask)
    surface.paint(algae * 0.3, "#4b5230", 0.85)


def sand(surface: Surface, amount: float) -> None:
    """Blow sand into the hollows, rippled where it lies thick."""
    _drift(surface, amount, "sand", ("#94784f", "#b39468", "#c8ad84"), 0.93, 0.05)


def snow(surface: Surface, amount: float) -> None:
    """Let snow lie: it bridges fine relief, rounds edges and leaves the steep and the high bare."""
    canvas = surface.canvas
    unit = canvas.span_m / canvas.density
    drift = fbm(canvas, "snow/drift", 4, 5, 0.52)
    fine = fbm(canvas, "snow/fine", 50, 3, 0.6)
    place = 0.85 * drift + 0.35 * surface.cavity(0.03) + 0.16 * fine - 0.1 * surface.level()
    edge = 0.6 - 1.15 * amount
    mask = smoothstep(place, edge, edge + 0.16)
    thick = smoothstep(place, edge, edge + 0.7)
    soft = blur(canvas, surface.height, 0.012)
    bed = mix(surface.height, soft, 0.85 * thick) + unit * (0.004 * mask.sqrt() + 0.012 * thick + 0.0008 * fine)
    surface.height = mix(surface.height, bed, mask)
    white = ramp(canvas, ("#c6d3e1", "#dde6ee", "#edf1f3"), 0.4 + 0.35 * thick + 0.15 * drift + 0.1 * fine)
    surface.paint(mask * 0.97, white, 0.72, 0.0)


def _drift(surface: Surface, amount: float, name: str, stops: tuple[str, ...], roughness: float, depth: float) -> None:
    """Fill hollows with loose matter to a level that noise moves."""
    canvas = surface.canvas
    unit = canvas.span_m / canvas.density
    cloud, fine = fbm(canvas, f"{name}/cloud", 3, 5), grain(canvas, f"{name}/fine", 300)
    place = 0.6 * surface.cavity(0.025) + 0.3 * surface.cavity(0.008) + 0.65 * cloud + 0.05 * fine
    edge = 0.72 - 1.05 * amount
    mask = smoothstep(place, edge, edge + 0.25)
    y, _ = canvas.axes()
    ripple = torch.sin((y * canvas.count(22) + 0.6 * cloud) * math.tau)
    soft = blur(canvas, surface.height, 0.01)
    surface.height = mix(surface.height, soft + unit * (0.0006 * ripple + 0.0004 * fine), mask)
    surface.paint(mask * 0.96, ramp(canvas, stops, 0.45 + 0.25 * cloud + 0.25 * fine + depth * ripple), roughness, 0.0)


def leaves(surface: Surface, amount: float) -> None:
    """Strew fallen leaves, natural size whatever they lie on."""
    canvas = surface.canvas
    unit = canvas.span_m / canvas.density
    size = min(0.05, 0.09 * unit)
    layout = strew(
        canvas, "leaves", (0.25 + 0.75 * amount) * 0.30 * (unit / size) ** 2 * amount, (0.5 * size, size), (0.5, 0.72)
    )
    lying = stamps(canvas, layout, leaf_shape, 0.12)
    tone, lean = lying.random(canvas, "leaves/tone"), lying.random(canvas, "leaves/lean")
    veins = leaf_veins(lying.along, lying.across)
    colour = ramp(canvas, ("#5e3a1f", "#7f4f27", "#a4652c", "#b98a3c", "#8a4522", "#7b6a34"), tone)
    colour = colour * (0.75 + 0.35 * lying.level) * (1.0 - 0.2 * veins)
    rise = size * (
        0.05 + 0.06 * lying.level + 0.05 * (lean - 0.4) * lying.across.square() + 0.06 * (lean - 0.5) * lying.along
    )
    soft = blur(canvas, surface.height, 0.01)
    surface.height = torch.where(lying.index >= 0, torch.maximum(surface.height, soft) + rise, surface.height)
    surface.paint(lying.covered, colour, 0.65, 0.0)


def wet(surface: Surface, amount: float) -> None:
    """Darken what drinks water, smooth everything, and let pools stand in the low places."""
    canvas = surface.canvas
    cloud = fbm(canvas, "wet/cloud", 2.4, 4, 0.45)
    broad = blur(canvas, surface.height, 0.012)
    bottom, top = quantiles(broad, 0.02, 0.95)
    low = 1.0 - 0.5 * surface.level(0.02, 0.95) - (0.5 * (broad - bottom) / max(top - bottom, 1e-6)).clamp_(0.0, 0.5)
    pool_place = 0.62 * low + 0.32 * (0.5 + 0.8 * cloud)
    edge = 1.0 - 0.6 * amount
    pool = smoothstep(pool_place, edge, edge + 0.07)
    film = (amount * (0.9 + 0.25 * cloud)).clamp(0.0, 1.0)
    bare = 1.0 if surface.metallic is None else 1.0 - surface.metallic
    surface.tint(1.0 - (0.58 * surface.porous + 0.1) * film * bare)
    surface.tint(1.0 - 0.18 * pool)
    surface.roughness = surface.roughness * (1.0 - 0.66 * film) * (1.0 - 0.9 * pool)
    flat = blur(canvas, surface.height, 0.02)
    surface.height = mix(surface.height, torch.maximum(flat, surface.height * 0.12 + flat * 0.88), 0.94 * pool)


def brightness(surface: Surface, amount: float) -> None:
    """Make it darker (below 0) or lighter, keeping its hue."""
    if amount < 0.0:
        surface.colour.mul_(1.0 + 0.72 * amount)
    else:
        surface.colour.add_((1.0 - surface.colour).mul_(0.5 * amount) * surface.colour.sqrt())


def warmth(surface: Surface, amount: float) -> None:
    """Shift the colour towards yellow-red (above 0) or blue."""
    shift = surface.colour.new_tensor((1.0 + 0.22 * amount, 1.0 + 0.02 * amount, 1.0 - 0.3 * amount))
    surface.colour.mul_(shift[:, None, None])


def vividness(surface: Surface, amount: float) -> None:
    """Move colours away from grey (above 0) or towards it."""
    grey = (surface.colour * surface.colour.new_tensor((0.2126, 0.7152, 0.0722))[:, None, None]).sum(0)
    surface.colour = (grey + (surface.colour - grey) * (1.0 + amount)).clamp_(0.0, 1.0)


def roughen(surface: Surface, amount: float) -> None:
    """Make it rougher (above 0) or glossier, evenly."""
    if amount < 0.0:
        surface.roughness = surface.roughness * (1.0 + 0.8 * amount)
    else:
        surface.roughness = surface.roughness + (1.0 - surface.roughness) * (0.8 * amount)


Modifier = Callable[[Surface, float], None]

APPLY: tuple[tuple[str, Modifier], ...] = (
    ("vividness", vividness), ("brightness", brightness), ("warmth", warmth), ("polish", polish), ("wear", wear),
    ("paint", paint_over(None, 0.3)), ("cracks", crack), ("scratches", scratch), ("rust", rust), ("burn", burn),
    ("dirt", dirt), ("dust", dust), ("moss", moss), ("sand", sand), ("leaves", leaves), ("roughness", roughen),
    ("snow", snow), ("wetness", wet),
)  # fmt: skip
"""Every effect and what it does, in the order of the world: matter, use, weather, growth, cover, water."""
