"""UVs without overlap: charts by xatlas, of a few thousand triangles at a time, packed into one square.

xatlas takes more than linear time, and cannot be stopped; so the mesh is cut into parts that take well under a second
each, whose charts are then packed together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.meshes.isosurface import Check, Ints
from generators.meshes.topology import pieces

PART_FACES = 4000
PADDING_PX = 4


@dataclass(frozen=True, eq=False)
class Unwrapped:
    """`source` int64 [W] is the vertex each new one copies; `faces` int32 [F, 3]; `uvs` float32 [W, 2], v upwards;
    `charts` how many pieces, `filled` share of the square that they cover.
    """

    source: NDArray[np.int64]
    faces: Ints
    uvs: FloatArray
    charts: int
    filled: float


def unwrapped(
    positions: FloatArray, faces: NDArray[np.integer], *, resolution_px: int = 2048, check: Check = lambda: None
) -> Unwrapped:
    """Charts for every triangle, none overlapping, with a gutter of `PADDING_PX` at that resolution."""
    import xatlas

    sources, cut, flat = [], [], []
    for part in parts(positions, faces, PART_FACES):
        check()
        used, local = np.unique(faces[part], return_inverse=True)
        atlas = xatlas.Atlas()
        atlas.add_mesh(np.ascontiguousarray(positions[used], np.float32), local.reshape(-1, 3).astype(np.uint32))
        pack = xatlas.PackOptions()
        pack.padding = 2
        atlas.generate(pack_options=pack)
        mapping, indices, uvs = atlas.get_mesh(0)
        scale = np.array([atlas.width, atlas.height], np.float32) / max(atlas.texels_per_unit, 1e-9)
        sources.append(used[mapping])
        cut.append((part, indices))
        flat.append(_face_up((uvs * scale).astype(np.float32), indices))
    check()
    return _packed(sources, cut, flat, len(faces), resolution_px)


def _face_up(uvs: FloatArray, faces: NDArray[np.uint32]) -> FloatArray:
    """Charts that lie mirrored turned over: text on them is to read rightly, and tools that paint expect it."""
    a, b, c = (uvs[faces[:, k].astype(np.int64)] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    chart = pieces(faces, len(uvs))
    mirrored = np.bincount(chart, area) < 0
    turned = np.zeros(len(uvs), np.bool_)
    turned[faces[mirrored[chart]].ravel()] = True
    out = uvs.copy()
    out[turned, 0] = uvs[:, 0].max() - uvs[turned, 0]
    return out


def _packed(
    sources: list[NDArray[np.int64]],
    cut: list[tuple[NDArray[np.int64], NDArray[np.uint32]]],
    flat: list[FloatArray],
    count: int,
    resolution_px: int,
) -> Unwrapped:
    """All parts' charts in one square; a smaller scale is taken until they fit on one page."""
    import xatlas

    options = xatlas.PackOptions()
    options.padding, options.resolution, options.bilinear = PADDING_PX, resolution_px, True
    # xatlas turns a chart by mirroring it.
    options.rotate_charts = options.rotate_charts_to_axis = False
    atlas = xatlas.Atlas()
    for (_, indices), uvs in zip(cut, flat, strict=True):
        atlas.add_uv_mesh(uvs, indices)
    atlas.generate(pack_options=options)
    source, uvs_out, faces = [], [], np.empty((count, 3), np.int64)
    first = 0
    for number, (part, _) in enumerate(cut):
        mapping, indices, uvs = atlas.get_mesh(number)
        faces[part] = indices.astype(np.int64) + first
        source.append(sources[number][mapping])
        uvs_out.append(uvs)
        first += len(mapping)
    filled = atlas.get_utilization(0) if atlas.atlas_count else 0.0
    size = np.array([atlas.width, atlas.height], np.float32)
    uvs_all = np.concatenate(uvs_out) * (size / size.max())
    return Unwrapped(np.concatenate(source), faces.astype(np.int32), uvs_all, int(atlas.chart_count), float(filled))


def parts(positions: FloatArray, faces: NDArray[np.integer], most: int) -> list[NDArray[np.int64]]:
    """Face numbers in groups of at most `most`, by halving along the longest side."""
    middles = positions[faces.astype(np.int64)].mean(1)
    waiting, done = [np.arange(len(faces))], []
    while waiting:
        group = waiting.pop()
        if len(group) <= most:
            if len(group):
                done.append(np.sort(group))
            continue
        extent = np.ptp(middles[group], axis=0)
        order = np.argsort(middles[group, int(np.argmax(extent))], kind="stable")
        half = len(group) // 2
        waiting.extend([group[order[half:]], group[order[:half]]])
    return done
