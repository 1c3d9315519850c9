"""`voxels.from_mesh`: a mesh as coloured blocks, the look of building bricks and old games."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Mesh
from generators.events import Context, Event, Note, Produced, Progress, Request
from generators.meshes.inputs import given_mesh, joined, picture, size_of
from generators.meshes.isosurface import Check, Surface
from generators.meshes.specs import VoxelsParams
from generators.meshes.topology import edges_of
from generators.meshes.tracing import cast, nearest, tree_of
from generators.meshes.transfer import base_colour

GREY = 0.5
_SQUARE = ((0, 0), (1, 0), (1, 1), (0, 1))
ROUNDS = 12


def run(request: Request, context: Context) -> Iterator[Event]:
    """One mesh of outer block faces, each block one linear vertex colour; standing where the mesh stands."""
    params = request.params
    if not isinstance(params, VoxelsParams):
        raise TypeError(f"voxels.from_mesh wants VoxelsParams, got {type(params).__name__}")
    mesh = given_mesh(request)
    yield Progress(0.05, "filling blocks")
    surface = joined(mesh, context.check)
    solid = params.solid
    if solid and edges_of(surface.faces).border.any():
        yield Note("the mesh is open, so its inside is not known; only its surface became blocks")
        solid = False
    step = size_of(surface) / params.blocks
    low = surface.positions.min(0).astype(np.float64)
    filled = occupied(surface, low, step, solid, context.check)
    yield Progress(0.6, "colouring")
    where = np.argwhere(filled)
    colours = _colours(mesh, low + (where + 0.5) * step, context.check)
    if params.colours:
        colours = palette(colours, params.colours, request.seed, context.check)
    context.check()
    result = blocks(filled, colours, low, step, mesh.name)
    if context.wants_previews:
        yield picture(result)
    yield Note(f"{len(where):,} blocks of {step * 1000:.3g} mm, {len(result.faces):,} triangles")
    yield Produced(result)


def occupied(surface: Surface, low: NDArray[np.float64], step: float, solid: bool, check: Check) -> NDArray[np.bool_]:
    """Which blocks bool [X, Y, Z] the surface passes near the middle of, or whose middle is inside it."""
    shape = np.maximum(np.ceil(np.ptp(surface.positions, axis=0) / step - 1e-6).astype(int), 1)
    tree = tree_of(surface.positions, surface.faces)
    axes = [low[a] + step * (np.arange(shape[a]) + 0.5) for a in range(3)]
    middles = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float32)
    near = nearest(tree, middles, check).distance < 0.5 * step
    inside = np.zeros(len(middles), np.bool_)
    if solid:
        inside = _inside(surface, tree, middles, check)
    return np.asarray((near | inside).reshape(tuple(shape)))


def _inside(surface: Surface, tree: object, points: FloatArray, check: Check) -> NDArray[np.bool_]:
    """Whether the first triangle met along most of three directions is met from behind."""
    from generators.meshes.topology import face_vectors
    from generators.meshes.tracing import Tree

    assert isinstance(tree, Tree)
    vectors = face_vectors(surface.positions, surface.faces)
    votes = np.zeros(len(points), np.int64)
    far = 4 * size_of(surface)
    for direction in ((0.613, 0.531, 0.585), (-0.402, 0.713, -0.574), (0.288, -0.641, 0.711)):
        ray = np.array(direction)
        hits = cast(tree, points, np.tile(ray.astype(np.float32), (len(points), 1)), far, check=check)
        behind = vectors[np.maximum(hits.face, 0)] @ ray > 0
        votes += (hits.face >= 0) & behind
    return np.asarray(votes >= 2)


def _colours(mesh: Mesh, middles: NDArray[np.float64], check: Check) -> FloatArray:
    """Linear colour of the surface nearest to each block."""
    hits = nearest(tree_of(mesh.positions, mesh.faces), np.ascontiguousarray(middles, np.float32), check)
    colours = base_colour(mesh, hits)
    return np.full((len(middles), 3), GREY, np.float32) if colours is None else colours.clip(0, 1)


def palette(colours: FloatArray, count: int, seed: int, check: Check) -> FloatArray:
    """Colours brought to `count` of their own by k-means, in a cube-root space that is even to the eye."""
    values = np.cbrt(colours.astype(np.float64))
    unique = np.unique(values, axis=0)
    if len(unique) <= count:
        return colours
    rng = np.random.default_rng(seed)
    centres = unique[rng.choice(len(unique), count, replace=False)]
    owner = np.zeros(len(values), np.int64)
    for _ in range(ROUNDS):
        check()
        owner = np.concatenate(
            [
                ((part[:, None] - centres) ** 2).sum(2).argmin(1)
                for part in np.array_split(values, len(values) // 4096 + 1)
            ]
        )
        sizes = np.bincount(owner, minlength=count)
        for c in range(3):
            sums = np.bincount(owner, values[:, c], count)
            centres[:, c] = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres[:, c])
    return np.asarray(centres[owner] ** 3, np.float32)


def blocks(filled: NDArray[np.bool_], colours: FloatArray, low: NDArray[np.float64], step: float, name: str) -> Mesh:
    """The faces between filled and empty blocks, four vertices each, with flat normals."""
    number = np.full(filled.shape, -1, np.int64)
    number[filled] = np.arange(int(filled.sum()))
    padded = np.pad(filled, 1)
    corners, normals, shades = [], [], []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for side in (0, 1):
            beside = np.roll(padded, -1 if side else 1, axis)[1:-1, 1:-1, 1:-1]
            where = np.argwhere(filled & ~beside)
            square = np.zeros((4, 3))
            square[:, axis] = side
            for n, (a, b) in enumerate(_SQUARE if side else _SQUARE[::-1]):
                square[n, u], square[n, v] = a, b
            corners.append(where[:, None] + square)
            towards = np.zeros(3, np.float32)
            towards[axis] = 1 if side else -1
            normals.append(np.tile(towards, (4 * len(where), 1)))
            shades.append(np.repeat(colours[number[tuple(where.T)]], 4, axis=0))
    points = np.concatenate(corners).reshape(-1, 3) * step + low
    first = np.arange(len(points) // 4, dtype=np.uint32)[:, None] * np.uint32(4)
    faces = np.stack([first + np.array([0, 1, 2], np.uint32), first + np.array([0, 2, 3], np.uint32)], axis=1)
    return Mesh(
        np.ascontiguousarray(points, np.float32),
        np.ascontiguousarray(faces.reshape(-1, 3), np.uint32),
        normals=np.concatenate(normals),
        colours=np.ascontiguousarray(np.concatenate(shades), np.float32),
        name=f"{name} in blocks" if name else "blocks",
    )
