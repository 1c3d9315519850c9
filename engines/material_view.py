"""Pictures of a material: a tiled plane under a raking light, and a ball in a studio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import Array, FloatArray, Image, Material
from engines.colour import as_float, linear_pixels
from engines.kinds import MapName
from engines.shading import OVERHEAD, RAKING, Light, Surface, backdrop, displayed, lit

_PLAIN = {MapName.ROUGHNESS: 0.6, MapName.METALLIC: 0.0, MapName.OPACITY: 1.0}
_MOST_SHADOW_STEPS = 48


@dataclass(frozen=True, eq=False)
class Maps:
    """A material at one size, ready to be lit: float32 [N, N, 3] or [N, N], linear; heights in metres."""

    base: FloatArray
    normal: FloatArray
    roughness: FloatArray
    metallic: FloatArray
    occlusion: FloatArray
    opacity: FloatArray
    emission: FloatArray
    height_m: FloatArray
    ior: float


def sampled(material: Material, size_px: int) -> Maps:
    """The material's maps at `size_px` a side; what it lacks is filled in, normals and occlusion from its height."""
    wraps = material.tileable
    shape = (size_px, size_px)

    def plane(name: MapName) -> FloatArray:
        if name not in material.maps:
            return np.full(shape, _PLAIN[name], np.float32)
        return _resized(as_float(_fewer(material.maps[name].pixels, size_px)), size_px, wraps)[..., 0]

    def colour(name: MapName, otherwise: float) -> FloatArray:
        if name not in material.maps:
            return np.full((*shape, 3), otherwise, np.float32)
        image = material.maps[name]
        small = Image(_fewer(image.pixels, size_px), image.colour_space)
        return _resized(linear_pixels(small)[..., :3], size_px, wraps)

    height = np.zeros(shape, np.float32)
    if MapName.HEIGHT in material.maps:
        raw = as_float(_fewer(material.maps[MapName.HEIGHT].pixels, size_px))
        height = (_resized(raw, size_px, wraps)[..., 0] - 0.5) * np.float32(material.height_m)
    pixel_m = material.tile_m / size_px
    if MapName.NORMAL in material.maps:
        raw = as_float(_fewer(material.maps[MapName.NORMAL].pixels, size_px))
        normal = _resized(raw, size_px, wraps) * 2 - 1
    else:
        normal = _normals_of(height, pixel_m, wraps)
    has_occlusion = MapName.OCCLUSION in material.maps
    return Maps(
        base=colour(MapName.BASE_COLOR, 0.5),
        normal=(normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)).astype(np.float32),
        roughness=plane(MapName.ROUGHNESS),
        metallic=plane(MapName.METALLIC),
        occlusion=plane(MapName.OCCLUSION) if has_occlusion else occlusion_of(height, pixel_m),
        opacity=plane(MapName.OPACITY),
        emission=colour(MapName.EMISSION, 0.0),
        height_m=height,
        ior=material.ior,
    )


def lit_tile(material: Material, size_px: int, tiles: int = 2, light: tuple[Light, ...] = RAKING) -> NDArray[np.uint8]:
    """sRGB uint8 [size, size, 3]: the material repeated `tiles` times each way on a plane seen from the front.

    The height casts soft shadows from the first light at its true depth. A material that does not repeat is
    shown once.
    """
    tiles = tiles if material.tileable else 1
    each = -(-size_px // tiles)
    maps = sampled(material, each)
    shadow = _cast_shadows(maps.height_m, material.tile_m / each, light[0])
    whole = _repeated(maps, tiles, size_px)
    # An eye two widths away: reflections travel over the plane as they would on a table.
    y, x = np.mgrid[0:size_px, 0:size_px].astype(np.float32) / size_px - 0.5
    view = np.stack([-x, y, np.full_like(x, 1.9)], axis=-1)
    view /= np.linalg.norm(view, axis=-1, keepdims=True)
    radiance = lit(_surface(whole), light, view=view, shadow=_tiled(shadow, tiles, size_px), window=OVERHEAD)
    opacity = whole.opacity[..., None]
    if (opacity < 1).any():
        radiance = radiance * opacity + _checks(size_px) * (1 - opacity)
    return displayed(radiance)


def lit_ball(material: Material, size_px: int) -> NDArray[np.uint8]:
    """sRGB uint8 [size, size, 3]: a ball wrapped in the material, smooth at its edge, before a dark wall."""
    fine = size_px * 2
    maps = sampled(material, min(512, max(64, fine // 2)))
    y, x = np.mgrid[0:fine, 0:fine].astype(np.float32)
    x, y = (x + 0.5) / fine * 2.2 - 1.1, 1.1 - (y + 0.5) / fine * 2.2
    inside = x * x + y * y < 1
    px, py = x[inside], y[inside]
    pz = np.sqrt(1 - px * px - py * py)
    ball = np.stack([px, py, pz], axis=-1)
    longitude, latitude = np.arctan2(px, pz), np.arcsin(np.clip(py, -1, 1))
    u, v = longitude / np.pi * 2 + 0.5, latitude / np.pi * 2 + 0.5
    surface = _surface(_looked_up(maps, u, v, _on_ball(ball, longitude)))
    radiance = lit(surface, shadow=1.0)
    scene = np.repeat(np.repeat(backdrop(size_px), 2, axis=0), 2, axis=1)
    opacity = _nearest(maps.opacity, u, v)[..., None]
    scene[inside] = radiance * opacity + scene[inside] * (1 - opacity)
    return displayed(scene.reshape(size_px, 2, size_px, 2, 3).mean(axis=(1, 3), dtype=np.float32))


def occlusion_of(height_m: FloatArray, pixel_m: float) -> FloatArray:
    """Ambient occlusion 0..1 of a height field: how far each point lies below its surroundings, at four scales."""
    open_sky = np.ones_like(height_m)
    for reach in (1, 2, 4, 8):
        around = sum(
            np.roll(height_m, (dy * reach, dx * reach), (0, 1))
            for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
        )
        sunk = np.maximum(np.asarray(around, np.float32) / 8 - height_m, 0) / (reach * pixel_m)
        open_sky = np.divide(open_sky, 1 + 0.7 * sunk, dtype=np.float32)
    return open_sky


def _normals_of(height_m: FloatArray, pixel_m: float, wraps: bool) -> FloatArray:
    padded = np.pad(height_m, 1, mode="wrap" if wraps else "edge")
    right = (padded[1:-1, 2:] - padded[1:-1, :-2]) / (2 * pixel_m)
    up = (padded[:-2, 1:-1] - padded[2:, 1:-1]) / (2 * pixel_m)
    return np.stack([-right, -up, np.ones_like(right)], axis=-1)


def _cast_shadows(height_m: FloatArray, pixel_m: float, light: Light) -> FloatArray:
    """1 where the light arrives, 0 where the relief stands in its way, with a soft edge."""
    x, y, z = light.towards
    flat = float(np.hypot(x, y))
    relief = float(np.ptp(height_m))
    if flat < 1e-3 or relief == 0:
        return np.ones_like(height_m)
    rise_m = z / flat * pixel_m
    lit_share = np.ones_like(height_m)
    for step in range(1, min(_MOST_SHADOW_STEPS, int(relief / rise_m) + 2)):
        ahead = np.roll(height_m, (round(y / flat * step), round(-x / flat * step)), (0, 1))
        above = (ahead - height_m - step * rise_m) / (0.35 * step * pixel_m + 0.05 * relief)
        lit_share = np.minimum(lit_share, np.clip(1 - above, 0, 1))
    return np.asarray(lit_share, np.float32)


def _surface(maps: Maps) -> Surface:
    return Surface(maps.base, maps.normal, maps.roughness, maps.metallic, maps.occlusion, maps.emission, maps.ior)


def _mapped(maps: Maps, change: dict[str, FloatArray]) -> Maps:
    return Maps(**change, ior=maps.ior)


def _repeated(maps: Maps, tiles: int, size_px: int) -> Maps:
    return _mapped(maps, {name: _tiled(array, tiles, size_px) for name, array in vars(maps).items() if name != "ior"})


def _tiled(array: FloatArray, tiles: int, size_px: int) -> FloatArray:
    repeats = (tiles, tiles) + (1,) * (array.ndim - 2)
    return np.tile(array, repeats)[:size_px, :size_px]


def _looked_up(maps: Maps, u: FloatArray, v: FloatArray, frame: tuple[FloatArray, ...]) -> Maps:
    flat = {name: _nearest(array, u, v) for name, array in vars(maps).items() if name != "ior"}
    tangent, bitangent, normal = frame
    bumped = flat["normal"][..., :1] * tangent + flat["normal"][..., 1:2] * bitangent + flat["normal"][..., 2:] * normal
    flat["normal"] = np.asarray(bumped / np.linalg.norm(bumped, axis=-1, keepdims=True), np.float32)
    return _mapped(maps, flat)


def _on_ball(ball: FloatArray, longitude: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    tangent = np.stack([np.cos(longitude), np.zeros_like(longitude), -np.sin(longitude)], axis=-1)
    return tangent, np.cross(ball, tangent), ball


def _nearest(array: FloatArray, u: FloatArray, v: FloatArray) -> FloatArray:
    rows = ((1 - v) % 1 * array.shape[0]).astype(np.int64) % array.shape[0]
    columns = (u % 1 * array.shape[1]).astype(np.int64) % array.shape[1]
    return np.asarray(array[rows, columns], np.float32)


def _fewer(pixels: Array, size_px: int) -> Array:
    """Every k-th pixel of maps many times too large: what is dropped would be averaged away."""
    stride = max(1, min(pixels.shape[:2]) // (size_px * 4))
    return pixels[::stride, ::stride]


def _resized(values: FloatArray, size_px: int, wraps: bool) -> FloatArray:
    """[H, W, C] to [size, size, C]: area average going down, linear going up."""
    height, width, channels = values.shape
    if height % size_px == 0 and width % size_px == 0:
        return _block_means(values, height // size_px, width // size_px)
    rows, columns = (_weights(values.shape[axis], size_px, wraps) for axis in (0, 1))
    down = rows @ values.reshape(height, -1)
    across = down.reshape(size_px, width, channels).transpose(0, 2, 1) @ columns.T
    return np.ascontiguousarray(across.transpose(0, 2, 1), np.float32)


def _block_means(values: FloatArray, tall: int, wide: int) -> FloatArray:
    """Means over blocks, by adding strided slices: many times as fast as a mean over two axes."""
    down = sum((values[row::tall] for row in range(1, tall)), start=values[::tall])
    across = sum((down[:, column::wide] for column in range(1, wide)), start=down[:, ::wide])
    return np.ascontiguousarray(across / np.float32(tall * wide), np.float32)


def _weights(source: int, target: int, wraps: bool) -> FloatArray:
    """[target, source] rows that sum to 1."""
    centre = (np.arange(target) + 0.5) * source / target - 0.5
    reach = max(1.0, source / target)
    offsets = np.arange(-int(np.ceil(reach)), int(np.ceil(reach)) + 1)
    at = np.floor(centre)[:, None].astype(np.int64) + offsets
    distance = np.abs(at - centre[:, None])
    if reach > 1:
        share = np.clip(reach / 2 + 0.5 - distance, 0, 1)  # overlap of a pixel with the window
    else:
        share = np.clip(1 - distance, 0, None)
    share /= share.sum(axis=1, keepdims=True)
    result = np.zeros((target, source), np.float32)
    place = at % source if wraps else np.clip(at, 0, source - 1)
    np.add.at(result, (np.arange(target)[:, None], place), share.astype(np.float32))
    return result


def _checks(size_px: int) -> FloatArray:
    y, x = np.mgrid[0:size_px, 0:size_px] // max(4, size_px // 16)
    return np.where(((x + y) % 2)[..., None] == 0, np.float32(0.32), np.float32(0.18)) * np.ones(3, np.float32)
