"""The kinds of asset and the names of a material's maps; importing this loads nothing else."""

from enum import StrEnum


class Kind(StrEnum):
    """What an asset is; the string is what goes over the wire and into manifests."""

    IMAGE = "image"
    MATERIAL = "material"
    CLIP = "clip"
    SPLATS = "splats"
    MESH = "mesh"
    FIELD = "field"
    SOUND = "sound"
    SCENE = "scene"
    CAPTURE = "capture"
    """Photographs of one place or thing, with or without camera poses."""


class MapName(StrEnum):
    """The maps a neutral material may carry; hosts pack and rename them, we never do."""

    BASE_COLOR = "base_color"
    NORMAL = "normal"
    HEIGHT = "height"
    ROUGHNESS = "roughness"
    METALLIC = "metallic"
    OCCLUSION = "occlusion"
    EMISSION = "emission"
    OPACITY = "opacity"


class ColourSpace(StrEnum):
    """How the numbers of an image are to be read."""

    SRGB = "srgb"
    """Display-encoded colour (IEC 61966-2-1), as in most pictures."""
    LINEAR = "linear"
    """Scene-linear light with Rec.709 primaries."""
    DATA = "data"
    """Not colour at all: normals, heights, roughness; never gamma-converted."""
