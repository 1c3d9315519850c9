"""Checks and small computations on meshes and splats that several formats need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Mesh, Splats
from engines.errors import UnsuitableAsset


def check_mesh(mesh: Mesh) -> None:
    """Raise `UnsuitableAsset`, in words, unless shapes, ranges and finiteness are as the neutral form promises."""
    count = len(mesh.positions)
    shapes: tuple[tuple[str, NDArray[Any] | None, tuple[int, ...]], ...] = (
        ("positions", mesh.positions, (3,)),
        ("normals", mesh.normals, (3,)),
        ("uvs", mesh.uvs, (2,)),
        ("colours", mesh.colours, (3, 4)),
    )
    for name, array, widths in shapes:
        if array is None:
            continue
        if array.ndim != 2 or len(array) != count or array.shape[1] not in widths:
            raise UnsuitableAsset(
                f"{name} of mesh {mesh.name!r} has the shape {array.shape}, expected [{count}, {widths[0]}]"
            )
        if not np.isfinite(array).all():
            raise UnsuitableAsset(f"{name} of mesh {mesh.name!r} holds values that are not finite")
    if mesh.faces.ndim != 2 or mesh.faces.shape[1] != 3:
        raise UnsuitableAsset(f"faces of mesh {mesh.name!r} have the shape {mesh.faces.shape}, expected [F, 3]")
    if mesh.faces.size and not 0 <= int(mesh.faces.min()) <= int(mesh.faces.max()) < count:
        raise UnsuitableAsset(f"faces of mesh {mesh.name!r} point beyond its {count} vertices")


def check_splats(splats: Splats) -> None:
    """Raise `UnsuitableAsset`, in words, unless shapes, ranges and finiteness are as the neutral form promises."""
    count = len(splats.positions)
    harmonics = splats.sh.shape[1] if splats.sh.ndim == 3 else 0
    expected = {
        "positions": (count, 3),
        "rotations": (count, 4),
        "scales": (count, 3),
        "opacities": (count,),
        "sh": (count, harmonics, 3),
    }
    for name, shape in expected.items():
        array = getattr(splats, name)
        if array.shape != shape:
            raise UnsuitableAsset(f"{name} of {splats.name!r} has the shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise UnsuitableAsset(f"{name} of {splats.name!r} holds values that are not finite")
    if harmonics not in (1, 4, 9, 16):
        raise UnsuitableAsset(f"sh of {splats.name!r} has {harmonics} coefficients, expected 1, 4, 9 or 16")


def welded(mesh: Mesh) -> Mesh:
    """The bare surface: vertices at the same place are one, triangles of no area are gone, nothing else is kept.

    What is split for uvs and normals has seams; what is printed or measured must not.
    """
    places = np.ascontiguousarray(mesh.positions, np.float32) + np.float32(0)  # a zero has one sign
    keys = places.view(np.uint32).reshape(-1, 3).astype(np.uint64)
    order = np.lexsort((keys[:, 2], keys[:, 1], keys[:, 0]))
    ordered = keys[order]
    new = np.ones(len(order), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(new) - 1
    faces = number[mesh.faces.astype(np.int64)].reshape(-1, 3)
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return Mesh(places[order[new]], np.ascontiguousarray(faces[whole], np.uint32), name=mesh.name)


def joined_splats(parts: Sequence[Splats], name: str) -> Splats:
    """One cloud of several, in their order; harmonics that some lack are zero there. No parts make an empty cloud."""
    width = max((part.sh.shape[1] for part in parts), default=1)
    harmonics = np.zeros((sum(len(part.positions) for part in parts), width, 3), np.float32)
    at = 0
    for part in parts:
        harmonics[at : at + len(part.sh), : part.sh.shape[1]] = part.sh
        at += len(part.sh)
    empty = np.zeros((0, 4), np.float32)
    return Splats(
        np.concatenate([empty[:, :3], *(part.positions for part in parts)]),
        np.concatenate([empty, *(part.rotations for part in parts)]),
        np.concatenate([empty[:, :3], *(part.scales for part in parts)]),
        np.concatenate([empty[:, 0], *(part.opacities for part in parts)]),
        harmonics,
        name,
    )


def smooth_normals(positions: FloatArray, faces: NDArray[Any]) -> FloatArray:
    """float32 [V, 3] unit normals, each the mean of its triangles' normals weighted by area."""
    index = np.asarray(faces, np.int64)
    corners = np.asarray(positions, np.float64)[index]
    weighted = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return _unit(_scattered(weighted, index, len(positions)), (0.0, 0.0, 1.0))


def tangents(mesh: Mesh) -> FloatArray | None:
    """float32 [V, 4] tangents with the bitangent's sign, as glTF 2.0 §3.7.2.1 wants them; None without uvs.

    The tangent is the direction of growing u, made perpendicular to the normal; the bitangent is that of
    growing v (bottom-left origin), so green in a normal map is up.
    """
    if mesh.uvs is None:
        return None
    normals = mesh.normals if mesh.normals is not None else smooth_normals(mesh.positions, mesh.faces)
    n = normals.astype(np.float64)
    index = mesh.faces.astype(np.int64)
    p, t = np.asarray(mesh.positions, np.float64)[index], np.asarray(mesh.uvs, np.float64)[index]
    edge1, edge2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    (u1, v1), (u2, v2) = (t[:, 1] - t[:, 0]).T, (t[:, 2] - t[:, 0]).T
    # Dividing by the determinant is left out: its size is the weight by area, its sign is kept.
    sign = np.where(u1 * v2 - u2 * v1 < 0, -1.0, 1.0)
    along_u = _scattered((edge1 * v2[:, None] - edge2 * v1[:, None]) * sign[:, None], index, len(n))
    along_v = _scattered((edge2 * u1[:, None] - edge1 * u2[:, None]) * sign[:, None], index, len(n))
    flat = along_u - n * np.einsum("vc,vc->v", along_u, n)[:, None]
    # Where uvs are degenerate any perpendicular direction will do.
    spare = np.cross(n, np.where(np.abs(n[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]))
    tiny = np.linalg.norm(flat, axis=1, keepdims=True) < 1e-20
    flat = np.where(tiny, spare, flat)
    tangent = _unit(flat, (1.0, 0.0, 0.0))
    hand = np.where(np.einsum("vc,vc->v", np.cross(n, tangent), along_v) < 0, -1.0, 1.0)
    return np.concatenate([tangent, hand[:, None]], axis=1).astype(np.float32)


def _scattered(per_face: NDArray[np.float64], faces: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Each face's vector summed into its three vertices."""
    flat = faces.reshape(-1)
    sums = [np.bincount(flat, np.repeat(per_face[:, axis], 3), count) for axis in range(3)]
    return np.stack(sums, axis=1)


def _unit(vectors: NDArray[np.float64], otherwise: tuple[float, float, float]) -> FloatArray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    good = length > 0
    return np.where(good, vectors / np.where(good, length, 1.0), otherwise).astype(np.float32)
