"""The material of a GLB: textures times factors (glTF 2.0 §3.9) as maps of one size, and the uvs they lie on.

A neutral mesh has one set of uvs, so the first texture says which set it is and how `KHR_texture_transform` moves it;
textures that lie elsewhere are left. Emission brighter than white is held at white.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Image, Material
from engines.colour import as_float, as_u8, linear_from_srgb_codes, srgb_from_linear
from engines.errors import DamagedFile
from engines.glb_container import Container
from engines.kinds import MapName
from engines.packing import COLOUR_SPACES
from engines.raster import check_picture_size, read_picture

_CLAMP, _REPEAT = 33071, 10497
_TRANSFORM = "KHR_texture_transform"
_KEPT_BYTES = 8
"""A pixel of a texture, with a copy while factors are multiplied in."""
_LACKING = {MapName.ROUGHNESS: 0.5, MapName.METALLIC: 0.0}
"""What a neutral material is taken to be without these maps."""

Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class Placing:
    """The uvs a texture lies on: `uv_set` of the mesh, scaled, turned by `rotation` (radians) and shifted."""

    uv_set: int = 0
    offset: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)

    def of(self, uvs: FloatArray) -> FloatArray:
        """The uvs float32 [N, 2], in glTF's own origin at the top left, at which the texture is read."""
        if self == Placing(self.uv_set):
            return uvs
        cos, sin = math.cos(self.rotation), math.sin(self.rotation)
        u, v = (np.asarray(uvs, np.float64) * self.scale).T
        turned = np.stack([cos * u + sin * v, cos * v - sin * u], axis=1) + self.offset
        return turned.astype(np.float32)


def placing_in(container: Container, index: int | None) -> Placing:
    """Where the textures of a material lie; the first set of uvs as it is for one without any."""
    if index is None:
        return Placing()
    return next((_placing(info) for info in _infos(container.item("materials", index)).values()), Placing())


def read_material(container: Container, index: int) -> Material | None:
    """The material, or None for one without a texture. Raises `DamagedFile` or `TooLarge`."""
    entry = container.item("materials", index)
    place = placing_in(container, index)
    taken = {name: info for name, info in _infos(entry).items() if _placing(info) == place}
    if not taken:
        return None
    pictures = {name: _picture(container, _texture(container, info)["source"]) for name, info in taken.items()}
    height, width = (max(each.shape[axis] for each in pictures.values()) for axis in (0, 1))
    check_picture_size(width, height, container.limits, "what its textures need together")
    sized = {name: _sized(pixels, height, width) for name, pixels in pictures.items()}
    maps = _maps(entry, taken, sized)
    for name, value in _constants(entry, maps).items():
        maps[name] = np.broadcast_to(as_u8(np.array(value, np.float32)), (height, width, len(value))).copy()
    own = entry.get("extras", {}).get("scenecast", {})
    return Material(
        {name: Image(maps[name], COLOUR_SPACES[name], name.value) for name in MapName if name in maps},
        tile_m=_within(own.get("tile_m", 1.0)),
        height_m=_within(own.get("height_m", 0.02)),
        tileable=_CLAMP not in {_wrap(container, info) for info in taken.values()},
        ior=_within(_extension(entry, "KHR_materials_ior").get("ior", 1.5)),
        name=str(entry.get("name", "")),
    )


def base_colour_factor(container: Container, index: int | None) -> list[float]:
    """Linear red, green, blue and alpha that multiply texture and vertex colours."""
    surface = container.item("materials", index).get("pbrMetallicRoughness", {}) if index is not None else {}
    return _numbers(surface.get("baseColorFactor", [1.0] * 4), 4, "base colour factor")


def _infos(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The texture infos that a material has, by glTF's names, the most telling first."""
    surface = entry.get("pbrMetallicRoughness", {})
    found = {name: surface.get(name) for name in ("baseColorTexture", "metallicRoughnessTexture")}
    found |= {name: entry.get(name) for name in ("normalTexture", "occlusionTexture", "emissiveTexture")}
    return {name: info for name, info in found.items() if info is not None}


def _placing(info: dict[str, Any]) -> Placing:
    moved = _extension(info, _TRANSFORM)
    uv_set = moved.get("texCoord", info.get("texCoord", 0))
    if not isinstance(uv_set, int) or isinstance(uv_set, bool) or uv_set < 0:
        raise DamagedFile(f"{uv_set!r} is no set of uvs")
    across, down = _numbers(moved.get("offset", [0.0, 0.0]), 2, "offset of a texture")
    wide, high = _numbers(moved.get("scale", [1.0, 1.0]), 2, "scale of a texture")
    (rotation,) = _numbers([moved.get("rotation", 0.0)], 1, "rotation of a texture")
    return Placing(uv_set, (across, down), rotation, (wide, high))


def _maps(entry: dict[str, Any], infos: dict[str, dict[str, Any]], pixels: dict[str, Codes]) -> dict[MapName, Codes]:
    """Every map that a texture gives, uint8 [H, W, C], its factor applied."""
    maps: dict[MapName, Codes] = {}
    if "baseColorTexture" in pixels:
        maps[MapName.BASE_COLOR] = pixels["baseColorTexture"][..., :3]
        if entry.get("alphaMode", "OPAQUE") != "OPAQUE":
            maps[MapName.OPACITY] = pixels["baseColorTexture"][..., 3:]
    if "metallicRoughnessTexture" in pixels:
        metallic, roughness = _metallic_roughness(entry)
        both = pixels["metallicRoughnessTexture"]
        maps[MapName.ROUGHNESS] = _times(both[..., 1:2], roughness)
        if metallic:
            maps[MapName.METALLIC] = _times(both[..., 2:3], metallic)
    if "normalTexture" in pixels:
        (steep,) = _numbers([infos["normalTexture"].get("scale", 1.0)], 1, "scale of a normal map")
        maps[MapName.NORMAL] = _steeper(pixels["normalTexture"][..., :3], steep)
    if "occlusionTexture" in pixels:
        (strength,) = _numbers([infos["occlusionTexture"].get("strength", 1.0)], 1, "strength of occlusion")
        maps[MapName.OCCLUSION] = ~_times(~pixels["occlusionTexture"][..., :1], strength)
    if "emissiveTexture" in pixels and any(_emission(entry)):
        maps[MapName.EMISSION] = _lit(pixels["emissiveTexture"][..., :3], _emission(entry))
    return maps


def _constants(entry: dict[str, Any], maps: dict[MapName, Codes]) -> dict[MapName, list[float]]:
    """What the factors alone say, where no texture does and a neutral material would be taken to be otherwise."""
    metallic, roughness = _metallic_roughness(entry)
    emission = np.clip(srgb_from_linear(np.array(_emission(entry), np.float32)), 0, 1)
    values = {MapName.ROUGHNESS: [roughness], MapName.METALLIC: [metallic], MapName.EMISSION: emission.tolist()}
    usual = {**{name: [value] for name, value in _LACKING.items()}, MapName.EMISSION: [0.0, 0.0, 0.0]}
    return {name: value for name, value in values.items() if name not in maps and value != usual[name]}


def _metallic_roughness(entry: dict[str, Any]) -> tuple[float, float]:
    surface = entry.get("pbrMetallicRoughness", {})
    factors = [surface.get("metallicFactor", 1.0), surface.get("roughnessFactor", 1.0)]
    metallic, roughness = _numbers(factors, 2, "metallic or roughness factor")
    return metallic, roughness


def _emission(entry: dict[str, Any]) -> list[float]:
    """Linear factors; without any a material does not shine, whatever its texture."""
    strength = _extension(entry, "KHR_materials_emissive_strength").get("emissiveStrength", 1.0)
    (times,) = _numbers([strength], 1, "emissive strength")
    return [times * each for each in _numbers(entry.get("emissiveFactor", [0.0] * 3), 3, "emissive factor")]


def _times(codes: Codes, factor: float) -> Codes:
    return codes if factor == 1 else as_u8(as_float(codes) * np.float32(factor))


def _steeper(codes: Codes, scale: float) -> Codes:
    if scale == 1:
        return codes
    leaning = (as_float(codes) * 2 - 1) * np.array([scale, scale, 1], np.float32)
    length = np.linalg.norm(leaning, axis=2, keepdims=True)
    return as_u8((leaning / np.where(length > 0, length, 1) + 1) / 2)


def _lit(codes: Codes, factors: list[float]) -> Codes:
    if all(factor == 1 for factor in factors):
        return codes
    return as_u8(srgb_from_linear(linear_from_srgb_codes(codes) * np.array(factors, np.float32)))


def _texture(container: Container, info: dict[str, Any]) -> dict[str, Any]:
    return container.item("textures", info["index"])


def _wrap(container: Container, info: dict[str, Any]) -> int:
    texture = _texture(container, info)
    sampler = container.item("samplers", texture["sampler"]) if "sampler" in texture else {}
    return int(sampler.get("wrapS", _REPEAT))


def _extension(entry: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = entry.get("extensions", {}).get(name, {})
    return found


def _numbers(values: Sequence[Any], count: int, what: str) -> list[float]:
    numbers = [float(value) for value in values]
    if len(numbers) != count or not all(abs(number) < 1e6 for number in numbers):
        raise DamagedFile(f"{list(values)!r} is no {what}")
    return numbers


def _within(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise DamagedFile(f"{value!r} is no length and no index of refraction")
    return float(value)


def _picture(container: Container, index: Any) -> Codes:
    """uint8 [H, W, 4]."""
    entry = container.item("images", index)
    if "bufferView" not in entry:
        raise DamagedFile("an image outside the file is never read", remedy="export as one .glb file")
    data = container.view(entry["bufferView"])
    with tempfile.TemporaryDirectory() as room:
        file = Path(room) / "texture"
        file.write_bytes(data)
        pixels = read_picture(file, container.limits, "PNG" if data.startswith(b"\x89PNG") else "JPEG")
    container.ask(_KEPT_BYTES * pixels.shape[0] * pixels.shape[1])
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    channels = pixels.shape[2]
    colour = pixels[..., :3] if channels >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    alpha = pixels[..., -1:] if channels in (2, 4) else np.full((*pixels.shape[:2], 1), 255, np.uint8)
    return np.concatenate([colour, alpha], axis=2)


def _sized(pixels: Codes, height: int, width: int) -> Codes:
    """All maps of a material share one size; smaller ones are repeated up by nearest neighbour."""
    if pixels.shape[:2] == (height, width):
        return pixels
    rows = np.arange(height) * pixels.shape[0] // height
    columns = np.arange(width) * pixels.shape[1] // width
    return np.ascontiguousarray(pixels[rows][:, columns])
