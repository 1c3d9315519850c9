"""Ragged rims of open surfaces cut back along a smooth line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.meshes.isosurface import Check, Surface
from generators.meshes.topology import edges_of, kept

ROUNDS = 24
"""How often the distance from the rim is averaged over neighbours before the cut."""
NEAREST = 0.1
"""A cut keeps this share of an edge away from its ends: no needles."""


def trimmed(surface: Surface, width_m: float, check: Check = lambda: None) -> Surface:
    """The surface cut back by about `width_m` along its outlines; what is narrower than twice that goes.

    The cut follows a smooth line through triangles. A surface without outlines comes back as it is.
    """
    edges = edges_of(surface.faces)
    if width_m <= 0 or not edges.border.any():
        return surface
    ends = edges.ends.astype(np.int64)
    away = _from_rim(surface.positions, ends, edges.border, 3 * width_m, check)
    degree = np.maximum(np.bincount(ends.ravel(), minlength=len(away)), 1)
    for _ in range(ROUNDS):
        check()
        around = np.bincount(ends[:, 0], away[ends[:, 1]], len(away))
        around += np.bincount(ends[:, 1], away[ends[:, 0]], len(away))
        away = (away + around / degree) / 2
    return cut_at(surface, away - width_m)


def _from_rim(
    positions: FloatArray, ends: NDArray[np.int64], border: NDArray[np.bool_], most: float, check: Check
) -> NDArray[np.float64]:
    """Metres along edges from each vertex to the nearest outline, `most` at most, float64 [V]."""
    length = np.linalg.norm((positions[ends[:, 0]] - positions[ends[:, 1]]).astype(np.float64), axis=1)
    away = np.full(len(positions), most)
    away[ends[border].ravel()] = 0
    while True:
        check()
        before = away.copy()
        np.minimum.at(away, ends[:, 0], before[ends[:, 1]] + length)
        np.minimum.at(away, ends[:, 1], before[ends[:, 0]] + length)
        if (away == before).all():
            return away


def cut_at(surface: Surface, values: NDArray[np.float64]) -> Surface:
    """What lies where `values` of the vertices, float64 [V], are not negative; triangles are cut through."""
    faces = surface.faces.astype(np.int64)
    inside = values >= 0
    count = inside[faces].sum(1)
    edges = edges_of(surface.faces)
    crossed = inside[edges.ends[:, 0]] != inside[edges.ends[:, 1]]
    a, b = edges.ends[crossed].astype(np.int64).T
    share = np.clip(values[a] / (values[a] - values[b]), NEAREST, 1 - NEAREST)[:, None]
    new = (surface.positions[a] * (1 - share) + surface.positions[b] * share).astype(np.float32)
    number = np.full(len(edges.ends), -1, np.int64)
    number[crossed] = len(values) + np.arange(len(new))
    made = [faces[count == 3]]
    for k in range(3):
        p, q, r = k, (k + 1) % 3, (k + 2) % 3
        along, back = number[edges.of_faces[:, p]], number[edges.of_faces[:, r]]
        alone = (count == 1) & inside[faces[:, p]]
        made.append(np.stack([faces[alone, p], along[alone], back[alone]], axis=1))
        gone = (count == 2) & ~inside[faces[:, p]]
        made.append(np.stack([along[gone], faces[gone, q], faces[gone, r]], axis=1))
        made.append(np.stack([along[gone], faces[gone, r], back[gone]], axis=1))
    whole = Surface(np.concatenate([surface.positions, new]), np.concatenate(made).astype(np.int32))
    return kept(whole, np.ones(len(whole.faces), np.bool_))
