"""Sawn, split, woven and grown wood, bark and cork."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from generators.procedural.canvas import Canvas
from generators.procedural.cells import voronoi
from generators.procedural.details import scratches
from generators.procedural.fields import fbm, grain, sample, smoothstep, warped_axes
from generators.procedural.patterns import courses, herringbone, weave
from generators.procedural.surface import Look, Surface, ramp


@dataclass(frozen=True)
class Grain:
    """The figure of sawn wood running across the canvas: `rings` 0..1 early to late wood, `pores` 0..1, `fibre` ±1."""

    rings: Tensor
    pores: Tensor
    fibre: Tensor

    def cut(self, y: Tensor, x: Tensor) -> Grain:
        """Read the figure at other places, so that each board is cut from another part of the log."""
        return Grain(sample(self.rings, y, x), sample(self.pores, y, x), sample(self.fibre, y, x))


def figure(canvas: Canvas, name: str, rings: float = 26.0, flame: float = 5.0, knots: float = 3.0) -> Grain:
    """Grow a figure: rings along x bent into flames, pinched around knots; pores and fibres follow the grain."""
    y, x = canvas.axes()
    long = fbm(canvas, f"{name}/long", (2, 1), 3, 0.32)
    waver = fbm(canvas, f"{name}/waver", (9, 2), 3)
    place = y * canvas.count(rings) + flame * long + 0.35 * waver
    side = canvas.count(knots**0.5) if knots else 0
    dark = canvas.full(0.0)
    if side:
        drawn = canvas.draw(f"{name}/knots/{side}", 3, side * side)
        for k in range(side * side):
            dy = (torch.remainder(y - drawn[0, k] + 0.5, 1.0) - 0.5) * canvas.density
            dx = (torch.remainder(x - drawn[1, k] + 0.5, 1.0) - 0.5) * canvas.density
            size = 0.010 + 0.02 * drawn[2, k]
            far = torch.sqrt((dy / size).square() + (dx / (size * 1.5)).square()) + 0.06 * waver
            pull = torch.exp(-0.22 * far.square())
            place = place + pull * 4.5 * torch.sign(dy) * (1.0 - torch.exp(-far.square())) + 0.5 * pull
            dark = torch.maximum(dark, smoothstep(far, 1.15, 0.6))
            place = torch.where(far < 1.4, torch.lerp(far * 4.0, place, smoothstep(far, 0.8, 1.4)), place)
    rings_here = canvas.count(rings)
    place = place + _uneven_years(canvas, f"{name}/years", place, rings_here)
    year = place.floor()
    part = place - year
    drawn = canvas.draw(f"{name}/late/{rings_here}", rings_here)
    late = drawn[torch.remainder(year, rings_here).long()]  # how dark and broad each year's late wood is
    ring = smoothstep(part, 0.1, 0.86) * smoothstep(part, 1.0, 0.94) * (0.3 + 0.7 * late)
    fibre = fbm(canvas, f"{name}/fibre", (120, 5), 3, 0.7)
    pore = smoothstep(fbm(canvas, f"{name}/pore", (170, 9), 2, 0.6), 0.28, 0.62) * (0.35 + 0.65 * ring)
    return Grain(torch.maximum(ring, dark), torch.maximum(pore, 0.6 * dark), fibre)


def _uneven_years(canvas: Canvas, name: str, place: Tensor, count: int) -> Tensor:
    """Shift ring borders by up to 0.3 of a ring, so that good and bad years differ in width; wraps after `count`."""
    shifts = canvas.draw(f"{name}/{count}", count) * 0.6 - 0.3
    low = place.floor()
    part = place - low
    year = torch.remainder(low, count).long()
    return torch.lerp(shifts[year], shifts[(year + 1) % count], part * part * (3.0 - 2.0 * part))


def planks(canvas: Canvas, look: Look) -> Surface:
    """Old floorboards of uneven length, cupped, gapped, nailed at the ends."""
    cells = courses(canvas, "boards", 8, 2, shift=None, uneven_columns=0.6, uneven_rows=0.12, radius_m=0.002)
    y, x = canvas.axes()
    tone, first, second, lift = (cells.random(canvas, name) for name in ("tone", "first", "second", "lift"))
    wood = figure(canvas, "figure", 58, 7.0, 6).cut(y + first, x + second)
    cloud, fine = fbm(canvas, "cloud", (7, 2), 4), grain(canvas, "fine", 340)
    edge = cells.edge + 0.0007 * wood.fibre
    board = smoothstep(edge, 0.0012, 0.0028)
    height = smoothstep(edge, 0.0008, 0.006) * 0.006 + board * (
        0.002 * (lift - 0.5) - 0.0022 * (cells.v - 0.5).square() * 4.0
    )
    height += board * (-0.0007 * wood.pores + 0.0003 * wood.fibre + 0.0004 * wood.rings)
    shade = 0.1 + 0.36 * tone + 0.34 * wood.rings + 0.1 * cloud + 0.08 * wood.fibre + 0.2 * wood.pores
    colour = ramp(canvas, look.stops("#b08a5c", "#97714a", "#7c5837", "#5f402a", "#45301f"), shade)
    surface = Surface(canvas, colour, height, 0.62 + 0.1 * cloud - 0.1 * wood.rings + 0.15 * wood.pores, porous=0.9)
    grey = smoothstep(cells.random(canvas, "grey") + 0.3 * cloud, 0.45, 1.0)
    surface.paint(grey * 0.4, ramp(canvas, ("#9a9084", "#6e655b"), wood.rings))
    surface.tint((1.0 + 0.07 * fine) * (1.0 - 0.25 * wood.pores))
    length = canvas.span_m / canvas.count(2)
    end = torch.minimum(cells.u, 1.0 - cells.u) * length
    side = torch.minimum(cells.v, 1.0 - cells.v) * canvas.span_m / canvas.count(8)
    nail = smoothstep(torch.sqrt((end - 0.028).square() + (side - 0.035).square()), 0.0048, 0.0036)
    surface.height -= nail * 0.001
    surface.paint(nail * 0.85, "#2c2724", 0.5)
    surface.paint(1.0 - board, "#17110c", 0.95)
    surface.tint(1.0 - 0.3 * smoothstep(edge, 0.012, 0.002) * board)
    return surface


def oak(canvas: Canvas, look: Look) -> Surface:
    """Crown-cut oak veneer under satin oil: cathedral figure, open pores, silver flecks."""
    wood = figure(canvas, "figure", 54, 15.0, 0)
    cloud, fine = fbm(canvas, "cloud", (4, 2), 4), grain(canvas, "fine", 340)
    fleck = smoothstep(fbm(canvas, "fleck", (60, 12), 3, 0.6), 0.36, 0.6) * (1.0 - wood.rings)
    shade = 0.2 + 0.44 * wood.rings + 0.14 * cloud + 0.1 * wood.fibre + 0.22 * wood.pores
    colour = ramp(canvas, look.stops("#cfa876", "#bd925e", "#a67a49", "#855d36", "#6a4628"), shade)
    height = -0.00022 * wood.pores + 0.00007 * wood.fibre + 0.00006 * wood.rings
    surface = Surface(canvas, colour, height, 0.4 + 0.14 * wood.pores - 0.05 * wood.rings + 0.04 * cloud, porous=0.7)
    surface.paint(fleck * 0.32, "#dcbd8e", 0.32)
    surface.tint((1.0 - 0.3 * wood.pores) * (1.0 + 0.04 * fine))
    return surface


def parquet(canvas: Canvas, look: Look) -> Surface:
    """Lacquered oak staves in herringbone, the light turning with the grain."""
    cells = herringbone(canvas, 9, 0.0006)
    tone, first, second = (cells.random(canvas, name) for name in ("tone", "first", "second"))
    block = 1.0 / canvas.count(9)
    wood = figure(canvas, "figure", 64, 8.0, 2).cut(cells.v * block + first, cells.u * 2.0 * block + second)
    cloud, fine = fbm(canvas, "cloud", 3, 4), grain(canvas, "fine", 320)
    stave = smoothstep(cells.edge, 0.0004, 0.0011)
    height = (
        smoothstep(cells.edge, 0.0, 0.0018) * 0.0007 + 0.0004 * (tone - 0.5) * (cells.u - 0.5) - 0.00012 * wood.pores
    )
    shade = 0.06 + 0.46 * tone + 0.3 * wood.rings + 0.14 * wood.pores + 0.08 * wood.fibre
    colour = ramp(canvas, look.stops("#c3945e", "#ac7b47", "#8f6136", "#724a2a", "#56361f"), shade)
    surface = Surface(canvas, colour, height, 0.24 + 0.06 * cloud + 0.08 * wood.pores, porous=0.4)
    surface.tint((1.0 + 0.05 * fine) * (0.35 + 0.65 * stave))
    dull = smoothstep(fbm(canvas, "traffic", 2, 4), 0.0, 0.6)
    surface.roughness = surface.roughness + 0.14 * dull + 0.2 * scratches(canvas, "heels", 60, 0.15, 0.0008)
    return surface


def bark(canvas: Canvas, look: Look) -> Surface:
    """Furrowed bark: long corky ridges that join and part, reddish in the furrows, lichen on the ridges."""
    axes = warped_axes(canvas, "shake", (5, 7), 0.03, 5)
    plates = voronoi(canvas, "plates", (3, 11), 0.95, axes, own_shape=True)
    ridged = fbm(canvas, "ridged", (4, 15), 6, 0.55, "ridged")
    rough, flake = fbm(canvas, "rough", (18, 44), 5, 0.6), fbm(canvas, "flake", (30, 14), 4, 0.5, "billow")
    fine, cloud = grain(canvas, "fine", 340), fbm(canvas, "cloud", 3, 4)
    edge = plates.edge + 0.004 * rough
    ridge = smoothstep(edge, 0.0, 0.02)
    layers = (rough + 0.8 * ridged) * 2.6
    ledge = layers.floor() + smoothstep(layers - layers.floor(), 0.65, 1.0)
    height = 0.02 * ridge + 0.008 * ridged * ridge + 0.0028 * ledge + 0.0016 * flake + 0.0012 * rough + 0.0003 * fine
    surface = Surface(canvas, canvas.full(0.0)[None].expand(3, -1, -1), height, 0.9 + 0.05 * rough, porous=1.0)
    tone = plates.random(canvas, "tone")
    level = surface.level()
    surface.colour = ramp(
        canvas,
        look.stops("#2a1c14", "#4a3425", "#665040", "#857262", "#968778"),
        0.02 + 0.78 * level + 0.16 * (tone - 0.5) + 0.12 * cloud + 0.1 * rough,
    )
    surface.tint(1.0 + 0.18 * fine + 0.12 * flake)
    lichen = smoothstep(fbm(canvas, "lichen", 9, 6, 0.62) + 0.5 * level, 0.62, 0.85)
    surface.paint(lichen * 0.5, ramp(canvas, ("#7d8568", "#a3a88c"), 0.5 + fine), 0.95, rise_m=0.0006)
    return surface


def wicker(canvas: Canvas, look: Look) -> Surface:
    """Split cane woven over and under, shadowed gaps, fibres along each cane."""
    cloth = weave(canvas, 12, 1, warped_axes(canvas, "shake", 14, 0.0012), 0.06)
    tone = canvas.draw("tone", cloth.count)[cloth.thread]
    cloud, fine = fbm(canvas, "cloud", 5, 4), grain(canvas, "fine", 300)
    along = torch.where(cloth.over, fbm(canvas, "upright", (6, 150), 3, 0.6), fbm(canvas, "level", (150, 6), 3, 0.6))
    height = 0.0042 * cloth.height + 0.0002 * along
    colour = ramp(
        canvas, look.stops("#7a5228", "#a0733c", "#bd8f52", "#cfa768"), 0.2 + 0.5 * tone + 0.2 * along + 0.2 * cloud
    )
    surface = Surface(canvas, colour, height, 0.5 + 0.1 * along, porous=0.7)
    deep = smoothstep(cloth.height, 0.62, 0.12)
    surface.tint((1.0 - 0.85 * deep) * (1.0 + 0.06 * fine))
    band = smoothstep(along, 0.15, 0.6)
    surface.tint(1.0 - 0.2 * band)
    surface.occlusion_depth = 1.2
    return surface


def cork(canvas: Canvas, look: Look) -> Surface:
    """Pressed cork granules of many browns with dark bark specks and small voids."""
    axes = warped_axes(canvas, "shake", 60, 0.005, 2)
    large, small = voronoi(canvas, "large", 30, 0.98, axes), voronoi(canvas, "small", 76, 0.98, axes)
    pick = large.random(canvas, "pick")
    coarse = pick < 0.62
    tone = torch.where(coarse, large.random(canvas, "tone"), small.random(canvas, "tone"))
    edge = torch.where(coarse, large.edge, torch.minimum(small.edge, large.edge + 0.001))
    rough, cloud, fine = fbm(canvas, "rough", 50, 4, 0.6), fbm(canvas, "cloud", 4, 4), grain(canvas, "fine", 320)
    seam = smoothstep(edge + 0.0003 * rough, 0.0011, 0.0001)
    void = smoothstep(fbm(canvas, "void", 44, 3, 0.6), 0.5, 0.66) * smoothstep(edge, 0.0022, 0.0006)
    height = 0.0004 * (tone - 0.5) - 0.0004 * seam - 0.0014 * void + 0.0002 * rough
    colour = ramp(
        canvas,
        look.stops("#7c532f", "#a0713f", "#b98850", "#c99c66", "#d4ad7c"),
        0.12 + 0.76 * tone + 0.16 * rough + 0.1 * cloud,
    )
    surface = Surface(canvas, colour, height, 0.84 + 0.06 * rough, porous=0.9)
    surface.tint((1.0 + 0.13 * fine) * (1.0 - 0.42 * seam) * (1.0 - 0.6 * void))
    dark = small.random(canvas, "bark") < 0.07
    surface.paint(
        dark.float() * smoothstep(small.edge, 0.0, 0.0005) * 0.85, ramp(canvas, ("#3a2414", "#5b3a20"), 0.5 + rough)
    )
    return surface
