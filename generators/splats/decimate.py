"""`splats.decimate`: the same look with fewer splats, by merging neighbours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engines.assets import Splats
from generators.events import Context, Event, Note, Preview, Produced, Progress, Request
from generators.radiance.rasterizer.kernels import compiled_before
from generators.splats.clouds import cloud_from, extent
from generators.splats.neighbours import Check
from generators.splats.pairs import fill_costs
from generators.splats.params import DecimateParams
from generators.splats.pictures import before_after, likeness_db
from generators.splats.thinning import Thinning
from generators.splats.visibility import viewpoints

JUDGED_VIEWS, JUDGED_PX, JUDGED_RADII = 3, 192, 1.4

MERGING = "merging"
PREPARING = "preparing kernels (first time only)"
"""Said while the inner loops are compiled: some twenty seconds, once on each machine."""


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield a cloud of exactly the budget, and say how like the first it looks."""
    params = request.params
    if not isinstance(params, DecimateParams):
        raise TypeError(f"splats.decimate wants DecimateParams, got {type(params).__name__}")
    cloud = cloud_from(request)
    count = len(cloud.positions)
    budget = params.count if params.by == "count" else max(1, round(params.share * count))
    if budget >= count:
        yield Note(f"the cloud has {count:,} splats and {budget:,} are allowed: it is given back as it came")
        yield Produced(cloud)
        return
    yield Progress(0.02, MERGING if compiled_before(fill_costs) else PREPARING)
    thinning = Thinning(cloud)
    for left in thinning.down_to(budget, context.check):
        yield Progress(fallen(count, budget, left), f"{left:,} splats")
        if context.wants_previews and left > budget:
            yield Preview(before_after(cloud, thinning.cloud()))
    result = thinning.cloud()
    yield Progress(0.95, "comparing")
    likeness = mean_likeness_db(cloud, result, context.check)
    yield Note(
        f"{len(result.positions):,} of {count:,} splats; seen from {JUDGED_VIEWS} sides {likeness:.1f} dB like it"
    )
    if context.wants_previews:
        yield Preview(before_after(cloud, result))
    yield Produced(result)


def fallen(count: int, budget: int, left: int) -> float:
    """Share of the way down, by logarithms as each round takes about the same share: 0.02 … 0.95."""
    whole = np.log(count / max(budget, 1))
    return min(0.02 + 0.93 * float(np.log(count / max(left, 1)) / whole), 0.95) if whole > 0 else 0.95


def mean_likeness_db(before: Splats, after: Splats, check: Check) -> float:
    """Mean PSNR of small pictures of both from a few sides around the first."""
    values = []
    for camera in viewpoints(extent(before), JUDGED_VIEWS, JUDGED_RADII, side_px=JUDGED_PX, fov_y_deg=55):
        check()
        values.append(likeness_db(before, after, camera, check))
    return float(np.mean(values))
