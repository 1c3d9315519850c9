"""Small lattices, pictures and settings for the tests of fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import Field
from engines.field_lattice import field_from_grid
from generators.fields.lattice import Lattice, lattice_of
from generators.fields.settings import FieldSettings
from generators.radiance.cameras import looking_at
from generators.radiance.photographs import Photograph
from tests.generators.radiance.scenes import photographs_of, textured_room

ROOM = photographs_of(textured_room(2000), 9, width=48, height=40, arc_deg=60)
SMALL = FieldSettings(iterations=60, cells=64, level_shares=(0.5, 0.5), level_rays=(1024, 1024), seed=3)


def random_lattice(cells: int = 16, share: float = 0.3, seed: int = 0) -> Lattice:
    """About `share` of all cells occupied, everything random, dense enough to stop light."""
    rng = np.random.default_rng(seed)
    lattice = lattice_of(np.argwhere(rng.random((cells - 1,) * 3) < share), cells)
    lattice.values[:, 0] = rng.normal(1.0, 1.5, len(lattice.values))
    lattice.values[:, 1:4] = rng.normal(0, 0.6, (len(lattice.values), 3))
    lattice.values[:, 4:13] = rng.normal(0, 0.3, (len(lattice.values), 9))
    return lattice


def random_photographs(count: int = 3, *, alpha: bool = False, seed: int = 1) -> list[Photograph]:
    """Noise seen from around the origin, from inside and outside of what is not contracted."""
    rng = np.random.default_rng(seed)
    result = []
    for index in range(count):
        eye = (1.6 * float(np.sin(index)), 0.3 * index - 0.2, 0.4 + 1.2 * float(np.cos(index)))
        camera = looking_at(eye, (0.05, 0.0, -0.1), fov_y_deg=60, width=20, height=16)
        pixels = rng.integers(0, 256, (3, 16, 20), np.uint8)
        straight = rng.integers(0, 256, (16, 20), np.uint8) if alpha else None
        result.append(Photograph(f"{index}.png", camera, pixels, straight))
    return result


def ball(density: Callable[[NDArray[Any]], NDArray[Any]] | None = None, pitch: float = 0.1) -> Field:
    """A solid ball of radius 1 about (1, 2, 3), redder towards +x."""
    axis = np.arange(-1.5, 1.5 + pitch / 2, pitch)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    distance = np.linalg.norm(grid, axis=-1)
    dense = 60.0 * (distance < 1) if density is None else density(distance)
    sh = np.zeros((*distance.shape, 1, 3))
    sh[..., 0, 0] = grid[..., 0]
    return field_from_grid(dense, sh, low_m=(-0.5, 0.5, 1.5), pitch_m=pitch, name="Ball")
