"""Compiles the kernels of this room by training on three pictures of a few pixels: half a minute, once a machine.

Where there is a graphics card and gsplat, its kernels are compiled too, which takes minutes.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import numpy as np
from msgspec.structs import replace

from generators.radiance.cameras import looking_at
from generators.radiance.lens import Lens
from generators.radiance.photographs import Photograph, undistorted
from generators.radiance.rasterizer import unfit
from generators.radiance.trainer import Trainer, TrainerSettings

SIDE_PX = 64
STEPS = 12
SETTINGS = TrainerSettings(
    iterations=STEPS, splats_max=600, sh_degree=3, sh_every=0.1, refine_every=4, refine_from=0.1, exposure=True
)
VARIANTS = (
    SETTINGS,
    replace(SETTINGS, strategy="default", antialiased=True, exposure=False, depth_weight=0.3, normal_weight=0.05),
)


def compile_kernels() -> None:
    """Take a few steps of every kind that the parameters allow; afterwards numba's cache on disk holds the kernels."""
    views = list(_views())
    bent = Lens(SIDE_PX, SIDE_PX, SIDE_PX / 2, SIDE_PX / 2, SIDE_PX, SIDE_PX, radial=(0.1,))
    undistorted(views[0].pixels, bent, SIDE_PX // 2, SIDE_PX // 2)
    for settings in VARIANTS:
        trainer = Trainer(views, settings)
        for _ in trainer:
            pass
        trainer.evaluate(views)
    if importlib.util.find_spec("gsplat") is not None:
        reason = unfit("cuda:0")
        print(f"gsplat: {reason or 'its kernels are there'}", flush=True)


def _views(count: int = 5) -> Iterator[Photograph]:
    """A textured plane from slightly different sides; what it looks like does not matter."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    for number in range(count):
        camera = looking_at((0.3 * number - 0.6, 0.2, 2.0), (0, 0, 0), fov_y_deg=45, width=SIDE_PX, height=SIDE_PX)
        grey = 127 + 80 * np.sin((columns + 4 * number) / 3) * np.cos(rows / 4)
        pixels = np.repeat(grey[None].astype(np.uint8), 3, 0)
        masked = np.ones((SIDE_PX, SIDE_PX), np.bool_) if number % 2 else None
        yield Photograph(f"{number}", camera, np.ascontiguousarray(pixels), mask=masked)
