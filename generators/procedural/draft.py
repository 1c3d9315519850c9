"""The early picture: a small lit tile shown while the full maps are still being made."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generators.procedural.surface import Surface, normals, occlusion, srgb_from_linear

_LIGHTS = (((-0.55, 0.62, 0.56), (3.3, 3.15, 2.95)), ((0.75, -0.15, 0.5), (0.42, 0.5, 0.62)))
"""A warm key from the upper left and a cool fill from the right: direction to the light, radiance."""


def lit(surface: Surface) -> NDArray[np.uint8]:
    """Light a surface as a flat tile seen from above; uint8 sRGB [n, n, 3].

    Cook-Torrance with the GGX distribution and Smith's height-correlated masking (Heitz 2014), Schlick's Fresnel,
    two lights and a soft studio gradient for what metals mirror. Half vectors differ over the tile as under a lamp.
    """
    normal = normals(surface)
    n = normal.shape[-1]
    place = (torch.arange(n, device=normal.device) + 0.5) / n - 0.5
    view_x, view_y = -0.35 * place[None, :], 0.35 * place[:, None]
    view = _unit(
        torch.stack(((0.0 * view_y + view_x), (0.0 * view_x + view_y), torch.ones(n, n, device=normal.device)))
    )
    metallic = surface.metallic if surface.metallic is not None else torch.zeros_like(surface.height)
    base = surface.colour
    f0 = 0.04 + (base - 0.04) * metallic
    diffuse = base * (1.0 - metallic)
    alpha = surface.roughness.clamp(0.045, 1.0).square()
    facing = (normal * view).sum(0).clamp(min=1e-3)
    open_sky = occlusion(surface)
    light = diffuse * open_sky * (0.34 + 0.12 * normal[1])
    mirrored = _unit(2.0 * facing * normal - view)
    light = light + _studio(mirrored, surface.roughness) * (f0 + (1.0 - f0) * 0.35 * (1.0 - facing) ** 5) * open_sky
    for direction, radiance in _LIGHTS:
        to_light = torch.tensor(direction, device=normal.device)[:, None, None]
        to_light = to_light / to_light.norm()
        half = _unit(view + to_light)
        falling = (normal * to_light).sum(0).clamp(min=0.0)
        cos_h, cos_vh = (normal * half).sum(0).clamp(min=0.0), (view * half).sum(0).clamp(min=0.0)
        a2 = alpha.square()
        spread = a2 / (math.pi * (cos_h.square() * (a2 - 1.0) + 1.0).square()).clamp(min=1e-6)
        mask = 0.5 / (
            falling * (facing.square() * (1 - a2) + a2).sqrt()
            + facing * (falling.square() * (1 - a2) + a2).sqrt()
            + 1e-4
        )
        fresnel = f0 + (1.0 - f0) * (1.0 - cos_vh) ** 5
        shaded = (diffuse / math.pi + fresnel * (spread * mask).clamp(max=40.0)) * falling
        light = light + shaded * torch.tensor(radiance, device=normal.device)[:, None, None] * (0.35 + 0.65 * open_sky)
    if surface.emission is not None:
        light = light + surface.emission * 2.0
    pixels = (srgb_from_linear(_film(light)) * 255.0 + 0.5).clamp(0, 255).to(torch.uint8)
    return pixels.permute(1, 2, 0).contiguous().cpu().numpy()


def _unit(vectors: Tensor) -> Tensor:
    return vectors * torch.rsqrt(vectors.square().sum(0).clamp(min=1e-12))


def _studio(direction: Tensor, roughness: Tensor) -> Tensor:
    """What a mirror would see: dark floor, bright sky, a soft box at the upper left; blurred by roughness."""
    soft = 0.12 + 0.9 * roughness
    sky = 0.36 + 0.38 * torch.tanh((direction[1] + 0.1) / soft)
    box = torch.exp(
        -((direction[0] + 0.25).square() + (direction[1] - 0.3).square()) / (0.05 + 0.5 * roughness.square())
    )
    cool = torch.tensor((0.96, 1.0, 1.06), device=direction.device)[:, None, None]
    strip = torch.exp(-((direction[0] - 0.5) / (0.12 + 0.6 * roughness)).square())
    return sky * cool + (3.2 * box + 0.7 * strip) / (1.0 + 9.0 * roughness)


def _film(light: Tensor) -> Tensor:
    """Roll highlights off softly, leaving mid tones as they are."""
    return torch.where(light < 0.6, light, 0.6 + 0.4 * (1.0 - torch.exp(-(light.clamp(min=0.6) - 0.6) / 0.4)))
