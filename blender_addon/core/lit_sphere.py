# SPDX-License-Identifier: GPL-3.0-or-later
"""A material on a lit sphere, shaded from its maps with numpy: the picture in the Asset Browser.

One key light from the upper left, a cooler fill from the right and a sky above a darker ground; GGX speculars
(Walter et al. 2007) with Schlick's Fresnel. No bpy here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

_KEY = (np.array([-0.45, 0.6, 0.66]), np.array([3.3, 3.2, 3.0]))
_FILL = (np.array([0.85, 0.1, 0.4]), np.array([0.5, 0.62, 0.85]))
_SKY, _GROUND = np.array([0.42, 0.47, 0.55]), np.array([0.16, 0.14, 0.12])
_REPEATS = 2.0
"""Tiles across the visible half of the sphere."""


def lit_sphere(
    base: FloatArray | None,
    normal: FloatArray | None,
    roughness: FloatArray | None,
    metallic: FloatArray | None,
    emission: FloatArray | None,
    size_px: int = 256,
) -> FloatArray:
    """float32 [size, size, 4], bottom row first, sRGB-encoded with straight alpha.

    Maps are float [H, W, ≥3], bottom row first, as Blender keeps pixels: base and emission sRGB-encoded, the others
    data. A missing one is white, flat, matt, no metal, dark.
    """
    x, y = np.meshgrid(*[(np.arange(size_px) + 0.5) / size_px * 2.1 - 1.05] * 2)
    squared = x * x + y * y
    inside = squared < 1
    z = np.sqrt(np.clip(1 - squared, 0, None))
    n = np.stack([x, y, z], -1)[inside]
    u, v = np.arctan2(n[:, 0], n[:, 2]) / np.pi + 0.5, np.arcsin(np.clip(n[:, 1], -1, 1)) / np.pi + 0.5
    look = _Lookup(u * _REPEATS, v * _REPEATS, len(n))
    albedo = linear(look.read(base, (0.8, 0.8, 0.8)))
    glow = linear(look.read(emission, (0.0, 0.0, 0.0)))
    rough = np.clip(look.read(roughness, (0.8,) * 3)[:, :1], 0.08, 1)
    metal = look.read(metallic, (0.0,) * 3)[:, :1]
    bent = _bent(n, look.read(normal, (0.5, 0.5, 1.0)) * 2 - 1)
    shaded = glow + _lit(bent, albedo, rough, metal)
    picture = np.zeros((size_px, size_px, 4), np.float32)
    picture[..., :3][inside] = encoded(1 - np.exp(-1.1 * shaded))  # a soft shoulder keeps highlights from clipping
    picture[..., 3] = np.clip((1 - np.sqrt(squared)) * size_px / 2.1 + 0.5, 0, 1)
    return picture


class _Lookup:
    """Nearest texels of maps of any size, wrapped."""

    def __init__(self, u: NDArray[Any], v: NDArray[Any], count: int) -> None:
        self._u, self._v, self._count = u % 1.0, v % 1.0, count

    def read(self, pixels: FloatArray | None, otherwise: tuple[float, ...]) -> NDArray[np.float64]:
        if pixels is None:
            return np.broadcast_to(np.array(otherwise), (self._count, 3))
        height, width = pixels.shape[:2]
        rows = (self._v * height).astype(np.int64).clip(0, height - 1)
        columns = (self._u * width).astype(np.int64).clip(0, width - 1)
        return pixels[rows, columns, :3].astype(np.float64)


def _bent(n: NDArray[Any], tangent_space: NDArray[Any]) -> NDArray[np.float64]:
    """The sphere's normals leaned by a normal map: its red along the sphere's east, its green along its north."""
    east = np.stack([n[:, 2], np.zeros(len(n)), -n[:, 0]], -1)
    east /= np.maximum(np.linalg.norm(east, axis=-1, keepdims=True), 1e-6)
    north = np.cross(n, east)
    bent = tangent_space[:, :1] * east + tangent_space[:, 1:2] * north + np.maximum(tangent_space[:, 2:], 0.05) * n
    unit: NDArray[np.float64] = bent / np.linalg.norm(bent, axis=-1, keepdims=True)
    return unit


def _lit(n: NDArray[Any], albedo: NDArray[Any], rough: NDArray[Any], metal: NDArray[Any]) -> NDArray[np.float64]:
    f0 = 0.04 * (1 - metal) + albedo * metal
    diffuse = albedo * (1 - metal)
    up = n[:, 1:2] * 0.5 + 0.5
    sky = _GROUND + (_SKY - _GROUND) * up
    facing = np.clip(n[:, 2:], 0, 1)
    edge = f0 + (np.maximum(1 - rough, f0) - f0) * (1 - facing) ** 5
    mirrored_up = np.clip(2 * n[:, 2:] * n[:, 1:2], -1, 1) * 0.5 + 0.5
    total: NDArray[np.float64] = diffuse * sky + edge * (_GROUND + (_SKY * 1.6 - _GROUND) * mirrored_up)
    view = np.array([0.0, 0.0, 1.0])
    for direction, colour in (_KEY, _FILL):
        light = direction / np.linalg.norm(direction)
        half = (light + view) / np.linalg.norm(light + view)
        nl, nh = np.clip(n @ light, 0, 1)[:, None], np.clip(n @ half, 0, 1)[:, None]
        alpha = rough**4
        lobe = alpha / (np.pi * (nh * nh * (alpha - 1) + 1) ** 2)
        k = (rough + 1) ** 2 / 8
        masking = 1 / ((nl * (1 - k) + k) * (facing * (1 - k) + k))
        fresnel = f0 + (1 - f0) * (1 - float(half @ view)) ** 5
        total = total + colour * nl * (diffuse / np.pi + fresnel * np.minimum(lobe * masking / 4, 8.0))
    return total


def linear(encoded_values: NDArray[Any]) -> NDArray[np.float64]:
    """Scene-linear values of sRGB-encoded ones (IEC 61966-2-1)."""
    values = np.clip(encoded_values, 0, 1)
    result: NDArray[np.float64] = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return result


def encoded(linear_values: NDArray[Any]) -> NDArray[np.float64]:
    """sRGB-encoded values of scene-linear ones (IEC 61966-2-1)."""
    values = np.clip(linear_values, 0, 1)
    result: NDArray[np.float64] = np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)
    return result
