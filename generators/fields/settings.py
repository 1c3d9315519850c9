"""All that training a field depends on besides its photographs, as data."""

from __future__ import annotations

import msgspec


class FieldSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Lengths are in units of the field's radius, rates are Adam's, chosen by held-out quality a second."""

    iterations: int = 800
    cells: int = 512
    """Along a side of the finest lattice; a multiple of 4 · 2^(levels - 1)."""
    level_shares: tuple[float, ...] = (0.2, 0.22, 0.26, 0.32)
    """How the run is divided among lattices, each of twice the cells and pictures of twice the size of the last."""
    level_rays: tuple[int, ...] = (4096, 8192, 16384, 16384)
    """Pixels a step on each level."""
    batch_rays: int = 2048
    """A step is parted into batches of about so many pixels, each with a step of Adam; on a graphics card it is one."""
    radius: float = 0.7
    """Radius of the part that is not contracted, in mean distances of the cameras from what they look at."""
    near: float = 0.15
    far: float = 60.0
    step: float = 1.0
    """Distance of two samples in training, in cells; where they lie differs from ray to ray and from step to step."""
    density_rate: float = 0.15
    colour_rate: float = 0.03
    view_rate: float = 0.02
    """Learning rate of the harmonics of degree 1."""
    settle: float = 0.15
    """By how much all learning rates have fallen at the end."""
    smooth_density: float = 5e-5
    smooth_colour: float = 5e-4
    smooth_view: float = 1e-2
    scatter: float = 0.06
    """Weight of the distortion loss of mip-NeRF 360, which gathers what a ray meets in one place."""
    keep: float = 0.01
    """A cell stays if it had at least this share of some ray's colour."""
    beyond: int = 1
    """Cells kept behind what is seen."""
    outside: int = 5
    """Cells by which surfaces are carried on beyond the edges of the photographs."""
    bricks_max: int = 64_000
    """Bounds memory: each brick takes 29 kB in training."""
    seed: int = 0

    @property
    def levels(self) -> int:
        """How many lattices follow each other."""
        return len(self.level_shares)
