"""`splats.merge`: several clouds as one, moved onto each other and without doubles if that is wanted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engines.assets import Splats
from engines.splat_values import colour_from_dc
from generators.events import Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.splats.alignment import LEAST_OVERLAP, Fit, aligned, points_of
from generators.splats.clouds import cloud_from, joined, taken
from generators.splats.moving import moved
from generators.splats.neighbours import Check, Neighbours
from generators.splats.params import MergeParams
from generators.splats.pictures import before_after_move
from generators.splats.specs import MERGED

LIKE = 0.2
"""Mean difference of the colour channels below which two splats show the same."""


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield one cloud. Raises `GeneratorError` when a cloud cannot be moved onto those before it."""
    params = request.params
    if not isinstance(params, MergeParams):
        raise TypeError(f"splats.merge wants MergeParams, got {type(params).__name__}")
    ports = [port.name for port in MERGED if not port.optional or port.name in request.inputs]
    clouds = [cloud_from(request, port) for port in ports]
    rng = np.random.default_rng(request.seed)
    whole = clouds[0]
    for index, (port, cloud) in enumerate(zip(ports[1:], clouds[1:], strict=True)):
        yield Progress((index + 0.1) / len(clouds), f"adding {port}")
        context.check()
        placed = cloud
        if params.align != "none":
            placed, words = _placed(whole, cloud, port, params, rng, context.check)
            yield Note(words)
        if params.duplicates == "remove":
            fresh = ~doubled(whole, placed, params.tolerance, context.check)
            yield Note(f"{port}: {int((~fresh).sum()):,} of {len(fresh):,} splats show what was there already")
            placed = taken(placed, fresh)
        whole = joined([whole, placed])
    yield Note(f"{len(whole.positions):,} splats of {len(clouds)} clouds")
    if context.wants_previews:
        yield Preview(before_after_move(clouds[0], whole))
    yield Produced(whole)


def _placed(
    whole: Splats, cloud: Splats, port: str, params: MergeParams, rng: np.random.Generator, check: Check
) -> tuple[Splats, str]:
    fixed, moving = points_of(whole, rng, check), points_of(cloud, rng, check)
    fit = aligned(fixed, moving, search=params.align == "search", rescale=params.rescale, check=check)
    if not fit.believable:
        raise GeneratorError(_failure(fit, port, params))
    motion = fit.motion
    middle = moving.centre[None]
    distance = float(np.linalg.norm(motion.points(middle) - middle))
    angle = float(np.degrees(np.arccos(np.clip((np.trace(motion.matrix) - 1) / 2, -1, 1))))
    grown = f", grown by {motion.scale:.3g}" if params.rescale else ""
    return moved(cloud, motion, check), (
        f"{port} was moved by {distance:.3g} m and turned by {angle:.1f}°{grown}; {fit.overlap:.0%} of it lies on what "
        f"was there, {fit.distance_m:.2g} m apart on average"
    )


def _failure(fit: Fit, port: str, params: MergeParams) -> str:
    if fit.overlap < LEAST_OVERLAP:
        more = (
            "bring it nearer by hand with splats.transform"
            if params.align == "search"
            else "bring it nearer by hand, or try align = search"
        )
        return (
            f"{port} could not be moved onto the clouds before it: at best {fit.overlap:.0%} of it lies on them in a "
            f"like colour, expected at least {LEAST_OVERLAP:.0%}; {more}, or merge with align = none"
        )
    return (
        f"{port} could not be moved onto the clouds before it: what they share is too even (a plain wall or floor, a "
        f"ball) and lets it slide; place it by hand and merge with align = none"
    )


def doubled(before: Splats, added: Splats, tolerance: float, check: Check) -> np.ndarray:
    """Which of the added splats lie within `tolerance` spacings of one that was there, in a like colour; bool [N]."""
    check()
    tree = Neighbours(before.positions, check)
    distances, rows = tree.nearest_to(added.positions, 1, check)
    spacing = np.zeros(len(before.positions), np.float32)
    if len(before.positions) > 1:
        gaps, _ = tree.nearest(min(3, len(before.positions) - 1), check)
        spacing = gaps[:, -1]
    nearest = rows[:, 0]
    colour = colour_from_dc(before.sh[nearest, 0]), colour_from_dc(added.sh[:, 0])
    alike = np.abs(np.clip(colour[0], 0, 1) - np.clip(colour[1], 0, 1)).mean(axis=1) < LIKE
    result: np.ndarray = (distances[:, 0] <= np.float32(tolerance) * spacing[nearest]) & alike
    return result
