"""Small pictures of clouds for previews: one cloud, or before and after side by side, by the CPU rasterizer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from generators.radiance.cameras import Camera, looking_at
from generators.radiance.parameters import from_splats
from generators.radiance.rasterizer import Raster, Rules
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.splats.clouds import Extent, extent, importance, taken
from generators.splats.neighbours import Check, unchecked

SIDE_PX = 256
SPLATS_MAX = 150_000
"""Larger clouds are previewed by their most important splats: a preview is to take a fifth of a second."""
BACKGROUND = 0.12
GAP_PX = 4
FOV_Y_DEG = 40.0


def three_quarter(bulk: Extent, side_px: int = SIDE_PX) -> Camera:
    """A camera that sees the bulk of a cloud from the front, a little from the right and from above."""
    centre = (bulk.low + bulk.high) / 2
    size = max(float(np.linalg.norm(bulk.high - bulk.low)) / 2, 1e-6)
    direction = np.array([0.45, 0.35, 1.0])
    eye = centre + direction / np.linalg.norm(direction) * size * 1.1 / np.sin(np.radians(FOV_Y_DEG / 2))
    return looking_at(
        (float(eye[0]), float(eye[1]), float(eye[2])),
        (float(centre[0]), float(centre[1]), float(centre[2])),
        fov_y_deg=FOV_Y_DEG,
        width=side_px,
        height=side_px,
    )


def rendered(cloud: Splats, camera: Camera, background: float | FloatArray = BACKGROUND) -> FloatArray:
    """What the camera sees of the whole cloud: display-referred float32 [3, H, W], not clipped."""
    return _raster(cloud, camera, background).image


def likeness_db(before: Splats, after: Splats, camera: Camera, check: Check = unchecked) -> float:
    """PSNR of the second cloud's picture against the first's, over those pixels only where either has something."""
    one = _raster(before, camera, BACKGROUND, check)
    other = _raster(after, camera, BACKGROUND, check)
    there = np.minimum(one.transmittance, other.transmittance) < 0.95
    return psnr(one.image[:, there], other.image[:, there]) if there.any() else 99.0


def _raster(cloud: Splats, camera: Camera, background: float | FloatArray, check: Check = unchecked) -> Raster:
    backend, parameters = NumbaBackend(), from_splats(cloud)
    check()
    projection = backend.project(parameters, camera, Rules(near=1e-4), sound=True)
    check()
    behind = np.ascontiguousarray(np.broadcast_to(np.asarray(background, np.float32), 3))
    return backend.rasterize(projection, projection.colour, behind, camera.width, camera.height)


def codes(image: FloatArray) -> NDArray[np.uint8]:
    """uint8 sRGB [H, W, 3] of a display-referred picture [3, H, W]."""
    return np.ascontiguousarray((np.clip(image, 0, 1).transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8))


def picture(cloud: Splats, camera: Camera | None = None) -> NDArray[np.uint8]:
    """A preview of the cloud, uint8 sRGB [H, W, 3]."""
    return codes(rendered(most_important(cloud), camera or three_quarter(extent(cloud))))


def before_after(before: Splats, after: Splats) -> NDArray[np.uint8]:
    """Both clouds as the camera that frames the first sees them, uint8 sRGB [H, 2·W + gap, 3]."""
    return side_by_side(before, after, three_quarter(extent(before)))


def before_after_move(before: Splats, after: Splats) -> NDArray[np.uint8]:
    """Both clouds from one camera that frames both; where one would be tiny in it, each from its own."""
    bulks = extent(before), extent(after)
    low = np.minimum(bulks[0].low, bulks[1].low)
    high = np.maximum(bulks[0].high, bulks[1].high)
    whole = Extent((low + high) / 2, low, high, float(np.linalg.norm(high - low)) / 2)
    sizes = [float(np.linalg.norm(bulk.high - bulk.low)) for bulk in bulks]
    if min(sizes) * 4 > float(np.linalg.norm(high - low)):
        return side_by_side(before, after, three_quarter(whole))
    pictures = [picture(cloud, three_quarter(bulk)) for cloud, bulk in zip((before, after), bulks, strict=True)]
    return np.concatenate([pictures[0], _gap(), pictures[1]], axis=1)


def side_by_side(before: Splats, after: Splats, camera: Camera) -> NDArray[np.uint8]:
    """Both clouds from one camera, uint8 sRGB [H, 2·W + gap, 3]."""
    left, right = picture(before, camera), picture(after, camera)
    return np.concatenate([left, _gap(), right], axis=1)


def _gap() -> NDArray[np.uint8]:
    return np.full((SIDE_PX, GAP_PX, 3), 255, np.uint8)


def most_important(cloud: Splats, count: int = SPLATS_MAX) -> Splats:
    """At most `count` splats: those of highest opacity × area, in their own order."""
    if len(cloud.positions) <= count:
        return cloud
    weights = importance(cloud)
    rows = np.argpartition(weights, len(weights) - count)[len(weights) - count :]
    return taken(cloud, np.sort(rows))


def psnr(one: FloatArray, other: FloatArray) -> float:
    """Peak signal to noise ratio in dB of two display-referred pictures, both clipped to 0..1."""
    error = float(np.mean((np.clip(one, 0, 1) - np.clip(other, 0, 1)) ** 2, dtype=np.float64))
    return 99.0 if error <= 0 else float(-10 * np.log10(error))
