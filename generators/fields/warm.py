"""Compiles the kernels of this room by training on pictures of a few pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from generators.fields.rendering import density_at, opened, render
from generators.fields.settings import FieldSettings
from generators.fields.trainer import FieldTrainer
from generators.radiance.cameras import looking_at
from generators.radiance.photographs import Photograph

SIDE_PX = 40
SETTINGS = FieldSettings(iterations=8, cells=32, level_shares=(0.5, 0.5), level_rays=(256, 256))


def compile_kernels() -> None:
    """Take a few steps on two levels and look at the result; afterwards numba's cache on disk holds the kernels."""
    views = list(_views())
    trainer = FieldTrainer(views, SETTINGS)
    for _ in trainer:
        pass
    trainer.evaluate(views[:1])
    ready = opened(trainer.field())
    render(ready, views[0].camera)
    density_at(ready, np.zeros((1, 3), np.float32))


def _views(count: int = 4) -> Iterator[Photograph]:
    """A textured plane from slightly different sides; what it looks like does not matter."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    for number in range(count):
        camera = looking_at((0.3 * number - 0.6, 0.2, 2.0), (0, 0, 0), fov_y_deg=45, width=SIDE_PX, height=SIDE_PX)
        grey = 127 + 80 * np.sin((columns + 4 * number) / 3) * np.cos(rows / 4)
        yield Photograph(f"{number}", camera, np.ascontiguousarray(np.repeat(grey[None].astype(np.uint8), 3, 0)))
