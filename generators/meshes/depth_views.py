"""What a camera sees of something, as numbers: colour, distance and how much of it can be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engines.assets import FloatArray
from generators.radiance.cameras import Camera
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Backend, Rules

OPAQUE = 0.5
"""Pixels where less than this is covered show nothing that could be a surface."""
SPREAD = 0.08
"""The deviation of the distances within one pixel may be this share of their mean: beyond, it is an edge or fog."""


@dataclass(frozen=True, eq=False)
class DepthView:
    """`colour` float32 [H, W, 3] display-referred 0..1; `depth` float32 [H, W] along the camera's +Z in metres, 0 where
    no surface is seen clearly; `coverage` float32 [H, W], 0 where the eye looks through.
    """

    camera: Camera
    colour: FloatArray
    depth: FloatArray
    coverage: FloatArray


Render = Callable[[Camera], DepthView]
"""Anything that can be looked at: a splat cloud, a field, a mesh."""


def cloud_render(cloud: Parameters, backend: Backend, *, antialiased: bool = False) -> Render:
    """How to look at a splat cloud; distances are means weighted as colours are (Kerbl et al. 2023)."""
    rules = Rules(antialiased=antialiased)

    def render(camera: Camera) -> DepthView:
        projection = backend.project(cloud, camera, rules, sound=True)
        depth = projection.depth[:, None]
        features = np.ascontiguousarray(np.concatenate([projection.colour, depth, depth * depth], axis=1), np.float32)
        raster = backend.rasterize(projection, features, np.zeros(5, np.float32), camera.width, camera.height)
        coverage = 1 - np.asarray(raster.transmittance)
        share = np.maximum(coverage, 1e-3)
        mean = raster.image[3] / share
        variance = np.maximum(raster.image[4] / share - mean * mean, 0)
        clear = (coverage > OPAQUE) & (variance < (SPREAD * mean) ** 2)
        return DepthView(
            camera,
            # What is half covered keeps its own colour, not the background's.
            np.ascontiguousarray(np.clip(raster.image[:3] / share, 0, 1).transpose(1, 2, 0), np.float32),
            np.where(clear, mean, 0).astype(np.float32),
            coverage.astype(np.float32),
        )

    return render
