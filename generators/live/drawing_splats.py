"""The two ways to draw a cloud for a live view: by the forward renderer on the processor, or by a card's backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from generators.live.coarse_to_fine import never
from generators.radiance.cameras import Camera
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Backend, Rules, backend_for
from generators.radiance.rasterizer.forward.cloud import drawn_cloud
from generators.radiance.rasterizer.forward.renderer import Look, Renderer

BAND_MS = 12.0
"""A picture can be given up about so often while it is composited."""
MOST_BANDS = 16


@dataclass(frozen=True)
class Way:
    """A picture of `size` times the asked pixels along a side, of a `share` of the splats, those that matter most."""

    size: float = 1.0
    share: float = 1.0


class Drawer(Protocol):
    """Draws one cloud."""

    def draw(
        self, camera: Camera, look: Look, way: Way, given_up: Callable[[], bool] = never
    ) -> NDArray[np.uint8] | None:
        """uint8 sRGB [H, W, 3 | 4] for a camera that already has the way's size; None when it was given up."""


def drawer_for(device: str, cloud: Parameters) -> Drawer:
    """What draws a cloud the quickest on a torch device name."""
    if device.startswith("cuda") and (backend := backend_for(device)).name != "numba":
        return ByBackend(cloud, backend)
    return OnProcessor(cloud)


class OnProcessor:
    """By numba, on all cores."""

    def __init__(self, cloud: Parameters) -> None:
        self._renderer = Renderer(drawn_cloud(cloud))
        self._pixel_ms = 0.0

    def draw(
        self, camera: Camera, look: Look, way: Way, given_up: Callable[[], bool] = never
    ) -> NDArray[np.uint8] | None:
        """See `Drawer.draw`."""
        renderer, pixels = self._renderer, camera.width * camera.height
        bands = 1 if given_up is never else min(MOST_BANDS, 1 + int(self._pixel_ms * pixels / BAND_MS))
        blocks = renderer.cloud.blocks_for(way.share * renderer.cloud.count)
        picture = renderer.draw(camera, look, blocks=blocks, bands=bands, given_up=given_up)
        if picture is not None:
            self._pixel_ms = 0.5 * (self._pixel_ms + renderer.compositing_ms / pixels)
        return picture


class ByBackend:
    """By any backend of the rasterizer, such as gsplat on a card."""

    def __init__(self, cloud: Parameters, backend: Backend) -> None:
        self._cloud, self._backend = cloud, backend
        self._scaled, self._size = cloud, 1.0

    def draw(
        self, camera: Camera, look: Look, way: Way, given_up: Callable[[], bool] = never
    ) -> NDArray[np.uint8] | None:
        """See `Drawer.draw`; it cannot be given up."""
        if look.size != self._size:
            self._size = look.size
            self._scaled = replace(self._cloud, log_scales=self._cloud.log_scales + np.float32(np.log(look.size)))
        rules = Rules(near=look.near, sh_count=look.sh_count)
        projection = self._backend.project(self._scaled, camera, rules, sound=True)
        back = np.full(3, look.background or 0.0, np.float32)
        raster = self._backend.rasterize(projection, projection.colour, back, camera.width, camera.height)
        planes = np.asarray(raster.image)
        if look.background is None:
            cover = 1 - np.asarray(raster.transmittance)[None]
            planes = np.concatenate([planes / np.maximum(cover, np.float32(1e-4)), cover])
        codes = np.clip(planes * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(codes.transpose(1, 2, 0))
