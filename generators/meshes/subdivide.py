"""`mesh.subdivide`: a finer, rounder surface; uvs, colours and material stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engines.assets import Mesh
from engines.geometry import smooth_normals
from generators.events import Context, Event, GeneratorError, Note, Produced, Progress, Request
from generators.meshes.inputs import given_mesh, picture
from generators.meshes.isosurface import Check
from generators.meshes.manifold import welded
from generators.meshes.specs import SubdivideParams
from generators.meshes.subdivision import catmull_clark, flat, flat_quads, loop, paired, triangles_of


def run(request: Request, context: Context) -> Iterator[Event]:
    """The mesh after some levels of a scheme, at most `triangles` of them.

    Raises `GeneratorError` when not even one level fits into the budget.
    """
    params = request.params
    if not isinstance(params, SubdivideParams):
        raise TypeError(f"mesh.subdivide wants SubdivideParams, got {type(params).__name__}")
    mesh = given_mesh(request)
    levels = params.levels
    while levels and len(mesh.faces) * 4**levels > params.triangles:
        levels -= 1
    if not levels:
        raise GeneratorError(
            f"one level would make {4 * len(mesh.faces):,} triangles of {len(mesh.faces):,}, "
            f"and at most {params.triangles:,} are allowed; allow more or decimate first"
        )
    if levels < params.levels:
        yield Note(f"{levels} of {params.levels} levels fit into {params.triangles:,} triangles")
    yield Progress(0.1, params.scheme)
    result = subdivided(mesh, params.scheme, levels, context.check)
    if context.wants_previews:
        yield picture(result)
    yield Note(f"{len(mesh.faces):,} triangles became {len(result.faces):,}")
    yield Produced(result)


def subdivided(mesh: Mesh, scheme: str, levels: int, check: Check = lambda: None) -> Mesh:
    """The mesh after `levels` of `loop`, `catmull-clark` or `flat`; normals anew, smooth across seams of uvs."""
    surface, _ = welded(mesh.positions, mesh.faces)
    split = mesh.faces.astype(np.int64)
    points, faces = surface.positions.astype(np.float64), surface.faces.astype(np.int64)
    looks = _looks(mesh)
    if scheme == "catmull-clark":
        corners = paired(points, faces, split)
        quads, split_quads = faces.ravel()[corners], split.ravel()[corners]
        for _ in range(levels):
            check()
            points, quads = catmull_clark(points, quads)
            looks, split_quads = flat_quads(looks, split_quads)
        faces, split = triangles_of(quads), triangles_of(split_quads)
    else:
        step = loop if scheme == "loop" else flat
        for _ in range(levels):
            check()
            finer, cut = step(points, faces), flat(looks, split)
            points, faces, looks, split = finer.positions, finer.faces, cut.positions, cut.faces
    check()
    return _assembled(mesh, points, faces, looks, split)


def _looks(mesh: Mesh) -> NDArray[np.float64]:
    """uvs and colours side by side, [V, 0..6]."""
    parts = [part for part in (mesh.uvs, mesh.colours) if part is not None]
    return np.concatenate([*parts, np.empty((len(mesh.positions), 0))], axis=1).astype(np.float64)


def _assembled(
    mesh: Mesh,
    points: NDArray[np.float64],
    faces: NDArray[np.int64],
    looks: NDArray[np.float64],
    split: NDArray[np.int64],
) -> Mesh:
    """Places and looks together again: one vertex for each vertex of the split faces."""
    place = np.zeros(len(looks), np.int64)
    place[split.ravel()] = faces.ravel()
    positions = np.ascontiguousarray(points[place], np.float32)
    normals = smooth_normals(points.astype(np.float32), faces)[place]
    width = 0 if mesh.uvs is None else 2
    return replace(
        mesh,
        positions=positions,
        faces=np.ascontiguousarray(split, np.uint32),
        normals=np.ascontiguousarray(normals),
        uvs=None if mesh.uvs is None else np.ascontiguousarray(looks[:, :2], np.float32),
        colours=None if mesh.colours is None else np.ascontiguousarray(looks[:, width:], np.float32),
    )
