"""Light on a surface, in plain numpy: one GGX lobe over a diffuse base, three lights and a soft sky.

The model is that of glTF 2.0 (appendix B): Lambert and Trowbridge-Reitz with Smith visibility and Schlick's
Fresnel. The surroundings are a gradient (warm floor, cool sky, a bright window) met through the approximate
integral of Karis 2014, "Physically based shading on mobile".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from engines.colour import srgb_u8_from_linear

Direction = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """A distant light: the direction towards it in view space (right, up, towards the viewer), and its strength."""

    towards: Direction
    radiance: tuple[float, float, float]


KEY = Light((-0.55, 0.65, 0.6), (3.4, 3.2, 2.9))
FILL = Light((0.8, 0.1, 0.5), (0.45, 0.55, 0.75))
RIM = Light((0.3, 0.7, -0.7), (1.0, 1.05, 1.2))
STUDIO = (KEY, FILL, RIM)
RAKING = (Light((-0.62, 0.6, 0.42), (3.9, 3.65, 3.3)), Light((0.7, -0.2, 0.7), (0.35, 0.42, 0.55)))
"""A low sun from the upper left: relief reads best with it."""


@dataclass(frozen=True)
class Window:
    """A bright soft panel in the surroundings: where it is seen in a mirror facing us, its spread and strength."""

    up: float
    right: float
    spread: float
    strength: float


STUDIO_WINDOW = Window(0.6, -0.45, 0.02, 0.7)
OVERHEAD = Window(0.12, -0.1, 0.12, 0.34)
"""Beside the camera, as flat metal is photographed: a plane would else mirror only the dark horizon."""


@dataclass(frozen=True, eq=False)
class Surface:
    """What is lit, point by point: linear colours float32 [..., 3], scalars float32 [...] or numbers."""

    base: FloatArray
    normal: FloatArray
    """Unit vectors in view space."""
    roughness: FloatArray | float = 0.6
    metallic: FloatArray | float = 0.0
    occlusion: FloatArray | float = 1.0
    emission: FloatArray | float = 0.0
    ior: float = 1.5


def lit(
    surface: Surface,
    lights: tuple[Light, ...] = STUDIO,
    *,
    view: FloatArray | None = None,
    shadow: FloatArray | float = 1.0,
    window: Window = STUDIO_WINDOW,
) -> FloatArray:
    """Linear radiance float32 [..., 3] along `view`, unit vectors towards the eye (+Z for all if None).

    `shadow` dims the first light only; `window` is what shines in mirrors.
    """
    normal = surface.normal
    eye = np.array([0, 0, 1], np.float32) if view is None else view
    facing = np.sum(normal * eye, axis=-1)
    n_v = np.clip(facing, 0.05, 1.0)
    roughness = np.clip(np.asarray(surface.roughness, np.float32), 0.045, 1.0)
    metallic = np.asarray(surface.metallic, np.float32)[..., None]
    dielectric = ((surface.ior - 1) / (surface.ior + 1)) ** 2
    f0 = dielectric * (1 - metallic) + surface.base * metallic
    diffuse = surface.base * (1 - metallic)
    occlusion = np.asarray(surface.occlusion, np.float32)
    radiance = np.zeros(surface.base.shape, np.float32)
    for index, light in enumerate(lights):
        towards = _unit(light.towards)
        n_l = np.maximum(normal @ towards, 0)
        half = towards + eye
        half = half / np.linalg.norm(half, axis=-1, keepdims=True)
        n_h = np.clip(np.sum(normal * half, axis=-1), 0, 1)
        fresnel = f0 + (1 - f0) * (1 - np.clip(half @ towards, 0, 1))[..., None] ** 5
        lobe = (_ggx(n_h, roughness) * _visibility(n_l, n_v, roughness))[..., None]
        blocked = shadow if index == 0 else occlusion
        arriving = (n_l * blocked)[..., None] * np.array(light.radiance, np.float32)
        radiance += (diffuse / np.float32(np.pi) * (1 - fresnel) + fresnel * lobe) * arriving
    radiance += diffuse * _sky(normal[..., 1], normal[..., 0], 1.0, STUDIO_WINDOW) * occlusion[..., None]
    reflected = 2 * facing[..., None] * normal - eye
    scale, bias = _environment_terms(roughness, n_v)
    specular = f0 * scale[..., None] + bias[..., None]
    radiance += specular * _sky(reflected[..., 1], reflected[..., 0], roughness, window) * occlusion[..., None]
    return np.asarray(radiance + surface.emission, np.float32)


def displayed(linear: FloatArray) -> NDArray[np.uint8]:
    """8-bit sRGB of radiance; highlights roll off above 0.8 in place of clipping, everything below is exact."""
    knee = np.float32(0.8)
    over = np.maximum(linear - knee, 0)
    held = np.minimum(linear, knee) + (1 - knee) * (1 - np.exp(-over / (1 - knee)))
    return srgb_u8_from_linear(np.asarray(held, np.float32))


def backdrop(size_px: int) -> FloatArray:
    """Linear float32 [size, size, 3]: a dark studio wall with a soft pool of light."""
    y, x = np.mgrid[0:size_px, 0:size_px].astype(np.float32) / size_px
    pool = np.exp(-((x - 0.45) ** 2 + (y - 0.35) ** 2) * 3.5)
    level = 0.018 + 0.055 * pool
    return np.asarray(level[..., None] * np.array([0.95, 1.0, 1.1], np.float32), np.float32)


def _unit(vector: tuple[Any, ...]) -> FloatArray:
    array = np.array(vector, np.float32)
    return np.asarray(array / np.linalg.norm(array), np.float32)


def _ggx(n_h: FloatArray, roughness: FloatArray) -> FloatArray:
    a2 = roughness**4
    return np.asarray(a2 / (np.pi * (n_h * n_h * (a2 - 1) + 1) ** 2), np.float32)


def _visibility(n_l: FloatArray, n_v: FloatArray, roughness: FloatArray) -> FloatArray:
    a = roughness * roughness
    return np.asarray(0.5 / (n_l * (n_v * (1 - a) + a) + n_v * (n_l * (1 - a) + a) + 1e-5), np.float32)


def _sky(up: FloatArray, right: FloatArray, roughness: FloatArray | float, window: Window) -> FloatArray:
    """Mean radiance of the surroundings around a direction, blurred by roughness."""
    blur = np.clip(np.asarray(roughness, np.float32), 0.08, 1.0)
    above = 1 / (1 + np.exp(-up / (0.08 + 0.35 * blur)))
    far = (up - window.up) ** 2 + (right - window.right) ** 2
    shine = np.exp(-far / (window.spread + 0.35 * blur * blur)) * window.strength / (0.25 + blur)
    sky, floor = np.array([0.42, 0.5, 0.62], np.float32), np.array([0.16, 0.14, 0.12], np.float32)
    warm = np.array([1.0, 0.95, 0.88], np.float32)
    return np.asarray(floor + (sky - floor) * above[..., None] + warm * shine[..., None], np.float32)


def _environment_terms(roughness: FloatArray, n_v: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Scale and bias of f0 in the split sum, by Karis's fit of 2014."""
    r = [roughness * -1.0 + 1.0, roughness * -0.0275 + 0.0425, roughness * -0.572 + 1.04, roughness * 0.022 - 0.04]
    a004 = np.minimum(r[0] * r[0], np.exp2(-9.28 * n_v)) * r[0] + r[1]
    return np.asarray(-1.04 * a004 + r[2], np.float32), np.asarray(1.04 * a004 + r[3], np.float32)
