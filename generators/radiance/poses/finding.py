"""From photographs to a posed capture: prepare, ask COLMAP, fix the gauge, write the zip; and say why it failed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.events import Event, Note, Preview, Progress
from generators.radiance import colmap
from generators.radiance.archive import CaptureError, Source
from generators.radiance.capture import FRAMES_MIN, Skipped
from generators.radiance.capture_specs import CapturePosesParams
from generators.radiance.colmap import Points
from generators.radiance.poses import gauge, picture, shots, talk, writing
from generators.radiance.poses.exif import local_metres
from generators.radiance.poses.process import require_colmap, solved, worker_threads
from generators.radiance.poses.shots import Shot
from generators.radiance.poses.talk import Answer, Order, Placed, Said

STAGES = {
    "features": (0.15, 0.4, "looking for features: {done} of {total} photographs"),
    "pairs": (0.4, 0.45, "choosing what to compare: {done} of {total} photographs"),
    "matching": (0.45, 0.75, "comparing: {done} of {total} pairs, {kept} fit"),
    "mapping": (0.75, 0.97, "placing cameras: {done} of {total}"),
}
NAMED_MAX = 20
FEATURES_PER_PX, FEATURES_LEAST = 2.5, 1000
"""Features of a photograph at most: 2000 at 800 px. Twice as many find the same poses in a third more time."""
TEXTURE_LEAST, PARTNERS_LEAST = 300, 3
BLURRED = 0.22
"""A set whose median photograph is less sharp than this (`judging.sharpness`) is out of focus, or shaken."""


@dataclass(frozen=True, eq=False)
class Found:
    """What was found: the written capture, and what a person may want to know of it."""

    path: Path
    placed: tuple[str, ...]
    world_from_camera: NDArray[np.float64]
    """Neutral poses float64 [N, 4, 4] of the placed photographs, with the camera axes of OpenCV."""
    points: Points
    skipped: tuple[Skipped, ...]
    answer: Answer


def find_poses(
    source: Source,
    folder: Path,
    params: CapturePosesParams,
    *,
    seed: int,
    check: Callable[[], None],
    filmed: bool = False,
) -> Generator[Event, None, Found]:
    """Poses for the photographs in `source`, written as `posed.zip` into the existing empty `folder`.

    `filmed` says that the photographs follow each other. Raises `CaptureError` when too few can be placed, and
    `GeneratorError` where COLMAP is missing.
    """
    require_colmap()
    names, skipped = shots.photograph_names(source)
    ready: list[Shot] = []
    threads = worker_threads()
    every = shots.prepared(source, names, folder, side_px=params.resolution_px, threads=threads, check=check)
    for done, shot in enumerate(every, 1):
        yield Progress(STAGES["features"][0] * done / len(names), f"reading photographs: {done} of {len(names)}")
        if isinstance(shot, Skipped):
            skipped.append(shot)
        else:
            ready.append(shot)
    useful, dropped = shots.useful(ready)
    skipped += dropped
    if len(useful) < FRAMES_MIN:
        reasons = "; ".join(f"{one.name}: {one.reason}" for one in skipped[:5])
        raise CaptureError(
            f"{len(useful)} of {len(useful) + len(skipped)} photographs can be used, at least {FRAMES_MIN} are needed"
            + (f". {reasons}" if reasons else "")
        )
    views, cameras, sizes = shots.by_lens(useful, fisheye=params.lens == "fisheye")
    count = max(FEATURES_LEAST, round(FEATURES_PER_PX * params.resolution_px))
    order = Order(tuple(views), tuple(cameras), filmed, threads, seed, features_max=count, mapper=params.mapper)
    answer = yield from _asked(order, folder, check)
    group = enough(answer, useful, params.least_placed_percent)
    skipped += [Skipped(shot.name, why) for shot, why in _unplaced(useful, answer)]
    yield from _said(useful, group, skipped, order)
    poses, points, metric, notes = _upright(useful, group, folder, params, seed)
    for sentence in notes:
        yield Note(sentence)
    frames = []
    for (index, _), pose in zip(group.views.items(), poses, strict=True):
        number = order.views[index].camera
        camera = order.cameras[number]
        lens = colmap.lens_from_model(camera.model, camera.width, camera.height, list(group.cameras[number]))
        shot = useful[index]
        frames.append(writing.frame_json(shot.name, pose, writing.full_size(lens, *sizes[number]), shot.mask_name))
    yield Preview(picture.drawn(poses, points))
    path = folder / "posed.zip"
    yield Progress(STAGES["mapping"][1], "writing the posed capture")
    writing.write_posed(path, source, frames, points=points, metric=metric, check=check)
    return Found(path, tuple(useful[index].name for index in group.views), poses, points, tuple(skipped), answer)


def _asked(order: Order, folder: Path, check: Callable[[], None]) -> Generator[Event, None, Answer]:
    reached = 0.0  # those left out are compared once more, and the bar does not go back
    for said in solved(order, folder, check):
        if isinstance(said, Said):
            low, high, words = STAGES[said.stage]
            reached = max(reached, low + min(1.0, said.done / max(said.total, 1)) * (high - low))
            yield Progress(reached, words.format(done=said.done, total=said.total, kept=said.kept))
        else:
            return said
    raise CaptureError("COLMAP gave no answer")


def _said(
    useful: Sequence[Shot], group: Placed, skipped: Sequence[Skipped], order: Order
) -> Generator[Event, None, None]:
    total = len(group.views) + len(skipped)
    left_out = "; ".join(f"{one.name} ({one.reason})" for one in skipped[:NAMED_MAX])
    more = f"; and {len(skipped) - NAMED_MAX} more" if len(skipped) > NAMED_MAX else ""
    yield Note(
        f"{len(group.views)} of {total} photographs were placed, {group.points:,} points, "
        f"{group.error_px:.2f} px mean error" + (f". Left out: {left_out}{more}" if skipped else "")
    )
    if not any(shot.exif.focal_share for shot in useful):
        count = len(order.cameras)
        lenses = "one lens was" if count == 1 else f"{count} lenses, one for each size of picture, were"
        yield Note(f"the photographs do not name their lens; {lenses} assumed, and its focal length found from them")


# -- failing -------------------------------------------------------------------------------------------------------


def enough(answer: Answer, useful: Sequence[Shot], least_percent: int) -> Placed:
    """The largest group, when it is large enough. Raises `CaptureError` that says what was found and what to do."""
    largest = answer.groups[0] if answer.groups else None
    count = len(largest.views) if largest else 0
    if largest is not None and count >= max(FRAMES_MIN, len(useful) * least_percent / 100):
        return largest
    words = [f"{count} of {len(useful)} photographs could be placed"]
    if largest is not None:
        words.append(f"the largest group is {_range(useful, largest)}")
    words += [f"another of {len(one.views)} is {_range(useful, one)}" for one in answer.groups[1:3]]
    remedy = advice(answer, float(np.median([shot.sharpness for shot in useful])))
    if count >= FRAMES_MIN:
        remedy += f" To go on with the largest group alone, set 'Placed at least' to {100 * count // len(useful)} %."
    raise CaptureError("; ".join(words) + ". " + remedy)


def _range(useful: Sequence[Shot], group: Placed) -> str:
    names = [useful[index].name for index in sorted(group.views)]
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} … {names[-1]}"


def advice(answer: Answer, sharpness: float = 0.0) -> str:
    """What to do about photographs that could not be placed, by what was found in them; 0 for unknown sharpness."""
    features, partners = float(np.median(answer.features)), float(np.median(answer.matched))
    if features < TEXTURE_LEAST and 0 < sharpness < BLURRED:
        return (
            f"Nearly all of them are blurred ({features:.0f} features in the median photograph, {TEXTURE_LEAST} and "
            "more are needed): hold the camera still, wait for its focus, and have more light."
        )
    if features < TEXTURE_LEAST:
        return (
            f"There is little texture in them ({features:.0f} features in the median photograph, {TEXTURE_LEAST} and "
            "more are needed): photograph from nearer, with more light, or put patterned things into the scene."
        )
    if partners < PARTNERS_LEAST:
        return (
            f"They hardly overlap (the median photograph fits {partners:.0f} others): take more in between, so that "
            "each shows at least two thirds of the one before, and walk around rather than jump."
        )
    if answer.turned:
        return (
            "They overlap, but the camera only turned on the spot: depth shows when it moves sideways. Walk around the "
            "subject."
        )
    return "They overlap, but do not agree on one scene: leave out those of other places, or where things have moved."


def _unplaced(useful: Sequence[Shot], answer: Answer) -> list[tuple[Shot, str]]:
    largest = answer.groups[0].views
    others = {index for group in answer.groups[1:] for index in group.views}
    result = []
    for index, shot in enumerate(useful):
        if index in largest:
            continue
        if index in others:
            reason = "belongs to another group, which does not join the largest"
        elif answer.features[index] < TEXTURE_LEAST // 3:
            reason = f"could not be placed: {answer.features[index]} features"
        elif not answer.matched[index]:
            reason = "could not be placed: it overlaps with no other"
        else:
            reason = f"could not be placed, though it fits {answer.matched[index]} others"
        result.append((shot, reason))
    return result


# -- upright -------------------------------------------------------------------------------------------------------


def _upright(
    useful: Sequence[Shot], group: Placed, folder: Path, params: CapturePosesParams, seed: int
) -> tuple[NDArray[np.float64], Points, bool, tuple[str, ...]]:
    """Neutral poses and points, whether they are metres, and what was assumed."""
    found = np.stack([_world_from_camera(row) for row in group.views.values()])
    with np.load(folder / talk.POINTS) as file:
        positions, colours = file["positions"], file["colours"]
    places = [useful[index].exif.place for index in group.views]
    known = [place for place in places if place is not None]
    metres = iter(local_metres(known)) if known else iter(())
    fixed = gauge.fixed(
        found,
        positions,
        known=gauge.KnownLength(params.camera_height_m, params.first_to_last_m),
        places_m=[None if place is None else next(metres) for place in places],
        seed=seed,
    )
    matrix = fixed.neutral_from_found
    scale = float(np.cbrt(np.linalg.det(matrix[:3, :3])))
    poses = matrix @ found
    poses[:, :3, :3] /= scale
    moved: FloatArray = (positions @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)
    return poses, Points(moved, (colours / 255).astype(np.float32)), fixed.metric, fixed.notes


def _world_from_camera(row: Sequence[float]) -> NDArray[np.float64]:
    camera_from_world = np.vstack([np.array(row, np.float64).reshape(3, 4), [0, 0, 0, 1]])
    return np.asarray(np.linalg.inv(camera_from_world))
