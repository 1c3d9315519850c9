"""Open surfaces as solids: small holes closed, sheets given a thickness; what comes out has no border at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.geometry import smooth_normals
from generators.meshes.hole_filling import filled, outlines
from generators.meshes.isosurface import Check, Surface
from generators.meshes.manifold import cut_apart
from generators.meshes.topology import edges_of

SMALL_HOLE = 0.25
"""A hole whose outline is shorter than this share of the surface's size all around is closed; a larger one is how the
surface ends."""


def thickened(surface: Surface, thickness_m: float) -> Surface:
    """A sheet as a slab: a second side `thickness_m` behind the first, and a rim along every outline."""
    count = len(surface.positions)
    normals = smooth_normals(surface.positions, surface.faces)
    behind = (surface.positions - normals * np.float32(thickness_m)).astype(np.float32)
    sides = [surface.faces, surface.faces[:, ::-1] + count]
    edges = edges_of(surface.faces)
    f, k = np.nonzero(edges.border[edges.of_faces])
    a, b = surface.faces[f, k], surface.faces[f, (k + 1) % 3]
    sides += [np.stack([b, a, a + count], axis=1), np.stack([b, a + count, b + count], axis=1)]
    faces = np.concatenate(sides).astype(np.int32)
    return Surface(np.concatenate([surface.positions, behind]), np.ascontiguousarray(faces))


def closed(surface: Surface, thickness_m: float, check: Check = lambda: None) -> tuple[Surface, int, bool]:
    """A manifold surface without border: small holes filled, and thickened if larger ones are left.

    Returns also how many holes were filled and whether it was thickened.
    """
    size = float(np.ptp(surface.positions, axis=0).max())
    loops = outlines(surface.faces)
    small = [loop for loop in loops if _length(surface, loop) < SMALL_HOLE * 4 * size]
    most = max((len(loop) for loop in small), default=0)
    holes = 0
    if small:
        surface, holes, _ = filled(surface, most, check)
    if not edges_of(surface.faces).border.any():
        return surface, holes, False
    # Where two outlines still touch in a point the rim would have four sides there.
    apart, _ = cut_apart(surface)
    return thickened(apart, thickness_m), holes, True


def _length(surface: Surface, loop: NDArray[np.int64]) -> float:
    points = surface.positions[loop].astype(np.float64)
    return float(np.linalg.norm(points - np.roll(points, -1, axis=0), axis=1).sum())
