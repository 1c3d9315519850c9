"""Compiles what live generators need, before an artist waits for it; see `GeneratorSpec.prepare`."""

from __future__ import annotations

import numpy as np

from generators.live.frames import Camera
from generators.live.specs import PainterlyParams, RetextureParams

SIDE = 64


def painterly() -> None:
    """Paint one small picture."""
    from generators.live.painterly import Painter

    Painter(0).paint(np.full((SIDE, SIDE, 3), 128, np.uint8), PainterlyParams())


def retexture() -> None:
    """Dress one small picture."""
    from generators.live.retexture import Dresser

    camera = Camera(np.eye(4), SIDE, SIDE, SIDE, SIDE, SIDE / 2, SIDE / 2, 0.1, 100.0, False)
    depth = np.full((SIDE, SIDE), 2.0, np.float32)
    Dresser(0).dress(depth, None, camera, RetextureParams(material="plaster", texture_px=256))
