"""The CUDA backend: gsplat's kernels behind the same interface as numba's.

Arrays cross to the card and back at every call; a trainer keeps its cloud there instead (`radiance.resident`). gsplat
compiles its kernels when it is first used, for which it needs CUDA's compiler, so the probe draws one splat and
reports whatever goes wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
from generators.radiance.rasterizer.gsplat_calls import Ellipses, Leaves, composite, project

WORDS_MOST = 300


@cache
def missing(device: str) -> str | None:
    """Why gsplat cannot be used on a device, in a sentence, or None when a splat could be drawn there with it."""
    if not torch.cuda.is_available():
        return "gsplat needs a CUDA device; this machine has none"
    try:
        import gsplat  # noqa: F401
    except ImportError as error:
        return f"gsplat is not installed ({error}); install scenecast[gpu]"
    try:
        with _alone():
            drawn = _one_splat(GsplatBackend(device))
    except torch.OutOfMemoryError:
        raise  # says nothing of gsplat, and may be otherwise the next time
    except Exception as error:  # a compiler, a linker and a driver speak here, each in its own way
        return f"gsplat is installed but drew nothing: {_remedy(error)}"
    return None if drawn > 0.1 else "gsplat is installed but drew an empty picture; its release is not one we know"


@contextmanager
def _alone() -> Iterator[None]:
    """One process after the other: gsplat empties the very folder in which another may be compiling its kernels."""
    try:
        import fcntl
    except ImportError:  # not a system that has such locks
        yield
        return
    import platformdirs

    with (platformdirs.user_cache_path("scenecast", ensure_exists=True) / "gsplat.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _one_splat(backend: GsplatBackend) -> float:
    """The darkest channel in the middle of a picture of one near white splat."""
    one = Parameters(
        positions=np.zeros((1, 3), np.float32),
        log_scales=np.full((1, 3), -2.0, np.float32),
        quaternions=np.array([[1, 0, 0, 0]], np.float32),
        logits=np.full(1, 4.0, np.float32),
        sh=np.ones((1, 1, 3), np.float32),
    )
    camera = looking_at((0, 0, 3), (0, 0, 0), fov_y_deg=40, width=16, height=16)
    projection = backend.project(one, camera, Rules())
    raster = backend.rasterize(projection, projection.colour, np.zeros(3, np.float32), 16, 16)
    return float(raster.image[:, 8, 8].min())


def _remedy(error: Exception) -> str:
    words = " ".join(str(error).split())[:WORDS_MOST]
    if isinstance(error, AttributeError) and "NoneType" in words:
        return "its kernels are compiled here when they are first used, and CUDA's compiler nvcc was not found"
    return f"{type(error).__name__}: {words}"


@dataclass(frozen=True, eq=False)
class _State:
    inputs: tuple[Tensor, ...]
    image: Tensor
    through: Tensor


class GsplatBackend:
    """Projection and compositing by gsplat on one device."""

    name = "gsplat"

    def __init__(self, device: str) -> None:
        self.device = device

    def _tensor(self, array: Any, *, grad: bool = False) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device, copy=True).requires_grad_(grad)

    def _leaves(self, parameters: Parameters, *, grad: bool) -> Leaves:
        return Leaves(*(self._tensor(array, grad=grad) for _, array in parameters.arrays()))

    def project(self, parameters: Parameters, camera: Camera, rules: Rules, *, sound: bool = False) -> Projection:
        """See `Backend.project`."""
        if not sound:
            parameters.check()
        with torch.no_grad():
            found = project(self._leaves(parameters, grad=False), camera, rules)
        values = (found.xy, found.conic, found.opacity, found.colour, found.depth, found.radii.float())
        return Projection(*(_array(value) for value in values))

    def rasterize(
        self, projection: Projection, features: FloatArray, background: FloatArray, width: int, height: int
    ) -> Raster:
        """See `Backend.rasterize`."""
        wanted = (projection.xy, projection.conic, projection.opacity, features)
        inputs = tuple(self._tensor(array, grad=True) for array in wanted)
        xy, conic, opacity, given = inputs
        radii = self._tensor(np.ceil(projection.extent).astype(np.int32))
        ellipses = Ellipses(xy, conic, opacity, given, self._tensor(projection.depth), radii)
        image, through = composite(ellipses, given, self._tensor(background), width, height)
        return Raster(_array(image), _array(through), _State(inputs, image, through))

    def rasterize_backward(
        self, raster: Raster, grad_image: FloatArray, grad_transmittance: FloatArray | None = None
    ) -> RasterGradients:
        """See `Backend.rasterize_backward`."""
        state: _State = raster.state
        loss = (state.image * self._tensor(grad_image)).sum()
        if grad_transmittance is not None:
            loss = loss + (state.through * self._tensor(grad_transmittance)).sum()
        return RasterGradients(*(_array(g) for g in torch.autograd.grad(loss, state.inputs)))

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
        leaves = self._leaves(parameters, grad=True)
        found = project(leaves, camera, rules)
        pairs = [
            (found.xy, gradients.xy),
            (found.conic, gradients.conic),
            (found.opacity, gradients.opacity),
            (found.colour, gradients.features[:, :3]),
        ]
        if grad_depth is not None:
            pairs.append((found.depth, grad_depth))
        values, given = [value for value, _ in pairs], [self._tensor(gradient) for _, gradient in pairs]
        return Parameters(*(_array(g) for g in torch.autograd.grad(values, leaves.all(), given)))


def _array(tensor: Tensor) -> Any:
    return np.ascontiguousarray(tensor.detach().cpu().numpy())
