"""Splat clouds whose surface is known."""

from __future__ import annotations

import numpy as np

from engines.assets import FloatArray, Splats
from generators.meshes.topology import face_areas
from generators.radiance.parameters import Parameters
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


def walls(opacity: float) -> Parameters:
    """A near wall at z = 0 of splats that let light through, and an opaque one a metre behind it."""
    side = np.linspace(-1.5, 1.5, 60)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    positions = np.concatenate([np.pad(grid, ((0, 0), (0, 1))), np.pad(grid, ((0, 0), (0, 1)), constant_values=-1.0)])
    share = np.repeat([opacity, 0.99], len(grid))
    return Parameters(
        positions=positions.astype(np.float32),
        log_scales=np.full(positions.shape, np.log(0.03), np.float32),
        quaternions=np.tile(np.array([1, 0, 0, 0], np.float32), (len(positions), 1)),
        logits=np.log(share / (1 - share)).astype(np.float32),
        sh=np.zeros((len(positions), 1, 3), np.float32),
    )
