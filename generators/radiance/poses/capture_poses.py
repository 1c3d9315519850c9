"""`capture.poses`: photographs or a film in, the same photographs with their camera poses out."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

from engines.assets import Capture, Clip
from generators.events import Context, Event, GeneratorError, Note, Produced, Progress, Request
from generators.radiance.archive import CaptureError, open_source
from generators.radiance.capture import has_poses, unread_poses
from generators.radiance.capture_specs import CapturePosesParams
from generators.radiance.poses import films
from generators.radiance.poses.films import is_film
from generators.radiance.poses.finding import Found, find_poses
from generators.radiance.poses.process import require_colmap

FOLDER = "poses"
POSED = "posed.zip"
PLACED = 0.4
"""Share of a run on the progress bar that finding poses takes, where none are given."""


def run(request: Request, context: Context) -> Iterator[Event]:
    """A posed capture from `request.inputs["photos"]`. Raises `GeneratorError` when too few can be placed."""
    params = request.params
    if not isinstance(params, CapturePosesParams):
        raise GeneratorError(f"expected CapturePosesParams, got {type(params).__name__}")
    photos = request.inputs.get("photos")
    if not isinstance(photos, Capture | Clip):
        raise GeneratorError("no photographs were given; pass a folder or zip of photographs, or a film")
    found = yield from found_poses(photos, params, context, seed=request.seed)
    name = photos.name or "photographs"
    yield Progress(1.0, "done")
    yield Produced(Capture(found.path, f"{name}, posed"))


def found_poses(
    photos: Capture | Clip, params: CapturePosesParams, context: Context, *, seed: int
) -> Generator[Event, None, Found]:
    """See `finding.find_poses`; the work is done in the run's scratch folder."""
    folder = context.scratch / FOLDER
    shutil.rmtree(folder, ignore_errors=True)  # what a run that was killed left half done
    folder.mkdir(parents=True)
    require_colmap()  # before a film is looked through for nothing
    with ExitStack() as stack:
        source, filmed = yield from films.opened(
            photos, folder, frames_max=params.frames_max, check=context.check, stack=stack
        )
        if has_poses(source):
            yield Note("the camera poses that came with the photographs were not used")
        elif unread_poses(source):
            yield Note(unread_poses(source))
        found = yield from find_poses(source, folder, params, seed=seed, check=context.check, filmed=filmed)
    for left in folder.iterdir():
        if left != found.path:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return found


def is_posed(photos: Capture | Clip) -> bool:
    """Whether the poses of these photographs came with them."""
    if isinstance(photos, Clip) or is_film(photos.path):
        return False
    with open_source(photos.path) as source:
        return has_poses(source)


def with_poses(photos: Capture | Clip, context: Context, *, seed: int) -> Iterator[Event | Path]:
    """Events while poses are found with the usual settings, and at last where the capture that has them lies.

    That is the capture given, without any event, when it has poses. A run that is taken up again finds what it made.
    """
    made = context.scratch / FOLDER / POSED
    if isinstance(photos, Capture) and is_posed(photos):
        yield photos.path
        return
    if not made.exists():
        yield from found_poses(photos, CapturePosesParams(), context, seed=seed)
        yield Note("the poses were found for this run alone; capture.poses keeps them for others")
    yield made


def on_posed(
    photos: Capture | Clip, context: Context, *, seed: int, work: Callable[[Path], Iterator[Event]]
) -> Iterator[Event]:
    """The events of `work` on a capture with poses; where they have to be found first, theirs before, on one bar."""
    path, placed = None, 0.0
    for event in with_poses(photos, context, seed=seed):
        if isinstance(event, Path):
            path = event
        elif isinstance(event, Progress):
            placed = PLACED
            yield Progress(PLACED * event.fraction, event.stage)
        else:
            yield event
    if path is None:
        raise CaptureError("no poses were found")
    for event in work(path):
        yield Progress(placed + (1 - placed) * event.fraction, event.stage) if isinstance(event, Progress) else event
