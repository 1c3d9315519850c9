"""Shapes with known truth, and measures that share nothing with what they are held against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Image, Material, Mesh
from engines.kinds import ColourSpace, MapName
from generators.events import Cancelled
from generators.meshes.fusion import Box
from generators.meshes.isosurface import Surface
from generators.meshes.reconstruction import surface_of_function

HALF = Box(np.full(3, -1.0), np.full(3, 1.0))


@dataclass
class Bench:
    """A context as the worker offers it, cancelled after some checks when wanted."""

    scratch: Path = Path()
    device: str = "cpu"
    wants_previews: bool = True
    checks_left: int = 10_000_000
    wants_growth: bool = False
    finishing: bool = False

    def check(self) -> None:
        self.checks_left -= 1
        if self.checks_left < 0:
            raise Cancelled


def ball(points: FloatArray) -> NDArray[np.floating]:
    return np.asarray(np.linalg.norm(points, axis=1) - 0.7)


def ring(points: FloatArray) -> NDArray[np.floating]:
    return np.hypot(np.hypot(points[:, 0], points[:, 2]) - 0.6, points[:, 1]) - 0.25


def ball_surface(cells: int = 24) -> Surface:
    return surface_of_function(ball, HALF, cells)


def ring_surface(cells: int = 32) -> Surface:
    return surface_of_function(ring, HALF, cells)


def cube() -> Surface:
    """Side 2, twelve triangles, outward."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return Surface(corners, np.array(faces, np.int32))


def sheet(cells: int = 8) -> Surface:
    """A flat square of side 1 in the plane y = 0, facing up."""
    at = np.linspace(0, 1, cells + 1, dtype=np.float32)
    z, x = np.meshgrid(at, at, indexing="ij")
    index = np.arange((cells + 1) ** 2, dtype=np.int32).reshape(cells + 1, -1)
    a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([c, b, d], 1)])
    points = np.stack([x.ravel(), np.zeros(x.size, np.float32), z.ravel()], axis=1)
    return Surface(np.ascontiguousarray(points), np.ascontiguousarray(faces))


def edge_uses(faces: NDArray[np.integer]) -> dict[int, int]:
    """How many edges have one, two, more triangles; and how many run the same way twice, under -1."""
    directed: dict[tuple[int, int], int] = {}
    for triangle in faces.tolist():
        for a, b in zip(triangle, triangle[1:] + triangle[:1], strict=True):
            directed[a, b] = directed.get((a, b), 0) + 1
    uses: dict[int, int] = {}
    for a, b in {(min(e), max(e)) for e in directed}:
        count = directed.get((a, b), 0) + directed.get((b, a), 0)
        uses[count] = uses.get(count, 0) + 1
    wrong = sum(count - 1 for count in directed.values())
    return {**uses, **({-1: wrong} if wrong else {})}


def closed(faces: NDArray[np.integer]) -> bool:
    return set(edge_uses(faces)) == {2}


def euler(surface: Surface) -> int:
    edges = sum(edge_uses(surface.faces).values())
    return len(np.unique(surface.faces)) - edges + len(surface.faces)


def as_mesh(surface: Surface) -> Mesh:
    return Mesh(surface.positions, surface.faces.astype(np.uint32))


def checkered(mesh: Mesh, size_px: int = 64) -> Mesh:
    """The mesh with a red and green checkerboard."""
    odd = (np.add.outer(np.arange(size_px) // 8, np.arange(size_px) // 8) % 2).astype(bool)
    pixels = np.where(odd[..., None], np.array([200, 30, 30]), np.array([30, 180, 40])).astype(np.uint8)
    material = Material({MapName.BASE_COLOR: Image(pixels, ColourSpace.SRGB)}, tileable=False)
    return Mesh(mesh.positions, mesh.faces, mesh.normals, mesh.uvs, None, material, mesh.name)
