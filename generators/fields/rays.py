"""Photographs laid out for picking single pixels: one block of memory at one size, in normalised space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.cameras import Camera
from generators.radiance.photographs import Photograph

PATCH = 8
"""Side of the squares of pixels that are picked together; their rays share memory."""


@dataclass(frozen=True, eq=False)
class Rays:
    """`cameras` float32 [V, 16]; `pixels` uint8 [P, 4]; `starts` int64 [V + 1]; `widths` int64 [V]; `known` bool [P]
    or None when all are.
    """

    cameras: FloatArray
    pixels: NDArray[np.uint8]
    starts: NDArray[np.int64]
    widths: NDArray[np.int64]
    known: NDArray[np.bool_] | None

    def picked(self, count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """About `count` pixels in random patches of all views: rows int64 [R] and views int32 [R]."""
        patches = max(1, count // PATCH**2)
        total = len(self.pixels)
        anywhere = np.sort(rng.integers(0, total, patches))
        views = (np.searchsorted(self.starts, anywhere, side="right") - 1).astype(np.int64)
        widths = self.widths[views]
        heights = (self.starts[views + 1] - self.starts[views]) // widths
        # patches may begin outside, so that pixels at the edge are as likely as others; those outside are left out
        x = np.floor(rng.random(patches) * (widths + PATCH - 1)).astype(np.int64) - (PATCH - 1)
        y = np.floor(rng.random(patches) * (heights + PATCH - 1)).astype(np.int64) - (PATCH - 1)
        across, down = np.meshgrid(np.arange(PATCH), np.arange(PATCH))
        px = x[:, None] + across.reshape(-1)
        py = y[:, None] + down.reshape(-1)
        inside = (px >= 0) & (py >= 0) & (px < widths[:, None]) & (py < heights[:, None])
        rows = (self.starts[views, None] + py * widths[:, None] + px)[inside]
        of = np.repeat(views[:, None], PATCH**2, 1)[inside].astype(np.int32)
        if self.known is not None:
            kept = self.known[rows]
            rows, of = rows[kept], of[kept]
        return rows, of


def camera_row(camera: Camera) -> FloatArray:
    """Rotation (world from camera, 9), position (3), fx, fy, cx, cy: float32 [16]."""
    rotation = camera.camera_from_world[:3, :3].T
    return np.concatenate([rotation.reshape(-1), camera.position, [camera.fx, camera.fy, camera.cx, camera.cy]]).astype(
        np.float32
    )


def rays_of(photographs: Sequence[Photograph]) -> Rays:
    """All pixels of these photographs; colours of transparent ones are straight."""
    pixels, sizes, known = [], [0], []
    for photograph in photographs:
        _, height, width = photograph.pixels.shape
        block = np.full((height * width, 4), 255, np.uint8)
        block[:, :3] = photograph.pixels.reshape(3, -1).T
        if photograph.alpha is not None:
            block[:, 3] = photograph.alpha.reshape(-1)
        pixels.append(block)
        sizes.append(len(block))
        known.append(np.ones(len(block), np.bool_) if photograph.mask is None else photograph.mask.reshape(-1))
    masked = any(p.mask is not None for p in photographs)
    return Rays(
        cameras=np.stack([camera_row(p.camera) for p in photographs]),
        pixels=np.concatenate(pixels),
        starts=np.cumsum(sizes).astype(np.int64),
        widths=np.array([p.pixels.shape[2] for p in photographs], np.int64),
        known=np.concatenate(known) if masked else None,
    )
