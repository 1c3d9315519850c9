"""The CPU backend: numba kernels, float32, the same bits for any number of threads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.assets import FloatArray
from generators.radiance.cameras import Camera
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Projection, Raster, RasterGradients, Rules
from generators.radiance.rasterizer.compositing import MOMENTS, composite, composite_backward, geometry_gradient
from generators.radiance.rasterizer.projection import project_all, project_all_backward
from generators.radiance.rasterizer.tiles import PACKED, TILE, Ints, pack, sum_slots, tile_lists

MARGIN = 0.3
"""Linearisation points are held this many pictures outside the frame (gsplat's value)."""


@dataclass(frozen=True, eq=False)
class _State:
    projection: Projection
    features: FloatArray
    packed: FloatArray
    starts: Ints
    ends: Ints
    members: Ints
    slots: Ints
    firsts: Ints


def camera_numbers(camera: Camera, rules: Rules) -> tuple[FloatArray, FloatArray]:
    """The view matrix float32 [3, 4] and the row of numbers that the projection kernels read."""
    left, right = camera.cx / camera.fx, (camera.width - camera.cx) / camera.fx
    top, bottom = camera.cy / camera.fy, (camera.height - camera.cy) / camera.fy
    across, down = MARGIN * camera.width / camera.fx / 2, MARGIN * camera.height / camera.fy / 2
    numbers = [
        *(camera.fx, camera.fy, camera.cx, camera.cy),
        *(-left - across, right + across, -top - down, bottom + down),
        *(rules.near, rules.blur_px2, *camera.position),
    ]
    view = np.ascontiguousarray(camera.camera_from_world[:3], np.float32)
    return view, np.array(numbers, np.float32)


class NumbaBackend:
    """Projection and compositing on all cores, without a compiler on the user's machine."""

    name = "numba"

    def project(self, parameters: Parameters, camera: Camera, rules: Rules, *, sound: bool = False) -> Projection:
        """See `Backend.project`."""
        if not sound:
            parameters.check()
        count = len(parameters)
        view, numbers = camera_numbers(camera, rules)
        out = Projection(
            xy=np.empty((count, 2), np.float32),
            conic=np.empty((count, 3), np.float32),
            opacity=np.empty(count, np.float32),
            colour=np.empty((count, 3), np.float32),
            depth=np.empty(count, np.float32),
            extent=np.empty((count, 2), np.float32),
        )
        project_all(
            view,
            numbers,
            rules.antialiased,
            min(rules.sh_count, parameters.sh.shape[1]),
            *(array for _, array in parameters.arrays()),
            *(out.xy, out.conic, out.opacity, out.colour, out.depth, out.extent),
        )
        return out

    def rasterize(
        self, projection: Projection, features: FloatArray, background: FloatArray, width: int, height: int
    ) -> Raster:
        """See `Backend.rasterize`; raises `ValueError` where shapes do not fit together."""
        count, channels = features.shape
        if len(projection.xy) != count or background.shape != (channels,):
            raise ValueError(
                f"{len(projection.xy)} ellipses, features {list(features.shape)}, background "
                f"{list(background.shape)}: expected features [N, C] and background [C]"
            )
        tiles_x, tiles_y = -(-width // TILE), -(-height // TILE)
        packed = np.empty((count, PACKED), np.float32)
        pack(projection.xy, projection.conic, projection.opacity, projection.extent, packed)
        starts, members, slots, firsts = tile_lists(packed, projection.depth, tiles_x, tiles_y)
        image = np.empty((channels, height, width), np.float32)
        transmittance = np.empty((height, width), np.float32)
        ends = np.empty(tiles_x * tiles_y, np.int32)
        composite(packed, features, starts, members, background, image, transmittance, ends)
        return Raster(image, transmittance, _State(projection, features, packed, starts, ends, members, slots, firsts))

    def rasterize_backward(
        self, raster: Raster, grad_image: FloatArray, grad_transmittance: FloatArray | None = None
    ) -> RasterGradients:
        """See `Backend.rasterize_backward`."""
        state: _State = raster.state
        count, channels = state.features.shape
        if grad_transmittance is None:
            grad_transmittance = np.zeros_like(raster.transmittance)
        pairs = np.empty((len(state.members), MOMENTS + channels), np.float32)
        composite_backward(
            *(state.packed, state.features, state.starts, state.ends, state.members, state.slots),
            *(raster.image, raster.transmittance, grad_image, grad_transmittance, pairs),
        )
        sums = np.empty((count, MOMENTS + channels), np.float32)
        sum_slots(pairs, state.firsts, sums)
        out = RasterGradients(
            xy=np.empty((count, 2), np.float32),
            conic=np.empty((count, 3), np.float32),
            opacity=np.empty(count, np.float32),
            features=np.empty((count, channels), np.float32),
        )
        geometry_gradient(
            state.packed, state.projection.conic, state.projection.opacity, sums, out.xy, out.conic, out.opacity,
            out.features,
        )  # fmt: skip
        return out

    def project_backward(
        self,
        parameters: Parameters,
        camera: Camera,
        rules: Rules,
        projection: Projection,
        gradients: RasterGradients,
        grad_depth: FloatArray | None = None,
    ) -> Parameters:
        """See `Backend.project_backward`."""
        view, numbers = camera_numbers(camera, rules)
        out = Parameters(*(np.empty_like(array) for _, array in parameters.arrays()))
        project_all_backward(
            view,
            numbers,
            rules.antialiased,
            min(rules.sh_count, parameters.sh.shape[1]),
            *(array for _, array in parameters.arrays()),
            *(projection.extent, gradients.xy, gradients.conic, gradients.opacity),
            np.ascontiguousarray(gradients.features[:, :3]),
            np.zeros(len(parameters), np.float32) if grad_depth is None else grad_depth,
            *(array for _, array in out.arrays()),
        )
        return out
