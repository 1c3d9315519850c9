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


def splats() -> None:
    """Draw a few splats."""
    from generators.radiance.cameras import looking_at
    from generators.radiance.parameters import Parameters
    from generators.radiance.rasterizer.forward.cloud import drawn_cloud
    from generators.radiance.rasterizer.forward.renderer import Look, Renderer

    rng = np.random.default_rng(0)
    shapes = {"positions": (SIDE, 3), "log_scales": (SIDE, 3), "quaternions": (SIDE, 4), "logits": (SIDE,)}
    groups = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    cloud = Parameters(**groups, sh=np.zeros((SIDE, 1, 3), np.float32))
    Renderer(drawn_cloud(cloud)).draw(looking_at((0, 0, 5), (0, 0, 0), fov_y_deg=50, width=SIDE, height=SIDE), Look())
