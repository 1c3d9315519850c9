"""How far a trained cloud's surfaces are from those of the scene of known truth."""

from __future__ import annotations

import numpy as np

from engines.assets import FloatArray
from generators.radiance import surfaces
from generators.radiance.depth_loss import OPAQUE_FROM
from generators.radiance.normal_loss import _on_one_surface, normals_of_depth
from generators.radiance.surfaces import NORMALS, Surfaces
from generators.radiance.trainer import Trainer
from tests.generators.radiance.known_scene import View


def angles_deg(trainer: Trainer, view: View) -> tuple[FloatArray, FloatArray]:
    """The angles [P] between true normals and those of the drawn depth and of the drawn splats, away from edges."""
    camera = trainer.normalisation.camera(view.camera)
    projection = trainer.backend.project(trainer.parameters, camera, trainer.rules())
    held = Surfaces(trainer.parameters, projection, camera, inverse=None, depth_weight=0.0, normal_weight=1.0)
    features, ground = held.drawn(np.zeros(3, np.float32))
    raster = trainer.backend.rasterize(projection, features, ground, camera.width, camera.height)
    alpha = 1 - raster.transmittance
    inverse = alpha / np.maximum(raster.image[surfaces.DEPTH], np.float32(1e-6))
    of_depth, _ = normals_of_depth(inverse, camera)
    of_splats = raster.image[NORMALS][:, 1:-1, 1:-1]
    true = np.einsum("ij,hwj->ihw", view.camera.camera_from_world[:3, :3], view.normals)[:, 1:-1, 1:-1]
    counts = (view.depth > 0) & (alpha > OPAQUE_FROM)
    counts = _on_one_surface(np.where(counts, 1 / np.maximum(view.depth, np.float32(1e-6)), 0), counts)

    def angles(found: FloatArray) -> FloatArray:
        unit = found / np.maximum(np.linalg.norm(found, axis=0), 1e-6)
        return np.asarray(np.degrees(np.arccos(np.clip((unit * true).sum(0)[counts], -1, 1))), np.float32)

    return angles(of_depth), angles(of_splats)
