"""What one step of training holds a cloud's surfaces to besides the photograph's colours: known depth, smooth normals.

Depth and normals are drawn as further channels of the picture, after the three of colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.cameras import Camera
from generators.radiance.depth_loss import inverse_depth_loss
from generators.radiance.normal_loss import normal_loss, splat_normals, turn_and_press
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Projection, Raster, RasterGradients

DEPTH, NORMALS = 3, slice(4, 7)
"""Channels of the picture."""


@dataclass(frozen=True, eq=False)
class SurfaceDifference:
    """A loss and its gradients by the further channels [K, H, W] and the transmittance [H, W]."""

    loss: float
    by_features: FloatArray
    by_transmittance: FloatArray


class Surfaces:
    """One cloud before one camera; `inverse` float32 [H, W] is 1 / depth where it is known, else 0, or None.

    With a `normal_weight` of 0 no normals are drawn.
    """

    def __init__(
        self,
        parameters: Parameters,
        projection: Projection,
        camera: Camera,
        *,
        inverse: FloatArray | None,
        depth_weight: float,
        normal_weight: float,
    ) -> None:
        self._parameters, self._projection, self._camera = parameters, projection, camera
        self._inverse, self._depth_weight, self._normal_weight = inverse, depth_weight, normal_weight
        self._normals = splat_normals(parameters, camera) if normal_weight > 0 else None

    def drawn(self, background: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The features to composite [N, C] and what lies behind them [C]: nothing, beside the colour."""
        channels = [self._projection.colour, self._projection.depth[:, None]]
        if self._normals is not None:
            channels.append(self._normals[0])
        features = np.concatenate(channels, 1)
        return features, np.append(background, np.zeros(features.shape[1] - 3, np.float32))

    def compared(self, raster: Raster, mask: NDArray[np.bool_] | None) -> SurfaceDifference:
        """How far what was drawn is from what it is held to."""
        through, depth = raster.transmittance, raster.image[DEPTH]
        loss = 0.0
        by_features, by_transmittance = np.zeros_like(raster.image[3:]), np.zeros_like(through)
        if self._inverse is not None:
            held = inverse_depth_loss(depth, through, self._inverse, weight=self._depth_weight, mask=mask)
            loss += held.loss
            by_features[0] += held.by_depth
            by_transmittance += held.by_transmittance
        if self._normals is not None:
            bent = normal_loss(
                depth, through, raster.image[NORMALS], self._camera, weight=self._normal_weight, mask=mask
            )  # fmt: skip
            loss += bent.loss
            by_features[0] += bent.by_depth
            by_features[1:] += bent.by_normals
            by_transmittance += bent.by_transmittance
        return SurfaceDifference(loss, by_features, by_transmittance)

    def pull(self, flat: RasterGradients, gradients: Parameters) -> None:
        """Add to the cloud's gradients what does not go through its projection."""
        if self._normals is not None:
            by_normals = np.ascontiguousarray(flat.features[:, NORMALS])
            turn_and_press(self._parameters, self._camera, self._normals[1], by_normals, self._normal_weight, gradients)
