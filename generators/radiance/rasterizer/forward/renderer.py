"""Draws a laid-out cloud for one camera after the other, and can be told to give a picture up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.cameras import Camera
from generators.radiance.rasterizer import Rules
from generators.radiance.rasterizer.cpu import camera_numbers
from generators.radiance.rasterizer.forward.binning import Keys, fill_tiles, find_spans
from generators.radiance.rasterizer.forward.cloud import BLOCK, DrawnCloud
from generators.radiance.rasterizer.forward.compositing import composite
from generators.radiance.rasterizer.forward.projection import RECORD, find_seen
from generators.radiance.rasterizer.tiles import TILE

STRIPES = 32
"""Runs of blocks that are worked on at a time; a picture does not depend on it."""


def never() -> bool:
    """For pictures that are wanted whatever comes."""
    return False


@dataclass(frozen=True)
class Look:
    """How a cloud is shown.

    Splats are `size` times as large as they are, and of `sh_count` harmonics. A picture with `shrunk` pixels for each
    of its own along a side is drawn as the larger one would look from further away: what the wider pixels add to
    a splat's size they take from its opacity. `background` None gives straight alpha.
    """

    background: float | None = None
    size: float = 1.0
    sh_count: int = 16
    shrunk: float = 1.0
    near: float = 0.01
    blur_px2: float = 0.3


class Renderer:
    """One cloud, and the memory that drawing it takes; not for several threads at once."""

    def __init__(self, cloud: DrawnCloud) -> None:
        self.cloud = cloud
        self.listing_ms = self.compositing_ms = 0.0
        """What the last whole picture took: for its splats, and for its pixels."""
        places = cloud.levels[-1] * BLOCK
        self._records = np.empty((places, RECORD), np.float32)
        self._rows = np.empty((places, 2), np.int32)
        self._spans = np.empty((0, 2), np.int16)
        self._keys: tuple[Keys, Keys] = (np.empty(0, np.uint64), np.empty(0, np.uint64))

    def draw(
        self, camera: Camera, look: Look, *, blocks: int | None = None, bands: int = 1,
        given_up: Callable[[], bool] = never,
    ) -> NDArray[np.uint8] | None:  # fmt: skip
        """uint8 sRGB [H, W, 3 | 4] of the cloud's first `blocks`, or None once `given_up()` says so.

        It is asked after each part of the work, of which compositing has `bands`.
        """
        blocks = self.cloud.levels[-1] if blocks is None else min(blocks, self.cloud.levels[-1])
        began = time.perf_counter()
        starts = self._tile_lists(camera, look, blocks, given_up)
        if starts is None:
            return None
        out = np.empty((camera.height, camera.width, 4 if look.background is None else 3), np.uint8)
        background = np.full(3, look.background or 0.0, np.float32)
        tiles = len(starts) - 1
        listed = time.perf_counter()
        for band in range(bands):
            first, last = tiles * band // bands, tiles * (band + 1) // bands
            composite(self._records, *self._keys, starts, first, last, background, out)
            if band + 1 < bands and given_up():
                return None
        self.listing_ms, self.compositing_ms = 1000 * (listed - began), 1000 * (time.perf_counter() - listed)
        return out

    def _tile_lists(
        self, camera: Camera, look: Look, blocks: int, given_up: Callable[[], bool]
    ) -> NDArray[np.int32] | None:
        """Fill the keys tile by tile and return where each tile's begin, int32 [tiles + 1]."""
        view, numbers = lens(camera, look)
        stripes = np.array([blocks * s // STRIPES for s in range(STRIPES + 1)], np.int32)
        found = np.zeros((STRIPES, 2), np.int32)
        sh_count = min(look.sh_count, self.cloud.sh.shape[1])
        find_seen(
            self.cloud.geometry, self.cloud.sh, self.cloud.balls, view, numbers, sh_count, camera.width, camera.height,
            stripes, self._records, self._rows, found,
        )  # fmt: skip
        if given_up():
            return None
        places = np.zeros(STRIPES + 1, np.int32)
        np.cumsum(found[:, 1], out=places[1:])
        if len(self._spans) < places[-1]:
            self._spans = np.empty((int(places[-1] * 1.2), 2), np.int16)
        tiles = -(-camera.width // TILE) * -(-camera.height // TILE)
        counts = np.empty((STRIPES, tiles), np.int32)
        find_spans(self._records, self._rows, found, stripes, places, camera.width, self._spans, counts)
        starts = np.zeros(tiles + 1, np.int32)
        np.cumsum(counts.sum(0), out=starts[1:])
        if len(self._keys[0]) < starts[-1]:
            room = int(starts[-1] * 1.2)
            self._keys = (np.empty(room, np.uint64), np.empty(room, np.uint64))
        free = (starts[:-1] + np.cumsum(counts, 0) - counts).astype(np.int32)
        fill_tiles(self._records, self._rows, found, stripes, places, camera.width, self._spans, free, self._keys[0])
        return None if given_up() else starts


def lens(camera: Camera, look: Look) -> tuple[FloatArray, FloatArray]:
    """The view matrix float32 [3, 4] and the row of numbers that `find_seen` reads."""
    view, numbers = camera_numbers(camera, Rules(near=look.near, blur_px2=look.blur_px2))
    kept = look.blur_px2 / (look.shrunk * look.shrunk)
    return view, np.concatenate([numbers, np.array([look.blur_px2, kept, look.size], np.float32)])
