"""How far found poses are from true ones once the one freedom that photographs leave is taken away: a similarity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.generators.radiance.known_scene import View

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Aligned:
    """Errors by view: `translation` as a share of the rig's radius, `rotation_deg`; and the similarity itself."""

    translation: Matrix
    rotation_deg: Matrix
    scale: float
    rotation: Matrix
    shift: Matrix


def true_poses(views: Sequence[View]) -> Matrix:
    """World from camera [N, 4, 4]."""
    return np.stack([np.linalg.inv(view.camera.camera_from_world) for view in views])


def aligned(found: Matrix, true: Matrix) -> Aligned:
    """Least squares over the positions (Umeyama 1991), both [N, 4, 4]."""
    here, there = found[:, :3, 3], true[:, :3, 3]
    a, b = here - here.mean(0), there - there.mean(0)
    left, sizes, right = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left * signs @ right
    scale = float((sizes * signs).sum() / (a**2).sum())
    off = np.linalg.norm(b - scale * a @ rotation.T, axis=1)
    turned = rotation @ found[:, :3, :3]
    cosine = (np.einsum("nij,nij->n", turned, true[:, :3, :3]) - 1) / 2
    return Aligned(
        translation=off / float(np.sqrt((b**2).sum(1).mean())),
        rotation_deg=np.degrees(np.arccos(np.clip(cosine, -1, 1))),
        scale=scale,
        rotation=rotation,
        shift=there.mean(0) - scale * rotation @ here.mean(0),
    )
