"""`splats.levels`: one cloud at several levels of detail, each made from the one before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from generators.events import Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.radiance.rasterizer.kernels import compiled_before
from generators.splats.clouds import cloud_from
from generators.splats.decimate import MERGING, PREPARING, fallen, mean_likeness_db
from generators.splats.pairs import fill_costs
from generators.splats.params import LevelsParams
from generators.splats.pictures import before_after
from generators.splats.thinning import Thinning


def budgets(count: int, params: LevelsParams) -> list[int]:
    """Splats of each level, finest first, strictly falling. Raises `GeneratorError` when they would run out."""
    finest = min(params.finest or count, count)
    wanted = [round(finest * params.ratio**level) for level in range(params.levels)]
    if wanted[-1] < 1 or len(set(wanted)) < len(wanted):
        raise GeneratorError(
            f"{finest:,} splats cannot be thinned to {params.levels} levels, each {params.ratio:g} of the one before: "
            f"that would leave {', '.join(f'{one:,}' for one in wanted)}; ask for fewer levels or a higher ratio"
        )
    return wanted


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield the results lod0, lod1 … as they are made, and say how like the first each looks."""
    params = request.params
    if not isinstance(params, LevelsParams):
        raise TypeError(f"splats.levels wants LevelsParams, got {type(params).__name__}")
    cloud = cloud_from(request)
    count = len(cloud.positions)
    wanted = budgets(count, params)
    yield Progress(0.02, MERGING if compiled_before(fill_costs) else PREPARING)
    thinning = Thinning(cloud)
    for level, budget in enumerate(wanted):
        for left in thinning.down_to(budget, context.check):
            yield Progress(fallen(count, wanted[-1], left), f"lod{level}: {left:,} splats")
        result = cloud if budget == count else thinning.cloud()
        if result is not cloud:
            likeness = mean_likeness_db(cloud, result, context.check)
            yield Note(f"lod{level}: {len(result.positions):,} splats, {likeness:.1f} dB like the whole cloud")
            if context.wants_previews:
                yield Preview(before_after(cloud, result))
        yield Produced(replace(result, name=f"{cloud.name or 'splats'} lod{level}"), f"lod{level}")
