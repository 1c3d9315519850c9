"""A generator that costs nothing, so that what is measured around it is the bridge's own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from engines.assets import Image
from engines.kinds import Kind
from generators.events import Context, Event, Produced, Request
from generators.spec import GeneratorSpec, Needs, Params


class BlankParams(Params):
    """Size of the picture; `channels` 3 or 4."""

    size_px: Annotated[int, Meta(ge=1, le=8192)] = 64
    channels: Annotated[int, Meta(ge=3, le=4)] = 3


BLANK = GeneratorSpec(
    id="image.blank",
    title="Blank",
    promise="A picture of noise that is made once and stamped with the seed.",
    gives=(Kind.IMAGE,),
    params=BlankParams,
    needs=Needs(memory_gb=0.1),
    run="benchmarks.blank:run",
)


def run(request: Request, context: Context) -> Iterator[Event]:
    """Stamp the kept picture, so that no two requests give the same bytes, and hand it out."""
    params = request.params
    assert isinstance(params, BlankParams)
    pixels = _noise(params.size_px, params.channels)
    pixels.reshape(-1)[:4] = np.frombuffer(request.seed.to_bytes(4, "little"), np.uint8)
    yield Produced(Image(pixels))


@lru_cache(maxsize=4)
def _noise(size_px: int, channels: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (size_px, size_px, channels), dtype=np.uint8)
