"""What a mesh looks like, carried to another that lies nearly in the same place: colours, maps, fine shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Image, Material, Mesh
from engines.colour import srgb_u8_from_linear
from engines.geometry import smooth_normals, tangents
from engines.kinds import ColourSpace, MapName
from generators.meshes.atlas import Texels, texels_of
from generators.meshes.baking import OCCLUSION_REACH, Ground, normal_map, occlusion_map, unit
from generators.meshes.isosurface import Check, Surface
from generators.meshes.tracing import Hits, cast, nearest, tree_of
from generators.meshes.unwrapping import unwrapped
from generators.procedural.surface_sampling import looked_up

LEAN = 0.25
"""What leans more than this way (cosine) belongs to another side of the shape."""
RAYS = 16
SCALARS = (MapName.ROUGHNESS, MapName.METALLIC, MapName.OPACITY)


@dataclass(frozen=True)
class Wanted:
    """What is to be carried over."""

    texture_px: int
    colour: bool = True
    normal_map: bool = True
    occlusion: bool = False


def normals_of(mesh: Mesh) -> FloatArray:
    """The mesh's own normals, or smooth ones."""
    return mesh.normals if mesh.normals is not None else smooth_normals(mesh.positions, mesh.faces)


def matched(source: Mesh, points: FloatArray, normals: FloatArray, reach_m: float, check: Check) -> Hits:
    """Where on `source` each place belongs: along its normal out or in within `reach_m`, else the nearest place."""
    tree = tree_of(source.positions, source.faces)
    detail, index = normals_of(source), source.faces.astype(np.int64)
    best = np.full(len(points), np.inf, np.float32)
    face, shares = np.full(len(points), -1, np.int32), np.zeros((len(points), 3), np.float32)
    for sign in (np.float32(1), np.float32(-1)):
        hits = cast(tree, points, np.ascontiguousarray(normals * sign), reach_m, check=check)
        there = np.einsum("tk,tkc->tc", hits.shares, detail[index[np.maximum(hits.face, 0)]])
        good = (hits.face >= 0) & (hits.distance < best) & (np.einsum("tc,tc->t", there, normals) > LEAN)
        best[good], face[good], shares[good] = hits.distance[good], hits.face[good], hits.shares[good]
    rest = np.flatnonzero(face < 0)
    hits = nearest(tree, np.ascontiguousarray(points[rest]), check)
    best[rest], face[rest], shares[rest] = hits.distance, hits.face, hits.shares
    return Hits(face, best, shares)


def over(source: Mesh, hits: Hits, values: FloatArray) -> FloatArray:
    """Values of the source's vertices at the places matched."""
    corners = source.faces[hits.face].astype(np.int64)
    return np.asarray(np.einsum("tk,tkc->tc", hits.shares, values[corners]), np.float32)


def base_colour(source: Mesh, hits: Hits) -> FloatArray | None:
    """Linear colour [T, 3]: the texture times the vertices' colours; None when the source has neither."""
    maps: Mapping[MapName, Image] = source.material.maps if source.material is not None else {}
    base = maps.get(MapName.BASE_COLOR)
    if base is None and source.colours is None:
        return None
    colour = np.ones((len(hits.face), 3), np.float32)
    if base is not None and source.uvs is not None:
        colour = _three(looked_up(base, over(source, hits, source.uvs)))
    if source.colours is not None:
        colour = colour * over(source, hits, np.ascontiguousarray(source.colours[:, :3]))
    return colour


def _three(values: FloatArray) -> FloatArray:
    return np.ascontiguousarray(np.repeat(values, 3, axis=1) if values.shape[1] < 3 else values[:, :3])


def fine_normals(source: Mesh, hits: Hits) -> FloatArray:
    """Unit shading normals of the source at the places matched, its normal map included."""
    normal = unit(over(source, hits, normals_of(source)))
    frame = tangents(source)
    picture = source.material.maps.get(MapName.NORMAL) if source.material is not None else None
    if picture is None or frame is None or source.uvs is None:
        return normal
    along = unit(over(source, hits, np.ascontiguousarray(frame[:, :3])))
    hand = np.sign(over(source, hits, np.ascontiguousarray(frame[:, 3:])))
    bump = looked_up(picture, over(source, hits, source.uvs))[:, :3] * 2 - 1
    across = np.cross(normal, along) * hand
    return unit(np.asarray(along * bump[:, :1] + across * bump[:, 1:2] + normal * bump[:, 2:], np.float32))


def unfolded(low: Surface, texture_px: int, name: str, check: Check) -> tuple[Mesh, int]:
    """The surface with uvs, and normals that are smooth across the seams; and how many charts."""
    flat = unwrapped(low.positions, low.faces, resolution_px=texture_px, check=check)
    normals = smooth_normals(low.positions, low.faces)
    mesh = Mesh(
        np.ascontiguousarray(low.positions[flat.source]),
        flat.faces.astype(np.uint32),
        normals=np.ascontiguousarray(normals[flat.source]),
        uvs=flat.uvs,
        name=name,
    )
    return mesh, flat.charts


def dressed(low: Mesh, source: Mesh, wanted: Wanted, reach_m: float, check: Check) -> Mesh:
    """`low`, which has uvs, with a material baked from `source`."""
    assert low.uvs is not None
    faces = low.faces.astype(np.int32)
    texels = texels_of(low.uvs, faces, wanted.texture_px)
    points, smooth = texels.over(low.positions, faces), unit(texels.over(normals_of(low), faces))
    hits = matched(source, points, smooth, reach_m, check)
    check()
    maps: dict[MapName, Image] = {}
    if wanted.colour:
        maps.update(_carried(texels, source, hits, check))
    if wanted.normal_map:
        bent = fine_normals(source, hits)
        bent = np.where((np.einsum("tc,tc->t", bent, smooth) > 0.1)[:, None], bent, smooth)
        maps[MapName.NORMAL] = normal_map(texels, low, Ground(points, bent, smooth), check)
        check()
    if wanted.occlusion:
        reach = OCCLUSION_REACH * float(np.ptp(low.positions, axis=0).max())
        maps[MapName.OCCLUSION] = occlusion_map(texels, low, reach, RAYS, check)
    ior = source.material.ior if source.material is not None else 1.5
    return replace(low, material=Material(maps, tileable=False, ior=ior, name=low.name))


def _carried(texels: Texels, source: Mesh, hits: Hits, check: Check) -> dict[MapName, Image]:
    """Base colour, emission and the maps of one channel."""
    maps: dict[MapName, Image] = {}
    colour = base_colour(source, hits)
    if colour is not None:
        pixels = srgb_u8_from_linear(texels.picture(colour).clip(0, 1))
        maps[MapName.BASE_COLOR] = Image(pixels, ColourSpace.SRGB)
    if source.material is None or source.uvs is None:
        return maps
    uvs = over(source, hits, source.uvs)
    for name, image in source.material.maps.items():
        check()
        if name is MapName.EMISSION:
            glow = srgb_u8_from_linear(texels.picture(_three(looked_up(image, uvs))).clip(0, 1))
            maps[name] = Image(glow, ColourSpace.SRGB)
        elif name in SCALARS:
            values = texels.picture(np.ascontiguousarray(looked_up(image, uvs)[:, :1]))
            maps[name] = Image(np.round(values.clip(0, 1) * 255).astype(np.uint8), ColourSpace.DATA)
    return maps


def recoloured(low: Surface, source: Mesh, reach_m: float, check: Check) -> Mesh:
    """The surface as a mesh with the source's vertex colours, if it has any."""
    normals = smooth_normals(low.positions, low.faces)
    colours: NDArray[np.float32] | None = None
    if source.colours is not None:
        hits = matched(source, low.positions, normals, reach_m, check)
        colours = over(source, hits, source.colours)
    return Mesh(low.positions, low.faces.astype(np.uint32), normals=normals, colours=colours, name=source.name)
