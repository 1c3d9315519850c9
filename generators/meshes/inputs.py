"""A mesh as a person gave it, checked and joined along its seams."""

from __future__ import annotations

import numpy as np

from engines.assets import Mesh
from engines.geometry import check_mesh
from engines.mesh_view import mesh_picture
from generators.events import GeneratorError, Preview, Request
from generators.meshes.isosurface import Check, Surface
from generators.meshes.manifold import cut_apart, welded, without_faulty

PREVIEW_PX = 256


def given_mesh(request: Request, port: str = "mesh") -> Mesh:
    """The mesh at a port; raises `GeneratorError` when there is none or it is empty, `UnsuitableAsset` when broken."""
    mesh = request.inputs.get(port)
    if not isinstance(mesh, Mesh):
        kind = "nothing" if mesh is None else type(mesh).__name__.lower()
        raise GeneratorError(f"expected a mesh as {port}, got {kind}")
    check_mesh(mesh)
    if not len(mesh.faces):
        raise GeneratorError(f"the mesh {mesh.name!r} has no triangles; expected at least one")
    return mesh


def size_of(mesh: Mesh | Surface) -> float:
    """Longest side of the box around it, metres."""
    return max(float(np.ptp(mesh.positions, axis=0).max()), 1e-30)


def joined(mesh: Mesh, check: Check = lambda: None) -> Surface:
    """The bare surface: vertices that only seams of uvs or normals had split are one again; a manifold."""
    surface, _ = welded(mesh.positions, mesh.faces)
    check()
    surface, _, _ = without_faulty(surface)
    check()
    surface, _ = cut_apart(surface)
    return surface


def picture(mesh: Mesh) -> Preview:
    """A small lit picture."""
    return Preview(mesh_picture(mesh, PREVIEW_PX))
