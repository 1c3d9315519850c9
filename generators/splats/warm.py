"""Compiles the kernels of this room by running every editor on a few hundred splats: half a minute, once a machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.assets import Asset, Image, Splats
from engines.kinds import Kind
from generators.events import Request
from generators.spec import GeneratorSpec, Params
from generators.splats.params import MergeParams, RelightParams, TransformParams

COUNT = 400
BUSY: dict[str, Params] = {
    "splats.merge": MergeParams(align="fit", duplicates="remove"),
    "splats.relight": RelightParams(),
    "splats.transform": TransformParams(rotate_y_deg=30),
}
"""Where the defaults do not reach every kernel."""


@dataclass
class Alone:
    """A context that nobody watches, but for which previews are drawn."""

    device: str = "cpu"
    scratch: Path = Path()
    wants_previews: bool = True

    def check(self) -> None:
        """Go on."""


def compile_kernels() -> None:
    """Run each editor once; afterwards numba's cache on disk holds the kernels."""
    from generators.runner import imported
    from generators.splats.specs import SPECS

    for spec in SPECS:
        request = Request(BUSY.get(spec.id, spec.params()), 0, _inputs(spec))
        for _ in imported(spec.run)(request, Alone()):
            pass


def _inputs(spec: GeneratorSpec) -> dict[str, Asset]:
    """A cloud for every port that takes one, a picture for every other, optional ones too."""
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    cloud = _hills()
    return {
        port.name: cloud if Kind.SPLATS in port.kinds else Image(pixels)
        for port in spec.takes
        if not port.optional or Kind.IMAGE in port.kinds
    }


def _hills() -> Splats:
    """A coloured relief of flat and round splats; what it looks like does not matter."""
    rng = np.random.default_rng(0)
    x, z = rng.uniform(-1, 1, (2, COUNT))
    positions = np.stack([x, 0.3 * np.sin(3 * x) * np.cos(2 * z), z], -1).astype(np.float32)
    return Splats(
        positions=positions,
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (COUNT, 1)),
        scales=rng.uniform([0.03, 0.005, 0.03], [0.06, 0.05, 0.06], (COUNT, 3)).astype(np.float32),
        opacities=rng.uniform(0.3, 0.9, COUNT).astype(np.float32),
        sh=rng.normal(0, 0.4, (COUNT, 4, 3)).astype(np.float32),
    )
