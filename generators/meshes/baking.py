"""What a detailed surface gives to a simple one: places, normals and occlusion, texel by texel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Image, Mesh
from engines.geometry import smooth_normals, tangents
from engines.kinds import ColourSpace
from generators.meshes.atlas import Texels
from generators.meshes.isosurface import Check, Surface
from generators.meshes.tracing import Tree, cast, tree_of

LEAN = 0.25
"""Detail that leans more than this way from the simple surface (cosine) is not its detail."""
OCCLUSION_PX = 512
OCCLUSION_REACH = 0.08
"""Share of a mesh's size within which things darken each other."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Where each texel lies: on the simple surface, and on the detailed one where there is one near.

    All [T, 3]: `points` and `normals` of the detail, unit; `smooth` the simple mesh's own shading normals.
    """

    points: FloatArray
    normals: FloatArray
    smooth: FloatArray


def unit(vectors: NDArray[np.float32]) -> FloatArray:
    """Vectors of length 1; those of no length stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1), np.float32)


def ground_of(texels: Texels, low: Mesh, high: Surface, reach_m: float, check: Check = lambda: None) -> Ground:
    """Look from each texel along its normal, out and in, for the nearest detail within `reach_m`."""
    faces = low.faces.astype(np.int32)
    normals = low.normals if low.normals is not None else smooth_normals(low.positions, low.faces)
    points, smooth = texels.over(low.positions, faces), unit(texels.over(normals, faces))
    detail = smooth_normals(high.positions, high.faces)
    check()
    tree = tree_of(high.positions, high.faces)
    check()
    best = np.full(len(points), np.inf, np.float32)
    moved, bent = points.copy(), smooth.copy()
    for sign in (np.float32(1), np.float32(-1)):
        hits = cast(tree, points, np.ascontiguousarray(smooth * sign), reach_m, check=check)
        corners = high.faces[np.maximum(hits.face, 0)]
        there = unit(np.einsum("tk,tkc->tc", hits.shares, detail[corners]))
        good = (hits.face >= 0) & (hits.distance < best) & (np.einsum("tc,tc->t", there, smooth) > LEAN)
        best[good] = hits.distance[good]
        moved[good] = points[good] + (smooth * sign)[good] * hits.distance[good, None]
        bent[good] = there[good]
    return Ground(moved, bent, smooth)


def normal_map(texels: Texels, low: Mesh, ground: Ground, check: Check = lambda: None) -> Image:
    """The detail's normals in the simple mesh's tangent frames, uint8 [S, S, 3], +Y up."""
    frame = tangents(low)
    if frame is None:
        raise ValueError("a normal map needs a mesh with uvs")
    faces = low.faces.astype(np.int32)
    along = texels.over(np.ascontiguousarray(frame[:, :3]), faces)
    hand = np.sign(texels.over(np.ascontiguousarray(frame[:, 3:]), faces))
    along = unit(along - ground.smooth * np.einsum("tc,tc->t", along, ground.smooth)[:, None])
    across = np.cross(ground.smooth, along) * hand
    check()
    local = np.stack([np.einsum("tc,tc->t", axis, ground.normals) for axis in (along, across, ground.smooth)], axis=1)
    check()
    picture = texels.picture(unit(local.astype(np.float32)))
    check()
    return Image(np.round((picture * 0.5 + 0.5).clip(0, 1) * 255).astype(np.uint8), ColourSpace.DATA, "normal")


def occlusion(
    tree: Tree, points: FloatArray, normals: FloatArray, reach_m: float, rays: int, check: Check = lambda: None
) -> FloatArray:
    """Share of the sky above each point that is not hidden within `reach_m`, weighted by cosine, float32 [P].

    All points look in the same cosine-weighted directions, turned by a fixed angle from point to point.
    """
    open_sky = np.zeros(len(points), np.float32)
    n = np.arange(rays) + 0.5
    radius, turn = np.sqrt(n / rays), n * np.pi * (3 - np.sqrt(5))
    spin = (np.arange(len(points)) * 2.399963) % (2 * np.pi)
    side = np.where(np.abs(normals[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]])
    along = unit(np.cross(normals, side).astype(np.float32))
    across = np.cross(normals, along)
    start = np.ascontiguousarray(points + normals * np.float32(reach_m * 0.02))
    for r, angle in zip(radius, turn, strict=True):
        check()
        a, b = r * np.cos(angle + spin), r * np.sin(angle + spin)
        ray = along * a[:, None] + across * b[:, None] + normals * np.sqrt(1 - r * r)
        hits = cast(
            tree, start, np.ascontiguousarray(ray, np.float32), reach_m, near=0.02 * reach_m, any_hit=True, check=check
        )
        # What is far hides less than what is near.
        open_sky += np.where(hits.face >= 0, (hits.distance / np.float32(reach_m)) ** 2, 1).astype(np.float32)
    return open_sky / np.float32(rays)


def occlusion_map(texels: Texels, low: Mesh, reach_m: float, rays: int, check: Check = lambda: None) -> Image:
    """Occlusion of a mesh by itself, uint8 [S, S, 1]; reckoned on a coarser square of at most `OCCLUSION_PX`."""
    size = texels.size_px
    step = max(1, -(-size // OCCLUSION_PX))
    row, column = texels.at // size, texels.at % size
    some = np.flatnonzero((row % step == step // 2) & (column % step == step // 2))
    few = -(-size // step)
    coarse = Texels(few, row[some] // step * few + column[some] // step, texels.face[some], texels.shares[some])
    faces = low.faces.astype(np.int32)
    normals = low.normals if low.normals is not None else smooth_normals(low.positions, low.faces)
    tree = tree_of(low.positions, low.faces)
    points, up = coarse.over(low.positions, faces), unit(coarse.over(normals, faces))
    values = occlusion(tree, points, up, reach_m, rays, check)
    picture = _softened(coarse.picture(values[:, None]))
    enlarged = np.repeat(np.repeat(picture, step, axis=0), step, axis=1)[:size, :size]
    for _ in range(step - 1):
        enlarged = _softened(enlarged)
    return Image(np.round(enlarged.clip(0, 1) * 255).astype(np.uint8), ColourSpace.DATA, "occlusion")


def _softened(picture: FloatArray) -> FloatArray:
    """A 3 × 3 tent over the picture: hides the grain of few rays."""
    for axis in (0, 1):
        padded = np.pad(picture, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        n = picture.shape[axis]
        low, mid, high = (np.take(padded, range(k, k + n), axis=axis) for k in range(3))
        picture = np.asarray((low + 2 * mid + high) / 4, np.float32)
    return picture
