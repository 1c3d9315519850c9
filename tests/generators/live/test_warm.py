"""What is compiled beforehand is all that an artist's cloud needs."""

from __future__ import annotations

import numpy as np
import pytest

from engines.assets import Splats
from generators.live import warm
from generators.live.drawing_splats import OnProcessor, Way
from generators.live.view_splats import pinhole_of
from generators.radiance.parameters import from_splats
from generators.radiance.rasterizer.forward import binning, compositing, projection
from generators.radiance.rasterizer.forward.renderer import Look
from generators.radiance.rasterizer.kernels import _PARALLEL
from tests.generators.live.scenes import camera

KERNELS = (projection.find_seen, binning.find_spans, binning.fill_tiles, compositing.composite)


def compiled() -> list[int]:
    return [len(_PARALLEL[kernel].signatures) for kernel in KERNELS]


@pytest.mark.parametrize("background", [None, 0.5])
def test_a_cloud_that_was_read_from_disk_compiles_nothing_more(background: float | None) -> None:
    warm.splats()
    before = compiled()
    rng = np.random.default_rng(0)
    values = {"positions": 3, "rotations": 4, "scales": 3}
    arrays = {name: np.abs(rng.normal(size=(300, width))).astype(np.float32) for name, width in values.items()}
    arrays |= {"opacities": np.full(300, 0.5, np.float32), "sh": np.zeros((300, 9, 3), np.float32)}
    for array in arrays.values():
        array.setflags(write=False)  # an asset's arrays are files, mapped read-only
    drawer = OnProcessor(from_splats(Splats(**arrays)))  # type: ignore[arg-type]
    for way in (Way(), Way(0.5, 0.5)):
        picture = drawer.draw(pinhole_of(camera()), Look(background, size=0.7, shrunk=1 / way.size), way, lambda: False)
        assert picture is not None
    assert compiled() == before == [1, 1, 1, 1]
