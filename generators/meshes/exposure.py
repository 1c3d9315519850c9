"""One gain a channel for each picture, so that all show a place in one colour.

Places are surface points seen by several pictures; gains are fitted in the logarithm by turns with the places' common
colours, pictures that disagree counting little, and kept at a geometric mean of 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.assets import FloatArray
from generators.meshes.depth_views import DepthView
from generators.meshes.isosurface import Check
from generators.meshes.view_colours import Picture
from generators.meshes.viewpoints import back_projected

POINTS = 600
"""Surface points taken from each view."""
ROUNDS = 15
DARK, BRIGHT = 0.04, 0.96
"""Values beyond these may be clipped and say nothing about exposure."""
GAIN_MAX = 2.0


def even_gains(views: Sequence[DepthView], pictures: Sequence[Picture], check: Check = lambda: None) -> FloatArray:
    """float32 [pictures, 3], each within 1/2 … 2; all 1 where the pictures share too few places."""
    points = np.concatenate([_some(view) for view in views])
    values = np.full((len(pictures), len(points), 3), np.nan)
    for number, (view, picture) in enumerate(zip(views, pictures, strict=True)):
        check()
        values[number] = _seen(points, view, picture)
    known = np.isfinite(values).all(2)
    useful = known.sum(0) >= 2
    values, known = values[:, useful], known[:, useful]
    if known.sum() < 50:
        return np.ones((len(pictures), 3), np.float32)
    logs = np.where(known[..., None], np.log(np.where(known[..., None], values, 1)), 0)
    gains, weight = np.zeros((len(pictures), 3)), known.astype(np.float64)
    for _ in range(ROUNDS):
        check()
        common = (weight[..., None] * (logs + gains[:, None])).sum(0) / np.maximum(weight.sum(0), 1e-9)[:, None]
        off = common[None] - logs - gains[:, None]
        weight = known / (1 + (np.linalg.norm(off, axis=2) / 0.2) ** 2)
        # As if each picture had also been seen twenty times with gain 1: few places in common decide nothing.
        gains += (weight[..., None] * off).sum(1) / (weight.sum(1) + 20)[:, None]
        gains -= gains.mean(0)
    return np.asarray(np.exp(gains).clip(1 / GAIN_MAX, GAIN_MAX), np.float32)


def _some(view: DepthView) -> FloatArray:
    points = back_projected(view, 4)
    return np.asarray(points[:: max(1, len(points) // POINTS)], np.float32)


def _seen(points: FloatArray, view: DepthView, picture: Picture) -> FloatArray:
    """The picture's colours at the points it sees, NaN at the others, float64 [P, 3]."""
    camera = view.camera
    local = points @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]
    out = np.full((len(points), 3), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v = camera.fx * local[:, 0] / local[:, 2] + camera.cx, camera.fy * local[:, 1] / local[:, 2] + camera.cy
    good = (local[:, 2] > 0) & (u >= 1) & (v >= 1) & (u < camera.width - 1) & (v < camera.height - 1)
    rows, columns = v[good].astype(int), u[good].astype(int)
    depth = view.depth[rows, columns]
    good[good] = (depth > 0) & (np.abs(depth - local[good, 2]) < 0.02 * depth)
    high, wide = picture.pixels.shape[:2]
    y, x = (v[good] / camera.height * high).astype(int), (u[good] / camera.width * wide).astype(int)
    colour = picture.pixels[y, x].astype(np.float64) / (255 if picture.pixels.dtype == np.uint8 else 1)
    fit = (colour > DARK).all(1) & (colour < BRIGHT).all(1) & (picture.trust[y, x] > 0)
    colour[~fit] = np.nan
    out[good] = colour
    return out
