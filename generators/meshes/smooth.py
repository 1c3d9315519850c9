"""`mesh.smooth`: noise goes, volume and seams stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from engines.geometry import smooth_normals
from generators.events import Context, Event, Note, Produced, Progress, Request
from generators.meshes.inputs import given_mesh, picture
from generators.meshes.manifold import welded
from generators.meshes.smoothing import smoothed
from generators.meshes.specs import SmoothParams


def run(request: Request, context: Context) -> Iterator[Event]:
    """The same triangles, uvs and colours at smoother places, with new normals."""
    params = request.params
    if not isinstance(params, SmoothParams):
        raise TypeError(f"mesh.smooth wants SmoothParams, got {type(params).__name__}")
    mesh = given_mesh(request)
    yield Progress(0.05, "smoothing")
    # What only a seam of uvs splits moves together.
    surface, _ = welded(mesh.positions, mesh.faces)
    place = np.empty(len(mesh.positions), np.int64)
    place[mesh.faces.ravel()] = surface.faces.ravel()
    used = np.zeros(len(mesh.positions), np.bool_)
    used[mesh.faces.ravel()] = True
    points = smoothed(
        surface.positions,
        surface.faces,
        params.rounds,
        strength=params.strength,
        hold_border=params.hold_border,
        check=context.check,
    )
    normals = smooth_normals(points, surface.faces)
    positions = mesh.positions.copy()
    positions[used] = points[place[used]]
    up = np.tile(np.array([0, 0, 1], np.float32), (len(positions), 1))
    up[used] = normals[place[used]]
    result = replace(mesh, positions=positions, normals=up)
    moved = float(np.linalg.norm(positions - mesh.positions, axis=1).max())
    if context.wants_previews:
        yield picture(result)
    yield Note(f"{params.rounds} rounds; no vertex moved farther than {moved * 1000:.3g} mm")
    yield Produced(result)
