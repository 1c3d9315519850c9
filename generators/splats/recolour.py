"""`splats.recolour`: a grade for the whole cloud, by hand or after a reference picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engines.assets import FloatArray, Image, Splats
from generators.events import Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.splats.clouds import cloud_from
from generators.splats.grading import Change, display_from_oklab, grade, oklab_from_display, recoloured
from generators.splats.neighbours import Check
from generators.splats.palettes import Table, by_mean, by_transport, cloud_colours, distance, picture_colours
from generators.splats.params import RecolourParams
from generators.splats.pictures import before_after


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield the cloud in its new colours. Raises `GeneratorError` for a reference that holds none."""
    params = request.params
    if not isinstance(params, RecolourParams):
        raise TypeError(f"splats.recolour wants RecolourParams, got {type(params).__name__}")
    cloud = cloud_from(request)
    reference = request.inputs.get("reference")
    if reference is not None and not isinstance(reference, Image):
        raise GeneratorError(f"input 'reference': expected a picture, got a {reference.kind}")
    changes: list[Change] = []
    if reference is not None and params.strength > 0:
        yield Progress(0.1, "matching colours")
        matched, words = _matched(cloud, reference, params, np.random.default_rng(request.seed), context.check)
        changes.append(matched)
        yield Note(words)
    by_hand = grade(
        exposure_stops=params.exposure_stops,
        contrast=params.contrast,
        saturation=params.saturation,
        hue_deg=params.hue_deg,
        temperature_k=params.temperature_k,
        tint=params.tint,
    )
    if by_hand is not None:
        changes.append(by_hand)
    if not changes:
        yield Note("every value is at rest and there is no reference: the cloud is given back as it came")
        yield Produced(cloud)
        return
    yield Progress(0.5, "colouring")
    context.check()
    result = recoloured(cloud, _in_turn(changes), context.check)
    if context.wants_previews:
        yield Preview(before_after(cloud, result))
    yield Produced(result)


def _matched(
    cloud: Splats, reference: Image, params: RecolourParams, rng: np.random.Generator, check: Check
) -> tuple[Change, str]:
    target, source = picture_colours(reference, rng), cloud_colours(cloud, rng)
    check()
    table: Table = by_mean(source, target) if params.method == "mean" else by_transport(source, target, rng, check)
    strength = np.float32(params.strength)

    def change(colours: FloatArray, rows: slice) -> FloatArray:
        return colours + strength * (table(colours, rows) - colours)

    again = np.clip(change(display_from_oklab(source), slice(None)), 0, 1)
    before, after = distance(source, target), distance(oklab_from_display(again), target)
    return (
        change,
        f"the cloud's colours were {before:.3f} from the picture's on average and are {after:.3f} now (OKLab)",
    )


def _in_turn(changes: list[Change]) -> Change:
    def change(colours: FloatArray, rows: slice) -> FloatArray:
        for one in changes:
            colours = one(colours, rows)
        return colours

    return change
