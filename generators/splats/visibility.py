"""How much of each splat can be seen: what it adds to pictures against what it would add if nothing stood before it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engines.assets import FloatArray, Splats
from generators.radiance.cameras import Camera, looking_at
from generators.radiance.parameters import from_splats
from generators.radiance.rasterizer import Rules
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.splats.clouds import Extent, extent
from generators.splats.neighbours import Check

VIEWS = 6
"""Viewpoints on each sphere around the cloud."""
OUTER, INNER = 2.2, 1.0
"""Radii of the spheres in half diagonals of the bulk; the inner one sees into rooms."""
SIDE_PX = 256
SIDE_LARGE_PX = 512
LARGE = 300_000
"""Larger clouds have splats so small that they need larger pictures."""
GOLDEN_ANGLE = 2.399963


def viewpoints(bulk: Extent, count: int, radii: float, *, side_px: int, fov_y_deg: float) -> list[Camera]:
    """Cameras evenly around a cloud that look at its middle."""
    middle = (bulk.low + bulk.high) / 2
    half = max(float(np.linalg.norm(bulk.high - bulk.low)) / 2, 1e-6)
    cameras = []
    for index in range(count):
        y = 1 - 2 * (index + 0.5) / count
        ring, angle = np.sqrt(1 - y * y), index * GOLDEN_ANGLE
        x, y, z = (float(v) for v in middle + radii * half * np.array([ring * np.cos(angle), y, ring * np.sin(angle)]))
        target = (float(middle[0]), float(middle[1]), float(middle[2]))
        cameras.append(looking_at((x, y, z), target, fov_y_deg=fov_y_deg, width=side_px, height=side_px))
    return cameras


def around(cloud: Splats) -> list[Camera]:
    """The viewpoints from which a cloud is judged when nobody says where it will be seen from."""
    bulk = extent(cloud)
    side = SIDE_PX if len(cloud.positions) <= LARGE else SIDE_LARGE_PX
    outer = viewpoints(bulk, VIEWS, OUTER, side_px=side, fov_y_deg=55)
    return outer + viewpoints(bulk, VIEWS, INNER, side_px=side, fov_y_deg=80)


def shares_seen(cloud: Splats, cameras: list[Camera], check: Check) -> Iterator[FloatArray]:
    """For each camera the share of every splat that it sees, 0..1, float32 [N].

    The gradient of a picture's sum by a feature of the splats is how much each of them adds to the picture.
    """
    backend, parameters = NumbaBackend(), from_splats(cloud)
    ones = np.ones((len(cloud.positions), 1), np.float32)
    for camera in cameras:
        check()
        projection = backend.project(parameters, camera, Rules(near=1e-4), sound=True)
        check()
        raster = backend.rasterize(projection, ones, np.zeros(1, np.float32), camera.width, camera.height)
        check()
        added = backend.rasterize_backward(raster, np.ones_like(raster.image)).features[:, 0]
        conic = projection.conic
        determinant = np.maximum(conic[:, 0] * conic[:, 2] - conic[:, 1] * conic[:, 1], np.float32(1e-20))
        alone = np.float32(2 * np.pi) * projection.opacity / np.sqrt(determinant)
        share = np.where(projection.extent[:, 0] > 0, added / np.maximum(alone, np.float32(1e-12)), 0)
        yield np.asarray(np.minimum(share, 1), np.float32)
