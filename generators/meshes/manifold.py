"""Any heap of triangles as a manifold: vertices joined, faulty triangles dropped, sides agreed on, crossings cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.meshes.isosurface import Check, Ints, Surface
from generators.meshes.topology import edges_of, kept, united, volume_m3
from generators.radiance.rasterizer.kernels import kernel


@dataclass(frozen=True)
class Mended:
    """How many of each fault there were."""

    joined: int = 0
    """Vertices that lay on others."""
    flat: int = 0
    """Triangles without area, or with a corner twice."""
    doubled: int = 0
    """Triangles that were there twice."""
    turned: int = 0
    """Triangles that faced the other way than their neighbours, or whole pieces that faced inwards."""
    crowded: int = 0
    """Edges at which more than two triangles met."""


def welded(positions: FloatArray, faces: NDArray[np.integer], tolerance: float = 0.0) -> tuple[Surface, int]:
    """Vertices at one place joined (within `tolerance` metres, by rounding), and how many went away."""
    places = positions if tolerance <= 0 else np.round(positions.astype(np.float64) / tolerance).astype(np.int64)
    # +0.0 turns -0.0 into 0.0: they are the same place.
    rows = np.ascontiguousarray(places + 0 if tolerance > 0 else places + np.float32(0))
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    index = rank[inverse.ravel()][faces.astype(np.int64)]
    return Surface(np.ascontiguousarray(positions[first[order]]), index.astype(np.int32)), len(positions) - len(first)


def without_faulty(surface: Surface) -> tuple[Surface, int, int]:
    """Without triangles that repeat a corner, and with each triangle once; how many of both went away."""
    faces = surface.faces
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    alike = np.sort(faces, axis=1)
    _, first = np.unique(alike[whole], axis=0, return_index=True)
    keep = np.zeros(len(faces), np.bool_)
    keep[np.flatnonzero(whole)[first]] = True
    return kept(surface, keep), int((~whole).sum()), int(whole.sum() - len(first))


@kernel
def _agree(faces: Ints, mates: Ints, turned: NDArray[np.bool_], piece: Ints) -> int:
    """Walk over each piece and note which triangles run against the first; returns the number of pieces."""
    stack = np.empty(len(faces), np.int32)
    number = 0
    for seed in range(len(faces)):
        if piece[seed] >= 0:
            continue
        piece[seed] = number
        stack[0], size = seed, 1
        while size > 0:
            size -= 1
            face = stack[size]
            for k in range(3):
                mate = mates[face, k]
                if mate < 0 or piece[mate] >= 0:
                    continue
                a, b = faces[face, k], faces[face, (k + 1) % 3]
                same = False
                for m in range(3):
                    same = same or (faces[mate, m] == a and faces[mate, (m + 1) % 3] == b)
                turned[mate] = turned[face] != same
                piece[mate] = number
                stack[size] = mate
                size += 1
        number += 1
    return number


def mates_of(faces: Ints) -> Ints:
    """The triangle across each edge, int32 [F, 3]; -1 at outlines and where more than two meet."""
    edges = edges_of(faces)
    flat = edges.of_faces.ravel()
    order = np.argsort(flat, kind="stable")
    starts = np.cumsum(edges.uses) - edges.uses
    pair = edges.uses == 2
    one, other = order[starts[pair]], order[starts[pair] + 1]
    mates = np.full(len(flat), -1, np.int32)
    mates[one], mates[other] = other // 3, one // 3
    return mates.reshape(-1, 3)


def oriented(surface: Surface) -> tuple[Surface, int]:
    """All triangles of a piece facing one way, closed pieces outwards; and how many were turned."""
    faces = surface.faces
    turned, piece = np.zeros(len(faces), np.bool_), np.full(len(faces), -1, np.int32)
    count = _agree(faces, mates_of(faces), turned, piece)
    # Of two ways to agree, the one that leaves more triangles as they came.
    share = np.bincount(piece, turned, count) / np.maximum(np.bincount(piece, minlength=count), 1)
    turned ^= share[piece] > 0.5
    out = faces.copy()
    out[turned] = out[turned][:, ::-1]
    open_pieces = np.zeros(count, np.bool_)
    open_pieces[piece[(mates_of(out) < 0).any(1)]] = True
    for number in np.flatnonzero(~open_pieces):
        mine = piece == number
        if volume_m3(surface.positions, out[mine]) < 0 and not _is_cavity(surface, out, piece, int(number)):
            out[mine] = out[mine][:, ::-1]
            turned ^= mine
    return Surface(surface.positions, out), int(turned.sum())


def _is_cavity(surface: Surface, faces: Ints, piece: Ints, number: int) -> bool:
    """Whether an inward facing piece lies within the box of a larger one: a hollow, which is to face inwards."""
    mine = surface.positions[faces[piece == number].ravel()]
    low, high = mine.min(0), mine.max(0)
    for other in range(int(piece.max()) + 1):
        if other == number:
            continue
        around = surface.positions[faces[piece == other].ravel()]
        if (around.min(0) < low).all() and (around.max(0) > high).all():
            return True
    return False


def cut_apart(surface: Surface) -> tuple[Surface, int]:
    """Each fan of triangles with a vertex of its own: edges where more than two met become outlines; how many did."""
    faces = surface.faces
    mates = mates_of(faces)
    f, k = np.nonzero(mates >= 0)
    g = mates[f, k].astype(np.int64)
    pairs = []
    for corner in (k, (k + 1) % 3):
        vertex = faces[f, corner]
        there = np.argmax(faces[g] == vertex[:, None], axis=1)
        pairs.append(np.stack([3 * f + corner, 3 * g + there], axis=1))
    parent = np.arange(3 * len(faces), dtype=np.int32)
    if len(f):
        united(np.ascontiguousarray(np.concatenate(pairs), np.int32), parent)
    roots, number = np.unique(parent, return_inverse=True)
    crowded = int(edges_of(faces).crowded.sum())
    source = faces.ravel()[roots]
    return Surface(np.ascontiguousarray(surface.positions[source]), number.reshape(-1, 3).astype(np.int32)), crowded


def mended(
    positions: FloatArray, faces: NDArray[np.integer], *, tolerance: float = 0.0, check: Check = lambda: None
) -> tuple[Surface, Mended]:
    """The triangles as an oriented manifold, perhaps with outlines, and what was wrong with them."""
    surface, joined = welded(positions, faces, tolerance)
    check()
    surface, flat, doubled = without_faulty(surface)
    check()
    surface, turned = oriented(surface)
    check()
    surface, crowded = cut_apart(surface)
    return surface, Mended(joined, flat, doubled, turned, crowded)


def opened(surface: Surface, rings: int, check: Check = lambda: None) -> Surface:
    """Without tatters: what vanishes when the outline moves in by `rings` triangles and out again."""
    border = edges_of(surface.faces)
    near = np.zeros(len(surface.positions), np.bool_)
    near[border.ends[border.border].ravel()] = True
    for _ in range(rings):
        check()
        touched = near[surface.faces].any(1)
        near[surface.faces[touched].ravel()] = True
    core = ~near[surface.faces].any(1)
    if not core.any():
        return surface
    held = np.zeros(len(surface.positions), np.bool_)
    held[surface.faces[core].ravel()] = True
    for _ in range(rings + 1):
        check()
        core = held[surface.faces].any(1)
        held[surface.faces[core].ravel()] = True
    return kept(surface, np.asarray(core))
