"""`splats.clean`: remove what a reconstruction leaves behind that is no part of the scene, and count it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from generators.events import Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.splats.clouds import broken_rows, cloud_from, importance, taken, weighted_quantile
from generators.splats.neighbours import Check, Ints, Neighbours, components
from generators.splats.params import CleanParams
from generators.splats.pictures import before_after

Mask = NDArray[np.bool_]
WORDS = {
    "broken": "holding values that are not numbers",
    "faint": "nearly transparent",
    "oversized": "as large as the scene",
    "needles": "long thin spikes",
    "floaters": "hanging alone",
    "islands": "in small groups that touch nothing else",
}
MOST_NEIGHBOURS_LINKED = 8
CHUNK = 1 << 16


@dataclass(frozen=True)
class Limits:
    """Where dirt begins, for one strength 0..1."""

    opacity: float
    """Below it a splat is faint; 1/255 is the least that is ever drawn."""
    radii: float
    """Longest standard deviation in radii of the cloud."""
    aspect: float
    """Longest against middle standard deviation of a needle."""
    spacings: float
    """How many spacings a needle's longest standard deviation must exceed."""
    deviations: float
    """How far the distance to the neighbours must lie above the usual, in robust deviations of its logarithm."""
    apart: float
    """How many of their own standard deviations floaters and their neighbours must be apart."""
    share: float
    """Islands have less than this share of all opacity × area, and of all splats."""

    @classmethod
    def of(cls, strength: float) -> Limits:
        """From what is certainly dirt at 0 to what may be at 1."""

        def between(mild: float, strong: float) -> float:
            return float(mild * (strong / mild) ** strength)

        return cls(
            opacity=between(1 / 255, 0.04),
            radii=between(2.5, 0.5),
            aspect=between(30.0, 6.0),
            spacings=between(30.0, 5.0),
            deviations=between(6.0, 2.2),
            apart=between(6.0, 2.5),
            share=between(0.0005, 0.02),
        )


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield the cloud without its dirt. Raises `GeneratorError` when nothing would be left."""
    params = request.params
    if not isinstance(params, CleanParams):
        raise TypeError(f"splats.clean wants CleanParams, got {type(params).__name__}")
    cloud = cloud_from(request, broken_allowed=True)
    count = len(cloud.positions)
    yield Progress(0.05, "looking at each splat")
    found = {"broken": broken_rows(cloud)}
    if found["broken"].all():
        raise GeneratorError(f"none of the {count:,} splats holds only numbers; the file is damaged")
    sound = np.nonzero(~found["broken"])[0]
    yield Progress(0.2, "finding neighbours")
    judged = judge(taken(cloud, sound) if len(sound) < count else cloud, params, context.check)
    yield Progress(0.8, "removing")
    for reason, mask in judged.items():
        found[reason] = np.zeros(count, np.bool_)
        found[reason][sound] = mask
    dirt = np.logical_or.reduce(list(found.values()))
    left = count - int(dirt.sum())
    if left == 0:
        raise GeneratorError(f"all {count:,} splats would be removed: {_counts(found)}; lower the strength")
    result = taken(cloud, ~dirt)
    context.check()
    if left == count:
        yield Note(f"nothing to remove: all {count:,} splats are clean at strength {params.strength:g}")
    else:
        yield Note(f"{count - left:,} of {count:,} splats were removed: {_counts(found)}")
    if context.wants_previews:
        yield Preview(before_after(taken(cloud, sound), result))
    yield Produced(result)


def judge(cloud: Splats, params: CleanParams, check: Check) -> dict[str, Mask]:
    """For each wanted reason which splats it takes, bool [N]; each splat is counted once, by the first that fits."""
    limits = Limits.of(params.strength)
    check()
    masks: dict[str, Mask] = {}
    rest = np.ones(len(cloud.positions), np.bool_)

    def take(reason: str, mask: Mask) -> None:
        masks[reason] = mask & rest
        rest[masks[reason]] = False

    sizes = np.sort(cloud.scales, axis=1)
    if params.faint:
        take("faint", cloud.opacities < limits.opacity)
    if params.oversized:
        # The few splats of a tiny cloud are not large against the little that they span.
        scene = max(_radius(cloud), 10 * float(np.median(sizes[:, 2])))
        take("oversized", sizes[:, 2] > limits.radii * scene)
    rows = np.nonzero(rest)[0]
    if len(rows) < 2 or not (params.needles or params.floaters or params.islands):
        return masks
    # Haze would hide what hangs alone, so neighbours are sought among what is left.
    part, sizes = taken(cloud, rows), sizes[rows]
    check()
    distances, near = Neighbours(part.positions, check).nearest(min(params.neighbours, len(rows) - 1), check)
    check()
    spacing = distances.mean(axis=1)
    usual = _usual_spacing(spacing, near, check)

    def spread(mask: Mask) -> Mask:
        whole = np.zeros(len(cloud.positions), np.bool_)
        whole[rows] = mask
        return whole

    if params.needles:
        thin = sizes[:, 2] > limits.aspect * sizes[:, 1]
        take("needles", spread(thin & (sizes[:, 2] > limits.spacings * usual)))
    check()
    if params.floaters:
        take("floaters", spread(_alone(spacing, usual, sizes, near, limits)))
    check()
    if params.islands:
        touching = _touching(sizes, distances, near, limits)
        check()
        take("islands", spread(_islands(part, touching, near, limits, rest[rows])))
        check()
    return masks


def _radius(cloud: Splats) -> float:
    """The radius that holds nine tenths of the opacity around its median; the size of splats does not count."""
    step = max(1, len(cloud.positions) // 100_000)
    points, weights = cloud.positions[::step].astype(np.float64), cloud.opacities[::step].astype(np.float64) + 1e-9
    centre = np.array([weighted_quantile(points[:, axis], weights, 0.5) for axis in range(3)])
    return weighted_quantile(np.linalg.norm(points - centre, axis=1), weights, 0.9)


def _usual_spacing(spacing: FloatArray, near: Ints, check: Check) -> FloatArray:
    """The median spacing of each splat's neighbourhood, so that one lone splat is not its own measure."""
    usual = np.empty_like(spacing)
    for first in range(0, len(spacing), CHUNK):
        check()
        rows = slice(first, first + CHUNK)
        usual[rows] = np.median(spacing[near[rows, :MOST_NEIGHBOURS_LINKED]], axis=1)
    return usual


def _alone(spacing: FloatArray, usual: FloatArray, sizes: FloatArray, near: Ints, limits: Limits) -> Mask:
    """Far from its neighbours against all the cloud and against its neighbours, and not by being large itself."""
    logs = np.log(np.maximum(spacing, np.float32(1e-30)))
    middle = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - middle))) + 1e-6
    reach = sizes[:, 1:].mean(axis=1) + sizes[near[:, 0], 1:].mean(axis=1)
    far = logs > middle + limits.deviations * spread
    lonely = (spacing > 1.5 * usual) | (logs > middle + 2 * limits.deviations * spread)
    return np.asarray(far & lonely & (spacing > limits.apart * reach), np.bool_)


def _touching(sizes: FloatArray, distances: FloatArray, near: Ints, limits: Limits) -> Mask:
    """Which of its nearest neighbours each splat touches, bool [N, k]: ellipsoids, or the usual gaps, meet."""
    linked = min(near.shape[1], MOST_NEIGHBOURS_LINKED)
    gaps, size = distances[:, :linked], sizes[:, 1:].mean(axis=1)
    usual = np.float32(np.median(gaps[:, 0]))
    return np.asarray(gaps < limits.apart * (size[:, None] + size[near[:, :linked]]) + usual, np.bool_)


def _islands(part: Splats, touching: Mask, near: Ints, limits: Limits, rest: Mask) -> Mask:
    """Small components of what touches, of those splats that are left."""
    near = near[:, : touching.shape[1]]
    touching &= rest[:, None] & rest[near]
    labels = components(near, touching)
    weights = importance(part).astype(np.float64) * rest
    heft = np.bincount(labels, weights=weights, minlength=len(labels))
    members = np.bincount(labels, weights=rest.astype(np.float64), minlength=len(labels))
    small = (heft < limits.share * weights.sum()) & (members < max(limits.share * rest.sum(), 3))
    return np.asarray(small[labels] & rest, np.bool_)


def _counts(found: dict[str, Mask]) -> str:
    parts = [f"{int(mask.sum()):,} {WORDS[reason]}" for reason, mask in found.items() if mask.any()]
    return ", ".join(parts) or "none"
