"""The material while it is being made: layers of colour, height and finish, and the maps read off at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor

from generators.procedural import palette
from generators.procedural.canvas import Canvas
from generators.procedural.fields import blur, smoothstep

ALBEDO_MIN, ALBEDO_MAX = 0.018, 0.88
"""Linear reflectance of real non-metals lies between these (charcoal and fresh snow)."""
HALF_COVERED = (0.42, 0.58)
"""Between these masks a surface turns from metal to what covers it."""
RAMP_STEPS = 512
"""Entries of a colour ramp: finer than the 8-bit maps it ends in."""


@dataclass(frozen=True)
class Look:
    """What the artist asked of a family, as far as a family must know it.

    `colour` linear RGB replaces the family's own main colour, `metal_colour` a bare metal's reflectance; `coat` is
    the colour of a coat of paint to come.
    """

    colour: palette.Rgb | None = None
    metal_colour: palette.Rgb | None = None
    coat: palette.Rgb | None = None

    def stops(self, *codes: str) -> list[palette.Rgb]:
        """Give a family's main palette, moved to the colour asked for."""
        own = [palette.linear_from_hex(code) for code in codes]
        return own if self.colour is None else palette.recolour(own, self.colour, 0.78)

    def dyed(self, *codes: str) -> list[palette.Rgb]:
        """Give the palette of matter that takes any colour fully: paint, plastic, cloth, glaze."""
        own = [palette.linear_from_hex(code) for code in codes]
        return own if self.colour is None else palette.recolour(own, self.colour)

    def metal(self, *codes: str) -> list[palette.Rgb]:
        """Give a metal's palette; a metal's name recolours it to that metal, any other colour tints it."""
        own = [palette.linear_from_hex(code) for code in codes]
        wanted = self.metal_colour or self.colour
        return own if wanted is None else palette.alloy(own, wanted)


def ramp(canvas: Canvas, stops: Sequence[palette.Rgb] | Sequence[str], t: Tensor) -> Tensor:
    """Colour a field 0..1 by evenly spaced stops (linear RGB or hex), blended in Oklab; float32 [3, n, n] linear."""
    colours = tuple(palette.linear_from_hex(stop) if isinstance(stop, str) else stop for stop in stops)
    table = torch.tensor(palette.ramp_table(colours, RAMP_STEPS), device=canvas.device).T.contiguous()
    index = (t * (RAMP_STEPS - 1.0)).clamp_(0.0, RAMP_STEPS - 1.0).to(torch.int32).flatten()
    canvas.check()
    return torch.stack([row.index_select(0, index) for row in table]).view(3, *t.shape)


def flat_colour(canvas: Canvas, colour: palette.Rgb | str) -> Tensor:
    """Give one colour as float32 [3, 1, 1] linear, ready to blend."""
    rgb = palette.linear_from_hex(colour) if isinstance(colour, str) else colour
    return torch.tensor(rgb, device=canvas.device)[:, None, None]


@dataclass
class Surface:
    """Layers on a canvas; every field is float32 [n, n], colours [3, n, n] in linear light.

    `height` is in design metres with any zero. `porous` 0..1 says how much water darkens it.
    """

    canvas: Canvas
    colour: Tensor
    height: Tensor
    roughness: Tensor
    metallic: Tensor | None = None
    emission: Tensor | None = None
    opacity: Tensor | None = None
    porous: float = 0.8
    ior: float = 1.5
    occlusion_depth: float = 1.0

    def tint(self, factor: Tensor) -> None:
        """Multiply the colour by a field around 1."""
        self.colour.mul_(factor)

    def paint(
        self,
        mask: Tensor,
        colour: Tensor | str | palette.Rgb,
        roughness: Tensor | float | None = None,
        metallic: float | None = None,
        rise_m: Tensor | float | None = None,
        *,
        grains: bool = False,
    ) -> None:
        """Lay another matter over the surface where `mask` is 1; what is not given stays as it is.

        Colour and roughness blend where the mask lies between: a film over what is below. Nothing is half a metal, so
        `metallic`, 0 or 1, changes sharply where half is covered; only loose `grains` leave metal bare between them.
        """
        ink = colour if isinstance(colour, Tensor) else flat_colour(self.canvas, colour)
        for channel in range(3):
            base = self.colour[channel]
            base.add_((ink[channel] - base).mul_(mask))
        if roughness is not None:
            self.roughness = self.roughness + (roughness - self.roughness) * mask
        if metallic is not None and (self.metallic is not None or metallic > 0.0):
            base = self.canvas.full(0.0) if self.metallic is None else self.metallic
            self.metallic = base + (metallic - base) * (mask if grains else smoothstep(mask, *HALF_COVERED))
        if rise_m is not None:
            self.height = self.height + mask * rise_m
        if self.emission is not None and metallic is not None:
            self.emission = self.emission * (1.0 - mask)

    def level(self, low: float = 0.02, high: float = 0.98) -> Tensor:
        """Give the height as 0..1 between two quantiles of the whole surface."""
        bottom, top = quantiles(self.height, low, high)
        return ((self.height - bottom) / max(top - bottom, 1e-6)).clamp_(0.0, 1.0)

    def cavity(self, radius: float = 0.012) -> Tensor:
        """Give -1..1: positive in hollows, negative on crests, at the scale of `radius` default tiles."""
        relief = blur(self.canvas, self.height, radius) - self.height
        low, high = quantiles(relief, 0.04, 0.96)
        return (relief / max(high, -low, 1e-6)).clamp_(-1.0, 1.0)


def quantiles(values: Tensor, low: float, high: float) -> tuple[float, float]:
    """Give two quantiles of a field, exactly over an even subsample of at most 128² pixels."""
    step = max(1, values.shape[-1] // 128)
    ordered = values[step // 2 :: step, step // 2 :: step].flatten().sort().values
    last = ordered.numel() - 1
    return float(ordered[round(low * last)]), float(ordered[round(high * last)])


def slopes(surface: Surface) -> tuple[Tensor, Tensor]:
    """Give the height's true slope, rise over run, (down the picture, across it) by wrapped central differences."""
    height = surface.height
    gain = 0.5 * surface.canvas.size_px / surface.canvas.span_m
    down = (height.roll(-1, 0) - height.roll(1, 0)).mul_(gain)
    across = (height.roll(-1, 1) - height.roll(1, 1)).mul_(gain)
    return down, across


def normals(surface: Surface) -> Tensor:
    """Give unit normals float32 [3, n, n], +X right, +Y up the picture, +Z out of it."""
    down, across = slopes(surface)
    length = torch.rsqrt(down.square().addcmul_(across, across).add_(1.0))
    return torch.stack((across.neg_().mul_(length), down.mul_(length), length))


def occlusion(surface: Surface, radius: float = 0.04) -> Tensor:
    """Give the open part of the sky 0..1 from the height: mean horizon over eight directions at three distances.

    Computed at no more than 1024 px and enlarged: occlusion is smooth next to the pixels of a large map.
    """
    canvas, height = surface.canvas, surface.height
    shrink = 1
    while canvas.size_px // shrink > 512 and canvas.size_px % (shrink * 2) == 0:
        shrink *= 2
    if shrink > 1:
        height = nnf.avg_pool2d(height[None, None], shrink)[0, 0]
    n = height.shape[-1]
    reach = max(2.0, radius / canvas.density * n)
    closed = torch.zeros_like(height)
    for dy, dx in ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)):
        canvas.check()
        horizon = torch.zeros_like(height)
        for part in (0.12, 0.4, 1.0):
            steps = max(1, round(reach * part / (1.414 if dy and dx else 1.0)))
            run = steps * (1.414 if dy and dx else 1.0) * canvas.span_m / n
            rise = (height.roll((-dy * steps, -dx * steps), (0, 1)) - height).mul_(1.0 / run)
            torch.maximum(horizon, rise, out=horizon)
        closed.add_(horizon * torch.rsqrt(horizon * horizon + 1.0))
    open_sky = 1.0 - closed.mul_(surface.occlusion_depth / 8.0)
    if shrink > 1:
        padded = nnf.pad(open_sky[None, None], (1, 1, 1, 1), mode="circular")
        large = nnf.interpolate(padded, scale_factor=float(shrink), mode="bilinear", align_corners=False)
        open_sky = large[0, 0, shrink:-shrink, shrink:-shrink]
    return open_sky.clamp(0.05, 1.0)


def srgb_from_linear(linear: Tensor) -> Tensor:
    """Encode linear light for display (IEC 61966-2-1)."""
    low = linear * 12.92
    return torch.where(linear <= 0.0031308, low, linear.clamp(min=0.0031308).pow(1.0 / 2.4).mul_(1.055).sub_(0.055))


def clip_albedo(surface: Surface) -> None:
    """Keep the reflectance of non-metals within what nature has; metals may reach 1."""
    if surface.metallic is None:
        surface.colour.clamp_(ALBEDO_MIN, ALBEDO_MAX)
        return
    top = ALBEDO_MAX + (1.0 - ALBEDO_MAX) * surface.metallic
    for channel in range(3):
        surface.colour[channel] = torch.minimum(surface.colour[channel].clamp(min=ALBEDO_MIN), top)


def edges_worn(surface: Surface, noise: Tensor, amount: float, radius: float = 0.008) -> Tensor:
    """Mask 0..1 of crests rubbed bare: convex edges, broken up by noise; `amount` 0..1 widens it."""
    crest = -surface.cavity(radius)
    return smoothstep(crest + 0.45 * noise, 1.05 - 0.9 * amount, 1.35 - 0.9 * amount)
