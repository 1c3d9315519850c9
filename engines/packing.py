"""From a neutral material to the textures one host reads: normal direction, packed channels, inversions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engines.assets import Array, Image, Material
from engines.colour import as_float, as_u8, as_u16
from engines.conventions import Channel, Host, PackedMap
from engines.errors import UnsuitableAsset
from engines.kinds import ColourSpace, MapName

_ORDER: tuple[Channel, ...] = ("r", "g", "b", "a")
_COLOUR = (MapName.BASE_COLOR, MapName.EMISSION)


@dataclass(frozen=True, eq=False)
class Texture:
    """One picture a host is given: `role` names it, `channels` says what its channels hold.

    Keys of `channels` are runs of "rgba" ("rgb": "base_color", "a": "opacity"); a value with a leading `1-` is
    stored inverted; "constant" marks a channel that holds only its fill value.
    """

    role: str
    image: Image
    channels: Mapping[str, str]


def textures(material: Material, host: Host) -> tuple[Texture, ...]:
    """The textures of `material` as `host` wants them, plain ones first, each tagged with its colour space.

    A map the material lacks is left out; a packed map is left out only if it lacks all of its maps. Opacity goes
    into the alpha of the base colour for hosts that take it neither plain nor packed.
    """
    check_material(material)
    plain = [_plain(name, material, host) for name in host.plain_maps if name in material.maps]
    packed = [_packed(row, material) for row in host.packed if _maps_of(row) & set(material.maps)]
    return (*plain, *packed)


def check_material(material: Material) -> None:
    """Raise `UnsuitableAsset` unless all maps share one size and have the channels the neutral form promises."""
    if not material.maps:
        raise UnsuitableAsset(f"material {material.name!r} has no maps")
    sizes = {image.pixels.shape[:2] for image in material.maps.values()}
    if len(sizes) > 1:
        raise UnsuitableAsset(f"the maps of {material.name!r} differ in size: {sorted(sizes)}")
    for name, image in material.maps.items():
        expected = (3, 4) if name in _COLOUR else (3,) if name is MapName.NORMAL else (1,)
        if image.pixels.ndim != 3 or image.pixels.shape[2] not in expected:
            raise UnsuitableAsset(
                f"map {name} of {material.name!r} has the shape {image.pixels.shape}, expected [H, W, {expected[0]}]"
            )


def inverted(pixels: Array) -> Array:
    """1 - pixels, in the same dtype, but halves become float32: near 0 they have no room for 1 - x."""
    if pixels.dtype.kind == "u":
        return np.bitwise_not(pixels)
    return np.subtract(1, pixels, dtype=np.float32)


def flipped_normals(pixels: Array) -> Array:
    """A tangent-space normal map with its green direction turned over; doing it twice changes nothing."""
    flipped = pixels.copy() if pixels.dtype.kind == "u" else pixels.astype(np.float32)
    flipped[..., 1] = inverted(pixels[..., 1])
    return flipped


def see_through(pixels: Array) -> Literal["opaque", "cut_out", "translucent"]:
    """How a picture [H, W, C] with or without alpha is best drawn: a cut-out has next to nothing between 0 and 1."""
    if pixels.shape[2] < 4:
        return "opaque"
    full = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    alpha = pixels[..., 3]
    if (alpha >= full).all():
        return "opaque"
    between = np.count_nonzero((alpha > 0.1 * full) & (alpha < 0.9 * full)) / alpha.size
    return "cut_out" if between < 0.02 else "translucent"


def _plain(name: MapName, material: Material, host: Host) -> Texture:
    image = material.maps[name]
    if name is MapName.NORMAL and host.normal_y == -1:
        image = Image(flipped_normals(image.pixels), image.colour_space, image.name)
    if name is MapName.BASE_COLOR and _rides_in_alpha(material, host):
        alpha = _as_dtype(material.maps[MapName.OPACITY].pixels, image.pixels.dtype)
        pixels = np.concatenate([image.pixels[..., :3], alpha], axis=2)
        return Texture(name.value, Image(pixels, image.colour_space, image.name), {"rgb": name.value, "a": "opacity"})
    keys = {1: "r", 2: "rg", 3: "rgb", 4: "rgba"}
    return Texture(name.value, image, {keys[image.pixels.shape[2]]: name.value})


def _rides_in_alpha(material: Material, host: Host) -> bool:
    taken = set(host.plain_maps).union(*(_maps_of(row) for row in host.packed))
    return MapName.OPACITY in material.maps and MapName.OPACITY not in taken


def _packed(row: PackedMap, material: Material) -> Texture:
    """Channels in the order rgba; every one up to the last that the row mentions exists."""
    last = max(_ORDER.index(channel) for channel in (*row.channels, *row.fill))
    present = [material.maps[name] for name in sorted(_maps_of(row)) if name in material.maps]
    height, width = present[0].pixels.shape[:2]
    dtype = _common_dtype([image.pixels.dtype for image in present])
    pixels = np.empty((height, width, last + 1), dtype)
    meaning: dict[str, str] = {}
    for index, channel in enumerate(_ORDER[: last + 1]):
        source = row.channels.get(channel, "")
        name = source.removeprefix("1-")
        if source and MapName(name) in material.maps:
            plane = _as_dtype(material.maps[MapName(name)].pixels[..., 0], dtype)
            pixels[..., index] = inverted(plane) if source.startswith("1-") else plane
            meaning[channel] = source
        else:
            pixels[..., index] = _code(row.fill.get(channel, 0.0), dtype)
            meaning[channel] = "constant"
    return Texture(row.name, Image(pixels, row.colour_space, row.name), meaning)


def _maps_of(row: PackedMap) -> set[MapName]:
    return {MapName(source.removeprefix("1-")) for source in row.channels.values()}


def _common_dtype(dtypes: list[np.dtype[np.generic]]) -> np.dtype[np.generic]:
    if all(dtype == np.uint8 for dtype in dtypes):
        return np.dtype(np.uint8)
    if all(dtype.kind == "u" for dtype in dtypes):
        return np.dtype(np.uint16)
    return np.dtype(np.float32)


def _as_dtype(pixels: Array, dtype: np.dtype[np.generic]) -> Array:
    if dtype == np.uint8:
        return as_u8(pixels)
    if dtype == np.uint16:
        return as_u16(pixels)
    return as_float(pixels).astype(dtype, copy=False)


def _code(value: float, dtype: np.dtype[np.generic]) -> float:
    return value if dtype.kind == "f" else round(value * (256**dtype.itemsize - 1))


COLOUR_SPACES = {name: ColourSpace.SRGB if name in _COLOUR else ColourSpace.DATA for name in MapName}
"""The colour space every neutral map is kept in."""
