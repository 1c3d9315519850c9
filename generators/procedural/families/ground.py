"""What one walks on: gravel, pebbles, sand, soil, mud."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from generators.procedural.canvas import Canvas
from generators.procedural.cells import voronoi
from generators.procedural.details import fibres, specks
from generators.procedural.fields import blur, fbm, grain, smoothstep, warped_axes
from generators.procedural.scatter import stamps, strew
from generators.procedural.surface import Look, Surface, ramp


def _boulder(along: Tensor, across: Tensor) -> Tensor:
    """A smooth river pebble: the upper half of an ellipsoid, a little flattened."""
    inside = 1.0 - along * along - across * across
    return torch.where(inside > 0.0, inside.clamp(min=0.0).sqrt(), inside)


def _shard(along: Tensor, across: Tensor) -> Tensor:
    """A crushed stone: a blunt octagon with a bevelled top."""
    reach = torch.maximum(
        torch.maximum(along.abs(), across.abs()),
        (along + 0.3 * across).abs() * 0.72 + (across - 0.2 * along).abs() * 0.66,
    )
    return ((0.96 - reach) * 2.6).clamp(max=0.85)


def pebbles(canvas: Canvas, look: Look) -> Surface:
    """Water-worn pebbles of many stones, packed in layers over coarse sand."""
    layout = strew(canvas, "stones", 620, (0.011, 0.034), (0.62, 0.95))
    top = stamps(canvas, layout, _boulder, 0.9)
    lying = stamps(canvas, strew(canvas, "fill", 2600, (0.005, 0.011), (0.6, 0.95)), _boulder, 0.9)
    rough, fine, cloud = fbm(canvas, "rough", 40, 4), grain(canvas, "fine", 340), fbm(canvas, "cloud", 4, 3)
    shape = _boulder(top.along, top.across).clamp(min=0.0) * top.covered
    small = _boulder(lying.along, lying.across).clamp(min=0.0) * lying.covered
    height = torch.where(top.index >= 0, 0.007 + 0.012 * top.level + 0.005 * shape, 0.004 * lying.level + 0.003 * small)
    height = blur(canvas, height, 0.0016)
    tone = torch.where(top.index >= 0, top.random(canvas, "tone"), lying.random(canvas, "tone"))
    hue = torch.where(top.index >= 0, top.random(canvas, "hue"), lying.random(canvas, "hue"))
    colour = ramp(canvas, look.stops("#3f4245", "#62635f", "#86807a", "#a3927c", "#7c6555", "#b5ada0", "#8b8e8c"), tone)
    surface = Surface(canvas, colour, height + 0.0001 * rough, 0.46 + 0.12 * hue + 0.05 * rough, porous=0.6)
    vein = smoothstep(
        (top.along * (hue - 0.5) * 3.0 + top.across * 0.7 + 0.07 * rough + tone - 0.5).abs(), 0.07, 0.03
    ) * (hue > 0.82)
    surface.paint(vein * 0.5 * top.covered, "#cfc8ba")
    surface.tint((1.0 + 0.1 * fine + 0.12 * rough) * (0.75 + 0.5 * hue) * (0.78 + 0.22 * shape + 0.1 * small))
    sand = (1.0 - top.covered) * (1.0 - lying.covered)
    surface.paint(sand, ramp(canvas, ("#3d352a", "#665a47"), 0.5 + fine), 0.95)
    surface.tint(1.0 - 0.5 * (1.0 - top.covered))
    surface.tint(1.0 + 0.1 * cloud)
    return surface


def gravel(canvas: Canvas, look: Look) -> Surface:
    """Crushed angular stone in three sizes, dusty grey."""
    large = stamps(canvas, strew(canvas, "large", 1500, (0.009, 0.019), (0.6, 0.95)), _shard, 0.5)
    small = stamps(canvas, strew(canvas, "small", 5200, (0.004, 0.009), (0.6, 0.95)), _shard, 0.5)
    rough, fine, cloud = fbm(canvas, "rough", 44, 4, 0.6), grain(canvas, "fine", 340), fbm(canvas, "cloud", 4, 4)
    on_top = large.index >= 0
    tone, hue, lean, turn = (
        torch.where(on_top, large.random(canvas, part), small.random(canvas, part))
        for part in ("tone", "hue", "lean", "turn")
    )
    tilt = torch.where(
        on_top,
        (lean - 0.5) * large.along + (turn - 0.5) * large.across,
        0.5 * ((lean - 0.5) * small.along + (turn - 0.5) * small.across),
    )
    shape = torch.where(on_top, _shard(large.along, large.across), _shard(small.along, small.across)).clamp(min=0.0)
    height = torch.where(on_top, 0.006 + 0.009 * large.level, 0.005 * small.level) + 0.006 * tilt + 0.0025 * shape
    height += 0.0006 * rough
    colour = ramp(
        canvas, look.stops("#5b5855", "#77736d", "#8e8981", "#a39c90", "#8c7d6c"), 0.06 + 0.8 * tone + 0.12 * rough
    )
    surface = Surface(canvas, colour, height, 0.86 + 0.05 * rough, porous=0.9)
    surface.tint((0.78 + 0.4 * hue) * (1.0 + 0.15 * fine + 0.12 * rough + 0.1 * cloud))
    nothing = (1.0 - large.covered) * (1.0 - small.covered)
    surface.paint(nothing, ramp(canvas, ("#3b342b", "#5f5546"), 0.5 + fine), 0.96)
    surface.tint(1.0 - 0.38 * (1.0 - large.covered))
    return surface


def sand(canvas: Canvas, look: Look) -> Surface:
    """Wind ripples that fork and fade, sharp on the lee side, made of grains."""
    y, x = canvas.axes()
    bend, fork = fbm(canvas, "bend", (1.4, 2.2), 3, 0.4), fbm(canvas, "fork", (5, 4), 2, 0.5)
    phase = (y * canvas.count(13) + 1.5 * bend + 0.3 * fork + 0.0 * x) * math.tau
    wave = torch.sin(phase + 0.55 * torch.sin(phase))
    calm = smoothstep(fbm(canvas, "calm", 2.4, 3), -0.75, 0.25)
    grains = voronoi(canvas, "grains", 210, 0.95)
    tone, fine, cloud = grains.random(canvas, "tone"), grain(canvas, "fine", 400), fbm(canvas, "cloud", 3, 5)
    height = (
        0.0085 * wave * (0.25 + 0.75 * calm) + 0.008 * bend + 0.0009 * cloud + 0.0005 * (tone - 0.5) + 0.0002 * fine
    )
    colour = ramp(
        canvas,
        look.stops("#a37d50", "#bf9a69", "#d1b083", "#dec49c"),
        0.5 + 0.22 * (tone - 0.5) * 2.0 + 0.1 * wave + 0.16 * cloud,
    )
    surface = Surface(canvas, colour, height, 0.92 - 0.06 * tone, porous=1.0)
    surface.tint(1.0 + 0.07 * fine)
    surface.paint((tone > 0.965).float() * 0.65, "#4d3d2c", 0.6)
    surface.paint((tone < 0.03).float() * 0.6, "#f0e6d0", 0.35)
    heavy = smoothstep(wave, -0.4, -0.95) * (0.4 + 0.6 * calm)
    surface.tint(1.0 - 0.2 * heavy)
    return surface


def soil(canvas: Canvas, look: Look) -> Surface:
    """Crumbly dark earth: clods, stones, root hairs and straw."""
    clods = voronoi(canvas, "clods", 19, 0.95, warped_axes(canvas, "shake", 30, 0.012, 4))
    crumbs = voronoi(canvas, "crumbs", 62, 0.95, warped_axes(canvas, "shake2", 70, 0.004, 2))
    rough, lumps, fine = fbm(canvas, "rough", 26, 5, 0.62), fbm(canvas, "lumps", 5, 5, 0.55), grain(canvas, "fine", 340)
    big = blur(canvas, smoothstep(clods.edge, 0.0, 0.017), 0.004) * clods.random(canvas, "lift")
    small = smoothstep(crumbs.edge, 0.0, 0.005) * crumbs.random(canvas, "lift")
    height = 0.016 * big + 0.007 * small + 0.006 * lumps + 0.003 * rough + 0.0003 * fine
    colour = ramp(
        canvas,
        look.stops("#281c13", "#3b2a1d", "#50392a", "#664b37", "#7a5e48"),
        0.3 + 0.3 * big + 0.3 * small + 0.16 * rough + 0.2 * lumps,
    )
    surface = Surface(canvas, colour, height, 0.93 - 0.05 * rough, porous=1.0)
    surface.tint(1.0 + 0.2 * fine)
    stones = stamps(canvas, strew(canvas, "stones", 150, (0.004, 0.014), (0.6, 0.95)), _boulder, 0.8)
    kept = stones.covered * smoothstep(stones.random(canvas, "kept"), 0.45, 0.5)
    shape = _boulder(stones.along, stones.across).clamp(min=0.0)
    surface.paint(
        kept,
        ramp(canvas, ("#6b6058", "#94897c", "#7c6a58"), stones.random(canvas, "tone") + 0.2 * rough),
        0.8,
        rise_m=0.007 * shape,
    )
    straw = fibres(canvas, "straw", 260, 0.045, 0.0009, 1.0)
    surface.paint(
        (straw > 0.0).float() * 0.75, ramp(canvas, ("#77603f", "#a48a5e", "#c0a878"), straw), 0.8, rise_m=0.0022
    )
    return surface


def mud(canvas: Canvas, look: Look) -> Surface:
    """Dried mud: plates curled at the rim, finer cracks within, dark gaps."""
    axes = warped_axes(canvas, "shake", 10, 0.014, 5)
    plates = voronoi(canvas, "plates", 8, 0.85, axes)
    second = voronoi(canvas, "second", 17, 0.9, axes)
    rough, cloud, fine = fbm(canvas, "rough", 24, 6, 0.55), fbm(canvas, "cloud", 3, 4), grain(canvas, "fine", 340)
    tone, tilt = plates.random(canvas, "tone"), plates.random(canvas, "tilt")
    edge = plates.edge + 0.0018 * rough
    plate = smoothstep(edge, 0.0045, 0.008)
    curl_up = torch.exp(-(edge - 0.006).clamp(min=0.0) / 0.014)
    split = smoothstep(second.edge + 0.001 * rough, 0.0026, 0.0008) * smoothstep(
        second.random(canvas, "split"), 0.4, 0.5
    )
    height = (
        plate * (0.02 + 0.008 * curl_up + 0.02 * plates.u * (tilt - 0.5))
        - 0.006 * split * plate
        + 0.0011 * rough
        + 0.0001 * fine
    )
    height += 0.0024 * fbm(canvas, "swell", 6, 4)
    colour = ramp(
        canvas,
        look.stops("#6b543e", "#8a6f54", "#a2876a", "#b79d80"),
        0.4 + 0.3 * (tone - 0.5) + 0.2 * cloud + 0.14 * rough + 0.24 * curl_up,
    )
    surface = Surface(canvas, colour, height, 0.88 + 0.06 * rough, porous=1.0)
    surface.tint((1.0 + 0.09 * fine) * (1.0 - 0.55 * split))
    grit = specks(canvas, "grit", 70, 0.15, 0.35) * plate
    surface.height += 0.0012 * grit
    surface.tint(1.0 - 0.2 * grit)
    surface.paint(1.0 - plate, ramp(canvas, ("#231a12", "#3a2d20"), 0.5 + 0.5 * rough), 0.95)
    return surface
