"""`splats.transform`: move, turn, scale, mirror; stand upright; give a real size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engines.assets import Splats
from generators.events import Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.splats.clouds import cloud_from, extent, taken
from generators.splats.ground import LEAST_SHARE, MOST_BELOW, find_ground, upright
from generators.splats.moving import (
    NOTHING,
    Similarity,
    moved,
    rotation_xyz,
    turned_about,
)
from generators.splats.params import TransformParams
from generators.splats.pictures import before_after_move

WITHIN_DEG = {"nearly": 50.0, "any": 180.0}
_AXES = {"x": 0, "y": 1, "z": 2}


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield the moved cloud. Raises `GeneratorError` when no ground is found or a size cannot be taken."""
    params = request.params
    if not isinstance(params, TransformParams):
        raise TypeError(f"splats.transform wants TransformParams, got {type(params).__name__}")
    cloud = cloud_from(request)
    context.check()
    motion = NOTHING
    if params.level != "off":
        yield Progress(0.1, "finding the ground")
        motion, words = _levelled(cloud, params, np.random.default_rng(request.seed))
        yield Note(words)
        context.check()
    motion, words = _sized(cloud, params, motion)
    if words:
        yield Note(words)
    motion = _turned(cloud, params, motion)
    motion = _placed(cloud, params, motion)
    shift = np.array([params.move_x_m, params.move_y_m, params.move_z_m])
    motion = motion.then(Similarity(np.eye(3), 1.0, shift))
    if _is_nothing(motion):
        yield Note("every value is at rest: the cloud is given back as it came")
        yield Produced(cloud)
        return
    yield Progress(0.4, "moving")
    result = moved(cloud, motion, context.check)
    if context.wants_previews:
        yield Preview(before_after_move(cloud, result))
    yield Produced(result)


def _levelled(cloud: Splats, params: TransformParams, rng: np.random.Generator) -> tuple[Similarity, str]:
    ground = find_ground(cloud, rng, within_deg=WITHIN_DEG[params.level])
    if not ground.believable:
        raise GeneratorError(
            f"no ground was found: the best plane holds {ground.share:.1%} of the cloud (expected at least "
            f"{LEAST_SHARE:.1%}) and has {ground.below:.1%} of it below (expected at most {MOST_BELOW:.1%}). Crop the "
            f"cloud to a part with its ground, or turn it by hand"
        )
    turn = turned_about(upright(ground), ground.normal * ground.offset_m)
    height = float(turn.points(ground.normal[None] * ground.offset_m)[0, 1])
    motion = turn.then(Similarity(np.eye(3), 1.0, np.array([0.0, -height, 0.0])))
    return motion, (
        f"the ground, a plane that holds {ground.share:.0%} of the cloud, was tilted by {ground.tilt_deg:.1f}°; it is "
        f"level at height 0 now"
    )


def _sized(cloud: Splats, params: TransformParams, motion: Similarity) -> tuple[Similarity, str]:
    """Scale by the factor, and by the known size if there is one; about the origin."""
    factor, words = params.scale, ""
    if params.known == "height":
        bulk = extent(_seen(cloud, motion))
        height = float(bulk.high[1] - bulk.low[1])
        if height <= 0:
            raise GeneratorError(
                "the cloud has no height to go by: all of it lies at one level; give a distance instead"
            )
        factor = factor * params.real_m / height
        words = f"the cloud's height was {height:.4g} and is {params.real_m:g} m now"
    elif params.known == "distance":
        factor = factor * params.real_m / params.measured
        words = f"what measured {params.measured:g} is {params.real_m:g} m now: a factor of {factor:.4g}"
    return motion.then(Similarity(np.eye(3), factor, np.zeros(3))), words


def _turned(cloud: Splats, params: TransformParams, motion: Similarity) -> Similarity:
    pivot = np.zeros(3)
    if params.pivot == "centre":
        pivot = extent(_seen(cloud, motion)).centre
    if params.mirror != "none":
        flip = np.eye(3)
        flip[_AXES[params.mirror], _AXES[params.mirror]] = -1.0
        motion = motion.then(turned_about(flip, pivot))
    turn = rotation_xyz(params.rotate_x_deg, params.rotate_y_deg, params.rotate_z_deg)
    return motion.then(turned_about(turn, pivot))


def _placed(cloud: Splats, params: TransformParams, motion: Similarity) -> Similarity:
    if params.place == "keep":
        return motion
    bulk = extent(_seen(cloud, motion))
    middle = (bulk.low + bulk.high) / 2
    shift = -middle
    if params.place == "on_ground":
        # After levelling the ground is at 0 already, which is truer than the lowest of what was reconstructed.
        level = params.level != "off" and params.rotate_x_deg == params.rotate_z_deg == 0 and params.mirror != "y"
        shift[1] = 0.0 if level else -bulk.low[1]
    return motion.then(Similarity(np.eye(3), 1.0, shift))


def _seen(cloud: Splats, motion: Similarity, samples: int = 100_000) -> Splats:
    """A sample of the cloud with its positions, and nothing else, moved."""
    part = taken(cloud, np.arange(0, len(cloud.positions), max(1, len(cloud.positions) // samples)))
    return Splats(motion.points(part.positions), part.rotations, part.scales, part.opacities, part.sh)


def _is_nothing(motion: Similarity) -> bool:
    return motion.scale == 1.0 and np.array_equal(motion.matrix, np.eye(3)) and not motion.shift_m.any()
