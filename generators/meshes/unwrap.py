"""`mesh.unwrap`: UVs without overlap, ready to be painted or baked on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.events import Context, Event, Note, Produced, Progress, Request
from generators.meshes.decimation import decimated
from generators.meshes.inputs import given_mesh, joined, picture, size_of
from generators.meshes.specs import UnwrapParams
from generators.meshes.transfer import Wanted, dressed, matched, normals_of, over, unfolded

REACH = 0.03


def run(request: Request, context: Context) -> Iterator[Event]:
    """The mesh with new uvs; a material is baked over to them, vertex colours stay."""
    params = request.params
    if not isinstance(params, UnwrapParams):
        raise TypeError(f"mesh.unwrap wants UnwrapParams, got {type(params).__name__}")
    mesh = given_mesh(request)
    surface = joined(mesh, context.check)
    if len(surface.faces) > params.triangles:
        yield Progress(0.05, f"reducing {len(surface.faces):,} triangles first")
        surface = decimated(surface, params.triangles, context.check)
        yield Note(f"reduced from {len(mesh.faces):,} to {len(surface.faces):,} triangles before unfolding")
    yield Progress(0.2, "unfolding")
    flat, charts = unfolded(surface, params.texture_px, mesh.name, context.check)
    yield Note(f"{len(flat.faces):,} triangles in {charts} charts, {_stretch(flat.positions, flat.faces, flat.uvs)}")
    yield Progress(0.7, "carrying the look over")
    result = flat
    if mesh.material is not None:
        result = dressed(flat, mesh, Wanted(params.texture_px), REACH * size_of(mesh), context.check)
    elif mesh.colours is not None:
        hits = matched(mesh, flat.positions, normals_of(flat), REACH * size_of(mesh), context.check)
        result = replace(flat, colours=over(mesh, hits, mesh.colours))
    if context.wants_previews:
        yield picture(result)
    yield Produced(result)


def _stretch(positions: FloatArray, faces: NDArray[np.uint32], uvs: FloatArray | None) -> str:
    """How evenly the surface fills the square, in words."""
    if uvs is None:
        return "no uvs"
    index = faces.astype(np.int64)
    p, t = positions.astype(np.float64)[index], uvs.astype(np.float64)[index]
    area = np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1)
    e, f = t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]
    flat = np.abs(e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0])
    used = flat.sum() / 2
    ratio = flat / np.maximum(area, 1e-30)
    ratio = ratio[area > 0]
    low, high = np.percentile(ratio / np.median(ratio), (5, 95)) if len(ratio) else (1.0, 1.0)
    return f"{used:.0%} of the square used, nine tenths of the texels within {low:.2f} to {high:.2f} of the middle size"
