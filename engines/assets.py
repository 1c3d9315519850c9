"""Neutral forms: what every asset is between the generator that made it and the host that shows it.

One convention for all: right-handed axes with +Y up, metres, counter-clockwise front faces, UV origin at the
bottom left (row 0 of an image is its top row, v = 1), linear light unless an image says otherwise, straight
alpha, normal maps with +Y (green up), time in seconds. Splats are kept in linear values, never as logits or
logarithms. Arrays are numpy, C-contiguous and treated as read-only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engines.kinds import ColourSpace, Kind, MapName

Array = NDArray[Any]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Image:
    """A picture or a data map.

    `pixels` is uint8, uint16, float16 or float32 [H, W, C] with C in 1..4, top row first. Integer pixels span
    0..1 over their full range; float pixels are the value itself. Four channels means straight alpha last.
    """

    kind: ClassVar[Kind] = Kind.IMAGE
    pixels: Array
    colour_space: ColourSpace = ColourSpace.SRGB
    name: str = ""


@dataclass(frozen=True, eq=False)
class Material:
    """A PBR surface in the metallic-roughness model of glTF 2.0.

    Base colour and emission are sRGB images, every other map is data with one channel, except the normal map:
    three channels, tangent space, +Y up, n = 2·rgb - 1. Height is 0..1 where 0.5 is the undisplaced surface,
    spanning `height_m` metres. All maps share one size and wrap in both directions when `tileable`.
    """

    kind: ClassVar[Kind] = Kind.MATERIAL
    maps: Mapping[MapName, Image]
    tile_m: float = 1.0
    """Side of one tile in metres."""
    height_m: float = 0.02
    """Distance in metres between height 0 and height 1."""
    tileable: bool = True
    ior: float = 1.5
    name: str = ""


@dataclass(frozen=True, eq=False)
class Clip:
    """Moving pictures: `frames` is uint8 [T, H, W, 3 or 4], sRGB, at `fps` frames a second."""

    kind: ClassVar[Kind] = Kind.CLIP
    frames: NDArray[np.uint8]
    fps: float = 24.0
    loops: bool = False
    """True when the frame after the last is the first."""
    name: str = ""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with optional shading data.

    `positions` float32 [V, 3] metres; `faces` uint32 [F, 3] counter-clockwise; `normals` float32 [V, 3] unit;
    `uvs` float32 [V, 2]; `colours` float32 [V, 3 or 4] linear. Vertices are split where uvs or normals differ.
    """

    kind: ClassVar[Kind] = Kind.MESH
    positions: FloatArray
    faces: NDArray[np.uint32]
    normals: FloatArray | None = None
    uvs: FloatArray | None = None
    colours: FloatArray | None = None
    material: Material | None = None
    name: str = ""


@dataclass(frozen=True, eq=False)
class Splats:
    """A cloud of anisotropic 3D Gaussians (Kerbl et al. 2023), in linear values.

    `positions` float32 [N, 3] metres; `rotations` float32 [N, 4] unit quaternions wxyz; `scales` float32 [N, 3]
    standard deviations in metres, > 0; `opacities` float32 [N] in 0..1; `sh` float32 [N, K, 3] with K in
    {1, 4, 9, 16}: real spherical harmonics in the order and signs of the 3DGS paper's code, degree 0 first, such
    that the display-referred colour is 0.5 + Σ basis·sh. Directions are taken in this asset's own axes.
    """

    kind: ClassVar[Kind] = Kind.SPLATS
    positions: FloatArray
    rotations: FloatArray
    scales: FloatArray
    opacities: FloatArray
    sh: FloatArray
    name: str = ""


@dataclass(frozen=True, eq=False)
class Field:
    """A radiance field on the occupied part of a lattice, kept in bricks of 4³ vertices.

    The lattice has `cells` cells (a multiple of 4) along each side of a cube that spans -2 … 2 in its own space y;
    vertex i of an axis stands at y = -2 + 4·i / cells. World positions are `centre_m` + `radius_m` · x, where x = y,
    or, when `contracted`, y = x for |x| ≤ 1 and (2 - 1/|x|)·x/|x| beyond (Barron et al. 2022): the whole of space is
    inside. `bricks` int32 [B, 3] counts bricks along each axis; `occupied` uint8 [B, 4, 4, 4] says which of a brick's
    cells hold anything (a cell reaches from its vertex to the next on each axis, maybe in a neighbouring brick); all
    else is empty. `density` float32 [B, 4, 4, 4] per metre is interpolated in its logarithm, which keeps surfaces
    sharp, and held at or above exp(-12) / `radius_m`; `sh` float16 or float32 [B, 4, 4, 4, K, 3] as in `Splats`, held
    at or above 0 once interpolated. Nothing nearer than `near_m` to a camera is drawn. `backdrop` is the
    display-referred colour of what nothing is known about; without one the field is transparent there. `seen_from_m`
    is where it is best looked at from, such as the middle of the photographs' places.
    """

    kind: ClassVar[Kind] = Kind.FIELD
    bricks: NDArray[np.int32]
    occupied: NDArray[np.uint8]
    density: FloatArray
    sh: NDArray[np.float16] | FloatArray
    cells: int
    centre_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    radius_m: float = 1.0
    contracted: bool = False
    near_m: float = 0.0
    backdrop: tuple[float, float, float] | None = None
    seen_from_m: tuple[float, float, float] | None = None
    name: str = ""


@dataclass(frozen=True, eq=False)
class Sound:
    """Samples: float32 [T, channels] in -1..1 at `rate_hz`."""

    kind: ClassVar[Kind] = Kind.SOUND
    samples: FloatArray
    rate_hz: int = 48_000
    loops: bool = False
    name: str = ""


@dataclass(frozen=True)
class Placement:
    """One thing in a scene plan: which asset, and where it stands."""

    asset: str
    """Digest of the asset placed here."""
    name: str = ""
    position_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation_wxyz: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class ScenePlan:
    """Where assets are to be placed; validated data, never code."""

    kind: ClassVar[Kind] = Kind.SCENE
    placements: tuple[Placement, ...] = ()
    name: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Capture:
    """Photographs of one place or thing, still packed: unlike all others, a file and no arrays.

    `path` is a zip of pictures, with their camera poses in a `transforms.json` (instant-ngp, nerfstudio) or a COLMAP
    model (cameras, images and points3D as .bin or .txt) if they are known. It is never unpacked to disk.
    """

    kind: ClassVar[Kind] = Kind.CAPTURE
    path: Path
    name: str = ""


Asset = Image | Material | Clip | Mesh | Splats | Field | Sound | ScenePlan | Capture
