"""From a raw surface and pictures of it to a mesh an artist can use: few triangles, UVs, colour, normals, occlusion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Image, Material, Mesh
from engines.geometry import smooth_normals
from engines.kinds import ColourSpace, MapName
from engines.mesh_view import mesh_picture
from generators.events import Context, Event, GeneratorError, Note, Preview, Progress
from generators.meshes.atlas import Texels, texels_of
from generators.meshes.baking import OCCLUSION_REACH, Ground, ground_of, normal_map, occlusion_map
from generators.meshes.decimation import decimated
from generators.meshes.isosurface import Check, Surface
from generators.meshes.smoothing import neighbours_of
from generators.meshes.topology import edges_of
from generators.meshes.transfer import unfolded
from generators.meshes.view_colours import Picture, blended, calm, depth_of

PREVIEW_PX = 256
OCCLUSION_RAYS = 16


@dataclass(frozen=True)
class Finish:
    """What the finished mesh is to be."""

    triangles: int
    texture_px: int
    normal_map: bool = True
    occlusion: bool = True
    name: str = ""


def shown(surface: Surface, colours: FloatArray | None = None) -> Preview:
    """A small lit picture of a surface."""
    mesh = Mesh(surface.positions, surface.faces.astype(np.uint32), colours=colours)
    return Preview(mesh_picture(mesh, PREVIEW_PX))


def finished(
    surface: Surface,
    pictures: Sequence[Picture],
    finish: Finish,
    context: Context,
    first: float,
    done: list[Mesh],
) -> Iterator[Event]:
    """Say how it goes from `first` of the run on, and put the mesh into `done`."""
    scale = float(np.ptp(surface.positions, axis=0).max())

    def at(share: float, stage: str) -> Progress:
        return Progress(first + (1 - first) * share, stage)

    yield at(0.0, f"reducing {len(surface.faces):,} triangles")
    low = decimated(surface, finish.triangles, context.check)
    if context.wants_previews:
        yield shown(low)
    yield at(0.15, "unfolding")
    mesh, charts = unfolded(low, finish.texture_px, finish.name, context.check)
    context.check()
    yield at(0.4, "looking for the detail of each texel")
    texels = texels_of(uvs_of(mesh), mesh.faces.astype(np.int32), finish.texture_px)
    reach = 0.02 * scale
    ground = ground_of(texels, mesh, surface, reach, context.check)
    yield at(0.55, f"colouring from {len(pictures)} views")
    colour, seen = colour_map(texels, mesh, ground, pictures, reach, context.check)
    maps = {MapName.BASE_COLOR: colour}
    context.check()
    if finish.normal_map:
        maps[MapName.NORMAL] = normal_map(texels, mesh, ground, context.check)
        context.check()
    if finish.occlusion:
        yield at(0.85, "occlusion")
        maps[MapName.OCCLUSION] = occlusion_map(texels, mesh, OCCLUSION_REACH * scale, OCCLUSION_RAYS, context.check)
    maps[MapName.ROUGHNESS] = plain_map(0.9, finish.texture_px)
    material = Material(maps, tileable=False, name=finish.name)
    made = replace(mesh, material=material)
    if context.wants_previews:
        yield Preview(mesh_picture(made, PREVIEW_PX))
    yield Note(
        f"{len(mesh.faces):,} triangles in {charts} charts; {seen:.0%} of the texture comes straight from the views, "
        "the rest was filled in from around it"
    )
    done.append(made)


def uvs_of(mesh: Mesh) -> FloatArray:
    """The mesh's uvs. Raises `GeneratorError` when it has none."""
    if mesh.uvs is None:
        raise GeneratorError("the mesh has no uvs, expected one that was unfolded; run mesh.unwrap on it first")
    return mesh.uvs


def plain_map(value: float, size_px: int) -> Image:
    """One value everywhere."""
    return Image(np.full((size_px, size_px, 1), round(value * 255), np.uint8), ColourSpace.DATA)


def colour_map(
    texels: Texels,
    mesh: Mesh,
    ground: Ground,
    pictures: Sequence[Picture],
    tolerance_m: float,
    check: Check,
) -> tuple[Image, float]:
    """The texture from the pictures, sRGB uint8 [S, S, 3]; places no picture shows take colour from around them."""
    faces = mesh.faces.astype(np.int32)
    depths = []
    trusted = []
    for picture in pictures:
        check()
        depth = depth_of(mesh.positions, faces, picture.camera)
        depths.append(depth)
        trusted.append(replace(picture, trust=picture.trust * calm(depth)))
    blend = blended(
        ground.points, ground.smooth, trusted, depths, tolerance_m=tolerance_m, groups=texels.face, check=check
    )
    normals = mesh.normals if mesh.normals is not None else smooth_normals(mesh.positions, mesh.faces)
    corners = blended(mesh.positions, normals, trusted, depths, tolerance_m=tolerance_m, check=check)
    around = texels.over(spread(mesh, corners.colours, corners.seen, check), faces)
    check()
    values = np.where(blend.seen[:, None], blend.colours, around)
    check()
    filled = texels.picture(np.asarray(values, np.float32))
    pixels = np.round(filled.clip(0, 1) * 255).astype(np.uint8)
    return Image(pixels, ColourSpace.SRGB, "base colour"), float(blend.seen.mean()) if len(blend.seen) else 0.0


def spread(mesh: Mesh, colours: FloatArray, seen: NDArray[np.bool_], check: Check) -> FloatArray:
    """Colours of vertices, those not seen taken from their neighbours, ring by ring; grey where nothing was seen."""
    _, place = np.unique(mesh.positions + np.float32(0), axis=0, return_inverse=True)
    place = place.ravel()  # vertices split along seams are one place
    faces = place[mesh.faces.astype(np.int64)]
    count = int(place.max()) + 1
    weight = np.bincount(place, seen, count)
    value = np.stack([np.bincount(place, colours[:, c] * seen, count) for c in range(3)], axis=1).astype(np.float64)
    value = np.asarray(value / np.maximum(weight, 1)[:, None])
    known = weight > 0
    offsets, members = neighbours_of(edges_of(faces).ends, count)
    owner = np.repeat(np.arange(count), np.diff(offsets))
    while not known.all():
        check()
        wanted = ~known[owner] & known[members]
        if not wanted.any():
            break
        share = np.bincount(owner[wanted], minlength=count)
        new = share > 0
        for c in range(3):
            value[new, c] = np.bincount(owner[wanted], value[members[wanted], c], count)[new] / share[new]
        known |= new
    value[~known] = value[known].mean(0) if known.any() else 0.5
    return np.ascontiguousarray(value[place], np.float32)
