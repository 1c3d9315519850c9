"""What a camera sees of something, as numbers: colour, distance and how much of it can be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engines.assets import FloatArray
from generators.meshes.surface_depth import surface_depth
from generators.radiance.cameras import Camera
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Backend, Rules

OPAQUE = 0.5
"""Pixels where less than this is covered show nothing that could be a surface."""
WINDOW = 0.03
"""What lies within this share of the distance before and behind the median is taken for the surface."""
SHARPEN = 3.0
"""Splats are taken to stop as much light as so many of them at one place would: trained surfaces let some through, and
more in the gaps between their splats than on them."""
AGREED_MIN = 0.35
"""Share of the light that the surface must stop: below, the pixel shows an edge or fog."""


@dataclass(frozen=True, eq=False)
class DepthView:
    """`colour` float32 [H, W, 3] display-referred 0..1; `depth` float32 [H, W] along the camera's +Z in metres, 0 where
    no surface is seen clearly; `coverage` float32 [H, W], 0 where the eye looks through; `trust` float32 [H, W] 0..1,
    how much each distance counts beside those of other views, all 1 when it is not given.
    """

    camera: Camera
    colour: FloatArray
    depth: FloatArray
    coverage: FloatArray
    trust: FloatArray | None = None


Render = Callable[[Camera], DepthView]
"""Anything that can be looked at: a splat cloud, a field, a mesh."""


def cloud_render(cloud: Parameters, backend: Backend, *, antialiased: bool = False) -> Render:
    """How to look at a splat cloud: its colours as it was trained to be seen, its distances as of something solid."""
    rules = Rules(antialiased=antialiased)

    def render(camera: Camera) -> DepthView:
        projection = backend.project(cloud, camera, rules, sound=True)
        black = np.zeros(3, np.float32)
        raster = backend.rasterize(projection, projection.colour, black, camera.width, camera.height)
        coverage = 1 - np.asarray(raster.transmittance)
        depth, agreed = _agreed_depth(cloud, camera, rules)
        clear = (coverage > OPAQUE) & (agreed > AGREED_MIN)
        # What is half covered keeps its own colour, not the background's.
        colour = np.clip(raster.image / np.maximum(coverage, 1e-3), 0, 1).transpose(1, 2, 0)
        return DepthView(
            camera,
            np.ascontiguousarray(colour, np.float32),
            np.where(clear, depth, 0).astype(np.float32),
            coverage.astype(np.float32),
            np.asarray(agreed * agreed, np.float32),
        )

    return render


def _agreed_depth(cloud: Parameters, camera: Camera, rules: Rules) -> tuple[FloatArray, FloatArray]:
    """Distances, and the share of what is stopped that agrees on them, [H, W]: the better of two ways to look.

    What lets light through must be taken for solid to be seen at all; a haze before a wall must not.
    """
    plain, solid = (surface_depth(cloud, camera, rules, WINDOW, sharpen) for sharpen in (1.0, SHARPEN))
    as_trained, as_solid = (seen.agreed / np.maximum(seen.coverage, 1e-3) for seen in (plain, solid))
    better = as_solid >= as_trained
    return np.where(better, solid.depth, plain.depth), np.where(better, as_solid, as_trained)
