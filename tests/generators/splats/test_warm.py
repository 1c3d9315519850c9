from __future__ import annotations

from typing import Any

import numpy as np

from generators.radiance.rasterizer.kernels import _PARALLEL
from generators.splats import clouds, ellipsoids, moving, neighbours, pairs, palettes, peeling, surfaces, warm
from generators.splats.clouds import ARRAYS
from generators.splats.params import CleanParams, DecimateParams, RelightParams
from generators.splats.specs import SPECS
from tests.generators.splats.clouds_at_hand import edited, random_cloud

SERIAL: tuple[Any, ...] = (neighbours._join, pairs.match, peeling.carried)
PARALLEL: tuple[Any, ...] = (
    clouds._fill_covariances, ellipsoids._decompose, neighbours._build, neighbours._search, pairs.fill_costs,
    pairs.merge_rows,
    palettes._look_up, surfaces._even_out, moving._move,
)  # fmt: skip


def variants() -> dict[str, int]:
    """How many compiled variants there are of each kernel of this room, and of the rasterizer's."""
    serial = {kernel.__name__: len(kernel.signatures) for kernel in SERIAL}
    return serial | {kernel.__name__: len(behind.signatures) for kernel, behind in _PARALLEL.items()}


def test_every_kernel_is_compiled_beforehand_and_mapped_files_need_no_other_variant() -> None:
    assert {spec.prepare for spec in SPECS} == {"generators.splats.warm:compile_kernels"}
    warm.compile_kernels()
    before = variants()
    assert all(before[kernel.__name__] >= 1 for kernel in (*SERIAL, *PARALLEL))
    cloud = random_cloud(200)
    for name in ARRAYS:
        getattr(cloud, name).setflags(write=False)
    for editor, params in (("clean", CleanParams()), ("decimate", DecimateParams()), ("relight", RelightParams())):
        assert np.isfinite(edited(editor, params, previews=True, cloud=cloud).cloud.positions).all()
    assert variants() == before
