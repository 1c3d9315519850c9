"""The CUDA backend: gsplat's kernels behind the same interface (gsplat ≥ 1.5, documented `gsplat.rendering` API).

Arrays cross to the GPU and back at every call. gsplat compiles its kernels when it is first used, for which it
needs `nvcc`, so the probe draws one splat and reports whatever goes wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.assets import FloatArray
from generators.radiance.cameras import Camera, looking_at
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Projection, Raster, RasterGradients, Rules

TILE = 16


@cache
def missing() -> str | None:
    """Why gsplat cannot be used here, in a sentence, or None when a splat could be drawn with it."""
    if not torch.cuda.is_available():
        return "gsplat needs a CUDA device; this machine has none"
    try:
        import gsplat  # noqa: F401
    except ImportError as error:
        return f"gsplat is not installed ({error}); install scenecast[gpu]"
    backend = GsplatBackend("cuda:0")
    one = Parameters(
        positions=np.zeros((1, 3), np.float32),
        log_scales=np.full((1, 3), -2.0, np.float32),
        quaternions=np.array([[1, 0, 0, 0]], np.float32),
        logits=np.full(1, 4.0, np.float32),
        sh=np.ones((1, 1, 3), np.float32),
    )
    camera = looking_at((0, 0, 3), (0, 0, 0), fov_y_deg=40, width=16, height=16)
    try:
        projection = backend.project(one, camera, Rules())
        image = backend.rasterize(projection, projection.colour, np.zeros(3, np.float32), 16, 16).image
    except (RuntimeError, ImportError, OSError, AttributeError, TypeError) as error:
        return f"gsplat is installed but drew nothing: {error}"
    return None if image[:, 8, 8].min() > 0.1 else "gsplat is installed but drew an empty picture"


@dataclass(frozen=True, eq=False)
class _State:
    inputs: tuple[Tensor, ...]
    image: Tensor
    alpha: Tensor


class GsplatBackend:
    """Projection and compositing by gsplat on one CUDA device."""

    name = "gsplat"

    def __init__(self, device: str) -> None:
        self._device = device

    def _tensor(self, array: Any, *, grad: bool = False) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), device=self._device).requires_grad_(grad)

    def _project(self, parameters: Parameters, camera: Camera, rules: Rules, *, grad: bool) -> Any:
        from gsplat.cuda._wrapper import fully_fused_projection, spherical_harmonics

        leaves = [self._tensor(array, grad=grad) for _, array in parameters.arrays()]
        positions, log_scales, quaternions, logits, sh = leaves
        view = self._tensor(camera.camera_from_world.astype(np.float32))
        intrinsics = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]], np.float32)
        radii, xy, depth, conic, compensation = fully_fused_projection(
            positions,
            None,
            quaternions,
            torch.exp(log_scales),
            view[None],
            self._tensor(intrinsics)[None],
            camera.width,
            camera.height,
            eps2d=rules.blur_px2,
            near_plane=rules.near,
            calc_compensations=rules.antialiased,
            packed=False,
        )
        opacity = torch.sigmoid(logits)
        if rules.antialiased:
            opacity = opacity * compensation[0]
        eye = self._tensor(camera.position.astype(np.float32))
        count = min(rules.sh_count, parameters.sh.shape[1])
        colour = spherical_harmonics(round(count**0.5) - 1, positions - eye, sh[:, :count].contiguous())
        colour = (colour + 0.5).clamp_min(0.0)
        return leaves, radii[0].float(), (xy[0], conic[0], opacity, colour, depth[0])

    def project(self, parameters: Parameters, camera: Camera, rules: Rules, *, sound: bool = False) -> Projection:
        """See `Backend.project`."""
        if not sound:
            parameters.check()
        with torch.no_grad():
            _, radii, values = self._project(parameters, camera, rules, grad=False)
        xy, conic, opacity, colour, depth = (value.cpu().numpy() for value in values)
        # gsplat 1.5 gives a radius per axis, older releases one for both
        extent = radii if radii.ndim == 2 else radii[:, None].expand(-1, 2)
        return Projection(xy, conic, opacity, colour, depth, np.ascontiguousarray(extent.cpu().numpy()))

    def rasterize(
        self, projection: Projection, features: FloatArray, background: FloatArray, width: int, height: int
    ) -> Raster:
        """See `Backend.rasterize`."""
        from gsplat.cuda._wrapper import isect_offset_encode, isect_tiles, rasterize_to_pixels

        inputs = tuple(
            self._tensor(array, grad=True) for array in (projection.xy, projection.conic, projection.opacity, features)
        )
        xy, conic, opacity, feature = inputs
        tiles_x, tiles_y = -(-width // TILE), -(-height // TILE)
        radii = self._tensor(np.ceil(projection.extent).astype(np.int32))[None]
        depth = self._tensor(projection.depth)[None]
        _, keys, members = isect_tiles(
            xy[None].detach(), radii, depth, TILE, tiles_x, tiles_y, packed=False, n_cameras=1
        )
        offsets = isect_offset_encode(keys, 1, tiles_x, tiles_y)
        image, alpha = rasterize_to_pixels(
            *(xy[None], conic[None], feature[None], opacity[None]),
            *(width, height, TILE, offsets, members),
            backgrounds=self._tensor(background)[None],
        )
        planar = image[0].permute(2, 0, 1)
        through = 1.0 - alpha[0, ..., 0]
        return Raster(
            np.ascontiguousarray(planar.detach().cpu().numpy()),
            np.ascontiguousarray(through.detach().cpu().numpy()),
            _State(inputs, planar, through),
        )

    def rasterize_backward(
        self, raster: Raster, grad_image: FloatArray, grad_transmittance: FloatArray | None = None
    ) -> RasterGradients:
        """See `Backend.rasterize_backward`."""
        state: _State = raster.state
        loss = (state.image * self._tensor(grad_image)).sum()
        if grad_transmittance is not None:
            loss = loss + (state.alpha * self._tensor(grad_transmittance)).sum()
        return RasterGradients(*(g.cpu().numpy() for g in torch.autograd.grad(loss, state.inputs)))

    def project_backward(
        self,
        parameters: Parameters,
        camera: Camera,
        rules: Rules,
        projection: Projection,
        gradients: RasterGradients,
        grad_depth: FloatArray | None = None,
    ) -> Parameters:
        """See `Backend.project_backward`; projects once more, which is cheaper than keeping the graph alive."""
        leaves, _, values = self._project(parameters, camera, rules, grad=True)
        wanted = [gradients.xy, gradients.conic, gradients.opacity, gradients.features[:, :3]]
        wanted.append(np.zeros(len(parameters), np.float32) if grad_depth is None else grad_depth)
        loss = sum((value * self._tensor(g)).sum() for value, g in zip(values, wanted, strict=True))
        return Parameters(*(g.cpu().numpy() for g in torch.autograd.grad(loss, leaves)))
