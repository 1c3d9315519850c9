"""Splat clouds whose surface is known."""

from __future__ import annotations

import numpy as np

from engines.assets import FloatArray, Splats
from generators.meshes.topology import face_areas
from tests.generators.meshes.shapes import ring_surface

DC = 0.28209479177387814


def ring_colour(points: FloatArray) -> FloatArray:
    """Red where x is positive, blue where it is negative, greener towards the top: display-referred."""
    right = np.clip(0.5 + 2 * points[:, 0], 0, 1)
    return np.stack([0.15 + 0.7 * right, 0.3 + points[:, 1], 0.15 + 0.7 * (1 - right)], axis=1).astype(np.float32)


def ring_cloud(count: int = 12_000, seed: int = 0) -> Splats:
    """Small opaque splats all over the ring."""
    surface = ring_surface(48)
    rng = np.random.default_rng(seed)
    area = face_areas(surface.positions, surface.faces)
    face = rng.choice(len(area), count, p=area / area.sum())
    shares = rng.dirichlet([1, 1, 1], count)
    points = np.einsum("nk,nkc->nc", shares, surface.positions[surface.faces[face]]).astype(np.float32)
    sh = ((ring_colour(points) - 0.5) / DC).astype(np.float32)[:, None]
    return Splats(
        positions=points,
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        scales=np.full((count, 3), 0.014, np.float32),
        opacities=np.full(count, 0.95, np.float32),
        sh=np.ascontiguousarray(sh),
        name="ring",
    )
