"""What the bench generators do, in the worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.blank import BlankParams, CloudParams, FieldParams
from engines.assets import Image, Splats
from engines.field_lattice import field_from_grid
from generators.events import Context, Event, Produced, Request


def run(request: Request, context: Context) -> Iterator[Event]:
    """Stamp the kept picture, so that no two requests give the same bytes, and hand it out."""
    params = request.params
    assert isinstance(params, BlankParams)
    pixels = _noise(params.size_px, params.channels)
    pixels.reshape(-1)[:4] = np.frombuffer(request.seed.to_bytes(4, "little"), np.uint8)
    yield Produced(Image(pixels))


def cloud(request: Request, context: Context) -> Iterator[Event]:
    """Splats on a bumpy ball, a few large and many small, in random order."""
    params = request.params
    assert isinstance(params, CloudParams)
    random, count = np.random.default_rng(request.seed), params.splats
    way = random.standard_normal((count, 3), np.float32)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    bump = 1 + 0.1 * np.sin(9 * way[:, :1]) * np.sin(7 * way[:, 1:2]) * np.sin(8 * way[:, 2:])
    turns = random.standard_normal((count, 4), np.float32)
    turns /= np.linalg.norm(turns, axis=1, keepdims=True)
    size = np.exp(random.normal(-5.6, 0.9, (count, 1)) + random.normal(0, 0.3, (count, 3))).astype(np.float32)
    sh = np.zeros((count, (params.sh_degree + 1) ** 2, 3), np.float32)
    sh[:, 0] = np.sin(np.array([11, 13, 17], np.float32) * way[:, [1, 2, 0]]) * 1.2
    sh[:, 1:] = random.normal(0, 0.05, sh[:, 1:].shape)
    opacity = (0.2 + 0.8 * random.random(count, np.float32)).astype(np.float32)
    yield Produced(Splats((way * bump).astype(np.float32), turns, size, opacity, sh, "ball"))


def field(request: Request, context: Context) -> Iterator[Event]:
    """A dense shell of about a metre's radius, with a thin haze inside, coloured by waves."""
    params = request.params
    assert isinstance(params, FieldParams)
    axis = np.linspace(-1.3, 1.3, params.side, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    distance = np.linalg.norm(grid, axis=-1)
    way = grid / np.maximum(distance, 1e-6)[..., None]
    distance += 0.1 * np.sin(9 * way[..., 0]) * np.sin(7 * way[..., 1]) * np.sin(8 * way[..., 2])
    density = np.where(abs(distance - 1) < 0.05, 40.0, np.where(distance < 1, 0.3, 0.0)).astype(np.float32)
    sh = np.zeros((*density.shape, 4, 3), np.float32)
    sh[..., 0, :] = np.sin(np.array([11, 13, 17], np.float32) * grid[..., [1, 2, 0]]) * 1.2
    yield Produced(field_from_grid(density, sh, low_m=(-1.3,) * 3, pitch_m=2.6 / (params.side - 1), name="shell"))


def crash(request: Request, context: Context) -> Iterator[Event]:
    """Die as a defect in a native library would have it, or the system when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
    yield from ()


@lru_cache(maxsize=4)
def _noise(size_px: int, channels: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (size_px, size_px, channels), dtype=np.uint8)
