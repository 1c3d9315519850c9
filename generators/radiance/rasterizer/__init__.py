"""Splats to pictures and back: two functions, their gradients, and the backends that offer them.

`project` turns a cloud into ellipses in one camera's picture, `rasterize` composites any number of feature
channels (colour, depth, normals …) over them. Both come with the exact gradient of the other direction. The
backends hold to one rule of what is drawn (see `Rules`), so that their pictures agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from engines.assets import FloatArray
from generators.radiance.cameras import Camera
from generators.radiance.parameters import Parameters


@dataclass(frozen=True)
class Rules:
    """How a cloud is drawn.

    A Gaussian's picture covariance grows by `blur_px2` in both directions, so that none falls between pixels.
    With `antialiased` its opacity shrinks by as much as the blur has grown it (the 2D Mip filter of Yu et al.
    2024), so that far and thin splats keep their weight. What is nearer than `near` to the camera is not drawn.
    `sh_count` limits the harmonics in use to the first 1, 4, 9 or 16.
    """

    antialiased: bool = False
    blur_px2: float = 0.3
    near: float = 0.01
    sh_count: int = 16


@dataclass(frozen=True, eq=False)
class Projection:
    """N ellipses in one picture, all float32.

    `xy` [N, 2] centres in pixels; `conic` [N, 3] = (A, B, C) of σ = ½(A·dx² + C·dy²) + B·dx·dy; `opacity` [N];
    `colour` [N, 3] from the splats' harmonics, ≥ 0; `depth` [N] along the camera's +Z; `extent` [N, 2] half-size
    in pixels of the box where the opacity is ≥ 1/255, 0 for what is not drawn.
    """

    xy: FloatArray
    conic: FloatArray
    opacity: FloatArray
    colour: FloatArray
    depth: FloatArray
    extent: FloatArray


@dataclass(frozen=True, eq=False)
class Raster:
    """A picture: `image` float32 [C, H, W] over its background, `transmittance` float32 [H, W] of what is behind."""

    image: FloatArray
    transmittance: FloatArray
    state: Any
    """What the backend keeps for the way back; no one else's business."""


@dataclass(frozen=True, eq=False)
class RasterGradients:
    """Gradients of a loss by what was rasterized; shapes as in `Projection`, `features` [N, C]."""

    xy: FloatArray
    conic: FloatArray
    opacity: FloatArray
    features: FloatArray


class Backend(Protocol):
    """One way to compute all this."""

    name: str

    def project(self, parameters: Parameters, camera: Camera, rules: Rules, *, sound: bool = False) -> Projection:
        """Where a cloud's splats fall in a picture.

        Raises `ValueError` for parameters that are not finite or not of the right shape, unless they are said to be
        `sound`, as those of a trainer are.
        """

    def rasterize(
        self, projection: Projection, features: FloatArray, background: FloatArray, width: int, height: int
    ) -> Raster:
        """Composite `features` float32 [N, C] front to back over `background` float32 [C]."""

    def rasterize_backward(
        self, raster: Raster, grad_image: FloatArray, grad_transmittance: FloatArray | None = None
    ) -> RasterGradients:
        """Gradients by the ellipses and features, given those by the picture [C, H, W] and transmittance [H, W]."""

    def project_backward(
        self,
        parameters: Parameters,
        camera: Camera,
        rules: Rules,
        projection: Projection,
        gradients: RasterGradients,
        grad_depth: FloatArray | None = None,
    ) -> Parameters:
        """Gradients by the cloud; the first three features are the projection's colour."""


def backend_for(device: str) -> Backend:
    """The fastest backend that works on a torch device name: gsplat on CUDA if it passes its probe, else numba."""
    if device.startswith("cuda") and unfit(device) is None:
        from generators.radiance.rasterizer.gsplat_backend import GsplatBackend

        return GsplatBackend(device)
    from generators.radiance.rasterizer.cpu import NumbaBackend

    return NumbaBackend()


def unfit(device: str) -> str | None:
    """Why `backend_for` draws on the processor although the device is a graphics card; None where it does not."""
    if not device.startswith("cuda"):
        return None
    from generators.radiance.rasterizer import gsplat_backend

    return gsplat_backend.missing(device)
