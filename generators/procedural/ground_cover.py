"""What grows and lies on a landscape: rock, scree, earth, grass, sand and snow by height, slope and water."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.assets import Array, FloatArray, Image, Material
from engines.kinds import ColourSpace, MapName
from generators.events import Context
from generators.procedural.erosion import enlarged
from generators.procedural.lattice_noise import Check, fbm
from generators.procedural.small_specs import TerrainParams
from generators.procedural.water import blur_periodic

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Palette:
    """Colours of one kind of land, linear: two of rock (they alternate in layers), scree, earth, two of grass."""

    rock: tuple[Colour, Colour]
    scree: Colour
    earth: Colour
    grass: tuple[Colour, Colour]


ALPINE = Palette(
    ((0.155, 0.145, 0.135), (0.235, 0.215, 0.19)),
    (0.27, 0.25, 0.225),
    (0.16, 0.12, 0.075),
    ((0.075, 0.105, 0.03), (0.15, 0.155, 0.055)),
)
DESERT = Palette(
    ((0.36, 0.15, 0.075), (0.55, 0.33, 0.19)),
    (0.5, 0.3, 0.17),
    (0.5, 0.32, 0.19),
    ((0.33, 0.25, 0.12), (0.46, 0.31, 0.17)),
)
SAND = Palette(
    ((0.44, 0.28, 0.14), (0.5, 0.33, 0.17)),
    (0.47, 0.3, 0.155),
    (0.42, 0.27, 0.13),
    ((0.48, 0.31, 0.16), (0.53, 0.36, 0.2)),
)
PALETTES = {"canyons": DESERT, "dunes": SAND}
HEIGHT_SHARE = {"mountains": 0.25, "island": 0.25, "canyons": 0.2, "hills": 0.08, "dunes": 0.05}
"""Height over side of each form where none is asked for: 500 m of mountains or 100 m of dunes in 2 km."""
GENTLE = 0.8
"""Slopes are judged against the land's own steepest tenth, but land gentler than this has no cliffs to lay bare."""
SNOW = (0.82, 0.86, 0.92)
SEA = (0.015, 0.09, 0.12)


def relief_m(params: TerrainParams) -> float:
    """From the lowest to the highest point in metres: as asked, else what the form has at that size."""
    return params.height_m if params.height_m is not None else max(1.0, HEIGHT_SHARE[params.form] * params.size_m)


def _smooth(values: Array, low: float, high: float) -> Array:
    t = np.clip((values - low) / (high - low), 0, 1)
    eased: Array = t * t * (3 - 2 * t)
    return eased


def terrain_material(height: Array, flow: Array, params: TerrainParams, seed: int, context: Context) -> Material:
    """Base colour, normal, roughness and occlusion of a heightfield [N, N] in metres, baked over its uvs.

    `flow` is the logarithm of the cells that drain through each cell. The normal map holds only the relief finer
    than the mesh.
    """
    size, check = params.texture_px, context.check
    rng = np.random.default_rng((seed, 2))
    land = enlarged(height, size)
    check()
    step = params.size_m / (size - 1)
    relief = relief_m(params)
    detail = fbm(size, 24, 6, 0.6, rng, check=check).astype(np.float64)
    check()
    gy, gx = np.gradient(land, step)
    check()
    slope = np.hypot(gy, gx)
    check()
    # Hills are low land: what would be bare or white on a mountain of that share of height is still green.
    level = land / relief * (0.4 if params.form == "hills" else 1.0) + 0.05 * detail
    colour, rough = _cover(level, slope, enlarged(flow, size), detail, land, params, check)
    check()
    occlusion = _occlusion(land, step)
    check()
    colour *= (0.9 + 0.35 * detail)[..., None] * (0.55 + 0.45 * occlusion[..., None])
    bump = detail * relief * 0.006 * np.clip(slope * 2, 0.15, 1)
    by, bx = np.gradient(bump, step)
    normal = np.stack((-bx, by, np.ones_like(bx)), -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    check()
    maps = {
        MapName.BASE_COLOR: Image(_bytes(_encoded(np.clip(colour, 0, 1))), ColourSpace.SRGB),
        MapName.NORMAL: Image(_bytes(normal * 0.5 + 0.5), ColourSpace.DATA),
        MapName.ROUGHNESS: Image(_bytes(rough[..., None]), ColourSpace.DATA),
        MapName.OCCLUSION: Image(_bytes(occlusion[..., None]), ColourSpace.DATA),
    }
    return Material(maps, tile_m=params.size_m, height_m=relief, tileable=False, name=f"{params.form} ground")


def _cover(
    level: Array, slope: Array, flow: Array, detail: Array, land: Array, params: TerrainParams, check: Check
) -> tuple[FloatArray, Array]:
    """Linear colour [S, S, 3] and roughness [S, S] of the layers from rock below to snow on top."""
    palette = PALETTES.get(params.form, ALPINE)
    # Slopes are judged against this land's own: gentle hills have their bare cliffs too, and crags their meadows.
    steep = slope / max(float(np.quantile(slope[::4, ::4], 0.9)), GENTLE)
    bands = 0.5 + 0.5 * np.sin(land / relief_m(params) * 2 * np.pi * 14 + 3 * detail)
    mix = np.clip(0.5 * bands + 0.5 + 0.9 * detail - 0.3, 0, 1)[..., None]
    colour = _mixed(*palette.rock, mix)
    rough = np.full(level.shape, 0.86, np.float32)

    def lay(mask: Array, what: Array | Colour, roughness: float) -> None:
        nonlocal colour, rough
        check()
        cover = mask[..., None].astype(np.float32)
        colour += (np.asarray(what, np.float32) - colour) * cover
        rough += (roughness - rough) * mask

    lay(1 - _smooth(steep + 0.2 * detail, 0.6, 0.8), palette.scree, 0.92)
    lay((1 - _smooth(steep + 0.25 * detail, 0.45, 0.6)) * (1 - _smooth(level, 0.5, 0.8)), palette.earth, 0.95)
    blend = np.clip(0.5 + 1.4 * detail, 0, 1)[..., None]
    grass = _mixed(*palette.grass, blend)
    line = params.tree_line
    lay(
        (1 - _smooth(steep + 0.3 * detail, 0.62, 0.82)) * (1 - _smooth(level + 0.15 * detail, line - 0.12, line + 0.1)),
        grass,
        0.93,
    )
    if params.form not in PALETTES:
        wet = _smooth(flow, 4.5, 7.5) * (1 - _smooth(level, 0.55, 0.75)) * _smooth(steep, 0.15, 0.4)
        lay(0.5 * wet, palette.scree, 0.8)
        if params.form == "island":
            lay(1 - _smooth(level, 0.025, 0.05), (0.55, 0.45, 0.29), 0.9)
            lay(1 - _smooth(land / relief_m(params), 0.0005, 0.003), SEA, 0.08)
        snow = _smooth(level + 0.12 * detail, params.snow_line - 0.05, params.snow_line + 0.07)
        if params.snow_line < 1:
            lay(snow * (1 - _smooth(steep + 0.25 * detail, 1.0, 1.35)), SNOW, 0.55)
    return colour, rough


def _mixed(first: Colour, second: Colour, share: Array) -> FloatArray:
    """Two colours mixed by `share` [S, S, 1], float32 [S, S, 3]."""
    low, high = np.array(first, np.float32), np.array(second, np.float32)
    mixed: FloatArray = low + (high - low) * share.astype(np.float32)
    return mixed


def _occlusion(land: Array, step: float) -> Array:
    """Ambient occlusion 0..1 from how far the land lies below its surroundings at four scales."""
    size = len(land)
    total = np.zeros_like(land)
    padded = np.pad(land, size // 8, mode="edge").astype(np.float32)
    inner = slice(size // 8, size // 8 + size)
    for sigma in (1.5, 4, 10, 24):
        wide = sigma * size / 512
        below = blur_periodic(padded, wide)[inner, inner] - land
        total += np.clip(below / (wide * step * 1.6), -0.2, 1)
    shaded: Array = np.clip(1 - 0.55 * total, 0.25, 1)
    return shaded


def hillshade(land: Array, params: TerrainParams) -> FloatArray:
    """Quick picture of a heightfield [N, N] in cell widths, float32 linear [N, N, 3], lit from the north-west."""
    stretch = relief_m(params) / params.size_m / 0.28
    gy, gx = np.gradient(land * stretch)
    light = (0.6 + 0.55 * gx + 0.55 * gy) / np.sqrt(1 + gx * gx + gy * gy)
    level = (land - land.min()) / max(float(land.max() - land.min()), 1e-9)
    low, high = np.array(PALETTES.get(params.form, ALPINE).grass[1]), np.array(SNOW)
    tint = low + (high - low) * _smooth(level, 0.3, 1.0)[..., None]
    return np.asarray(np.clip(light, 0, 1.4)[..., None] * tint, np.float32)


def _encoded(linear: Array) -> Array:
    """Linear light to sRGB (IEC 61966-2-1)."""
    coded: Array = np.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    )
    return coded


def _bytes(values: Array) -> Array:
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
