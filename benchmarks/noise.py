"""What the bench generators do, in the worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.blank import BlankParams
from engines.assets import Image
from generators.events import Context, Event, Produced, Request


def run(request: Request, context: Context) -> Iterator[Event]:
    """Stamp the kept picture, so that no two requests give the same bytes, and hand it out."""
    params = request.params
    assert isinstance(params, BlankParams)
    pixels = _noise(params.size_px, params.channels)
    pixels.reshape(-1)[:4] = np.frombuffer(request.seed.to_bytes(4, "little"), np.uint8)
    yield Produced(Image(pixels))


def crash(request: Request, context: Context) -> Iterator[Event]:
    """Die as a defect in a native library would have it, or the system when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
    yield from ()


@lru_cache(maxsize=4)
def _noise(size_px: int, channels: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (size_px, size_px, channels), dtype=np.uint8)
